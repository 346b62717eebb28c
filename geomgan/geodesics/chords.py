"""The energy of a chain of codes as chords between samples, and its Gauss-Newton model.

``E(z_1 … z_N) = T Σ_i d²(G(z_i), G(z_{i+1}))`` over ``T = N + 1`` chords. With an embedding its residuals are
``φ_{i+1} - φ_i``, so that half of ``E / T`` has the gradient ``J_iᵀ(2 φ_i - φ_{i-1} - φ_{i+1})`` and the
block-tridiagonal Gauss-Newton matrix ``2 J_iᵀJ_i``, ``-J_iᵀJ_{i+1}``: forward passes only. Without one the gradient is
that of the distances, and the matrix that of the metric tensors in the middle of the chords.

Codes move within the columns of a basis ``U (d, k)``: the identity, or the leading axes of a mean metric.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from geomgan.brief import brief
from geomgan.geodesics.local import embedded, squared_chord
from geomgan.metric.chunks import map_chunks
from geomgan.metric.derivatives import needs_derivatives
from geomgan.metric.maps import Product
from geomgan.metric.pair import Pair


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Model:
    """A chain's energy to second order: ``E / T ≈ c + 2 bᵀx + xᵀ H x`` in steps ``x (N, k)``.

    Attributes:
        gradient: ``b (N, k)``.
        diagonal: blocks ``(N, k, k)`` of ``H``.
        upper: blocks ``(N - 1, k, k)`` right of them.
        metrics: ``Uᵀ g U (N, k, k)`` at the codes (of a distance without embedding, in the middle of the chords).
    """

    gradient: Any
    diagonal: Any
    upper: Any
    metrics: Any


def energy(pair: Pair, chain: jax.Array, together: int) -> jax.Array:
    """``E`` of a chain ``(T + 1, d)`` with its ends."""
    if pair.D.embedding is None:
        pairs = jnp.stack([chain[:-1], chain[1:]], axis=1)
        squares = map_chunks(lambda both: squared_chord(pair, both[0], both[1]), pairs, together)
        return (len(chain) - 1) * squares.sum()
    values = map_chunks(partial(embedded, pair), chain, together)
    return (len(chain) - 1) * jnp.sum(jnp.diff(values, axis=0) ** 2)


def model(pair: Pair, chain: jax.Array, basis: jax.Array, together: int, *, free_end: bool = False) -> Model:
    """The model at a chain ``(T + 1, d)``, whose first code stays, and whose last one stays unless ``free_end``.

    ``together`` nodes are linearised at a time.
    """
    make = _from_tensors if pair.D.embedding is None else _from_embedding
    return make(pair, chain, basis, together, free_end)


def _from_embedding(pair: Pair, chain: jax.Array, basis: jax.Array, together: int, free_end: bool) -> Model:
    def at(z: jax.Array) -> tuple[jax.Array, jax.Array]:
        with needs_derivatives():
            value, push = jax.linearize(partial(embedded, pair), z)
            return value, jax.vmap(push)(basis.T)

    last = len(chain) if free_end else len(chain) - 1
    values, J = map_chunks(at, chain[1:last], together)  # (N, m), (N, k, m)
    first, end = (embedded(pair, z) for z in (chain[0], chain[-1]))
    all_values = jnp.concatenate([first[None], values, *([] if free_end else [end[None]])])
    chords = jnp.diff(all_values, axis=0)
    gradient = jnp.einsum("nkm,nm->nk", J, chords[: len(J)])
    metrics = jnp.einsum("nkm,njm->nkj", J, J)
    count = 2 * jnp.ones(len(J), chain.dtype)
    if free_end:
        gradient = gradient.at[:-1].add(-jnp.einsum("nkm,nm->nk", J[:-1], chords[1:]))
        count = count.at[-1].set(1)
    else:
        gradient = gradient - jnp.einsum("nkm,nm->nk", J, chords[1:])
    return Model(gradient, count[:, None, None] * metrics, -jnp.einsum("nkm,njm->nkj", J[:-1], J[1:]), metrics)


def _from_tensors(pair: Pair, chain: jax.Array, basis: jax.Array, together: int, free_end: bool) -> Model:
    def tensor(z: jax.Array) -> jax.Array:
        g = Product.at(pair, z, basis.shape[1]).rows(basis.T, basis.shape[1])[0] @ basis
        return (g + g.T) / 2

    with needs_derivatives():
        slopes = jax.grad(lambda chain: energy(pair, chain, len(chain)))(chain) @ basis / (2 * (len(chain) - 1))
    g = jax.vmap(tensor)((chain[:-1] + chain[1:]) / 2)
    del together
    if free_end:
        behind = jnp.concatenate([g[1:], jnp.zeros_like(g[:1])])
        return Model(slopes[1:], g + behind, -g[1:], g)
    return Model(slopes[1:-1], g[:-1] + g[1:], -g[1:-1], g)
