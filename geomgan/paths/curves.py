"""Curves from one code to another by control points: Bézier curves, clamped cubic B-splines, polylines.

All run over ``t`` from 0 to 1, are frozen pytrees and :class:`geomgan.paths.Path`. Before 0 and behind 1 their first
and last pieces go on. Knots are half-open: at an inner knot the piece to its right is the curve.

Sources: de Boor, A Practical Guide to Splines (1978), chapter X; Boehm, Computer-Aided Design 12 (1980), for insertion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import numpy as np

from geomgan.brief import brief
from geomgan.errors import as_array, check_finite, check_floating
from geomgan.paths.path import numpy_of

CUBIC = 3


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Bezier:
    """``Σ_i C(n, i) tⁱ (1 - t)ⁿ⁻ⁱ P_i``: the Bézier curve of ``n + 1`` control points; of two it is a straight line.

    Make one with :func:`bezier`, which checks.

    Attributes:
        points: ``(n + 1, d)``; the first and the last are where the curve begins and ends.
    """

    points: Any
    kind: ClassVar[str] = "Bézier"
    reach: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def __call__(self, t: Any, /) -> Any:
        """The codes ``(T, d)`` at the steps ``t (T,)``, by de Casteljau's scheme."""
        xp = numpy_of(self.points, t)
        t, points = xp.asarray(t)[..., None, None], xp.asarray(self.points)
        points = xp.broadcast_to(points, (*t.shape[:-2], *points.shape))
        while points.shape[-2] > 1:
            points = (1 - t) * points[..., :-1, :] + t * points[..., 1:, :]
        return points[..., 0, :]

    def derivative(self, t: Any, /) -> Any:
        """``dz/dt (T, d)`` at the steps ``t (T,)``."""
        xp = numpy_of(self.points, t)
        points = xp.asarray(self.points)
        return Bezier((len(points) - 1) * xp.diff(points, axis=0))(t)


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class BSpline:
    """``Σ_i N_i(t) P_i`` with the cubic basis ``N_i`` of clamped knots: twice differentiable, linear in the points.

    Make one with :func:`bspline`, which checks.

    Attributes:
        points: ``(n, d)``, at least 4; the first and the last are where the curve begins and ends.
        knots: ``(n + 4,)``, ascending, four zeros first and four ones last.
    """

    points: Any
    knots: Any
    kind: ClassVar[str] = "spline"
    reach: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def __call__(self, t: Any, /) -> Any:
        """The codes ``(T, d)`` at the steps ``t (T,)``, by de Boor's scheme."""
        return _de_boor(CUBIC, self.points, self.knots, t)

    def derivative(self, t: Any, /) -> Any:
        """``dz/dt (T, d)`` at the steps ``t (T,)``: a quadratic spline on the same knots."""
        xp = numpy_of(self.points, self.knots, t)
        points, knots = xp.asarray(self.points), xp.asarray(self.knots)
        gaps = (knots[CUBIC + 1 : -1] - knots[1 : -CUBIC - 1])[:, None]
        slopes = CUBIC * xp.diff(points, axis=0) / xp.where(gaps > 0, gaps, 1)
        return _de_boor(CUBIC - 1, slopes, knots[1:-1], t)

    def inserted(self, knot: float | None = None) -> BSpline:
        """The same curve with one more knot and control point.

        Args:
            knot: where; by default the middle of the longest gap between knots, the first such.

        Raises:
            ValueError: it does not lie between 0 and 1.
        """
        knots = np.asarray(self.knots, np.float64)
        knot = longest_gap(knots) if knot is None else knot
        xp = numpy_of(self.points)
        points = xp.asarray(insertion(knots, knot), self.points.dtype) @ xp.asarray(self.points)
        return BSpline(points, np.sort(np.append(knots, knot)))


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Polyline:
    """Straight pieces through nodes. Make one with :func:`polyline`, which checks.

    Attributes:
        points: the nodes ``(n, d)``, at least two.
        steps: ``(n,)``, ``t`` at the nodes, ascending from 0 to 1.
    """

    points: Any
    steps: Any
    kind: ClassVar[str] = "polyline"
    reach: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def __call__(self, t: Any, /) -> Any:
        """The codes ``(T, d)`` at the steps ``t (T,)``."""
        return _de_boor(1, self.points, self._knots(t), t)

    def derivative(self, t: Any, /) -> Any:
        """``dz/dt (T, d)`` at the steps ``t (T,)``; at a node that of the piece behind it."""
        xp = numpy_of(self.points, self.steps, t)
        gaps = xp.diff(xp.asarray(self.steps))[:, None]
        slopes = xp.diff(xp.asarray(self.points), axis=0) / xp.where(gaps > 0, gaps, 1)
        return _de_boor(0, slopes, xp.asarray(self.steps), t)

    def _knots(self, t: Any) -> Any:
        xp = numpy_of(self.points, self.steps, t)
        steps = xp.asarray(self.steps)
        return xp.concatenate([steps[:1], steps, steps[-1:]])


def bezier(points: Any) -> Bezier:
    """The Bézier curve of control points ``(n + 1, d)``.

    Raises:
        ValueError: there are fewer than two, or a number is not finite.
    """
    return Bezier(_points(points, 2))


