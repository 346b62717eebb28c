"""Steps of one distance on all paths, against closed forms."""

import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.paths import lines
from geomgan.paths.spacing import even_steps
from tests.small_models import linear_generator

D = gg.distances.euclidean()


def test_on_a_linear_map_steps_are_equal_and_as_many_as_an_axis_is_fast():
    G = linear_generator(np.diag([3.0, 1.0]).astype("f4"))
    (first, second), gap = even_steps(G, D, lines(np.zeros(2), np.eye(2)), 13, reach=2.0)
    assert gap == pytest.approx(1.0, rel=1e-5)
    np.testing.assert_allclose(first, np.linspace(-2, 2, 13), atol=1e-5)
    np.testing.assert_allclose(second, [-2, -1, 0, 1, 2], atol=1e-5)
    assert first[6] == second[2] == 0


def test_where_a_sample_runs_steps_are_short():
    G = gg.Generator.from_function(lambda c, z: c * jnp.sinh(z), 2.0, 1, output_range=None, name="sinh")
    (t,), gap = even_steps(G, D, lines(np.array([0.5]), np.eye(1)), 21, reach=2.0)
    moved = 2 * np.sinh(0.5 + t)
    np.testing.assert_allclose(np.diff(moved), gap, rtol=0.01)
    assert (t == 0).sum() == 1
    assert abs(t[0] + 2) < t[1] - t[0]  # less than a step is left
    assert abs(t[-1] - 2) < t[-1] - t[-2]


def test_a_path_that_stands_still_is_its_start():
    G = linear_generator(np.diag([1.0, 0.0]).astype("f4"))
    (first, second), gap = even_steps(G, D, lines(np.ones(2), np.eye(2)), 5, reach=1.0)
    np.testing.assert_allclose(first, [-1, -0.5, 0, 0.5, 1], atol=1e-6)
    assert second.tolist() == [0]
    assert gap == pytest.approx(0.5)
    with pytest.raises(ValueError, match="no walk changes the sample"):
        even_steps(linear_generator(np.zeros((2, 2), "f4")), D, lines(np.ones(2), np.eye(2)), 5, reach=1.0)
