"""Means of metric tensors: arithmetic, log-Euclidean and affine-invariant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from geomgan.analysis.spectra_of import Spectra, spectra_of
from geomgan.eigen.lapack import symmetric
from geomgan.errors import check_choice

KINDS = ("arithmetic", "log-euclidean", "affine-invariant")


def mean_metric(
    tensors: Any,
    kind: str = "arithmetic",
    floor: float | None = None,
    tol: float = 1e-10,
    iterations: int = 100,
    *,
    progress: bool = False,
) -> np.ndarray:
    """One metric that stands for many, ``(d, d)`` float64.

    - ``"arithmetic"``: ``1/P Σ g_p``: the mean squared length of a step. The original's ``H_avg``.
    - ``"log-euclidean"``: ``exp(1/P Σ log g_p)`` (Arsigny et al., 2007).
    - ``"affine-invariant"``: the Fréchet (Karcher) mean, which minimises ``Σ ‖log(X^(-1/2) g_p X^(-1/2))‖²``. It
      follows any change of coordinates: the mean of ``Aᵀ g_p A`` is ``Aᵀ X A``. A fixed-point iteration from the
      log-Euclidean mean, with the step of Bini and Iannazzo (2013).

    The last two need positive definite tensors. Eigenvalues below the floor of their tensor are raised to it: rounding
    noise, also where it is negative, and the zeros of a metric of lower rank. In such directions it is the floor that
    is averaged, and the mean says no more than that. An eigenvalue below minus the floor is not rounding, and raises.

    Args:
        tensors: a :class:`MetricField`, or a stack ``(P, d, d)``.
        kind: of the mean.
        floor: relative to the largest eigenvalue of each tensor; by default its noise floor.
        tol: the iteration stops when the mean logarithm (a relative change of the mean, root mean square over its
            eigenvalues) is below ``tol``, or below what rounding lets it reach for an ill-conditioned mean.
        iterations: at most.
        progress: show a progress bar.

    Raises:
        OptionError: ``kind`` is unknown.
        ValueError: a tensor is not positive definite beyond rounding, or the iteration does not converge; see also
            :func:`spectra_of`.
    """
    check_choice(kind, KINDS, "kind")
    if floor is not None and not 0 < floor < 1:
        raise ValueError(f"floor is {floor!r}; expected a share of the largest eigenvalue, between 0 and 1.")
    if not tol > 0 or iterations < 1:
        raise ValueError(f"tol is {tol!r} and iterations is {iterations!r}; expected positive numbers.")
    spectra = spectra_of(tensors, "mean_metric", progress=progress)
    if kind == "arithmetic":
        return spectra.tensors.mean(axis=0)
    values = positive_values(spectra, floor)
    mean_log = np.mean([_composed(u, np.log(x)) for u, x in zip(spectra.vectors, values, strict=True)], axis=0)
    if kind == "log-euclidean":
        return _function(mean_log, np.exp)
    factors = spectra.vectors * np.sqrt(values)[:, None, :]
    return _karcher(factors, mean_log, tol, iterations, progress)


def positive_values(spectra: Spectra, floor: float | None = None) -> np.ndarray:
    """Eigenvalues ``(P, d)`` raised to the floor of their tensor, its noise floor unless given relative to the largest.

    Raises:
        ValueError: a tensor is not positive definite beyond rounding.
    """
    largest, smallest = spectra.values[:, 0], spectra.values[:, -1]
    floors = spectra.noise_floor if floor is None else floor * largest
    bad = np.flatnonzero((smallest < -floors) | (largest <= 0))
    if len(bad):
        p = bad[0]
        raise ValueError(
            f"tensor {spectra.indices[p]} has eigenvalues from {largest[p]:.3g} down to {smallest[p]:.3g}, with a "
            f"floor of {floors[p]:.3g}; expected positive definite tensors; {len(bad)} of {len(largest)} are not. "
            "Leave them out, take kind='arithmetic', or pass a floor= larger than their negative eigenvalues."
        )
    tiny = np.finfo(np.float64).tiny * 1e16
    return np.maximum(spectra.values, np.maximum(floors, tiny)[:, None])


def _karcher(factors: np.ndarray, mean_log: np.ndarray, tol: float, iterations: int, progress: bool) -> np.ndarray:
    """The affine-invariant mean of ``L_p L_pᵀ``, from ``exp(mean_log)``.

    The mean is held as ``R Rᵀ``, with ``R⁻¹`` beside it. Singular values of ``R⁻¹ L_p`` are the square roots of the
    eigenvalues that the logarithm takes: half the decades, so that small ones survive rounding.
    """
    from tqdm import tqdm

    dim = len(mean_log)
    root, inverse = _function(0.5 * mean_log, np.exp), _function(-0.5 * mean_log, np.exp)
    reachable = dim * np.finfo(np.float64).eps * np.exp(0.5 * np.ptp(np.linalg.eigvalsh(mean_log)))
    size = np.inf
    for _ in tqdm(range(iterations), desc="affine-invariant mean", disable=not progress):
        gradient, curvature = np.zeros((dim, dim)), 0.0
        for factor in factors:
            left, singular, _ = np.linalg.svd(inverse @ factor)
            logs = 2 * np.log(singular)
            gradient += _composed(left, logs) / len(factors)
            half = 0.5 * (logs[0] - logs[-1])
            curvature += (half / np.tanh(half) if half > 1e-8 else 1.0) / len(factors)
        size = float(np.linalg.norm(gradient) / np.sqrt(dim))
        if size <= max(tol, reachable):
            return root @ root.T
        step = gradient / (1 + curvature)  # half of 2 / (1 + curvature), on each side; the Hessian is from 1 to that
        root, inverse = root @ _function(step, np.exp), _function(-step, np.exp) @ inverse
    raise ValueError(
        f"the affine-invariant mean did not converge: its relative change is {size:.2g} after {iterations} iterations, "
        f"expected at most {max(tol, reachable):.2g}. Raise iterations= or tol=, or raise floor= where the tensors are "
        "nearly of lower rank."
    )


def _function(matrix: np.ndarray, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """A function of a symmetric matrix, by its eigenvalues."""
    values, vectors = symmetric(0.5 * (matrix + matrix.T))
    return _composed(vectors, function(values))


def _composed(vectors: np.ndarray, values: np.ndarray) -> np.ndarray:
    """``V diag(λ) Vᵀ``."""
    return (vectors * values) @ vectors.T
