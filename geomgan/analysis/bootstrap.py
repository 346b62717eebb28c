"""Resampling of codes: random numbers from typed keys, and percentile intervals."""

from __future__ import annotations

import warnings
from typing import Any

import jax
import numpy as np

from geomgan.errors import check_count, check_key

Interval = tuple[float, float, float]  # estimate, low, high


def random_of(key: Any) -> np.random.Generator:
    """Numpy's generator, seeded by a ``jax.random.key``.

    None means ``jax.random.key(0)`` for one more version, with a warning that is laid at the caller of the function
    that has the key.

    Raises:
        TypeError: ``key`` is not one typed key.
    """
    if key is None:
        warnings.warn(
            "no key was given; jax.random.key(0) is taken, in this version only. Pass it as a key of your own: the "
            "same key gives the same result.",
            DeprecationWarning,
            stacklevel=3,
        )
        key = jax.random.key(0)
    check_key(key)
    return np.random.default_rng(np.asarray(jax.random.key_data(key)))


def check_resampling(draws: int, level: float) -> None:
    """Raise ``ValueError`` unless there are draws and the level is between 0 and 1."""
    check_count(draws, np.inf, "draws")
    if not 0 < level < 1:
        raise ValueError(f"level is {level!r}; expected a number between 0 and 1, such as 0.95.")


def percentile_interval(samples: np.ndarray, level: float) -> tuple[float, float]:
    """The central interval that holds a share ``level`` of the samples ``(draws,)``; NaN among them are left out."""
    samples = samples[np.isfinite(samples)]
    if not len(samples):
        return float("nan"), float("nan")
    low, high = np.percentile(samples, [50 * (1 - level), 50 * (1 + level)])
    return float(low), float(high)


def median_interval(x: np.ndarray, draws: int, level: float, rng: np.random.Generator) -> Interval:
    """The median of ``x (P,)`` over codes, with a percentile bootstrap over codes; no interval for one code."""
    if len(x) < 2:
        return float(np.median(x)), float("nan"), float("nan")
    medians = np.median(x[rng.integers(len(x), size=(draws, len(x)))], axis=1)
    return float(np.median(x)), *percentile_interval(medians, level)
