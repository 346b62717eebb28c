"""The metric of a generator and a distance, seen by tangents only: inner products and how they change.

With an embedding ``φ`` the inner product of two tangents is ``⟨J u, J v⟩``, one JVP each; without one it is the mixed
second derivative of ``½ d²`` in its second argument. No tensor is formed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from geomgan.generators.generator import output_of
from geomgan.metric.derivatives import needs_derivatives
from geomgan.metric.pair import Pair

FIX = "Lengths along codes need derivatives; chord sums (rule='chords') need none"


def embedded(pair: Pair, z: jax.Array) -> jax.Array:
    """``φ(G(z)) (m,)``, flat."""
    return jnp.concatenate([leaf.ravel() for leaf in pair.embed(z)])


def along(function: Callable[[jax.Array], Any], z: jax.Array, v: jax.Array) -> Any:
    """``D f(z)[v]``."""
    with needs_derivatives(FIX):
        return jax.jvp(function, (z,), (v,))[1]


def inner(pair: Pair, z: jax.Array, u: jax.Array, v: jax.Array) -> jax.Array:
    """``uᵀ g(z) v``, differentiable in ``z``."""
    if pair.D.embedding is not None:
        function = lambda z: embedded(pair, z)
        return along(function, z, u) @ along(function, z, v)
    reference = output_of(pair.G, z)
    return along(lambda y: along(lambda x: pair.half_distance(reference, x), y, u), z, v)


def squared_speed(pair: Pair, z: jax.Array, v: jax.Array) -> jax.Array:
    """``vᵀ g(z) v``, as ``‖J v‖²`` where there is an embedding: one JVP."""
    if pair.D.embedding is None:
        return inner(pair, z, v, v)
    image = along(lambda z: embedded(pair, z), z, v)
    return image @ image


def squared_chord(pair: Pair, z: jax.Array, y: jax.Array) -> jax.Array:
    """``d²(G(z), G(y))``."""
    if pair.D.embedding is not None:
        difference = embedded(pair, y) - embedded(pair, z)
        return difference @ difference
    return 2 * pair.half_distance(output_of(pair.G, z), y)
