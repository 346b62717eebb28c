"""Arithmetic, functions and comparisons of every entry, with broadcasting."""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from geomgan.generators.aten.operators.arguments import Operators


def add(x, other, alpha=1):
    return x + (other if alpha == 1 else alpha * other)


def sub(x, other, alpha=1):
    return x - (other if alpha == 1 else alpha * other)


def rsub(x, other, alpha=1):
    return other - (x if alpha == 1 else alpha * x)


def div(x, other, *, rounding_mode=None):
    if rounding_mode is None:
        return jnp.true_divide(x, other)
    if rounding_mode == "floor":
        return jnp.floor_divide(x, other)
    if jnp.issubdtype(jnp.result_type(x, other), jnp.integer):
        return jnp.floor_divide(x - jnp.fmod(x, other), other)
    return jnp.trunc(jnp.true_divide(x, other))


def clamp(x, min=None, max=None):
    """``x`` between ``min`` and ``max``, with the derivative 1 on both, as torch has it."""
    x = x if min is None else jnp.where(x < min, min, x)
    return x if max is None else jnp.where(x > max, max, x)


def masked_fill(x, mask, value):
    return jnp.where(mask, jnp.asarray(value, x.dtype), x)


def lerp(x, end, weight):
    return x + weight * (end - x)


def nan_to_num(x, nan=None, posinf=None, neginf=None):
    return jnp.nan_to_num(x, nan=0.0 if nan is None else nan, posinf=posinf, neginf=neginf)


def rounded(x, *, decimals=0):
    return jnp.round(x, decimals)


def xlogy(x, other):
    return jnp.where(x == 0, 0, x * jnp.log(jnp.where(x == 0, 1, other)))


OPERATORS: Operators = {
    "add": add,
    "sub": sub,
    "rsub": rsub,
    "mul": jnp.multiply,
    "div": div,
    "true_divide": jnp.true_divide,
    "floor_divide": jnp.floor_divide,
    "remainder": jnp.remainder,
    "fmod": jnp.fmod,
    "pow": jnp.power,
    "addcmul": lambda x, tensor1, tensor2, *, value=1: x + value * tensor1 * tensor2,
    "addcdiv": lambda x, tensor1, tensor2, *, value=1: x + value * tensor1 / tensor2,
    "lerp": lerp,
    "minimum": jnp.minimum,
    "maximum": jnp.maximum,
    "max.other": jnp.maximum,
    "min.other": jnp.minimum,
    "atan2": jnp.arctan2,
    "hypot": jnp.hypot,
    "copysign": jnp.copysign,
    "logaddexp": jnp.logaddexp,
    "xlogy": xlogy,
    "clamp": clamp,
    "clamp_min": lambda x, min: clamp(x, min),
    "clamp_max": lambda x, max: clamp(x, None, max),
    "where": jnp.where,
    "masked_fill": masked_fill,
    "nan_to_num": nan_to_num,
    "neg": jnp.negative,
    "abs": jnp.abs,
    "sign": jnp.sign,
    "sgn": jnp.sign,
    "square": jnp.square,
    "sqrt": jnp.sqrt,
    "rsqrt": lax.rsqrt,
    "reciprocal": jnp.reciprocal,
    "exp": jnp.exp,
    "exp2": jnp.exp2,
    "expm1": jnp.expm1,
    "log": jnp.log,
    "log2": jnp.log2,
    "log10": jnp.log10,
    "log1p": jnp.log1p,
    "sin": jnp.sin,
    "cos": jnp.cos,
    "tan": jnp.tan,
    "asin": jnp.arcsin,
    "acos": jnp.arccos,
    "atan": jnp.arctan,
    "sinh": jnp.sinh,
    "cosh": jnp.cosh,
    "asinh": jnp.arcsinh,
    "acosh": jnp.arccosh,
    "atanh": jnp.arctanh,
    "sinc": jnp.sinc,
    "erf": lax.erf,
    "erfc": lax.erfc,
    "erfinv": lax.erf_inv,
    "lgamma": lax.lgamma,
    "digamma": lax.digamma,
    "floor": jnp.floor,
    "ceil": jnp.ceil,
    "trunc": jnp.trunc,
    "round": rounded,
    "frac": lambda x: x - jnp.trunc(x),
    "deg2rad": jnp.deg2rad,
    "rad2deg": jnp.rad2deg,
    "eq": jnp.equal,
    "ne": jnp.not_equal,
    "lt": jnp.less,
    "le": jnp.less_equal,
    "gt": jnp.greater,
    "ge": jnp.greater_equal,
    "logical_and": jnp.logical_and,
    "logical_or": jnp.logical_or,
    "logical_xor": jnp.logical_xor,
    "logical_not": jnp.logical_not,
    "bitwise_and": jnp.bitwise_and,
    "bitwise_or": jnp.bitwise_or,
    "bitwise_xor": jnp.bitwise_xor,
    "bitwise_not": jnp.bitwise_not,
    "isnan": jnp.isnan,
    "isinf": jnp.isinf,
    "isfinite": jnp.isfinite,
}
