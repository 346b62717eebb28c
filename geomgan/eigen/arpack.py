"""The largest eigenpairs by scipy's ``eigsh`` (ARPACK), one product at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from geomgan.eigen.block import Pairs
from geomgan.eigen.dense import column_norms


def arpack(
    multiply: Callable[[np.ndarray], np.ndarray], dim: int, k: int, tol: float, max_products: int, seed: int
) -> Pairs:
    """The ``k < dim`` largest eigenpairs of a symmetric map, known by ``multiply(V (d, b))``.

    Returns:
        Values ``(k,)`` descending, vectors ``(d, k)``, residual norms ``(k,)`` and the number of products; only the
        pairs that converged where it ended early.

    Source: Lehoucq, Sorensen and Yang (1998), ARPACK Users' Guide.
    """
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

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
        values, vectors = eigsh(operator, k, which="LA", tol=tol, v0=start, ncv=basis, maxiter=restarts)
    except ArpackNoConvergence as stopped:
        values, vectors = stopped.eigenvalues, stopped.eigenvectors
    order = np.argsort(values)[::-1]
    values, vectors = values[order], vectors[:, order]
    if not len(values):
        return values, vectors, np.zeros(0), count
    return values, vectors, column_norms(multiply(vectors) - vectors * values), count + len(values)
