"""Eigenvectors picked by the rank of their eigenvalues."""

from __future__ import annotations

from typing import Any

import numpy as np


def axes_of_rank(vectors: Any, values: Any, ranks: Any) -> tuple[np.ndarray, np.ndarray]:
    """The eigenvectors and eigenvalues of some ranks.

    Args:
        vectors: ``(d, k)``, columns in descending order of their eigenvalues.
        values: ``(k,)``.
        ranks: from 1, the largest eigenvalue, to ``k``.

    Returns:
        ``(d, len(ranks))`` and ``(len(ranks),)``.

    Raises:
        ValueError: a rank is not an integer from 1 to ``k``.
    """
    vectors, values, ranks = np.asarray(vectors), np.asarray(values), np.atleast_1d(ranks)
    k = len(values)
    if vectors.ndim != 2 or vectors.shape[1] != k:
        raise ValueError(
            f"vectors have shape {vectors.shape}; expected (d, {k}): a column for each of {k} eigenvalues."
        )
    if not np.issubdtype(ranks.dtype, np.integer) or ranks.ndim != 1 or ranks.size == 0 or ranks.min() < 1:
        raise ValueError(f"ranks are {ranks.tolist()}; expected integers from 1, the largest eigenvalue, to {k}.")
    if ranks.max() > k:
        raise ValueError(
            f"axis {ranks.max()} was asked for, but only {k} eigenvectors were computed. Ask for axes 1 to {k}, or "
            f"compute eigenpairs with k={ranks.max()} or more."
        )
    return vectors[:, ranks - 1], values[ranks - 1]
