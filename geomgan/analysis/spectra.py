"""Spectra of metric fields: the mean spectrum with its band, and how anisotropic it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from geomgan.metric.field import MetricField


@dataclass(frozen=True)
class MeanSpectrum:
    """Mean eigenvalue of each rank over codes, ``(k,)``, with a percentile band and the median noise floor."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    percentiles: tuple[float, float]
    noise_floor: float


@dataclass(frozen=True)
class Anisotropy:
    """How few dimensions carry the metric, for each of ``n`` codes.

    Attributes:
        dimensions: ``(shares, n)``, smallest number of eigenvalues whose sum is each share of the trace.
        shares: of the trace.
        participation_ratio: ``(n,)``, ``(Σλ)² / Σλ²``: ``d`` for a sphere, 1 for a line.
        entropy_dimension: ``(n,)``, ``exp(-Σ p log p)`` with ``p = λ / Σλ``.
        orders: ``(n,)``, orders of magnitude from the largest eigenvalue down to the smallest above the noise floor.
    """

    dimensions: np.ndarray
    shares: tuple[float, ...]
    participation_ratio: np.ndarray
    entropy_dimension: np.ndarray
    orders: np.ndarray


def mean_spectrum(field: MetricField, percentiles: tuple[float, float] = (5, 95)) -> MeanSpectrum:
    """Mean over codes of each eigenvalue by rank, with the band between two ``percentiles``.

    Source: GAN-Geometry (Wang and Ponce, ICLR 2021), figure 1.
    """
    values = _values(field)
    low, high = np.percentile(values, percentiles, axis=0)
    noise_floor = float(np.median(field.noise_floor[field.finished]))
    return MeanSpectrum(values.mean(axis=0), low, high, percentiles, noise_floor)


def anisotropy(field: MetricField, shares: Sequence[float] = (0.9, 0.99, 0.999)) -> Anisotropy:
    """Dimensions, effective dimensions and orders of magnitude of the spectra of a field.

    Needs all ``d`` eigenvalues, as the trace is their sum.

    Raises:
        ValueError: the field holds fewer eigenvalues than dimensions.
    """
    values = np.maximum(_values(field), 0.0)
    if values.shape[1] != field.codes.shape[1]:
        raise ValueError(
            f"the field holds {values.shape[1]} of {field.codes.shape[1]} eigenvalues; expected all of them. "
            "Compute it with k=None."
        )
    total = values.sum(axis=1, keepdims=True)
    cumulative = np.cumsum(values, axis=1) / total
    p = np.where(values > 0, values / total, 1.0)
    above = np.where(values > field.noise_floor[field.finished, None], values, np.inf).min(axis=1)
    return Anisotropy(
        dimensions=np.stack([(cumulative < share).sum(axis=1) + 1 for share in shares]),
        shares=tuple(shares),
        participation_ratio=total[:, 0] ** 2 / (values**2).sum(axis=1),
        entropy_dimension=np.exp(-(np.where(values > 0, p * np.log(p), 0.0)).sum(axis=1)),
        orders=np.log10(values[:, 0] / np.minimum(above, values[:, 0])),
    )


def _values(field: MetricField) -> np.ndarray:
    values = field.values[field.finished]
    if not len(values):
        raise ValueError("the field holds no finished code. Call metric_field again to finish it.")
    return values
