"""Eigenpairs by scipy's ``eigsh`` (ARPACK), one product at a time, and a search for copies of values that it missed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from geomgan.eigen.block import block_lanczos
from geomgan.eigen.dense import column_norms
from geomgan.eigen.found import Pairs

SEARCHING = 2  # columns of a block of the search
_NAMES = {"largest": "LA", "smallest": "SA", "magnitude": "LM"}


def arpack(
    multiply: Callable[[np.ndarray], np.ndarray],
    dim: int,
    k: int,
    tol: float,
    max_products: int,
    seed: int,
    rounding: float = 0.0,
    *,
    which: str = "largest",
) -> Pairs:
    """The ``k < dim`` wanted eigenpairs of a symmetric map, known by ``multiply(V (d, b))``.

    A single vector shows one copy of a value that repeats; rounding brings the others, or does not. So a block search
    follows, and goes on where it finds more. The block solver also takes what ARPACK refuses, a map that is zero.

    Returns:
        The :class:`Pairs`; only those that converged where it ended early. Arguments are those of
        :func:`geomgan.eigen.block.lanczos_blocks`.

    Source: Lehoucq, Sorensen and Yang (1998), ARPACK Users' Guide.
    """
    from scipy.sparse.linalg import ArpackError, ArpackNoConvergence, LinearOperator, eigsh

    count = 0

    def matvec(v: np.ndarray) -> np.ndarray:
        nonlocal count
        count += 1
        return multiply(v.reshape(-1, 1))[:, 0]

    start = np.random.default_rng(seed).standard_normal(dim)
    basis = min(dim, max(2 * k + 1, 20))
    restarts = max(1, (max_products - basis) // max(basis - k, 1))
    operator = LinearOperator((dim, dim), matvec=matvec, dtype=np.float64)
    try:
        vectors = eigsh(operator, k, which=_NAMES[which], tol=tol, v0=start, ncv=basis, maxiter=restarts)[1]
        known = vectors, multiply(vectors)
    except ArpackNoConvergence as stopped:
        return _ended_early(multiply, stopped.eigenvectors, count)
    except ArpackError:
        known = None
    found = block_lanczos(
        multiply, dim, k, tol, max_products - count, seed, rounding, min(dim, SEARCHING), which=which, start=known
    )
    return replace(found, products=count + found.products)


def _ended_early(multiply: Callable[[np.ndarray], np.ndarray], vectors: np.ndarray, count: int) -> Pairs:
    """What had converged, if anything."""
    images = multiply(vectors) if vectors.shape[1] else vectors
    values = (vectors * images).sum(axis=0)
    order = np.argsort(-values, kind="stable")
    residuals, scale = column_norms(images - vectors * values), float(np.abs(values).max(initial=0.0))
    return Pairs(values[order], vectors[:, order], residuals[order], count + len(values), scale, spent=True)
