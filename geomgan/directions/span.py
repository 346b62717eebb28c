"""What directions span, seen by a metric: the shares of its axes, and angles between subspaces."""

from __future__ import annotations

from typing import Any

import numpy as np

from geomgan.eigen import eigenpairs
from geomgan.errors import as_array, check_finite

NOISE = 1e-12  # squared speed relative to the largest, below which it is rounding


def axis_shares(vectors: Any, g: Any) -> np.ndarray:
    """How the squared speed of each direction divides among the metric's axes: ``λ_j (u_jᵀv)² / vᵀ g v``.

    Args:
        vectors: ``(d, m)``, columns.
        g: a metric tensor ``(d, d)``, or a mean one.

    Returns:
        ``(m, d)``, rows that sum to one (to zero where the metric does not see the direction), for the axes ``u_j`` in
        descending order of their eigenvalues. ``shares[:, :k].sum(axis=1)`` is the share of the top ``k``.

    Raises:
        ValueError: shapes do not fit.
    """
    vectors = _columns(vectors, "vectors")
    axes = eigenpairs(g, solver="dense")
    if len(axes.vectors) != len(vectors):
        raise ValueError(f"vectors have {len(vectors)} rows; expected {len(axes.vectors)}, as g has.")
    energies = np.maximum(axes.values, 0) * (vectors.T @ axes.vectors) ** 2
    totals, seen = energies.sum(axis=1, keepdims=True), NOISE * axes.values[0] * (vectors**2).sum(axis=0)[:, None]
    return np.where(totals > seen, energies / np.where(totals > seen, totals, 1), 0)


def subspace_angles(a: Any, b: Any) -> np.ndarray:
    """The principal angles between the spans of the columns of ``a (d, m)`` and ``b (d, n)``, in radians, ascending.

    There are as many as the smaller span has dimensions; all are zero where it lies in the other.

    Raises:
        ValueError: shapes do not fit.
    """
    from scipy.linalg import subspace_angles as descending

    a, b = _columns(a, "a"), _columns(b, "b")
    if len(a) != len(b):
        raise ValueError(f"a has {len(a)} rows and b {len(b)}; expected as many.")
    return np.asarray(descending(a, b)[::-1])


def _columns(vectors: Any, what: str) -> np.ndarray:
    vectors = np.asarray(as_array(vectors, what), np.float64)
    if vectors.ndim != 2 or 0 in vectors.shape:
        raise ValueError(f"{what} has shape {vectors.shape}; expected (d, m), columns.")
    check_finite(vectors, what)
    return vectors
