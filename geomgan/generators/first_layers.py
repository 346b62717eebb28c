"""The affine layers that take the code itself: each network declares its own, once, by a method ``first_layers``.

``module.first_layers(*inputs)`` takes what the network takes and returns what these layers make of it, by name and in
their order, before anything that is not affine. A normalisation of the whole code in front of the first layer is left
out: it keeps every direction from the origin. The matrices are then derivatives, so that chunks of a code, classes
beside it, and spaces are the business of the network alone. Of a network that declares none the last named activation
that is still affine in the code stands for them.
"""

from __future__ import annotations

from functools import partial
from itertools import takewhile
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.backend import in_float32, usual_promotion
from geomgan.errors import OptionError, called
from geomgan.generators.generator import Generator, sample_of
from geomgan.generators.network import check_named

BENDS = 1e-4  # relative: an activation whose mixed differences are smaller is an affine function of the code


def first_layers(G: Generator) -> dict[str, np.ndarray]:
    """The matrices ``(d, out)`` of the affine layers that take the code, by name: ``A`` of ``z ↦ Aᵀz + b``.

    Of a code of ``w+``, whose rows all are codes of ``w``, a layer's matrix is that of its row, ``(w, out)``.

    Raises:
        OptionError: the generator's space is not what these layers take, or no layer is affine in the code.
        ValueError: the generator names no activations.
    """
    if not _declares(G):
        layer = last_affine(G)
        return {layer: _matrix(_jacobian(G.at(layer)), G.latent_dim)}
    size = G.latent_dim // _stacked(G)
    return {name: _matrix(J, size) for name, J in _declared(G, size).items()}


def last_affine(G: Generator) -> str:
    """The last of the first activations of a generator that are affine functions of the code.

    Raises:
        OptionError: the first one is not.
        ValueError: the generator names no activations.
    """
    affine = leading_affine(G)
    if not affine:
        raise OptionError(
            f"no activation of {called(G.name)} is an affine function of the code: even {G.layers[0]!r} bends. Name "
            "what the first layer makes, before its non-linearity, by geomgan.generators.tap."
        )
    return affine[-1]


def leading_affine(G: Generator) -> tuple[str, ...]:
    """The activations of a generator up to the first that is not an affine function of the code.

    Raises:
        ValueError: the generator names no activations.
    """
    check_named(G.function, G.name)
    return tuple(takewhile(lambda name: float(_bend(G.at(name))) <= BENDS, G.layers))


@partial(jax.jit, static_argnums=1)
def _declared(G: Generator, size: int) -> Any:
    with in_float32(), usual_promotion():
        return jax.jacfwd(lambda z: G.function.first_layers(G.params, z))(jnp.zeros(size, G.dtype))  # type: ignore[attr-defined]


@jax.jit
def _jacobian(G: Generator) -> jax.Array:
    with in_float32():
        return jax.jacfwd(partial(sample_of, G))(jnp.zeros(G.latent_dim, G.dtype))


@jax.jit
def _bend(G: Generator) -> jax.Array:
    """``‖f(x + y) - f(x) - f(y) + f(0)‖ / ‖f(x) - f(0)‖`` of a generator ``f``, at normal codes."""
    with in_float32():
        x, y = jax.random.normal(jax.random.key(0), (2, G.latent_dim), G.dtype)
        both, one, other, here = (jnp.ravel(sample_of(G, z)) for z in (x + y, x, y, 0 * x))
        return jnp.linalg.norm(both - one - other + here) / jnp.linalg.norm(one - here)


def _matrix(jacobian: jax.Array, size: int) -> np.ndarray:
    return np.asarray(jacobian, np.float64).reshape(-1, size).T


def _declares(G: Generator) -> bool:
    return hasattr(_module(G), "first_layers")


def _stacked(G: Generator) -> int:
    """How many codes of the first layers a code is made of: of ``w+`` one for each layer that codes drive."""
    return getattr(_module(G), "stacked", 1)


def _module(G: Generator) -> Any:
    return getattr(getattr(G.function, "network", G.function), "module", None)
