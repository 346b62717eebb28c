"""Pearson's correlation and the line of least squares: one definition, one rule of what is undefined."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

CONSTANT = 1e-6  # a spread below this share of the largest magnitude is rounding of single precision


def regression(x: Any, y: Any, kept: Any = True, *, log: bool = False) -> tuple[Any, Any, Any]:
    """Pearson's r, and slope and intercept of the line that predicts ``y`` from ``x``, over the last axis.

    ``r = Σ (x - x̄)(y - ȳ) / √(Σ (x - x̄)² Σ (y - ȳ)²)``, ``slope = Σ (x - x̄)(y - ȳ) / Σ (x - x̄)²``.

    NaN where fewer than two are kept (for r fewer than three, as any two lie on a line), or ``x`` (for r also ``y``) is
    constant to six digits: its standard deviation is at most 1e-6 of its largest magnitude, that of logarithms at most
    1e-6.

    Args:
        x: ``(..., n)``, of numpy, or of JAX, also traced.
        y: ``(..., n)``, likewise; leading axes broadcast.
        kept: ``(..., n)``, which of them count.
        log: take ``log10`` of both, where they are kept.

    Returns:
        r, slope, intercept, each ``(...)``.
    """
    xp = _numpy_of(x, y)
    kept = xp.broadcast_to(xp.asarray(kept), xp.broadcast_shapes(xp.shape(x), xp.shape(y), xp.shape(kept)))
    count = kept.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = lambda v: xp.where(kept, v, 0.0).sum(axis=-1) / count
        (x, mean_x, xx), (y, mean_y, yy) = (_centred(xp, v, kept, mean, log) for v in (x, y))
        xy = mean(x * y)
        slope = xp.where(count > 1, xy / xx, np.nan)
        r = xp.where(count > 2, xy / (xp.sqrt(xx) * xp.sqrt(yy)), np.nan)
        return r, slope, mean_y - slope * mean_x


def _centred(xp: ModuleType, v: Any, kept: Any, mean: Any, log: bool) -> tuple[Any, Any, Any]:
    """Values less their mean, the mean, and the variance, which is NaN where they are constant."""
    v = xp.log10(xp.where(kept, v, 1.0)) if log else xp.where(kept, v, 0.0)
    scale = 1.0 if log else xp.abs(v).max(axis=-1)
    middle = mean(v)
    v = v - middle[..., None]
    variance = mean(v * v)
    return v, middle, xp.where(xp.sqrt(variance) > CONSTANT * scale, variance, np.nan)


def pearson(x: Any, y: Any, kept: Any = True, *, log: bool = False) -> Any:
    """The r of :func:`regression`."""
    return regression(x, y, kept, log=log)[0]


def correlation_matrix(rows: np.ndarray) -> np.ndarray:
    """Pearson's r of every two of the ``rows (P, n)``, as one product; undefined as in :func:`regression`."""
    mean, spread = rows.mean(axis=1, keepdims=True), rows.std(axis=1, keepdims=True)
    varies = spread > CONSTANT * np.abs(rows).max(axis=1, keepdims=True)
    spread = np.where(varies, spread, np.nan) * np.sqrt(rows.shape[1])
    total = np.zeros((len(rows), len(rows)))
    for columns in np.array_split(rows, -(-rows.nbytes // 2**26), axis=1):  # without a standardised copy of all
        part = (columns - mean) / spread
        total += part @ part.T
    return total


def rate_correlations(alpha: Any, values: Any, floor: Any = 0.0) -> tuple[Any, Any, Any]:
    """How rates of change ``alpha (..., d)`` along some axes follow eigenvalues ``values (..., d)``, rank by rank.

    Returns:
        Pearson's r, that of the logarithms where both are above ``floor``, and how many ranks these leave out.
    """
    kept = (alpha > floor) & (values > floor)
    return pearson(alpha, values), pearson(alpha, values, kept, log=True), (~kept).sum(axis=-1)


def by_chance(ranks: float) -> float:
    """Standard deviation of that r for axes in random directions, whose mean is 0: ``1 / √(n - 1)`` of ``n`` ranks.

    A random frame puts its rates into random order, and that is the r of any numbers in random order.
    """
    return float(max(ranks - 1, 1) ** -0.5)


def _numpy_of(*arrays: Any) -> ModuleType:
    """JAX's numpy where one of the arrays is JAX's, otherwise numpy, whose arithmetic is float64."""
    return jnp if any(isinstance(array, jax.Array) for array in arrays) else np
