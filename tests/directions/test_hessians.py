"""Hessians of pixels, the strength of their diagonals, heat maps and activeness."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geomgan.directions import activeness, diagonal_strength, penalty_map, penalty_of_hessians, pixel_hessians
from tests.small_models import smooth_generator


def planted(seed=0, d=4):
    """``x = ½ zᵀ H z`` for an image of 3 x 2 numbers in 2 channels, and its Hessians ``(d, d, 3, 2, 2)``."""
    H = np.random.default_rng(seed).standard_normal((d, d, 3, 2, 2)).astype(np.float32)
    H = H + H.swapaxes(0, 1)
    return (lambda z: 0.5 * jnp.einsum("ij...,i,j->...", H, z, z)), H


@pytest.mark.parametrize(("method", "tolerance"), [("exact", 1e-5), ("differences", 1e-3)])
def test_planted_hessians_come_back(method, tolerance):
    f, H = planted()
    found = pixel_hessians(f, np.linspace(-1, 1, 4), method=method, epsilon=0.3)
    np.testing.assert_allclose(found, H, atol=tolerance)
    off = H * (1 - np.eye(4))[:, :, None, None, None]
    np.testing.assert_allclose(penalty_of_hessians(H), 2 * (off**2).sum((0, 1)), rtol=1e-5)


def test_hessians_of_a_network_are_jaxs():
    G = smooth_generator()
    z = np.linspace(-1, 1, 6).astype(np.float32)
    expected = jnp.moveaxis(jax.hessian(G)(z), (-2, -1), (0, 1))
    np.testing.assert_allclose(pixel_hessians(G, z), expected, atol=1e-5)


def test_strength_of_diagonals():
    H = np.zeros((3, 3, 4))
    H[0, 0] = [2.0, 2.0, 0.5, 1.0]
    H[0, 1] = H[1, 0] = [1.0, 3.0, 0.5, 0.0]
    found = diagonal_strength(H)
    assert found.fraction == 0.75  # where an entry off the diagonal is as large, the diagonal still holds the largest
    ratios = [(2 / 3) / (2 / 6), (2 / 3) / (6 / 6), (0.5 / 3) / (1 / 6)]
    np.testing.assert_allclose(found.relative, (sum(ratios) + (1 / 3) / 1e-8) / 4, rtol=1e-5)


def test_the_map_is_where_coordinates_act_together():
    f, H = planted()
    found = penalty_map(f, np.zeros(4), jax.random.key(0), k=1000, epsilon=0.5)
    expected = penalty_of_hessians(H).max(-1)
    assert found.shape == (3, 2)
    np.testing.assert_allclose(found, expected, rtol=0.2)


def test_activeness_of_a_linear_map():
    A = np.array([[1.0, 0.0, 2.0], [0.0, 0.0, 1.0]], np.float32)
    found = activeness(lambda z: A @ z, np.ones((2, 3)), extent=2.0)
    np.testing.assert_allclose(found, 4.0 * (A**2).mean(0), rtol=1e-5)  # the variance of -2, 0, 2 is 4


def test_bad_shapes_are_said():
    with pytest.raises(ValueError, match=r"hessians have shape \(2, 3\); expected \(d, d, ...\)"):
        penalty_of_hessians(np.ones((2, 3)))