def bspline(points: Any, knots: Any = None) -> BSpline:
    """The clamped cubic B-spline of control points ``(n, d)``.

    Args:
        points: at least 4.
        knots: ``(n + 4,)``, ascending, four zeros first and four ones last; by default with equal gaps.

    Raises:
        ValueError: shapes do not fit, the knots are not such, or a number is not finite.
    """
    points = _points(points, CUBIC + 1)
    knots = clamped_knots(len(points)) if knots is None else np.asarray(as_array(knots, "knots"), np.float64)
    if knots.shape != (len(points) + CUBIC + 1,):
        raise ValueError(
            f"knots have shape {knots.shape}; expected ({len(points) + CUBIC + 1},): four more than the "
            f"{len(points)} control points."
        )
    clamped = (knots[: CUBIC + 1] == 0).all() and (knots[-CUBIC - 1 :] == 1).all()
    if not clamped or not (np.diff(knots) >= 0).all():
        raise ValueError("knots are not clamped; expected ascending numbers, the first four 0 and the last four 1.")
    return BSpline(points, knots)


def straight_spline(start: Any, end: Any, count: int = CUBIC + 1) -> BSpline:
    """The straight line between two codes ``(d,)`` as a cubic B-spline of ``count`` control points, at constant speed.

    The points lie at the Greville abscissae, the means of three knots in a row.
    """
    knots = clamped_knots(count)
    at = np.convolve(knots[1:-1], np.full(CUBIC, 1 / CUBIC), "valid")[:, None]
    start, end = _points(np.stack([start, end]), 2)
    return BSpline((1 - at) * start + at * end, knots)


def polyline(points: Any, steps: Any = None) -> Polyline:
    """Straight pieces through nodes ``(n, d)``.

    Args:
        points: at least two.
        steps: ``(n,)``, ``t`` at the nodes, ascending from 0 to 1; by default with equal gaps.

    Raises:
        ValueError: shapes do not fit, the steps do not ascend from 0 to 1, or a number is not finite.
    """
    points = _points(points, 2)
    steps = np.linspace(0, 1, len(points)) if steps is None else np.asarray(as_array(steps, "steps"), np.float64)
    if steps.shape != (len(points),):
        raise ValueError(f"steps have shape {steps.shape}; expected ({len(points)},): one for each node.")
    if steps[0] != 0 or steps[-1] != 1 or not (np.diff(steps) > 0).all():
        raise ValueError("steps do not ascend from 0 to 1; expected that, one for each node.")
    return Polyline(points, steps)


def clamped_knots(count: int) -> np.ndarray:
    """The knots ``(count + 4,)`` of a clamped cubic spline of ``count`` control points, with equal gaps."""
    if count <= CUBIC:
        raise ValueError(f"a cubic spline of {count} control points; expected at least 4.")
    return np.pad(np.linspace(0, 1, count - CUBIC + 1), CUBIC, mode="edge")


def longest_gap(knots: np.ndarray) -> float:
    """The middle of the longest gap between knots, the first such; gaps that rounding tells apart are equal."""
    gaps = np.diff(knots)
    at = int(np.flatnonzero(gaps >= gaps.max() * (1 - 1e-9))[0])
    return float(knots[at : at + 2].mean())


def insertion(knots: Any, knot: float) -> np.ndarray:
    """The matrix ``B (n + 1, n)`` that turns control points into those with one more knot: the curve stays.

    Row ``i`` is ``(1 - α_i) e_{i-1} + α_i e_i`` with ``α_i = (u - u_i) / (u_{i+3} - u_i)`` held in ``[0, 1]``.

    Raises:
        ValueError: ``knot`` does not lie between 0 and 1.
    """
    if not 0 < knot < 1:
        raise ValueError(f"knot is {knot}; expected a number between 0 and 1, where the curve is.")
    knots = np.asarray(knots, np.float64)
    n = len(knots) - CUBIC - 1
    span = int(np.searchsorted(knots, knot, side="right")) - 1
    row = np.arange(n + 1)
    gaps = knots[CUBIC : CUBIC + n + 1] - knots[: n + 1]
    alpha = np.where(row <= span - CUBIC, 1.0, 0.0)
    inner = (row > span - CUBIC) & (row <= span)
    alpha[inner] = (knot - knots[: n + 1][inner]) / gaps[inner]
    B = np.zeros((n + 1, n))
    B[row[:-1], row[:-1]] = alpha[:-1]
    B[row[1:], row[:-1]] = 1 - alpha[1:]
    return B


def _de_boor(degree: int, points: Any, knots: Any, t: Any) -> Any:
    """The spline of that degree with control points ``(n, d)`` on ``knots (n + degree + 1,)`` at ``t``."""
    xp = numpy_of(points, knots, t)
    points, knots, t = xp.asarray(points), xp.asarray(knots), xp.asarray(t)
    piece = xp.clip(xp.searchsorted(knots, t, side="right") - 1, degree, points.shape[0] - 1)
    values = [points[piece - degree + i] for i in range(degree + 1)]
    for r in range(1, degree + 1):
        for i in range(degree, r - 1, -1):
            low, high = knots[piece - degree + i], knots[piece + 1 + i - r]
            share = ((t - low) / (high - low))[..., None]
            values[i] = (1 - share) * values[i - 1] + share * values[i]
    return values[degree]


def _points(points: Any, least: int) -> Any:
    points = as_array(points, "points")
    if np.ndim(points) != 2 or len(points) < least:
        raise ValueError(f"points have shape {np.shape(points)}; expected (n, d), at least {least} of them.")
    check_floating(points, "points")
    check_finite(points, "points")
    return points
