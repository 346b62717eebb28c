"""Spectra of metric fields: the mean spectrum with its band, and how anisotropic it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from geomgan.analysis.bootstrap import Interval, check_resampling, code_interval, key_after, random_of
from geomgan.analysis.spectra_of import spectra_of
from geomgan.brief import brief
from geomgan.errors import check_choice
from geomgan.fields.field import MetricField

SHARES = (0.9, 0.99, 0.999, 0.9999, 0.99999)
CENTRES: dict[str, Callable[..., np.ndarray]] = {"mean": np.mean, "median": np.median}


@brief
@dataclass(frozen=True)
class MeanSpectrum:
    """The central spectrum of a field, with its band over codes.

    Attributes:
        mean: ``(k,)``, mean eigenvalue of each rank over codes; their median for ``kind="median"``.
        low: ``(k,)``, lower end of the band.
        high: ``(k,)``, its upper end.
        percentiles: of the band.
        noise_floor: median over codes.
        kind: ``"mean"`` or ``"median"``.
        count: codes.
        left_out: codes of the field that were pending or failed.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    percentiles: tuple[float, float]
    noise_floor: float
    kind: str
    count: int
    left_out: int


@brief
@dataclass(frozen=True)
class Anisotropy:
    """How few dimensions carry the metric, for each of ``n`` codes.

    Attributes:
        dimensions: ``(shares, n)``, smallest number of eigenvalues whose sum is each share of the trace.
        shares: of the trace.
        participation_ratio: ``(n,)``, ``(Σλ)² / Σλ²``: ``d`` for a sphere, 1 for a line.
        entropy_dimension: ``(n,)``, ``exp(-Σ p log p)`` with ``p = λ / Σλ``.
        orders: ``(n,)``, orders of magnitude from the largest eigenvalue down to the smallest above the noise floor.
        intervals: ``"participation_ratio"``, ``"entropy_dimension"``, ``"orders"``, and for each share
            ``"dimensions_0.99"`` -> (median over codes, low, high), by a percentile bootstrap over codes; the ends are
            NaN for too few codes, fewer than 6 for 95 %. Dimensions are counts, and so are their medians, so many as
            do for half of the codes or more, and the ends.
        level: of the intervals.
        left_out: codes that were pending or failed, or whose metric has no positive eigenvalue.
        indices: ``(n,)``, place of each code in what was given.
    """

    dimensions: np.ndarray
    shares: tuple[float, ...]
    participation_ratio: np.ndarray
    entropy_dimension: np.ndarray
    orders: np.ndarray
    intervals: dict[str, Interval]
    level: float
    left_out: int
    indices: np.ndarray


def mean_spectrum(
    field: MetricField | Any,
    percentiles: tuple[float, float] = (5, 95),
    kind: str = "mean",
    *,
    absolute: bool = False,
) -> MeanSpectrum:
    """Mean or median over codes of each eigenvalue by rank, with the band between two ``percentiles``.

    Source: GAN-Geometry (Wang and Ponce, ICLR 2021), figure 1.

    Args:
        field: a :class:`MetricField`, also one with part of its eigenvalues, or tensors ``(P, d, d)``.
        percentiles: of the band, in percent.
        kind: ``"mean"`` or ``"median"``.
        absolute: take ``|λ|``, ranked by size. The original does; it matters for indefinite tensors only.

    Raises:
        OptionError: ``kind`` is unknown.
        ValueError: the percentiles are not ``0 <= low <= high <= 100``; see also :func:`spectra_of`.
    """
    check_choice(kind, CENTRES, "kind")
    if len(percentiles) != 2 or not 0 <= percentiles[0] <= percentiles[1] <= 100:
        raise ValueError(f"percentiles is {percentiles}; expected (low, high) with 0 <= low <= high <= 100.")
    spectra = spectra_of(field, "mean_spectrum", vectors=False, partial=True)
    values = np.sort(np.abs(spectra.values), axis=1)[:, ::-1] if absolute else spectra.values
    low, high = np.percentile(values, percentiles, axis=0)
    floor = float(np.median(spectra.noise_floor))
    centre = CENTRES[kind](values, axis=0)
    return MeanSpectrum(centre, low, high, (percentiles[0], percentiles[1]), floor, kind, len(values), spectra.left_out)


