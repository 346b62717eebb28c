"""Eigenpairs that coarse products found, made those of true products."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace

import numpy as np

from geomgan.eigen.dense import column_norms, wanted
from geomgan.eigen.found import Pairs
from geomgan.eigen.lapack import symmetric
from geomgan.eigen.threads import one_blas_thread

ROUNDS = 3  # of blocks; more would cost what true products from the start do, which are up to eight times as slow


def refined(multiply: Callable[[np.ndarray], np.ndarray], found: Pairs, tol: float, which: str = "largest") -> Pairs:
    """:func:`refined_blocks` by a function that multiplies."""
    steps = refined_blocks(found, tol, which)
    try:
        block = next(steps)
        while True:
            block = steps.send(multiply(block))
    except StopIteration as finished:
        return finished.value


def refined_blocks(found: Pairs, tol: float, which: str = "largest") -> Generator[np.ndarray, np.ndarray, Pairs]:
    """The pairs of a map ``A`` near which those of a coarser one were found: yields blocks ``V``, takes ``A V``.

    Rayleigh and Ritz in the space of the vectors, which makes values true to the square of what vectors are off by,
    then in one that grows by the residuals of the pairs that are not within ``tol`` (block Davidson), ``ROUNDS`` at
    most, while these become smaller.

    Returns:
        As many pairs, with their true residuals; ``products`` are those of ``A`` alone.
    """
    count, products = found.vectors.shape[1], 0
    basis = image = np.zeros((len(found.vectors), 0))
    block, worst = np.linalg.qr(found.vectors)[0], np.inf
    pairs = found
    for _ in range(ROUNDS):
        if not block.shape[1]:
            break
        product = yield block
        products += block.shape[1]
        with one_blas_thread(basis.shape[1] + block.shape[1]):
            basis, image = np.hstack([basis, block]), np.hstack([image, product])
            projected = basis.T @ image
            theta, y = symmetric(0.5 * (projected + projected.T))
            theta, y = theta[::-1], y[:, ::-1]
            chosen = wanted(theta, count, which)
            values, vectors = theta[chosen], basis @ y[:, chosen]
            residuals = image @ y[:, chosen] - vectors * values
            errors = column_norms(residuals)
            scale = max(found.scale, float(np.abs(theta).max(initial=0.0)))
            pairs = replace(found, values=values, vectors=vectors, residuals=errors, scale=scale)
            if errors.max(initial=0.0) <= tol * scale or errors.max() > 0.9 * worst:
                break
            worst, block = errors.max(), _outside(basis, residuals[:, errors > tol * scale])
    return replace(pairs, products=products)


def _outside(basis: np.ndarray, block: np.ndarray) -> np.ndarray:
    """Orthonormal directions of a block outside the basis."""
    block = block / column_norms(block)
    for _ in range(2):  # twice is enough (Kahan and Parlett)
        block = block - basis @ (basis.T @ block)
    u, s, _ = np.linalg.svd(block, full_matrices=False)
    found = u[:, s > 1e-8]
    return np.linalg.qr(found - basis @ (basis.T @ found))[0]
