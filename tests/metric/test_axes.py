"""Walks along axes."""

import numpy as np
import pytest

import geomgan as gg
from geomgan.metric.axes import equal_distance_steps, walk
from tests.models import linear_generator, smooth_generator


def test_on_a_linear_map_distance_is_the_metrics_prediction(rng):
    A = rng.standard_normal((20, 5)).astype(np.float32)
    G, D = linear_generator(A), gg.distances.euclidean()
    e = gg.eigenpairs(gg.metric_tensor(G, D, np.zeros(5)))
    t = np.linspace(-2, 2, 9)
    walks = walk(G, D, rng.standard_normal(5), e.vectors, t)
    np.testing.assert_allclose(walks.distances, np.sqrt(e.values)[:, None] * np.abs(t), atol=1e-4)


def test_steps_are_equal_in_distance():
    G, D = smooth_generator(), gg.distances.euclidean()
    z = np.full(6, 0.2)
    e = gg.eigenpairs(gg.metric_operator(G, D, z))
    steps, step = equal_distance_steps(walk(G, D, z, e.vectors, np.linspace(-1, 1, 81)), 4)
    assert (steps[:, 4] == 0).all()
    assert (np.diff(steps, axis=1) > 0).all()
    again = walk(G, D, z, e.vectors, steps)
    np.testing.assert_allclose(again.distances, np.tile(np.abs(np.arange(-4, 5)) * step, (6, 1)), atol=0.01 * step)


def test_axes_of_the_wrong_shape():
    with pytest.raises(ValueError, match="axes are columns"):
        walk(smooth_generator(), gg.distances.mse(), np.zeros(6), np.zeros((3, 6)), [0.0])
