"""How much more alike metrics are at codes that are closer together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from geomgan.analysis.bootstrap import check_resampling, fewest, key_after, random_of
from geomgan.analysis.correlation import regression
from geomgan.analysis.homogeneity import Consistency
from geomgan.brief import brief
from geomgan.errors import check_finite

UNKNOWN = float("nan"), float("nan")


@brief
@dataclass(frozen=True)
class DistanceRelation:
    """Consistency of pairs of codes against their distance, over ``N`` pairs ``i < j`` of ``count`` codes.

    Attributes:
        distances: ``(N,)``, ``‖z_i - z_j‖``.
        consistencies: ``(N,)``, mean of the entries ``(i, j)`` and ``(j, i)``.
        r: Pearson's correlation of the two.
        p: of a two-sided Mantel test: the share of permutations of codes with at least this ``|r|``.
        p_independent: of Pearson's test, which takes pairs for independent. They are not, as each code is in ``P - 1``
            of them: it is too small, and here for comparison with the original.
        name: which consistency.
        draws: permutations.
        slope: the effect: change of consistency per latent unit, by the line of least squares.
        interval: of the slope, all those that permutations of codes do not reject: low, high.
        level: of the interval.
        count: codes.
    """

    distances: np.ndarray
    consistencies: np.ndarray
    r: float
    p: float
    p_independent: float
    name: str
    draws: int
    slope: float = float("nan")
    interval: tuple[float, float] = UNKNOWN
    level: float = 0.95
    count: int = 0

    @property
    def over_range(self) -> tuple[float, float, float]:
        """Change of consistency from the nearest to the farthest pair by that line: estimate, low, high."""
        low, high = sorted(self.interval)
        span = float(np.ptp(self.distances))
        return self.slope * span, low * span, high * span

    @property
    def bounded(self) -> bool:
        """Whether the interval is worth showing: it has ends, and codes enough for an interval of its level."""
        return bool(np.isfinite(self.interval).all()) and self.count >= fewest(self.level)


@key_after(1, "codes", "name")
def consistency_and_distance(
    c: Consistency,
    key: jax.Array | None = None,
    codes: Any = None,
    name: str = "log",
    *,
    draws: int = 999,
    level: float = 0.95,
) -> DistanceRelation:
    """The relation of consistency to latent distance; pairs of undefined consistency are left out.

    Pairs share codes, so it is codes that are permuted (Mantel, 1967): that is exact for any dependence between pairs,
    also for few codes. The interval of the slope holds every ``b`` for which the test does not reject that
    consistency less ``b`` times distance has nothing to do with distance; it holds 0 where ``p > 1 - level``.

    Source: GAN-Geometry (Wang and Ponce, ICLR 2021): close to none, r = 0.09 for DCGAN.

    Args:
        c: of :func:`geomgan.analysis.consistency`.
        key: a ``jax.random.key``; without one a ``DeprecationWarning``, and that of seed 0.
        codes: ``(P, d)``, those of ``c``; by default the finished codes of its field.
        name: ``"log"``, ``"linear"`` or ``"vectorised"``.
        draws: permutations of the Mantel test; ``p`` is at least ``1 / (draws + 1)``.
        level: of the interval.

    Raises:
        ValueError: there are no codes or they do not fit, or fewer than three of them; consistencies or distances are
            constant.
    """
    check_resampling(draws, level)
    matrix, rng = c.matrix(name), random_of(key)
    count = len(matrix)
    codes = c.codes if codes is None else np.asarray(codes, np.float64)
    if codes is None:
        raise ValueError("the consistency of a stack of tensors has no codes; expected some. Pass codes=.")
    if np.ndim(codes) != 2 or len(codes) != count:
        fix = "leave out codes that failed, codes[c.indices]" if c.left_out else "one row for each tensor"
        raise ValueError(f"codes have shape {np.shape(codes)}; expected ({count}, d): {fix}.")
    check_finite(codes, "codes")
    if count < 3:
        raise ValueError(f"there are {count} codes; expected at least 3, as two have one pair. Compute more of them.")
    codes = np.asarray(codes, np.float64)
    between = np.stack([np.linalg.norm(codes - code, axis=1) for code in codes])
    alike = 0.5 * (matrix + matrix.T)
    first, second = np.triu_indices(count, 1)
    defined = np.isfinite(alike[first, second])
    first, second = first[defined], second[defined]
    x, y = between[first, second], alike[first, second]
    r, slope, _ = map(float, regression(x, y)) if len(x) else (float("nan"),) * 3
    if not np.isfinite(r):
        raise ValueError(f"{len(x)} pairs have constant distance or consistency; their correlation is undefined.")
    orders = (rng.permutation(count) for _ in range(draws))
    as_extreme, interval = _permuted(x, y, (between[order[first], order[second]] for order in orders), level)
    independent = _p_of_correlation(r, len(x)) if len(x) > 2 else float("nan")
    return DistanceRelation(x, y, r, as_extreme, independent, name, draws, slope, interval, level, count)


def _permuted(x: np.ndarray, y: np.ndarray, permuted: Any, level: float) -> tuple[float, tuple[float, float]]:
    """``p`` of ``|r|`` between ``x`` and ``y (N,)`` among permutations of ``x``, and the interval of the slope.

    With ``u`` the centred ``x`` and ``v`` a permuted one, as long as ``u``, a slope ``b`` is as extreme as seen where
    ``|v·y - b v·u| ≥ |u·y - b u·u|``. As ``|v·u| ≤ u·u`` that is one stretch of ``b``, which holds the estimate
    ``u·y / u·u``; so the interval ends where too few of these stretches are left.
    """
    unit = lambda values: (values - values.mean()) / max(float(np.linalg.norm(values - values.mean())), 1e-300)
    u = unit(x)
    seen, scale, y = u @ y, float(np.linalg.norm(x - x.mean())), y - y.mean()
    drawn = np.array([(v @ y, v @ u) for v in map(unit, permuted)])
    along, own = drawn.T
    p = (1 + (np.abs(along) >= abs(seen) - 1e-12 * np.linalg.norm(y)).sum()) / (len(drawn) + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.stack([(seen - along) / (1 - own), (seen + along) / (1 + own)])
    same = 1 - np.abs(own) < 1e-9  # the order as it is, which every slope is as extreme as
    lows, highs = np.where(same, -np.inf, ends.min(axis=0)), np.where(same, np.inf, ends.max(axis=0))
    needed = int(np.floor((1 - level) * (len(drawn) + 1) + 1e-9))  # stretches at an end, beside the order as it is
    if not needed:
        return float(p), (-np.inf, np.inf)
    low, high = np.sort(lows)[needed - 1], np.sort(highs)[-needed]
    return float(p), (float(low / scale), float(high / scale))


def _p_of_correlation(r: float, n: int) -> float:
    """Probability of a correlation as large as ``|r|`` between ``n`` independent pairs of normal numbers.

    Its square is then beta distributed (Pearson): ``I_{1 - r²}(n/2 - 1, 1/2)``. ``scipy.stats`` has the same and takes
    a second to import.
    """
    from scipy.special import betainc

    return float(betainc(n / 2 - 1, 0.5, max(1 - r * r, 0.0)))
