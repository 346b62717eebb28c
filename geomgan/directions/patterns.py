"""Patterns of activations as directions of codes: what moves a layer most like them.

``argmin_v Σ_i ‖J_i v - a‖² + ρ ‖v‖²``, with the layer's Jacobians ``J_i`` at codes: least squares with the layer's mean
metric ``ḡ = 1/n Σ J_iᵀJ_i``.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from geomgan.backend import backend, in_float32
from geomgan.directions.fit import ROWS, driven_rows
from geomgan.directions.subspace import layers_basis
from geomgan.errors import check_codes
from geomgan.generators import Generator
from geomgan.generators.generator import sample_of

RIDGE = 1e-2  # ρ, relative to the mean eigenvalue of ḡ: directions that barely move the layer are left alone


def carried_back(
    G: Generator, layer: str, patterns: Any, codes: Any, *, ridge: float = RIDGE, progress: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Directions of codes for patterns of activations: least squares through the layer's Jacobians.

    Args:
        G: the generator.
        layer: one of ``G.layers``, of ``D`` numbers.
        patterns: ``(D, m)``, columns.
        codes: ``(n, d)``, where the Jacobians are taken.
        ridge: ``ρ`` over the mean eigenvalue of ``ḡ``.
        progress: show a bar.

    Returns:
        Unit columns ``(d, m)``, of ``w`` for codes of ``w+``; and ``(m,)``, squared cosines over all codes together
        between ``J_i v`` and the pattern.

    Raises:
        ValueError: shapes do not fit, or there is no such layer.
    """
    cut, patterns = G.at(layer), np.asarray(patterns, np.float64)
    size = math.prod(cut.sample_shape.shape)
    if patterns.ndim != 2 or len(patterns) != size:
        raise ValueError(f"patterns have shape {patterns.shape}; expected ({size}, m), columns for {layer}.")
    codes = np.asarray(check_codes(codes, G.latent_dim))
    rows = driven_rows(G)
    basis = layers_basis(G, (0, rows[1])) if rows and G.space in ROWS else np.eye(G.latent_dim)
    metric, images = np.zeros((basis.shape[1],) * 2), np.zeros((basis.shape[1], patterns.shape[1]))
    tangents, columns = jnp.asarray(basis.T, G.dtype), jnp.asarray(patterns, jnp.float32)
    for z in tqdm(codes, "Jacobians", unit="code", disable=not progress):
        one, two = _normal_equations(cut, jnp.asarray(z, G.dtype), tangents, columns, backend().chunk)
        metric, images = metric + np.asarray(one, np.float64), images + np.asarray(two, np.float64)
    metric, images = metric / len(codes), images / len(codes)
    vectors = np.linalg.solve(metric + ridge * np.trace(metric) / len(metric) * np.eye(len(metric)), images)
    vectors /= np.linalg.norm(vectors, axis=0)
    moved = np.maximum((vectors * (metric @ vectors)).sum(axis=0), np.finfo(np.float64).tiny)
    return vectors, (vectors * images).sum(axis=0) ** 2 / moved / (patterns**2).sum(axis=0)


@partial(jax.jit, static_argnums=4)
def _normal_equations(
    cut: Generator, z: jax.Array, tangents: jax.Array, patterns: jax.Array, chunk: int
) -> tuple[jax.Array, jax.Array]:
    """``BᵀJᵀJB`` and ``BᵀJᵀA`` at one code."""
    with in_float32():
        _, push = jax.linearize(lambda z: jnp.ravel(sample_of(cut, z)), z)
        J = jax.lax.map(push, tangents, batch_size=min(chunk, len(tangents)))  # (m, D)
        return J @ J.T, J @ patterns
