"""How a value is held while a program runs: torch has channels first, our fast layers want them last.

A value stays as the layer made it, channels last, for as long as operators work on each number alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

KEEPING: frozenset[str] = frozenset(
    {
        *("abs", "add", "alias", "celu", "clamp", "clamp_max", "clamp_min", "clone", "contiguous", "cos", "detach"),
        *("div", "dropout", "elu", "erf", "exp", "expm1", "feature_dropout", "gelu", "hardsigmoid", "hardswish"),
        *("hardtanh", "leaky_relu", "log", "log1p", "log_sigmoid", "maximum", "minimum", "mish", "mul", "neg", "pow"),
        *("reciprocal", "relu", "relu6", "rsqrt", "rsub", "selu", "sigmoid", "sign", "silu", "sin", "softplus", "sqrt"),
        *("square", "sub", "tanh", "where"),
    }
)
"""Operators that work on each number alone, several arrays by broadcasting."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ChannelsLast:
    """A value that torch has as ``(1, C, ...)``.

    Attributes:
        array: it as ``(1, ..., C)``.
    """

    array: jax.Array


def channels_last(value: Any) -> jax.Array:
    """The array ``(1, ..., C)`` of a value."""
    return value.array if isinstance(value, ChannelsLast) else jnp.moveaxis(value, 1, -1)


def channels_first(value: Any) -> Any:
    """The array of a value as torch has it, ``(1, C, ...)``; of an argument that is none, itself."""
    return jnp.moveaxis(value.array, -1, 1) if isinstance(value, ChannelsLast) else value


def kept(operator: Callable[..., Any], arguments: list[Any], options: dict[str, Any]) -> Any:
    """``operator``, one of ``KEEPING``, on values of which some are channels last: channels last where all can be."""
    arrays = [x.array if isinstance(x, ChannelsLast) else x for x in arguments if hasattr(x, "ndim") or _is_last(x)]
    axes = max(x.ndim for x in arrays)
    if any(x.array.ndim < axes for x in arguments if _is_last(x)):
        return operator(*map(channels_first, arguments), **options)
    return ChannelsLast(operator(*(_aligned(x, axes) for x in arguments), **options))


def _is_last(value: Any) -> bool:
    return isinstance(value, ChannelsLast)


def _aligned(value: Any, axes: int) -> Any:
    """An argument that broadcasts against ``(1, C, ...)`` of so many axes, for ``(1, ..., C)``."""
    if isinstance(value, ChannelsLast) or not getattr(value, "ndim", 0):
        return channels_last(value) if isinstance(value, ChannelsLast) else value
    return jnp.moveaxis(value.reshape((1,) * (axes - value.ndim) + value.shape), 1, -1)
