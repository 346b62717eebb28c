"""Non-linearities by name, as configurations and options name them."""

from __future__ import annotations

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from geomgan.generators.layers import leaky_relu

SLOPE = 0.2  # of a leaky ReLU, where none is said

_PLAIN: dict[str, Callable[[jax.Array], jax.Array]] = {
    "relu": nn.relu,
    "elu": jax.nn.elu,
    "selu": jax.nn.selu,
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "silu": jax.nn.silu,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "linear": lambda x: x,
}
HIDDEN = ("relu", "leaky_relu", "elu", "selu", "gelu", "silu", "tanh")  # between layers
OUTPUT_RANGES = {"tanh": (-1, 1), "sigmoid": (0, 1), "linear": (-1, 1)}  # at the end -> nominal range of samples


def activate(name: str, x: jax.Array, slope: float = SLOPE) -> jax.Array:
    """``x`` through the non-linearity ``name``, one of ``HIDDEN`` or ``OUTPUT_RANGES``; ``slope`` of a leaky ReLU."""
    return leaky_relu(x, slope) if name == "leaky_relu" else _PLAIN[name](x)
