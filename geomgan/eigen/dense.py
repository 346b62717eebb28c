"""Eigenpairs of symmetric matrices: one for ``jit`` and ``vmap``, one in double precision on the host."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.eigen.choice import WHICH
from geomgan.eigen.found import Pairs
from geomgan.eigen.lapack import symmetric, symmetric_in_program
from geomgan.eigen.threads import one_blas_thread
from geomgan.errors import as_array, check_choice, check_count, is_concrete

ASYMMETRY = 1e-3  # relative to the largest entry: rounding is below it, a wrong matrix is not


def eigh(g: Any, k: int | None = None, *, which: str = "largest") -> tuple[jax.Array, jax.Array]:
    """The ``k`` largest eigenpairs of a symmetric matrix, as a pure function: ``jit`` and ``vmap`` it.

    Args:
        g: ``(d, d)``, symmetric; what rounding makes otherwise is evened out.
        k: how many, static; by default all ``d``.
        which: ``"largest"``, ``"smallest"`` or ``"magnitude"``, static; in descending order always.

    Returns:
        Values ``(k,)``, descending, and vectors ``(d, k)``: columns whose component of largest magnitude is positive,
        in the type of ``g``. In float32 (and the half precisions, which are computed in it), eigenvalues below about
        ``d · 1e-7`` of the largest are noise; :func:`geomgan.eigenpairs` computes in float64 and says where noise
        begins. Not differentiable where eigenvalues coincide.

    Raises:
        ValueError: ``g`` is not one square matrix, or not symmetric (not seen while tracing); ``k`` is not from 1 to
            ``d``, or ``which`` is unknown; these are raised before tracing.
    """
    g = as_array(g, "g")
    shape = np.shape(g)
    if len(shape) != 2 or shape[0] != shape[1]:
        raise ValueError(f"g has shape {shape}; expected one matrix (d, d). Use jax.vmap for a stack of matrices.")
    k = check_k(k, shape[0])
    check_choice(which, WHICH, "which")
    if is_concrete(g):
        check_symmetric(g, "g")
    g = 1.0 * jnp.asarray(g)
    wide = g.astype(jnp.promote_types(g.dtype, jnp.float32))  # LAPACK has no half precision
    values, vectors = jnp.linalg.eigh(0.5 * (wide + wide.T))
    values, vectors = values[::-1], vectors[:, ::-1]
    chosen = wanted(values, k, which)
    return values[chosen].astype(g.dtype), signed(vectors[:, chosen].astype(g.dtype))


def wanted(values: Any, k: int, which: str) -> Any:
    """Where the ``k`` wanted ones of all descending values ``(d,)`` are, in that order; of arrays of numpy or JAX."""
    if which == "magnitude":
        arrays: Any = jnp if isinstance(values, jax.Array) else np
        return arrays.sort(arrays.argsort(-abs(values), stable=True)[:k])
    return slice(k) if which == "largest" else slice(values.shape[0] - k, None)


def dense_pairs(matrix: np.ndarray, k: int, which: str = "largest") -> Pairs:
    """The ``k`` wanted eigenpairs of a float64 matrix ``(d, d)``, by LAPACK."""
    values, vectors, residuals = largest_pairs(matrix, len(matrix))
    chosen = wanted(values, k, which)
    scale = float(np.abs(values).max())
    return Pairs(values[chosen], vectors[:, chosen], residuals[chosen], len(matrix), scale)


def largest_pairs(matrices: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values, signed vectors and residuals of the ``k`` largest eigenpairs of float64 matrices ``(..., d, d)``."""
    with one_blas_thread(matrices.shape[-1]):
        matrices = 0.5 * (matrices + np.swapaxes(matrices, -1, -2))
        values, vectors = symmetric(matrices)
        values, vectors = values[..., ::-1][..., :k], signed(vectors[..., ::-1][..., :k])
        return values, vectors, column_norms(matrices @ vectors - vectors * values[..., None, :])


def pairs_of_stack(g: jax.Array, k: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """:func:`largest_pairs` as a part of a program, in 64-bit types, which a device runs for all matrices together.

    Args:
        g: ``(n, d, d)`` in float64.
        k: how many, static.

    Returns:
        Values ``(n, k)``, vectors ``(n, d, k)`` and residuals ``(n, k)``; NaN for a matrix that is not finite.
    """
    finite = jnp.isfinite(g).all(axis=(1, 2), keepdims=True)
    g = jnp.where(finite, 0.5 * (g + jnp.swapaxes(g, 1, 2)), 0.0)
    values, vectors = jax.vmap(symmetric_in_program)(g)
    values, vectors = values[:, ::-1][:, :k], signed(vectors[:, :, ::-1][:, :, :k])
    residuals = jnp.linalg.norm(g @ vectors - vectors * values[:, None], axis=1)
    found = finite[:, 0]
    return jnp.where(found, values, jnp.nan), jnp.where(finite, vectors, jnp.nan), jnp.where(found, residuals, jnp.nan)


def check_symmetric(g: Any, name: str, tolerance: float = ASYMMETRY) -> None:
    """Raise ``ValueError`` where a matrix ``(d, d)`` differs from its transpose by more than rounding."""
    dtype = np.asarray(g).dtype
    rounding = float(jnp.finfo(dtype).eps) if jnp.issubdtype(dtype, jnp.inexact) else 0.0
    wide, allowed = np.asarray(g, np.float64), max(tolerance, 4 * rounding)
    asymmetry, scale = float(np.abs(wide - wide.T).max()), float(np.abs(wide).max())
    if asymmetry > allowed * scale:
        raise ValueError(
            f"{name} is not symmetric: it differs from its transpose by {asymmetry:.3g}, where its largest entry is "
            f"{scale:.3g}; expected at most {allowed:.0e} of that, for rounding. Pass 0.5 * (g + g.T) if the symmetric "
            "part is meant."
        )


def check_k(k: int | None, dim: int) -> int:
    """``k``, or ``dim`` for None; raises ``ValueError`` unless it is from 1 to ``dim``."""
    return dim if k is None else check_count(k, dim, "k", ", the number of latent dimensions")


def column_norms(columns: np.ndarray) -> np.ndarray:
    """Lengths of the columns ``(..., d, k)``."""
    return np.linalg.norm(columns, axis=-2)


def signed(vectors: Any) -> Any:
    """Columns ``(..., d, k)`` of numpy or JAX with the component of largest magnitude positive."""
    if vectors.shape[-1] == 0:
        return vectors
    arrays: Any = jnp if isinstance(vectors, jax.Array) else np
    largest = arrays.take_along_axis(vectors, abs(vectors).argmax(axis=-2, keepdims=True), axis=-2)
    return vectors * arrays.where(largest < 0, -1, 1).astype(vectors.dtype)
