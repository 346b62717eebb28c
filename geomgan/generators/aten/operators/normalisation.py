"""Norms of activations ``(N, C, ...)`` in evaluation, and the norm of weights.

Every norm is ``weight (x - mean) / √(variance + eps) + bias``, with the biased variance.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from geomgan.generators.aten.operators.arguments import Operators
from geomgan.generators.aten.operators.reduction import vector_norm


def batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps, cudnn_enabled=False):
    if training or running_mean is None:
        raise ValueError(
            "a batch norm that takes the statistics of its batch, got training=True or no running statistics, expected "
            "a norm in evaluation: call .eval() on the module first (and give it statistics of its own)"
        )
    scale = lax.rsqrt(running_var + eps) * (1 if weight is None else weight)
    shift = (0 if bias is None else bias) - running_mean * scale
    return input * _of_channels(scale, input) + _of_channels(shift, input)


def batch_norm_with_statistics(input, weight, bias, running_mean, running_var, momentum, eps):
    """The norm, and empty statistics of the batch."""
    empty = jnp.zeros(0, input.dtype)
    return batch_norm(input, weight, bias, running_mean, running_var, False, momentum, eps), empty, empty


def batch_norm_without_statistics(input, weight, bias, training, momentum, eps):
    """What an instance norm decomposes into: moments of every channel of this input."""
    axes = (0, *range(2, input.ndim))
    out, mean, scale = _normalised(input, axes, eps)
    return _affine(out, weight, bias), mean.reshape(-1), scale.reshape(-1)


def instance_norm(input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps, cudnn_enabled=False):
    if not use_input_stats:
        return batch_norm(input, weight, bias, running_mean, running_var, False, momentum, eps)
    return _affine(_normalised(input, tuple(range(2, input.ndim)), eps)[0], weight, bias)


def group_norm(input, num_groups, weight=None, bias=None, eps=1e-5, cudnn_enabled=True):
    grouped = input.reshape(len(input), num_groups, -1)
    return _affine(_normalised(grouped, (2,), eps)[0].reshape(input.shape), weight, bias)


def native_group_norm(input, weight, bias, N, C, HxW, group, eps):
    """The norm, and mean and ``1 / √(variance + eps)`` of every group, ``(N, group)``."""
    out, mean, scale = _normalised(input.reshape(N, group, -1), (2,), eps)
    return _affine(out.reshape(input.shape), weight, bias), mean[..., 0], scale[..., 0]


def native_layer_norm(input, normalized_shape, weight, bias, eps):
    """The norm over the last axes, mean and ``1 / √(variance + eps)``."""
    out, mean, scale = _normalised(input, tuple(range(-len(normalized_shape), 0)), eps)
    return _scaled(out, weight, bias), mean, scale


def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5, cudnn_enable=True):
    return native_layer_norm(input, normalized_shape, weight, bias, eps)[0]


def fused_rms_norm(input, normalized_shape, weight, eps):
    """``weight x / √(mean of squares + eps)`` over the last axes, and ``1 / √(...)``."""
    eps = float(jnp.finfo(input.dtype).eps) if eps is None else eps
    axes = tuple(range(-len(normalized_shape), 0))
    scale = lax.rsqrt(jnp.mean(jnp.square(input), axes, keepdims=True) + eps)
    return _scaled(input * scale, weight, None), scale


def rms_norm(input, normalized_shape, weight=None, eps=None):
    return fused_rms_norm(input, normalized_shape, weight, eps)[0]


def weight_norm_interface(v, g, dim=0):
    """``g v / ‖v‖`` with the norm over all axes but ``dim`` (-1: over all), and the norms."""
    norms = vector_norm(v, 2, [axis for axis in range(v.ndim) if axis != dim], True)
    return v * (g / norms), norms


def weight_norm(v, g, dim=0):
    return weight_norm_interface(v, g, dim)[0]


def _normalised(x, axes, eps):
    mean = jnp.mean(x, axes, keepdims=True)
    scale = lax.rsqrt(jnp.var(x, axes, keepdims=True) + eps)
    return (x - mean) * scale, mean, scale


def _of_channels(values, x):
    return values.reshape(-1, *(1,) * (x.ndim - 2))


def _affine(x, weight, bias):
    return _scaled(x, *(None if w is None else _of_channels(w, x) for w in (weight, bias)))


def _scaled(x, weight, bias):
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


OPERATORS: Operators = {
    "batch_norm": batch_norm,
    "_native_batch_norm_legit_no_training": batch_norm_with_statistics,
    "_native_batch_norm_legit.no_stats": batch_norm_without_statistics,
    "instance_norm": instance_norm,
    "group_norm": group_norm,
    "native_group_norm": native_group_norm,
    "layer_norm": layer_norm,
    "native_layer_norm": native_layer_norm,
    "rms_norm": rms_norm,
    "_fused_rms_norm": fused_rms_norm,
    "_weight_norm": weight_norm,
    "_weight_norm_interface": weight_norm_interface,
}
