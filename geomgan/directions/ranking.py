"""Which paths change which attribute: correlations along walks, their means over codes, and what else they change.

Of one walk, ``t`` are the positions and ``a`` the values of an attribute:

``"pearson"``   ``cov(a, t) / (std a · std t)``;
``"spearman"``  the same of ranks;
``"covariance"``  ``cov(a, t) / std t`` of values that are cut at the attribute's range and scaled to ``[-1, 1]``: what
                WarpedGANSpace ranks by, and calls a correlation. It is large where the attribute changes much.

Attributes that turn are unwound along the walk first; those that are relative to the code itself, such as identity, are
correlated with ``|t|``. The mean over codes keeps the sign, so that a path that does the
opposite at other codes ranks low. How much a path changes an attribute and nothing else is its share of the path's
absolute means, ``|c_a| / Σ_b |c_b|`` over a group of attributes (the L1 normalisation of the original).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from geomgan.brief import brief
from geomgan.directions.attributes.attribute import AttributeValues
from geomgan.errors import as_array, check_choice, check_count, check_key
from geomgan.intervals import percentile_interval

METHODS = ("pearson", "spearman", "covariance")
FEWEST = 3  # values of a walk that a correlation is made of
LEVEL, DRAWS = 0.95, 2000


@brief
@dataclass(frozen=True)
class Ranking:
    """Correlations of ``A`` attributes with position along ``n`` paths, at ``m`` codes.

    Attributes:
        each: ``(m, n, A)``; NaN where a walk has fewer than three values, or they do not change.
        mean: ``(n, A)``, over the codes that have one.
        low: ``(n, A)``, lower end of the interval of the mean (bootstrap over codes, 95 %); NaN for fewer than 6 codes.
        high: ``(n, A)``, upper end.
        shares: ``(n, A)``, ``|mean|`` over the sum of those of all attributes: from 0 to 1.
        change: ``(n, A)``, mean over codes of the value at the end of a walk less that at its beginning.
        codes: ``(n, A)``, how many codes have a correlation.
        missing: ``(n, A)``, pictures without a value.
        paths: names of the paths.
        names: of the attributes.
        method: of the correlation.
    """

    each: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    shares: np.ndarray
    change: np.ndarray
    codes: np.ndarray
    missing: np.ndarray
    paths: tuple[str, ...]
    names: tuple[str, ...]
    method: str

    def order(self, attribute: str, *, by: str = "mean") -> np.ndarray:
        """All paths, by number: the one that changes an attribute most reliably first, those without a value last.

        Args:
            attribute: its name.
            by: ``"mean"``, the absolute mean correlation, or ``"share"``, how little else the path changes.

        Raises:
            OptionError: the attribute or ``by`` is unknown.
        """
        check_choice(attribute, self.names, "attribute")
        check_choice(by, ("mean", "share"), "by")
        column = self.names.index(attribute)
        score = np.abs(self.mean[:, column]) if by == "mean" else self.shares[:, column]
        return np.argsort(-np.nan_to_num(score, nan=-1.0), kind="stable")

    def table(self, attribute: str, k: int | None = None, *, by: str = "mean") -> dict[str, list[Any]]:
        """The first ``k`` paths for an attribute, as columns."""
        order = self.order(attribute, by=by)[: None if k is None else check_count(k, np.inf, "k")]
        column = self.names.index(attribute)
        others = np.abs(np.delete(self.mean, column, axis=1))
        strongest = [_strongest(others[i], [n for n in self.names if n != attribute]) for i in order]
        rows = [(i, column) for i in order]
        return {
            "rank": list(range(1, len(order) + 1)),
            "path": [self.paths[i] for i in order],
            f"{self.method}": [float(self.mean[row]) for row in rows],
            "95 % interval": [(float(self.low[row]), float(self.high[row])) for row in rows],
            "share": [float(self.shares[row]) for row in rows],
            "change": [float(self.change[row]) for row in rows],
            "codes": [int(self.codes[row]) for row in rows],
            "missing": [int(self.missing[row]) for row in rows],
            "changes most besides": strongest,
        }


def rank_paths(
    values: AttributeValues,
    positions: Any,
    paths: Sequence[str],
    key: jax.Array,
    *,
    method: str = "pearson",
    group: Sequence[str] | None = None,
) -> Ranking:
    """Rank paths by how attributes change along them.

    Args:
        values: attributes of walks, ``values.values (m, n, T, A)``.
        positions: ``t (T,)`` of the pictures, or ``(m, n, T)``.
        paths: names of the ``n`` paths.
        key: random key, of the bootstrap.
        method: of the correlation.
        group: names of the attributes to rank by, and over which shares are; all by default.

    Raises:
        OptionError: the method, or a name of the group, is unknown.
        ValueError: shapes do not fit, or walks have fewer than three pictures.
    """
    check_key(key)
    check_choice(method, METHODS, "method")
    for name in group or ():
        check_choice(name, values.names, "attribute")
    names = values.names if group is None else tuple(group)
    columns = [values.names.index(name) for name in names]
    x = values.values[..., columns]
    t = np.asarray(as_array(positions, "positions"), np.float64)
    if x.ndim != 4 or t.shape not in ((x.shape[2],), x.shape[:3]) or len(paths) != x.shape[1]:
        raise ValueError(
            f"values have shape {x.shape}, positions {t.shape}, and there are {len(paths)} names of paths; expected "
            "(codes, paths, T, attributes), (T,) or (codes, paths, T), and a name for each path."
        )
    if x.shape[2] < FEWEST:
        raise ValueError(f"walks have {x.shape[2]} pictures; expected at least {FEWEST}. Take more steps.")
    unwound = _unwound(x, values.periods[columns])
    t = np.broadcast_to(t, x.shape[:3])[..., None]
    t = np.where(values.relative[columns], np.abs(t), t)
    each = correlations(unwound, t, method, values.ranges[columns])
    mean, low, high = _bootstrap(each, key)
    total = np.nansum(np.abs(mean), axis=1, keepdims=True)
    change = _mean(unwound[:, :, -1] - unwound[:, :, 0])
    return Ranking(
        each,
        mean,
        low,
        high,
        np.abs(mean) / np.where(total > 0, total, np.nan),
        change,
        np.isfinite(each).sum(axis=0),
        np.isnan(x).sum(axis=(0, 2)),
        tuple(paths),
        names,
        method,
    )


def correlations(values: np.ndarray, positions: np.ndarray, method: str, ranges: np.ndarray) -> np.ndarray:
    """Correlations along the axis before the last: ``values (..., T, A)``, positions alike -> ``(..., A)``.

    Values that are NaN are left out with their positions.
    """
    there = np.isfinite(values)
    x, t = np.where(there, values, np.nan), np.where(there, positions, np.nan)
    if method == "spearman":
        from scipy.stats import rankdata

        x, t = (rankdata(part, axis=-2, nan_policy="omit") for part in (x, t))
    if method == "covariance":
        low, high = ranges[:, 0], ranges[:, 1]
        bounded = np.isfinite(high - low)
        scaled = 2 * (np.clip(x, low, high) - low) / np.where(bounded, high - low, 1) - 1
        x = np.where(bounded, scaled, x)
    count = there.sum(axis=-2)
    centred = lambda part: part - np.nansum(part, axis=-2, keepdims=True) / np.maximum(count, 1)[..., None, :]
    x, t = centred(x), centred(t)
    mean = lambda part: np.nansum(part, axis=-2) / np.maximum(count, 1)
    spread_x, spread_t = np.sqrt(mean(x * x)), np.sqrt(mean(t * t))
    scale = np.nanmax(np.where(there, np.abs(values), 0.0), axis=-2)
    varies = (spread_x > 1e-9 * scale) & (spread_t > 0) & (count >= FEWEST)
    below = spread_t if method == "covariance" else spread_x * spread_t
    still = np.where(count >= FEWEST, 0.0, np.nan) if method == "covariance" else np.nan
    return np.where(varies, mean(x * t) / np.where(varies, below, 1.0), still)


def _unwound(values: np.ndarray, periods: np.ndarray) -> np.ndarray:
    """Values that turn, without the jumps between neighbours on a walk."""
    unwound = values.copy()
    for i, period in enumerate(periods):
        if np.isfinite(period):
            known = np.isfinite(values[..., i])
            filled = _carried(values[..., i], known)
            unwound[..., i] = np.where(known, np.unwrap(filled, axis=-1, period=period), np.nan)
    return unwound


def _carried(x: np.ndarray, known: np.ndarray) -> np.ndarray:
    """``x (..., T)`` with each unknown value that of the last known one before it; 0 before the first."""
    last = np.maximum.accumulate(np.where(known, np.arange(x.shape[-1]), 0), axis=-1)
    return np.nan_to_num(np.take_along_axis(x, last, axis=-1))


def _mean(x: np.ndarray) -> np.ndarray:
    """Over the codes ``(m, ...)`` that have a value; NaN where none has."""
    known = np.isfinite(x)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, x, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)


def _bootstrap(each: np.ndarray, key: jax.Array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean over codes and the ends of its interval, ``(n, A)`` each; NaN where too few codes have a value."""
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    weights = rng.multinomial(len(each), np.full(len(each), 1 / len(each)), size=DRAWS).astype(float)
    known = np.isfinite(each)
    flat = np.where(known, each, 0.0).reshape(len(each), -1)
    counts = weights @ known.reshape(len(each), -1)
    drawn = weights @ flat / np.where(counts > 0, counts, np.nan)
    enough = known.reshape(len(each), -1).sum(axis=0)
    ends = [percentile_interval(drawn[:, i], LEVEL, enough[i]) for i in range(flat.shape[1])]
    low, high = (np.array(part).reshape(each.shape[1:]) for part in zip(*ends, strict=True))
    return _mean(each), low, high


def _strongest(others: np.ndarray, names: list[str]) -> str:
    if not np.isfinite(others).any():
        return ""
    i = int(np.nanargmax(others))
    return f"{names[i]} ({others[i]:.2f})"
