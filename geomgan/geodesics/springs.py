"""A chain of springs: what the energy of chords is to second order, and the steps at which it would be least.

With the metric ``g`` in the middle of each chord the Gauss-Newton matrix of half the energy over ``T`` is ``DᵀG D``:
the differences ``D`` of neighbouring nodes, and ``G`` with the ``T`` metrics on its diagonal. It is that of springs in
a row, block-tridiagonal, and no elimination is needed to solve ``DᵀG D x = b``: the forces ``G D x`` differ by ``b``
from node to node, one force is free, and the stretches ``D x`` sum to zero because both ends stay. So the inverses of
``g`` and sums are enough, as in GEORCE. They are taken at a few knots and are linear in between.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.backend import backend
from geomgan.brief import brief
from geomgan.eigen.threads import one_blas_thread
from geomgan.metric.chunks import map_chunks, tangent_chunk
from geomgan.metric.derivatives import needs_derivatives
from geomgan.metric.gram import gram
from geomgan.metric.maps import Product, Pushforward
from geomgan.metric.pair import Pair, profile_of

KNOTS = 9  # at most; one for every fourth chord of short chains


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Springs:
    """A chain's springs, by their compliances.

    Attributes:
        inverses: ``(K, k, k)``, of the damped metrics at the knots.
        whole: ``(k, k)``, the inverse of their sum over all chords: the stiffness of the whole row.
    """

    inverses: Any
    whole: Any


def knots_of(segments: int) -> np.ndarray:
    """Where the knots are, counted in nodes ``(K,)``."""
    return np.linspace(0, segments, min(KNOTS, segments // 4 + 2))


def metrics_at(pair: Pair, codes: np.ndarray, basis: jax.Array, together: int) -> np.ndarray:
    """``Uᵀ g U`` at codes ``(n, K, d)``: ``(n, K, k, k)`` in float64; ``together`` codes are linearised at a time."""
    found = np.asarray(_metrics(pair, codes.reshape(-1, codes.shape[-1]), basis, together), np.float64)
    return found.reshape(*codes.shape[:2], *found.shape[1:])


def springs_of(metrics: np.ndarray, damping: np.ndarray, segments: int, dtype: Any) -> tuple[Springs, np.ndarray]:
    """Springs of chains with these metrics ``(n, K, k, k)``, and each one's least over largest eigenvalue ``(n,)``.

    ``damping (n,)`` is in mean eigenvalues, and is added to all; without it codes would fly along what no sample feels.
    """
    k = metrics.shape[-1]
    with one_blas_thread(k):
        values, vectors = np.linalg.eigh(np.nan_to_num(metrics))
        condition = values.min(axis=(1, 2)) / np.maximum(values.max(axis=(1, 2)), np.finfo(float).tiny)
        scale = np.maximum(values.mean(axis=(1, 2)), np.finfo(float).tiny)
        stiff = np.maximum(values, 0) + (damping * scale)[:, None, None]
        inverses = (vectors / stiff[:, :, None]) @ vectors.swapaxes(2, 3)
        whole = np.linalg.inv(np.einsum("K,nKij->nij", _shares(segments, metrics.shape[1]).sum(axis=0), inverses))
    return Springs(jnp.asarray(inverses, dtype), jnp.asarray(whole, dtype)), condition


def relaxed(springs: Springs, b: jax.Array) -> jax.Array:
    """``x (N, k)`` with ``DᵀG D x = b``."""
    shares = jnp.asarray(_shares(len(b) + 1, len(springs.inverses)), b.dtype)  # (T, K)

    def stretched(forces: jax.Array) -> jax.Array:
        return jnp.einsum("tK,Kti->ti", shares, jnp.einsum("Kij,tj->Kti", springs.inverses, forces))

    forces = -jnp.pad(jnp.cumsum(b, axis=0), ((1, 0), (0, 0)))
    free = springs.whole @ stretched(forces).sum(axis=0)
    return jnp.cumsum(stretched(forces - free), axis=0)[:-1]


def _shares(segments: int, knots: int) -> np.ndarray:
    """What the springs of the chords are of those at the knots ``(T, K)``: linear in between."""
    place = (np.arange(segments) + 0.5) * (knots - 1) / segments
    return np.maximum(1 - np.abs(place[:, None] - np.arange(knots)), 0)


def tangents_together(pair: Pair, k: int) -> int:
    """All ``k`` tangents where their activations are small, else as many as a metric pushes at a time."""
    return k if k * profile_of(pair).largest <= backend().whole_bytes else tangent_chunk(k)


@partial(jax.jit, static_argnames="together")
def _metrics(pair: Pair, codes: jax.Array, basis: jax.Array, together: int) -> jax.Array:
    def by_jacobian(z: jax.Array) -> jax.Array:
        with needs_derivatives():
            return gram(Pushforward.at(pair, z, 1).rows(basis.T, tangents_together(pair, basis.shape[1])))

    def by_products(z: jax.Array) -> jax.Array:
        g = Product.at(pair, z, basis.shape[1]).rows(basis.T, basis.shape[1])[0] @ basis
        return (g + g.T) / 2

    with jax.default_matmul_precision("highest"):
        if pair.D.embedding is None:  # no reverse passes in a compiled loop
            return jax.vmap(by_products)(codes)
        return map_chunks(by_jacobian, codes, together)
