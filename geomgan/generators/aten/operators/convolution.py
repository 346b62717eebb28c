"""Convolutions: ``input (N, in, ...)`` with ``weight (out, in / groups, ...)``, one to three axes, batched or not.

A transposed one has ``weight (in, out / groups, ...)`` and is the transpose of the convolution with that weight.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from geomgan.generators.aten.operators.arguments import Operators, each


def conv(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    axes = weight.ndim - 2
    spans = [d * (k - 1) for d, k in zip(each(dilation, axes), weight.shape[2:], strict=True)]
    if padding == "same":  # the odd zero stands behind
        ends = [(span // 2, span - span // 2) for span in spans]
    else:
        ends = [(p, p) for p in each(0 if padding == "valid" else padding, axes)]
    return _convolve(input, weight, bias, ends, groups, window_strides=each(stride, axes), dilation=dilation)


def conv_transpose(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    axes = weight.ndim - 2
    spans = [d * (k - 1) for d, k in zip(each(dilation, axes), weight.shape[2:], strict=True)]
    ends = [
        (span - p, span - p + more)
        for span, p, more in zip(spans, each(padding, axes), each(output_padding, axes), strict=True)
    ]
    kernel = jnp.flip(weight, range(2, weight.ndim)).reshape(groups, -1, *weight.shape[1:])
    kernel = kernel.swapaxes(1, 2).reshape(-1, weight.shape[0] // groups, *weight.shape[2:])
    return _convolve(input, kernel, bias, ends, groups, lhs_dilation=each(stride, axes), dilation=dilation)


def convolution(input, weight, bias, stride, padding, dilation, transposed, output_padding, groups):
    if transposed:
        return conv_transpose(input, weight, bias, stride, padding, output_padding, groups, dilation)
    return conv(input, weight, bias, stride, padding, dilation, groups)


def _convolve(input, weight, bias, ends, groups, dilation, window_strides=None, lhs_dilation=None):
    axes = weight.ndim - 2
    batched = input if input.ndim == weight.ndim else input[None]
    out = lax.conv_general_dilated(
        batched,
        weight,
        window_strides or (1,) * axes,
        ends,
        lhs_dilation=lhs_dilation,
        rhs_dilation=each(dilation, axes),
        feature_group_count=groups,
    )
    if bias is not None:
        out = out + bias.reshape(-1, *(1,) * axes)
    return out if input.ndim == weight.ndim else out[0]


OPERATORS: Operators = {
    "conv1d": conv,
    "conv2d": conv,
    "conv3d": conv,
    "conv_transpose1d": conv_transpose,
    "conv_transpose2d": conv_transpose,
    "conv_transpose3d": conv_transpose,
    "convolution": convolution,
}
