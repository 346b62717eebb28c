"""The curve through nodes: the spline where that is tame, and never to and fro where it is not."""

import numpy as np
import pytest
from scipy.interpolate import make_interp_spline

import geomgan as gg
from geomgan.geodesics.through import through
from tests.fixtures import assert_close

RNG = np.random.default_rng(0)
DIRECTION = RNG.standard_normal(5)


def jumping(n, where=0.4, share=0.9):
    """Steps at nodes that are even on the line, of a sample that does most of its way in a jump."""
    even = np.linspace(0, 1, n)
    steps = (1 - share) * even + share / (1 + np.exp(-(even - where) * 200))
    return (steps - steps[0]) / (steps[-1] - steps[0]), even


def test_nodes_on_a_line_stay_on_it_and_in_order():
    steps, even = jumping(17)
    path = through(steps, even[:, None] * DIRECTION)
    t = np.linspace(0, 1, 5001)
    at = path(t)
    gone = at @ DIRECTION / (DIRECTION @ DIRECTION)
    assert np.abs(at - gone[:, None] * DIRECTION).max() < 1e-12
    assert np.diff(gone).min() > -1e-12
    assert np.abs(path(steps) - even[:, None] * DIRECTION).max() < 1e-12
    spline = make_interp_spline(steps, even)(t)
    assert np.abs(np.diff(spline)).sum() > 1.2  # what it is not


def test_the_spline_itself_where_steps_are_tame():
    t = np.linspace(0, 1, 17) ** 1.1
    codes = np.stack([np.cos(3 * t), np.sin(3 * t), t], axis=1)
    path, fine = through(t, codes), np.linspace(0, 1, 301)
    assert len(path.points) == 17
    assert_close(path(fine), make_interp_spline(t, codes)(fine), 1e-14)


def test_uneven_nodes_on_a_circle_are_followed_closely():
    """A smooth curve whose nodes come in a jump: no longer than a hundredth more than its arc."""
    steps, even = jumping(33)
    codes = np.stack([np.cos(2 * even), np.sin(2 * even)], axis=1)
    length = lambda path: np.linalg.norm(np.diff(path(np.linspace(0, 1, 20001)), axis=0), axis=1).sum()
    assert 2 - 1e-3 < length(through(steps, codes)) < 2.02
    assert length(make_interp_spline(steps, codes)) > 2.2


def test_ends_and_derivative():
    steps, even = jumping(17)
    codes = np.stack([even, even**2, -even], axis=1)
    path, t = through(steps, codes), np.linspace(0.013, 0.987, 97)
    assert np.array_equal(path(np.array([0.0, 1.0])), codes[[0, -1]])
    h = 1e-6
    assert_close(path.derivative(t), (path(t + h) - path(t - h)) / (2 * h), 1e-4)


@pytest.mark.parametrize("tolerance", [1e-2, 1e-5])
def test_lengths_where_the_sample_jumps(tolerance):
    """``(z, 20 tanh(60 z))`` in one dimension: the line is the path, and its length is known."""
    import jax.numpy as jnp

    G = gg.Generator.from_function(lambda p, z: jnp.concatenate([z, 20 * jnp.tanh(60 * z)]), {}, 1)
    found = gg.geodesics.shortest_paths(
        G, gg.distances.euclidean(), np.array([-0.31]), np.array([0.7]), segments=16, tolerance=tolerance
    )
    z = np.linspace(-0.31, 0.7, 400_001)
    exact = np.hypot(np.diff(z), np.diff(20 * np.tanh(60 * z))).sum()
    assert abs(found.straight_lengths[0] / exact - 1) < 0.01
    assert abs(found.lengths[0] / exact - 1) < 0.01
