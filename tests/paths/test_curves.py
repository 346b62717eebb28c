"""Bézier curves, clamped cubic B-splines and polylines against scipy's; knots, insertion, straight lines."""

import jax
import numpy as np
import pytest
from scipy.interpolate import BPoly
from scipy.interpolate import BSpline as Reference

import geomgan as gg
from geomgan.paths import Line, bezier, bspline, constant_speed_walk, insertion, polyline, straight_spline
from geomgan.paths.curves import clamped_knots, longest_gap
from tests.small_models import linear_generator

UNEVEN = np.array([0, 0, 0, 0, 0.1, 0.35, 0.35, 0.8, 1, 1, 1, 1])
KNOTS = {"even": None, "uneven, one twice": UNEVEN}
t = np.unique(np.concatenate([np.linspace(0, 1, 41), UNEVEN, [0.5, np.nextafter(0.5, 0), np.nextafter(1, 0)]]))


def made(kind, rng, knots=None):
    points = rng.standard_normal((8, 3))
    return {"bezier": bezier, "polyline": polyline, "bspline": lambda p: bspline(p, knots)}[kind](points)


@pytest.mark.parametrize("knots", KNOTS.values(), ids=KNOTS)
def test_splines_and_their_derivatives_are_scipys_at_knots_too(rng, knots):
    curve = made("bspline", rng, knots)
    reference = Reference(curve.knots, curve.points, 3)
    np.testing.assert_allclose(curve(t), reference(t), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(curve.derivative(t), reference.derivative()(t), rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(curve(np.array([0.0, 1.0])), curve.points[[0, -1]])
    assert curve(t).dtype == np.float64


def test_a_bezier_curve_is_scipys_and_with_four_points_the_spline_without_inner_knots(rng):
    curve = made("bezier", rng)
    reference = BPoly(curve.points[:, None], [0, 1])
    np.testing.assert_allclose(curve(t), reference(t), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(curve.derivative(t), reference.derivative()(t), rtol=1e-12, atol=1e-12)
    points = rng.standard_normal((4, 5))
    np.testing.assert_allclose(bezier(points)(t), bspline(points)(t), rtol=1e-13, atol=1e-13)


def test_a_spline_is_not_doubled_at_a_knot_and_a_polyline_meets_its_nodes(rng):
    line = straight_spline(np.zeros(2), np.ones(2), 5)  # with a knot at 0.5
    assert 0.5 in line.knots
    np.testing.assert_allclose(line(np.array(0.5)), [0.5, 0.5], rtol=1e-14)
    steps = np.array([0, 0.1, 0.5, 0.7, 1])
    nodes = rng.standard_normal((5, 3))
    curve = polyline(nodes, steps)
    np.testing.assert_allclose(curve(steps), nodes, rtol=1e-14)
    np.testing.assert_allclose(curve(t), np.stack([np.interp(t, steps, x) for x in nodes.T], axis=1), atol=1e-14)
    np.testing.assert_allclose(curve.derivative(steps[1:2])[0], (nodes[2] - nodes[1]) / 0.4, rtol=1e-13)


def test_a_line_is_every_curve_of_two_points(rng):
    a, b = rng.standard_normal((2, 6))
    for curve in (bezier([a, b]), polyline([a, b]), straight_spline(a, b), straight_spline(a, b, 9)):
        np.testing.assert_allclose(curve(t), Line(a, b - a)(t), rtol=1e-13, atol=1e-14)
        np.testing.assert_allclose(curve.derivative(t), np.tile(b - a, (len(t), 1)), rtol=1e-12)


@pytest.mark.parametrize("knots", KNOTS.values(), ids=KNOTS)
@pytest.mark.parametrize("knot", [None, 0.05, 0.35, 0.8, 0.999])
def test_an_inserted_knot_changes_nothing_and_is_a_linear_map(rng, knots, knot):
    curve = made("bspline", rng, knots)
    more = curve.inserted(knot)
    assert (len(more.points), len(more.knots)) == (9, 13)
    where = longest_gap(curve.knots) if knot is None else knot
    assert np.count_nonzero(more.knots == where) == np.count_nonzero(curve.knots == where) + 1
    np.testing.assert_allclose(more(t), curve(t), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(more.derivative(t[:-1]), curve.derivative(t[:-1]), rtol=1e-11, atol=1e-11)
    B = insertion(curve.knots, where)
    np.testing.assert_allclose(B.sum(axis=1), 1, rtol=1e-14)
    assert (B >= 0).all()
    assert np.count_nonzero(B, axis=1).max() <= 2
    np.testing.assert_allclose(B @ curve.points, more.points, rtol=1e-13)


def test_repeated_insertion_halves_the_first_longest_gap(rng):
    curve = bspline(rng.standard_normal((4, 2)))
    first = curve
    inner = []
    for _ in range(4):
        curve = curve.inserted()
        inner.append(curve.knots[4:-4].tolist())
    assert inner == [[0.5], [0.25, 0.5], [0.25, 0.5, 0.75], [0.125, 0.25, 0.5, 0.75]]
    np.testing.assert_allclose(curve(t), first(t), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("kind", ["bezier", "polyline", "bspline"])
def test_curves_are_pytrees_that_jax_traces_and_differentiates(rng, kind, float64):
    curve = made(kind, rng)
    at = t[(t != 0) & (t != 1)] + 1e-4  # between nodes
    values, slopes = jax.jit(lambda c, t: jax.jvp(c, (t,), (jax.numpy.ones_like(t),)))(curve, at)
    np.testing.assert_allclose(values, curve(at), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(slopes, curve.derivative(at), rtol=1e-10, atol=1e-10)
    several = jax.vmap(lambda points: type(curve)(points, *jax.tree.leaves(curve)[1:])(at))
    both = several(np.stack([curve.points, 2 * curve.points]))
    np.testing.assert_allclose(both[1], 2 * curve(at), rtol=1e-12, atol=1e-12)


def test_a_curve_is_walked_at_constant_speed(rng):
    A = rng.standard_normal((5, 3)).astype(np.float32)
    curve = bspline(rng.standard_normal((6, 3)))
    walks = constant_speed_walk(linear_generator(A), gg.distances.euclidean(), curve, 17)
    assert walks.path == "spline"
    assert (walks.steps[0, 0], walks.steps[0, -1]) == (0, 1)
    fine = np.linspace(0, 1, 4001)
    arcs = np.append(0, np.cumsum(np.linalg.norm(np.diff(curve(fine) @ A.T, axis=0), axis=1)))
    np.testing.assert_allclose(np.interp(walks.steps[0], fine, arcs), arcs[-1] * np.linspace(0, 1, 17), atol=5e-3)
    np.testing.assert_allclose(walks.gaps * 16, arcs[-1], rtol=1e-3)


def test_bad_curves_are_refused(rng):
    points = rng.standard_normal((5, 2))
    with pytest.raises(ValueError, match=r"points have shape \(5,\); expected \(n, d\), at least 2"):
        bezier(points[:, 0])
    with pytest.raises(ValueError, match=r"points have shape \(3, 2\); expected \(n, d\), at least 4"):
        bspline(points[:3])
    with pytest.raises(ValueError, match=r"knots have shape \(8,\); expected \(9,\)"):
        bspline(points, clamped_knots(4))
    with pytest.raises(ValueError, match="knots are not clamped"):
        bspline(points, np.linspace(0, 1, 9))
    with pytest.raises(ValueError, match="points holds 1 NaN"):
        polyline(np.where(np.arange(10).reshape(5, 2) == 3, np.nan, points))
    with pytest.raises(ValueError, match="steps do not ascend from 0 to 1"):
        polyline(points, [0, 0.5, 0.4, 0.9, 1])
    with pytest.raises(ValueError, match=r"knot is 1.0; expected a number between 0 and 1"):
        bspline(points).inserted(1.0)
    with pytest.raises(ValueError, match="a cubic spline of 3 control points"):
        straight_spline(points[0], points[1], 3)
