"""Agreement between participants: Krippendorff's alpha, and its bootstrap over what was rated."""

from __future__ import annotations

from typing import Any

import numpy as np

from geomgan.analysis.bootstrap import percentile_interval
from geomgan.errors import check_choice

LEVELS = ("nominal", "ordinal", "interval")


def krippendorff_alpha(ratings: Any, level: str) -> float:
    """Krippendorff's alpha, ``1 - D_o / D_e``: 1 for perfect agreement, 0 for what chance gives.

    With the coincidences ``o_ck = Σ_u Σ_{i≠j} [r_iu = c][r_ju = k] / (m_u - 1)`` over units ``u`` with ``m_u ≥ 2``
    ratings, ``n_c = Σ_k o_ck`` and ``n = Σ_c n_c``::

        alpha = 1 - (n - 1) Σ_ck o_ck δ²_ck / Σ_ck n_c n_k δ²_ck

    ``δ²_ck`` is ``[c ≠ k]`` (nominal), ``(c - k)²`` (interval) or ``(Σ_{g=c..k} n_g - (n_c + n_k)/2)²`` (ordinal).
    Source: Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011).

    Args:
        ratings: ``(participants, units)``, NaN where a participant gave none.
        level: ``"nominal"``, ``"ordinal"`` or ``"interval"``.

    Returns:
        Alpha; NaN where it is undefined: no unit has two ratings, or all ratings are equal.

    Raises:
        ValueError: the ratings are not a matrix, or the level is unknown.
    """
    check_choice(level, LEVELS, "level")
    values, coincidences = _coincidences(ratings)
    return _alpha(values, coincidences.sum(axis=0), level)


def alpha_interval(
    ratings: Any, level: str, rng: np.random.Generator, draws: int = 1000, confidence: float = 0.95, per_unit: int = 1
) -> tuple[float, float, float]:
    """Alpha with a percentile bootstrap over units.

    Units are drawn, and not participants: a participant drawn twice would agree with themselves.

    Args:
        ratings: ``(participants, units)``, NaN where there is none.
        level: as in :func:`krippendorff_alpha`.
        rng: of the draws.
        draws: bootstrap samples.
        confidence: of the interval.
        per_unit: neighbouring columns that are drawn together (the rows of one question).

    Returns:
        Alpha and the ends of its interval; NaN where undefined, and for too few units.
    """
    check_choice(level, LEVELS, "level")
    values, coincidences = _coincidences(ratings)
    count = len(coincidences) // per_unit
    clusters = coincidences.reshape(count, per_unit, *coincidences.shape[1:]).sum(axis=1)
    weights = resampling_counts(rng, draws, count)
    drawn = [_alpha(values, np.tensordot(w, clusters, 1), level) for w in weights]
    return (_alpha(values, clusters.sum(axis=0), level), *percentile_interval(np.array(drawn), confidence, count))


def resampling_counts(rng: np.random.Generator, draws: int, count: int) -> np.ndarray:
    """How often each of ``count`` things is drawn in each of ``draws`` bootstrap samples, ``(draws, count)``."""
    return rng.multinomial(count, np.full(count, 1 / count), size=draws).astype(np.float64)


def _coincidences(ratings: Any) -> tuple[np.ndarray, np.ndarray]:
    """The distinct values ``(V,)`` and the coincidences of each unit ``(units, V, V)``."""
    ratings = np.asarray(ratings, np.float64)
    if ratings.ndim != 2 or ratings.size == 0:
        raise ValueError(f"ratings have shape {ratings.shape}; expected (participants, units), NaN where missing.")
    values = np.unique(ratings[~np.isnan(ratings)])
    given = ratings.T[:, :, None] == values  # (units, participants, V)
    counts = given.sum(axis=1).astype(np.float64)
    total = counts.sum(axis=1)
    pairs = counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(len(values))
    return values, pairs / np.where(total > 1, total - 1, np.inf)[:, None, None]


def _alpha(values: np.ndarray, coincidences: np.ndarray, level: str) -> float:
    frequency = coincidences.sum(axis=0)
    n = frequency.sum()
    differences = _squared_differences(values, frequency, level)
    expected = float(frequency @ differences @ frequency)
    observed = float((coincidences * differences).sum())
    return float(1 - (n - 1) * observed / expected) if expected > 0 else float("nan")


def _squared_differences(values: np.ndarray, frequency: np.ndarray, level: str) -> np.ndarray:
    if level == "nominal":
        return 1 - np.eye(len(values))
    # The frequencies from c to k, less half of both ends, are the distance between the middles of their mean ranks.
    position = values if level == "interval" else np.cumsum(frequency) - 0.5 * frequency
    return (position[:, None] - position) ** 2
