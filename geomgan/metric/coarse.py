"""Linear maps whose matrix products and convolutions run in a coarser format than float32.

The point of linearisation stays in float32; products of tangents are computed in the format, on a walk through the
linear program (:mod:`geomgan.metric.walked`). Between equations tangents are float32; where products give shorter
numbers, compilers fuse what lies between them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from geomgan.backend import FLOAT32, Format, format_of
from geomgan.metric.walked import Linear, walked


def coarse(function: Linear, precision: str) -> Linear:
    """A linear function with its products in ``precision``; itself where that is float32 on this device.

    ``jit`` and ``vmap`` it. It is not meant to be transposed: where a reverse pass is wanted, transpose ``function``,
    so that both ways round what they multiply.
    """
    form = format_of(precision)
    return function if form == FLOAT32 else in_format(function, form)


def in_format(function: Linear, form: Format) -> Linear:
    """A linear function with its products in a format."""
    return walked(function, partial(_product, form=form))


def _product(equation: Any, a: jax.Array, b: jax.Array, *, form: Format) -> jax.Array:
    """A product of two float32 arrays, as float32."""
    params = equation.params
    if form.native:
        params = {**params, "precision": (lax.Precision.DEFAULT, lax.Precision.DEFAULT)}
    times = lambda a, b: equation.primitive.bind(a, b, **params)
    if form.halves:
        (a, small_a), (b, small_b) = _split(a, form), _of_kernel(equation, lambda b: _split(b, form), b)
        return times(a, b) + (times(a, small_b) + times(small_a, b))
    if form.native and form.narrow:
        params = {**params, "preferred_element_type": jnp.dtype(jnp.bfloat16)}
        b = _of_kernel(equation, lambda b: b.astype(jnp.bfloat16), b)
        return times(a.astype(jnp.bfloat16), b).astype(jnp.float32)
    if form.native:
        return times(a, b)
    y = times(_rounded(a, form), _rounded(b, form))
    return _rounded(y, form) if form.narrow else y


def _of_kernel(equation: Any, rounding: Callable[[jax.Array], Any], b: jax.Array) -> Any:
    """``rounding`` of a product's second operand, so that compilers still see what it is.

    A convolution with zeros between pixels is the reverse pass of one with a stride. XLA finds that where the kernel is
    a flipped one, and then needs no zeros: what is flipped is rounded before, not behind.
    """
    if all(step == 1 for step in equation.params.get("lhs_dilation", ())):
        return rounding(b)
    axes = equation.params["dimension_numbers"].rhs_spec[2:]
    return jax.tree.map(lambda x: lax.rev(x, axes), rounding(lax.rev(b, axes)))


def _split(x: jax.Array, form: Format) -> tuple[jax.Array, jax.Array]:
    """Two numbers of the format, whose sum is that of twice the digits nearest to ``x``."""
    large = _rounded(x, form)
    return large, _rounded(x - large, form)


def _rounded(x: jax.Array, form: Format) -> jax.Array:
    return lax.reduce_precision(x, exponent_bits=8, mantissa_bits=form.bits)
