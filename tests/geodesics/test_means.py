"""Fréchet means against closed forms: flat spaces, the sphere, the hyperbolic plane; and that gradients vanish."""

import numpy as np
import pytest

from geomgan.geodesics import frechet_mean, shortest_paths
from tests.geodesics.surfaces import EUCLIDEAN, great_circle_distance, mlp_generator, surfaces
from tests.small_models import linear_generator


def test_of_a_flat_space_it_is_the_weighted_average(rng, float64):
    G = linear_generator(rng.standard_normal((9, 4)))
    codes, weights = rng.standard_normal((5, 4)), rng.uniform(size=5)
    found = frechet_mean(G, EUCLIDEAN, codes, weights=weights, segments=4)
    np.testing.assert_allclose(found.code, weights @ codes / weights.sum(), atol=1e-8)
    np.testing.assert_allclose(found.distances, np.linalg.norm((codes - found.code) @ np.asarray(G.params).T, axis=1))


def test_of_two_points_it_is_the_middle_of_the_geodesic(float64):
    G, D = surfaces()["sphere"]
    a, b = np.array([0.2, -0.8]), np.array([0.9, 0.6])
    x, y = np.asarray(G(a)), np.asarray(G(b))
    found = frechet_mean(G, D, np.stack([a, b]), tolerance=1e-13)
    np.testing.assert_allclose(G(found.code), (x + y) / np.linalg.norm(x + y), atol=1e-6)
    found = frechet_mean(G, D, np.stack([a, b]), tolerance=1e-13, weights=[2, 1])
    angle = great_circle_distance(a, b)
    third = (np.sin(2 * angle / 3) * x + np.sin(angle / 3) * y) / np.sin(angle)
    np.testing.assert_allclose(G(found.code), third, atol=2e-4)  # chords are shorter than arcs
    np.testing.assert_allclose(found.distances, [angle / 3, 2 * angle / 3], rtol=1e-3)
    assert found.status == "converged"
    G, D = surfaces()["hyperbolic plane"]
    found = frechet_mean(G, D, np.array([[0.3, 0.5], [0.3, 2.0]]), tolerance=1e-13, segments=64)
    np.testing.assert_allclose(found.code, [0.3, 1.0], rtol=1e-4)


def test_no_code_nearby_is_better(rng):
    G = mlp_generator(3)
    codes = 0.4 * rng.standard_normal((4, 3)).astype(np.float32)
    found = frechet_mean(G, EUCLIDEAN, codes, tolerance=1e-7)
    average = shortest_paths(G, EUCLIDEAN, codes, codes.mean(axis=0), segments=16)
    assert found.variance < (average.energies).mean()
    for step in 0.1 * np.eye(3, dtype=np.float32)[:2]:
        other = shortest_paths(G, EUCLIDEAN, codes, found.code + step, segments=16)
        assert other.energies.mean() > found.variance
    assert found.chains.shape == (4, 17, 3)


def test_bad_calls_are_refused(rng):
    G = mlp_generator(3)
    codes = rng.standard_normal((4, 3)).astype(np.float32)
    with pytest.raises(ValueError, match="there is one code; expected at least two"):
        frechet_mean(G, EUCLIDEAN, codes[:1])
    with pytest.raises(ValueError, match=r"weights are \(3,\); expected \(4,\)"):
        frechet_mean(G, EUCLIDEAN, codes, weights=np.ones(3))
    with pytest.raises(ValueError, match=r"codes have shape \(4, 2\); expected \(n, 3\)"):
        frechet_mean(G, EUCLIDEAN, codes[:, :2])
