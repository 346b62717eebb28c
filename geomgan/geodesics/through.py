"""The curve through the nodes of a path, which does not swing out where their steps are uneven."""

from __future__ import annotations

import numpy as np

from geomgan.paths.curves import BSpline

STEEPEST = 3.0  # times the slower neighbouring chord: up to there a cubic between two nodes never turns back


def through(steps: np.ndarray, codes: np.ndarray) -> BSpline:
    """The cubic spline through nodes ``(T + 1, d)`` at ``steps``, of not-a-knot ends; of few nodes a polyline's.

    Where the sample changes in a jump, nodes lie close together in ``t`` beside others that lie far apart, and the
    spline swings out to both sides, on a straight line to and fro. There its slopes are cut to what keeps a cubic
    monotone (``m ≤ 3 |chord| / step`` of both neighbours, and never backwards): the curve is then once differentiable
    at these nodes, and of nodes on a line it is the line.

    Source: Fritsch and Carlson (1980), with vectors in place of numbers.
    """
    from scipy.interpolate import make_interp_spline

    if len(codes) < 4:
        fine = np.linspace(0, 1, 4)
        steps, codes = fine, np.stack([np.interp(fine, steps, x) for x in codes.T], axis=1)
    codes = np.asarray(codes, np.float64)
    spline = make_interp_spline(steps, codes)
    slopes = spline.derivative()(steps)
    cut = _cut(slopes, np.asarray(steps, np.float64), codes)
    return BSpline(spline.c, spline.t) if np.array_equal(cut, slopes) else _hermite(steps, codes, cut)


def _cut(slopes: np.ndarray, steps: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Slopes ``(T + 1, d)`` that are neither too steep for their neighbouring chords nor against both of them."""
    gaps = np.diff(steps)[:, None]
    chords = np.diff(codes, axis=0) / gaps
    before, after = np.concatenate([chords[:1], chords]), np.concatenate([chords, chords[-1:]])
    left, right = np.concatenate([gaps[:1], gaps]), np.concatenate([gaps, gaps[-1:]])
    along = lambda a, b: (a * b).sum(axis=1, keepdims=True)
    back = (along(before, after) > 0) & ((along(slopes, before) < 0) | (along(slopes, after) < 0))
    slopes = np.where(back, (right * before + left * after) / (left + right), slopes)
    size = lambda x: np.linalg.norm(x, axis=1, keepdims=True)
    steepest, steep = STEEPEST * np.minimum(size(before), size(after)), size(slopes)
    return np.where(steep > steepest, slopes * (steepest / np.where(steep > 0, steep, 1)), slopes)


def _hermite(steps: np.ndarray, codes: np.ndarray, slopes: np.ndarray) -> BSpline:
    """The piecewise cubic with these slopes at the nodes: inner knots are double, and points are those of Bézier."""
    third = np.diff(steps)[:, None] / 3
    inner = np.stack([codes[:-1] + third * slopes[:-1], codes[1:] - third * slopes[1:]], axis=1)
    points = np.concatenate([codes[:1], inner.reshape(-1, codes.shape[1]), codes[-1:]])
    return BSpline(points, np.concatenate([[0.0] * 4, np.repeat(steps[1:-1], 2), [1.0] * 4]))
