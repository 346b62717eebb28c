"""Finite differences, for networks and distances without derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from geomgan.metric.chunks import map_chunks


def central_differences(phi: Callable[..., Any], z: jax.Array, chunk: int) -> list[jax.Array]:
    """``J v ≈ (φ(z + h v) - φ(z - h v)) / 2h`` with ``h = ε^(1/3)``, where rounding and truncation weigh alike."""
    h = float(jnp.finfo(z.dtype).eps) ** (1 / 3)
    column = lambda e: jax.tree.map(lambda a, b: (a - b) / (2 * h), phi(z + h * e), phi(z - h * e))
    return map_chunks(column, jnp.eye(z.size, dtype=z.dtype), chunk)


def second_differences(half_distance: Callable[..., Any], z: jax.Array, chunk: int) -> jax.Array:
    """``g`` by polarisation of ``q(v) = ½ (d²(z, z + v) + d²(z, z - v)) ≈ vᵀ g v``, with ``h = ε^(1/4)``.

    ``g_ij = (q(h e_i + h e_j) - q(h e_i) - q(h e_j)) / 2h²``; odd orders cancel, and the value at the centre is zero.
    """
    h, dim = float(jnp.finfo(z.dtype).eps) ** (1 / 4), z.size
    eye = h * jnp.eye(dim, dtype=z.dtype)
    i, j = jnp.tril_indices(dim, -1)
    q = lambda v: half_distance(z + v) + half_distance(z - v)
    values = map_chunks(q, jnp.concatenate([eye, eye[i] + eye[j]]), chunk)
    single, pair = values[:dim], values[dim:]
    lower = jnp.zeros((dim, dim), z.dtype).at[i, j].set(pair - single[i] - single[j]) / (2 * h**2)
    return lower + lower.T + jnp.diag(single) / h**2
