"""Eigenpairs of symmetric matrices: one for ``jit`` and ``vmap``, one in double precision on the host."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.eigen.threads import one_blas_thread
from geomgan.errors import check_count


def eigh(g: Any, k: int | None = None) -> tuple[jax.Array, jax.Array]:
    """The ``k`` largest eigenpairs of a symmetric matrix, as a pure function: ``jit`` and ``vmap`` it.

    Args:
        g: ``(d, d)``, of which the symmetric part is taken.
        k: how many, static; by default all ``d``.

    Returns:
        Values ``(k,)``, descending, and vectors ``(d, k)``: columns whose component of largest magnitude is positive,
        in the type of ``g``. In float32, eigenvalues below about ``d · 1e-7`` of the largest are noise;
        :func:`geomgan.eigenpairs` computes in float64 and says where noise begins. Not differentiable where
        eigenvalues coincide.

    Raises:
        ValueError: ``g`` is not one square matrix, or ``k`` is not from 1 to ``d``; raised before tracing.
    """
    shape = np.shape(g)
    if len(shape) != 2 or shape[0] != shape[1]:
        raise ValueError(f"g has shape {shape}; expected one matrix (d, d). Use jax.vmap for a stack of matrices.")
    k = check_k(k, shape[0])
    g = jnp.asarray(g)
    values, vectors = jnp.linalg.eigh(0.5 * (g + g.T))
    values, vectors = values[::-1][:k], vectors[:, ::-1][:, :k]
    largest = jnp.take_along_axis(vectors, jnp.abs(vectors).argmax(axis=0, keepdims=True), axis=0)
    return values, vectors * jnp.where(largest < 0, -1, 1).astype(vectors.dtype)


def largest_pairs(matrices: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values, signed vectors and residuals of the ``k`` largest eigenpairs of float64 matrices ``(..., d, d)``."""
    with one_blas_thread(matrices.shape[-1]):
        matrices = 0.5 * (matrices + np.swapaxes(matrices, -1, -2))
        values, vectors = np.linalg.eigh(matrices)
        values, vectors = values[..., ::-1][..., :k], signed(vectors[..., ::-1][..., :k])
        return values, vectors, column_norms(matrices @ vectors - vectors * values[..., None, :])


def check_k(k: int | None, dim: int) -> int:
    """``k``, or ``dim`` for None; raises ``ValueError`` unless it is from 1 to ``dim``."""
    return dim if k is None else check_count(k, dim, "k", ", the number of latent dimensions")


def column_norms(columns: np.ndarray) -> np.ndarray:
    """Lengths of the columns ``(..., d, k)``."""
    return np.linalg.norm(columns, axis=-2)


def signed(vectors: np.ndarray) -> np.ndarray:
    """Columns ``(..., d, k)`` with the component of largest magnitude positive."""
    if vectors.shape[-1] == 0:
        return vectors
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=-2, keepdims=True), axis=-2)
    return vectors * np.where(largest < 0, -1.0, 1.0)
