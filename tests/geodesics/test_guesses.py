"""Paths through a pool of codes, and the leading axes of a mean metric."""

import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.geodesics import leading_axes, lengths, paths_through, shortest_paths
from tests.geodesics.surfaces import EUCLIDEAN, surface
from tests.small_models import linear_generator


def hill(params, z):
    """A plane with a high hill in its middle."""
    del params
    return jnp.append(z, 6 * jnp.exp(-4 * (z @ z)))


def test_a_path_through_a_pool_goes_around_a_hill():
    G = surface(hill)
    angles = np.linspace(0, np.pi, 13)
    ring = 1.3 * np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    grid = np.stack(np.meshgrid(*[np.linspace(-0.6, 0.6, 5)] * 2), axis=-1).reshape(-1, 2).astype(np.float32)
    starts, ends = np.float32([[1.3, 0.0], [1.3, -0.1]]), np.float32([[-1.3, 0.0], [1.2, -0.1]])
    pool = np.concatenate([ring[1:-1], grid])
    paths = paths_through(G, EUCLIDEAN, starts, ends, pool, neighbours=4)
    assert np.linalg.norm(paths[0].points, axis=1).min() > 1
    assert len(paths[0].points) > 6
    np.testing.assert_array_equal(paths[1].points, np.stack([starts[1], ends[1]]))  # nothing is shorter
    straight = lengths(G, EUCLIDEAN, [gg.paths.between(a, b) for a, b in zip(starts, ends, strict=True)])
    assert lengths(G, EUCLIDEAN, paths[0]) < 0.5 * straight[0]
    over = shortest_paths(G, EUCLIDEAN, starts[0], ends[0], segments=24)
    around = shortest_paths(G, EUCLIDEAN, starts[0], ends[0], segments=24, guess=paths[0])
    assert around.lengths < over.lengths
    assert around.lengths < lengths(G, EUCLIDEAN, paths[0])


def test_leading_axes_are_those_of_the_mean_metric(rng):
    spectrum = np.array([9.0, 6, 4, 1, 0.3, 0.1, 0.05, 0.02, 0.01, 0.01, 0.01, 0.01])
    Q = np.linalg.qr(rng.standard_normal((12, 12))).Q
    G = linear_generator((np.sqrt(spectrum)[:, None] * Q.T).astype(np.float32))
    a, b = rng.standard_normal((2, 12)).astype(np.float32)
    U = leading_axes(G, EUCLIDEAN, a, b, 3)
    np.testing.assert_allclose(np.abs(np.diag(U.T @ Q[:, :3])), 1, atol=1e-4)
    np.testing.assert_allclose(U.T @ U, np.eye(3), atol=1e-12)
    assert leading_axes(G, EUCLIDEAN, a, b, 12).shape == (12, 12)
    with pytest.raises(ValueError, match="k is 13; expected an integer from 1 to 12"):
        leading_axes(G, EUCLIDEAN, a, b, 13)
