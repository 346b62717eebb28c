"""What is seen along paths: on a sphere, where all of it is known."""

import numpy as np
import pytest

import geomgan as gg
from geomgan.geodesics import sequences, shortest_paths
from tests.geodesics.surfaces import EUCLIDEAN, great_circle_distance, sphere_point, surface
from tests.small_models import linear_generator


def test_a_great_circle_is_gone_at_constant_speed(float64):
    G, a, b = surface(sphere_point), np.array([0.7, 0.0]), np.array([0.7, 1.6])
    found = shortest_paths(G, EUCLIDEAN, a, b, segments=32)
    seen = sequences(G, EUCLIDEAN, found, points=9)
    assert seen.samples.shape == (1, 2, 9, 3)
    angle, t = float(great_circle_distance(a, b)), np.linspace(0, 1, 401)
    np.testing.assert_allclose(seen.arcs[0, 1], angle * t, atol=2e-3 * angle)
    np.testing.assert_allclose(seen.arcs[0, 0], 1.6 * np.cos(0.7) * t, rtol=1e-5)  # along the parallel
    np.testing.assert_allclose(seen.arcs[0, :, -1], [found.straight_lengths[0], found.lengths[0]], rtol=1e-6)
    cosines = np.cos(angle * (seen.t[:, None] - seen.t))
    np.testing.assert_allclose(seen.correlations[0, 1], cosines, atol=2e-3)
    np.testing.assert_allclose(seen.variances[0, 1], np.var(cosines), rtol=1e-2)
    x = np.stack([np.asarray(sphere_point((), z)) for z in np.linspace(a, b, 9)])
    np.testing.assert_allclose(seen.correlations[0, 0], x @ x.T, atol=1e-6)


def test_a_distance_without_embedding_correlates_samples(rng):
    G = linear_generator(rng.standard_normal((5, 3)).astype(np.float32))
    found = shortest_paths(G, EUCLIDEAN, *rng.standard_normal((2, 2, 3)).astype(np.float32), segments=8)
    seen = sequences(G, gg.distances.from_function(lambda params, x, y: ((x - y) ** 2).sum(), ()), found, points=3)
    x = seen.samples / np.linalg.norm(seen.samples, axis=-1, keepdims=True)
    np.testing.assert_allclose(seen.correlations, x @ x.swapaxes(-1, -2), atol=1e-5)
    np.testing.assert_allclose(seen.arcs[..., -1], found.straight_lengths[:, None] * [1, 1], rtol=1e-5)
    with pytest.raises(ValueError, match="points is 1"):
        sequences(G, EUCLIDEAN, found, points=1)
