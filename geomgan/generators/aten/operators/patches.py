"""Patches of images and frames of signals as columns, back again by adding where they overlap, and spectrograms."""

from __future__ import annotations

import jax
from jax import lax

from geomgan.generators.aten.operators.arguments import Operators, each


def im2col(x, kernel_size, dilation, padding, stride):
    """``(N, C, H, W) -> (N, C kernel, patches)``."""
    patches = lax.conv_general_dilated_patches(
        x, each(kernel_size, 2), each(stride, 2), [(p, p) for p in each(padding, 2)], rhs_dilation=each(dilation, 2)
    )
    return patches.reshape(*patches.shape[:2], -1)


def col2im(x, output_size, kernel_size, dilation, padding, stride):
    """The transpose of :func:`im2col`: every patch added where it was taken."""
    height, width = each(kernel_size, 2)
    image = jax.ShapeDtypeStruct((len(x), x.shape[1] // (height * width), *output_size), x.dtype)
    return jax.linear_transpose(lambda y: im2col(y, kernel_size, dilation, padding, stride), image)(x)[0]


OPERATORS: Operators = {"im2col": im2col, "col2im": col2im}
