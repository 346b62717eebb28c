"""Eigenpairs of small matrices by LAPACK, whichever of its algorithms ends."""

from __future__ import annotations

import numpy as np


def symmetric(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All eigenvalues ``(..., d)``, ascending, and vectors ``(..., d, d)`` of finite symmetric float64 matrices.

    Divide and conquer (``syevd``, which numpy calls) now and then gives up where values repeat; the older iteration
    (``syev``) does not.
    """
    try:
        return np.linalg.eigh(matrices)
    except np.linalg.LinAlgError:
        import scipy.linalg

        flat = matrices.reshape(-1, *matrices.shape[-2:])
        pairs = [scipy.linalg.eigh(matrix, driver="ev") for matrix in flat]
        values, vectors = (np.stack(part) for part in zip(*pairs, strict=True))
        return values.reshape(matrices.shape[:-1]), vectors.reshape(matrices.shape)
