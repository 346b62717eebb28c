"""What the answers say: means with bootstrap intervals, axes against controls, agreement between participants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Any

import numpy as np

from geomgan.analysis.bootstrap import check_resampling, percentile_interval, random_of
from geomgan.brief import brief
from geomgan.study.agreement import alpha_interval, resampling_counts
from geomgan.study.answers import Participant, StudyKey

Estimate = tuple[float, float, float]  # a value and the ends of its interval
MOST_EXACT = 20_000


@brief
@dataclass(frozen=True)
class Measure:
    """One measure of all questions; NaN where nobody gave it.

    Attributes:
        name: ``saw_change`` (percent of participants), ``amount`` (percent), ``rows``, ``similarity``, ``difficulty``.
        mean: ``(trials,)``, over participants.
        low: ``(trials,)``, of the percentile bootstrap over participants.
        high: ``(trials,)``.
        given: ``(trials,)``, participants that gave it.
        axes: mean over the axes.
        controls: mean over the controls.
        difference: axes less controls.
        p: of the permutation test of axes against controls, two-sided.
        least_p: the smallest p that a test of so many questions can give.
    """

    name: str
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    given: np.ndarray
    axes: Estimate
    controls: Estimate
    difference: Estimate
    p: float
    least_p: float


@brief
@dataclass(frozen=True)
class Agreement:
    """Krippendorff's alpha between participants, with a percentile bootstrap over questions.

    Attributes:
        name: as in :class:`Measure`; ``rows`` is which of them.
        level: of measurement.
        everywhere: over all questions.
        axes: over the axes.
        controls: over the controls.
    """

    name: str
    level: str
    everywhere: Estimate
    axes: Estimate
    controls: Estimate


@brief
@dataclass(frozen=True)
class StudyResults:
    """The results of a study.

    Attributes:
        key: of the study.
        participants: by name.
        measures: one for each question of the page but the free text.
        agreements: the same, at one or two levels of measurement.
        confidence: of all intervals; their ends are NaN where there are too few participants, or questions.
    """

    key: StudyKey
    participants: tuple[Participant, ...]
    measures: tuple[Measure, ...]
    agreements: tuple[Agreement, ...]
    confidence: float


def study_results(
    key: StudyKey,
    participants: Sequence[Participant],
    rng_key: Any = None,
    draws: int = 2000,
    confidence: float = 0.95,
) -> StudyResults:
    """Statistics of a study.

    Who saw no change counts as a change of 0 % in no row, and gives no similarity and no difficulty.

    Args:
        key: of the study.
        participants: from :func:`geomgan.study.read_answers`.
        rng_key: of bootstraps and permutations, a ``jax.random.key``; without one a ``DeprecationWarning``, and that
            of seed 0.
        draws: bootstrap samples.
        confidence: of the intervals.

    Raises:
        ValueError: there is no participant.
    """
    if not participants:
        raise ValueError("there are no participants; expected at least one.")
    check_resampling(draws, confidence)
    rng = random_of(rng_key)
    of_all = lambda name: np.array([getattr(person, name) for person in participants], np.float64)
    seen, amount, rows = of_all("seen"), np.nan_to_num(of_all("amount")), of_all("rows")
    similarity, difficulty = of_all("similarity"), of_all("difficulty")
    counts = resampling_counts(rng, draws, len(participants))
    values = {
        "saw_change": 100 * seen,
        "amount": amount,
        "rows": rows.sum(axis=2),
        "similarity": similarity,
        "difficulty": difficulty,
    }
    measures = [_measure(name, x, key.is_axis, counts, rng, confidence) for name, x in values.items()]
    ratings = (
        ("saw_change", "nominal", seen, 1),
        ("rows", "nominal", rows.reshape(len(rows), -1), key.rows),
        ("amount", "interval", amount, 1),
        ("similarity", "ordinal", similarity, 1),
        ("similarity", "interval", similarity, 1),
        ("difficulty", "ordinal", difficulty, 1),
        ("difficulty", "interval", difficulty, 1),
    )
    agreements = [
        _agreement(name, level, x, per_unit, key.is_axis, rng, draws, confidence)
        for name, level, x, per_unit in ratings
    ]
    return StudyResults(key, tuple(participants), tuple(measures), tuple(agreements), confidence)


def permutation_test(values: np.ndarray, is_axis: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """Are the means of axes and controls further apart than those of questions labelled at random? Two-sided.

    Questions are exchanged, and not single answers: each participant sees all questions, and the answers to one
    question are not independent. All labellings are counted where there are at most ``MOST_EXACT``; else that many
    are drawn, and the observed one is counted among them.

    Args:
        values: one for each question ``(trials,)``; NaN is left out.
        is_axis: ``(trials,)`` bool.
        rng: of the draws.

    Returns:
        p, and the smallest p possible; NaN where there are no axes or no controls.
    """
    kept = np.isfinite(values)
    values, is_axis = values[kept], is_axis[kept]
    total, axes = len(values), int(is_axis.sum())
    if axes in (0, total):
        return float("nan"), float("nan")
    if comb(total, axes) <= MOST_EXACT:
        labels = np.zeros((comb(total, axes), total), bool)
        for row, chosen in zip(labels, combinations(range(total), axes), strict=True):
            row[list(chosen)] = True
        extra = 0
    else:
        order = np.argsort(rng.random((MOST_EXACT, total)), axis=1)
        labels, extra = order < axes, 1
    apart = lambda chosen: chosen @ values / axes - ~chosen @ values / (total - axes)
    differences, observed = np.abs(apart(labels)), abs(float(apart(is_axis)))
    extreme = int((differences >= observed - 1e-12 * np.abs(values).max()).sum())
    tied = 2 if 2 * axes == total else 1  # exchanging two halves gives the same absolute difference
    return (extreme + extra) / (len(labels) + extra), max(1, tied * (1 - extra)) / (len(labels) + extra)


def _measure(
    name: str, values: np.ndarray, is_axis: np.ndarray, counts: np.ndarray, rng: np.random.Generator, confidence: float
) -> Measure:
    given = np.isfinite(values)
    filled = np.where(given, values, 0.0)
    mean = _ratio(filled.sum(axis=0), given.sum(axis=0))
    drawn = _ratio(counts @ filled, counts @ given)  # (draws, trials)
    interval = lambda x: percentile_interval(x, confidence, len(values))
    ends = np.array([interval(column) for column in drawn.T])
    group = lambda chosen: (float(_mean(mean[chosen])), *interval(_mean(drawn[:, chosen])))
    apart = lambda x: _mean(x[..., is_axis]) - _mean(x[..., ~is_axis])
    p, least_p = permutation_test(mean, is_axis, rng)
    # fmt: off
    return Measure(
        name, mean, ends[:, 0], ends[:, 1], given.sum(axis=0), group(is_axis), group(~is_axis),
        (float(apart(mean)), *interval(apart(drawn))), p, least_p,
    )
    # fmt: on


def _agreement(
    name: str,
    level: str,
    ratings: np.ndarray,
    per_unit: int,
    is_axis: np.ndarray,
    rng: np.random.Generator,
    draws: int,
    confidence: float,
) -> Agreement:
    groups = (np.ones_like(is_axis), is_axis, ~is_axis)
    undefined = (float("nan"),) * 3
    estimates = [
        alpha_interval(ratings[:, np.repeat(group, per_unit)], level, rng, draws, confidence, per_unit)
        if group.any()
        else undefined
        for group in groups
    ]
    return Agreement(name, level, *estimates)


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """NaN where nothing was given."""
    return np.divide(numerator, denominator, out=np.full(np.shape(numerator), np.nan), where=denominator > 0)


def _mean(x: np.ndarray) -> np.ndarray:
    """The mean over the last axis of what is defined; NaN for none."""
    given = np.isfinite(x)
    return _ratio(np.where(given, x, 0.0).sum(axis=-1), given.sum(axis=-1))
