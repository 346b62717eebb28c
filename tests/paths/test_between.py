"""Paths between two codes: lines, slerp, draws from the prior; the sphere's exponential map and its inverse."""

import jax
import numpy as np
import pytest

from geomgan.paths import between, combination, great_circles, sphere_exp, sphere_log

t = np.linspace(0, 1, 9)


@pytest.mark.parametrize("path", ["linear", "spherical", "marginal"])
def test_paths_meet_both_codes_and_trace(rng, path, float64):
    a, b = rng.standard_normal((2, 7))
    found = between(a, b, path)
    np.testing.assert_allclose(found(np.array([0.0, 1])), [a, b], rtol=1e-13)
    np.testing.assert_allclose(jax.jit(lambda p, t: p(t))(found, t), found(t), rtol=1e-12)


def test_slerp_is_the_great_circle_where_norms_are_equal(rng):
    a, b = rng.standard_normal((2, 7))
    b *= np.linalg.norm(a) / np.linalg.norm(b)
    path = between(a, b, "spherical")
    (circle,) = great_circles(a, b[:, None])
    np.testing.assert_allclose(path(t), circle(t * path.angle), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(np.cos(path.angle), a @ b / (a @ a), rtol=1e-12)


def test_a_combination_of_draws_is_a_draw(rng):
    mean, factor = rng.standard_normal(3), rng.standard_normal((3, 3))
    draws = mean + rng.standard_normal((4, 40_000, 3)) @ factor.T
    weights = np.array([0.5, 1.5, -2.0, 0.1])
    drawn = np.stack([combination(weights, draws[:, i], mean=mean) for i in range(0, 40_000, 4)])
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=0.08)
    np.testing.assert_allclose(np.cov(drawn.T), factor @ factor.T, atol=0.25)
    path = between(*draws[:2, 0], "marginal", mean=mean)
    np.testing.assert_allclose(path(np.array(0.25)), combination([0.75, 0.25], draws[:2, 0], mean=mean), rtol=1e-12)
    middles = (draws[0] + draws[1] - 2 * mean) / 2**0.5 + mean
    np.testing.assert_allclose(path(np.array(0.5)), middles[0], rtol=1e-12)


def test_the_spheres_exponential_map_and_its_inverse(rng, float64):
    z, v = rng.standard_normal((2, 6))
    tangent = v - (v @ z) / (z @ z) * z
    (circle,) = great_circles(z, v[:, None])
    angle = np.linalg.norm(tangent) / np.linalg.norm(z)
    np.testing.assert_allclose(sphere_exp(z, v), circle(np.array(angle)), rtol=1e-12)
    np.testing.assert_allclose(sphere_log(z, sphere_exp(z, tangent)), tangent, rtol=1e-10)
    np.testing.assert_allclose(sphere_log(z, 3 * sphere_exp(z, tangent)), tangent, rtol=1e-10)
    np.testing.assert_array_equal(sphere_exp(z, np.zeros(6)), z)
    assert np.abs(sphere_log(z, 2 * z)).max() < 1e-7
    J = jax.jacfwd(sphere_exp, argnums=1)(z, np.zeros(6))
    np.testing.assert_allclose(J, np.eye(6) - np.outer(z, z) / (z @ z), atol=1e-12)
    assert np.isfinite(jax.jacrev(sphere_exp, argnums=1)(z, np.zeros(6))).all()


def test_what_has_no_path_between_is_refused(rng):
    a = rng.standard_normal(4)
    with pytest.raises(ValueError, match="one of the codes is zero"):
        between(a, 0 * a, "spherical")
    with pytest.raises(ValueError, match="180 degrees apart"):
        between(a, -2 * a, "spherical")
    with pytest.raises(ValueError, match=r"the codes have shapes \(4,\) and \(3,\)"):
        between(a, a[:3])
    with pytest.raises(ValueError, match="the last code holds 4 NaN"):
        between(a, np.nan * a)
    with pytest.raises(ValueError, match=r"path='sperical' is not known. Did you mean 'spherical'"):
        between(a, a, "sperical")
    with pytest.raises(ValueError, match="all weights of a combination are zero"):
        combination([0.0, 0], np.stack([a, a]))
