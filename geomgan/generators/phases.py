"""Samples from their phases: along every axis ``u[P i + r]`` is position ``i`` of phase ``r``.

One transposition, which compilers fuse with what follows; a concatenation for each axis writes the map once for each.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp


def interleaved(phases: jax.Array) -> jax.Array:
    """``(H, W, P, Q, C) -> (P H, Q W, C)``, or ``(T, P, C) -> (P T, C)``: the phases of each axis in its order."""
    axes = phases.ndim // 2
    places = [axis for position in range(axes) for axis in (position, axes + position)]
    sides = [a * b for a, b in zip(phases.shape[:axes], phases.shape[axes:-1], strict=True)]
    return phases.transpose(*places, 2 * axes).reshape(*sides, phases.shape[-1])


def interleave(rows: Sequence[Sequence[jax.Array]]) -> jax.Array:
    """The map ``u[P i + r, Q j + s] = rows[r][s][i, j]`` of phases ``(H, W, C)``."""
    if len(rows) == len(rows[0]) == 1:
        return rows[0][0]
    stacked = jnp.stack([phase for row in rows for phase in row], axis=2)
    height, width, _, channels = stacked.shape
    return interleaved(stacked.reshape(height, width, len(rows), len(rows[0]), channels))
