"""Lengths of walks beside the straight line and the shortest path, where they are known."""

import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.geodesics import detours


def test_on_a_plane_the_line_is_the_shortest_and_a_corner_is_longer():
    plane = gg.Generator.from_function(
        lambda params, z: (params @ z)[None, :, None], jnp.diag(jnp.asarray([1.0, 2.0])), 2
    )
    corner = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    found = detours(plane, gg.distances.euclidean(), corner[None], segments=8)
    np.testing.assert_allclose(found.walked, [3], rtol=1e-3)
    np.testing.assert_allclose(found.straight, [np.hypot(1, 2)], rtol=1e-3)
    np.testing.assert_allclose(found.over_straight, 3 / np.hypot(1, 2), rtol=1e-3)
    np.testing.assert_allclose(found.over_shortest, 3 / np.hypot(1, 2), rtol=5e-3)
    without = detours(plane, gg.distances.euclidean(), corner[None], geodesics=False)
    assert without.shortest is None
    assert np.isnan(without.over_shortest).all()
    with pytest.raises(ValueError, match=r"expected \(n, T, 2\) with T of at least 2"):
        detours(plane, gg.distances.euclidean(), corner)