@key_after(1, "shares", "draws", "level")
def anisotropy(
    field: MetricField | Any,
    key: jax.Array | None = None,
    shares: Sequence[float] = SHARES,
    draws: int = 1000,
    level: float = 0.95,
) -> Anisotropy:
    """Dimensions, effective dimensions and orders of magnitude of the spectra of a field.

    Needs all ``d`` eigenvalues, as the trace is their sum. Negative eigenvalues count as zero: of an exact metric they
    are rounding noise.

    Args:
        field: a :class:`MetricField`, or tensors ``(P, d, d)``.
        key: of the bootstrap, a ``jax.random.key``; without one a ``DeprecationWarning``, and that of seed 0.
        shares: of the trace, between 0 and 1.
        draws: of the bootstrap over codes.
        level: of the intervals.

    Raises:
        ValueError: the field holds fewer eigenvalues than dimensions; no metric has a positive eigenvalue; a share is
            not between 0 and 1; see also :func:`spectra_of`.
    """
    _check_shares(shares)
    check_resampling(draws, level)
    rng = random_of(key)
    spectra = spectra_of(field, "anisotropy", vectors=False)
    alive = np.flatnonzero(spectra.values[:, 0] > 0)
    if not len(alive):
        raise ValueError(
            "no metric has a positive eigenvalue, so there is no shape; expected samples that change with their code."
        )
    values, floor = np.maximum(spectra.values[alive], 0.0), spectra.noise_floor[alive, None]
    total = values.sum(axis=1, keepdims=True)
    cumulative = np.cumsum(values, axis=1) / total
    p = np.where(values > 0, values / total, 1.0)
    above = np.where(values > floor, values, np.inf).min(axis=1)
    dimensions = np.stack([(cumulative < share).sum(axis=1) + 1 for share in shares])
    statistics = {
        "participation_ratio": total[:, 0] ** 2 / (values**2).sum(axis=1),
        "entropy_dimension": np.exp(-(np.where(values > 0, p * np.log(p), 0.0)).sum(axis=1)),
        "orders": np.log10(values[:, 0] / np.minimum(above, values[:, 0])),
    }
    counts = {f"dimensions_{share:g}": row for share, row in zip(shares, dimensions, strict=True)}
    intervals = {name: code_interval(x, draws, level, rng) for name, x in {**statistics, **counts}.items()}
    left_out = spectra.left_out + len(spectra.values) - len(alive)
    return Anisotropy(dimensions, tuple(shares), **statistics, intervals=intervals, level=level, left_out=left_out,
                      indices=spectra.indices[alive])  # fmt: skip


def original_dimensions(field: MetricField | Any, shares: Sequence[float] = SHARES[1:]) -> np.ndarray:
    """The original's table: dimensions of the *mean* spectrum, ``(shares,)`` integers, for comparison with its numbers.

    It sorts ``|mean λ|`` and counts how often the cumulative share is strictly below the given one: one fewer than the
    dimensions needed, which :func:`anisotropy` gives, for each code.

    Raises:
        ValueError: as :func:`anisotropy`.
    """
    _check_shares(shares)
    mean = spectra_of(field, "original_dimensions", vectors=False).values.mean(axis=0)
    values = np.sort(np.abs(mean))[::-1]
    cumulative = np.cumsum(values) / values.sum()
    return np.array([(cumulative < share).sum() for share in shares])


def _check_shares(shares: Sequence[float]) -> None:
    if not len(shares) or not all(0 < share < 1 for share in shares):
        raise ValueError(f"shares is {shares}; expected shares of the trace, each between 0 and 1.")
