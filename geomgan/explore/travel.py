"""The scale of a slider: from distance travelled to steps of a path, so that equal travel is equal visible change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Generator as Generator_
from dataclasses import dataclass, replace

import numpy as np

from geomgan.analysis.trust_radius import crossing
from geomgan.brief import brief
from geomgan.distances.distance import Distance
from geomgan.generators import Generator
from geomgan.paths.measure import measure, neighbour_distances

CELLS = 60  # intervals of a measured scale to each side
POWER = 1.5  # of the grid: finest at zero, where the trust radius is
COARSE = 6  # the same of a slow model
PIECE = 15  # distances measured in one go: the hand on a slider waits for no more
TOLERANCE = 0.1  # of the distance within the trust radius


@brief
@dataclass(frozen=True, eq=False)
class Travel:
    """A scale: ``s``, the distance travelled along a path, signed, for each step ``t``.

    ``s(t)`` is the length of the way that the sample takes, ``Σ d(x_i, x_{i+1})`` over a fine grid, as in
    ``geomgan.paths.constant_speed_steps``; between its points it is linear.

    Attributes:
        steps: ``t (T,)``, ascending, with zero.
        arcs: ``s (T,)``, ascending, zero where ``t`` is.
        trust: where the distance leaves ``√λ |t|`` by more than ``TOLERANCE``, as ``s``, to both sides; infinite where
            it does not, or is not known.
        measured: false where it is the metric's prediction, ``s = √λ t``.
    """

    steps: np.ndarray
    arcs: np.ndarray
    trust: tuple[float, float]
    measured: bool

    @property
    def ends(self) -> tuple[float, float]:
        """The first and the last ``s``."""
        return float(self.arcs[0]), float(self.arcs[-1])

    def step(self, s: float) -> float:
        """``t`` of a distance travelled; beyond the ends, that of the end."""
        return float(np.interp(s, self.arcs, self.steps))

    def arc(self, t: float) -> float:
        """The distance travelled to ``t``."""
        return float(np.interp(t, self.steps, self.arcs))


def predicted(speed: float, ends: tuple[float, float]) -> Travel:
    """The scale that the metric predicts, until it is measured; without a speed, in steps."""
    steps = np.array([ends[0], 0.0, ends[1]])
    speed = speed if np.isfinite(speed) and speed > 0 else 1.0
    return Travel(steps, speed * steps, (-np.inf, np.inf), False)


def measuring(
    G: Generator,
    D: Distance,
    path: Callable[[np.ndarray], np.ndarray],
    ends: tuple[float, float],
    speed: float,
    cells: int = CELLS,
    piece: int = PIECE,
) -> Iterator[Travel | None]:
    """Measure a scale in pieces: yields None after each, and the scale at last.

    Twice, the second time at equal distances of the first: where the samples change fast, the grid is fine, and all of
    its cells are as long as a chord of the picture's way that the eye compares.

    Args:
        G: the generator.
        D: the squared distance.
        path: ``t (T,) -> codes (T, d)``.
        ends: ``(low, high)`` of ``t``, around zero.
        speed: ``√λ``, for the trust radius; NaN takes the slope of the nearest distances, to both sides.
        cells: intervals to each side.
        piece: distances measured in one go.

    Raises:
        ValueError: the path does not change the sample to both sides.
    """
    u = np.linspace(0, 1, cells + 1) ** POWER
    t = np.concatenate([ends[0] * u[:0:-1], ends[1] * u])
    codes, far = np.asarray(path(t), np.float64), np.full(len(t), np.nan)
    for first in range(0, len(t), piece):
        part = slice(first, first + piece)
        far[part] = measure(G, D, codes[None, cells], codes[None, part], batch=piece + 1).distances[0]
        yield None
    coarse = _scale(t, (yield from _between(G, D, codes, piece)), cells)
    sides = np.linspace(coarse.ends[0], 0, cells + 1), np.linspace(0, coarse.ends[1], cells + 1)
    even = np.array([coarse.step(s) for s in (*sides[0][:-1], *sides[1])])
    scale = _scale(even, (yield from _between(G, D, np.asarray(path(even), np.float64), piece)), cells)
    yield replace(scale, trust=_trust(scale, t, far, cells, speed))


def _between(G: Generator, D: Distance, codes: np.ndarray, piece: int) -> Generator_[None, None, np.ndarray]:
    """Distances of neighbours, in pieces."""
    between = np.empty(len(codes) - 1)
    for first in range(0, len(codes) - 1, piece):
        part = slice(first, min(first + piece + 1, len(codes)))
        between[first : part.stop - 1] = neighbour_distances(G, D, codes[None, part], batch=piece + 1)[0]
        yield None
    return between


def _scale(t: np.ndarray, between: np.ndarray, cells: int) -> Travel:
    """The scale of what was measured, as far as numbers are finite."""
    right, left = _finite(between[cells:]), _finite(between[:cells][::-1])
    outwards = np.cumsum(between[:cells][::-1][:left]), np.cumsum(between[cells:][:right])
    arcs = np.concatenate([-outwards[0][::-1], [0.0], outwards[1]])
    if arcs[0] >= 0 or arcs[-1] <= 0:
        raise ValueError("it does not change the sample to both sides, or the samples there are not finite.")
    arcs = arcs + np.arange(-left, right + 1) * 1e-12 * (arcs[-1] - arcs[0])  # ascending also where nothing changes
    return Travel(t[cells - left : cells + right + 1], arcs, (-np.inf, np.inf), True)


def _trust(scale: Travel, t: np.ndarray, far: np.ndarray, cells: int, speed: float) -> tuple[float, float]:
    """Where distances ``far (T,)`` from the start leave ``speed · |t|``, on a scale."""
    if not np.isfinite(speed):
        near = np.r_[cells - max(cells // 20, 1) : cells, cells + 1 : cells + 1 + max(cells // 20, 1)]
        speed = float(np.median(far[near] / np.abs(t[near])))
    if not speed > 0:
        return -np.inf, np.inf
    sides = ((-t[:cells][::-1], far[:cells][::-1]), (t[cells + 1 :], far[cells + 1 :]))
    left, right = (crossing(x, np.abs(d - speed * x) / (TOLERANCE * speed * x)) for x, d in sides)
    at = lambda x: scale.arc(x) if np.isfinite(x) else x
    return at(-left), at(right)


def _finite(between: np.ndarray) -> int:
    """How many of the first distances are finite."""
    bad = np.flatnonzero(~np.isfinite(between))
    return int(bad[0]) if len(bad) else len(between)
