"""One direction: the path that it makes of a code."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.directions import Direction

RNG = np.random.default_rng(0)
Z, V = RNG.standard_normal(6), np.linalg.qr(RNG.standard_normal((6, 1)))[0][:, 0]


def test_a_linear_path_takes_steps_of_the_scale():
    path = Direction(V, scale=1.5).path(Z)
    np.testing.assert_allclose(path([-1.0, 0.0, 2.0]), [Z - 1.5 * V, Z, Z + 3 * V], rtol=0, atol=1e-15)


def test_a_spherical_path_keeps_the_norm_and_leaves_along_the_direction():
    path = Direction(V, scale=7.0).path(Z, "spherical")
    codes = path(np.array([0.0, 1e-6, 0.7]))
    np.testing.assert_allclose(np.linalg.norm(codes, axis=1), np.linalg.norm(Z), rtol=1e-12)
    left = (codes[1] - codes[0]) / 1e-6
    unit = Z / np.linalg.norm(Z)
    tangent = V - (V @ unit) * unit
    np.testing.assert_allclose(left, np.linalg.norm(Z) * tangent / np.linalg.norm(tangent), atol=1e-5)


def test_a_centred_path_starts_closest_to_the_origin():
    origin = RNG.standard_normal(6)
    start = Direction(3 * V, origin=origin).path(Z, centred=True)([0.0])[0]
    np.testing.assert_allclose((start - origin) @ V, 0, atol=1e-12)
    off = start - Z
    np.testing.assert_allclose(off, (off @ V) * V, atol=1e-12)  # only what it has along v is taken away
    np.testing.assert_allclose(Direction(V).path(Z, centred=True)([0.0])[0] @ V, 0, atol=1e-12)


def test_a_direction_of_w_moves_the_rows_of_its_layers():
    codes = RNG.standard_normal((5, 6))
    direction = Direction(V, scale=0.5, space="w", layers=(1, 3))
    moved = direction.path(codes.ravel())([2.0])[0].reshape(5, 6)
    np.testing.assert_allclose(moved[1:3], codes[1:3] + V, atol=1e-15)
    np.testing.assert_array_equal(moved[[0, 3, 4]], codes[[0, 3, 4]])
    everywhere = Direction(V, space="w").path(codes.ravel())([2.0])[0].reshape(5, 6)
    np.testing.assert_allclose(everywhere, codes + 2 * V, atol=1e-15)
    centred = direction.path(codes.ravel(), centred=True)([0.0])[0].reshape(5, 6)
    np.testing.assert_allclose(centred[1:3] @ V, 0, atol=1e-12)
    np.testing.assert_array_equal(centred[[0, 3, 4]], codes[[0, 3, 4]])


def test_paths_are_traceable_in_codes_and_directions():
    direction = Direction(jnp.asarray(V, jnp.float32), jnp.float32(2.0), space="w", layers=(0, 1))
    codes = jnp.asarray(RNG.standard_normal((4, 12)), jnp.float32)
    ends = jax.jit(jax.vmap(lambda d, z: d.path(z, centred=True)(jnp.array([1.0]))[0], (None, 0)))(direction, codes)
    expected = [direction.path(np.asarray(z), centred=True)([1.0])[0] for z in codes]
    np.testing.assert_allclose(ends, expected, atol=1e-5)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"has 6 dimensions in z, and the code has shape \(13,\)"):
        Direction(V).path(np.ones(13))
    with pytest.raises(ValueError, match=r"of layers 4 to 7, and the code has 1 of 6 numbers.*numpy\.tile"):
        Direction(V, space="w", layers=(4, 8)).path(Z)
    with pytest.raises(ValueError, match="layers 4 to 7, and the code has 5"):
        Direction(V, space="w", layers=(4, 8)).path(np.ones(30))
    with pytest.raises(gg.OptionError, match="turns all style layers"):
        Direction(V, space="w", layers=(0, 1)).path(np.ones(12), "spherical")
    with pytest.raises(gg.OptionError, match=r"kind='sperical' is not known\. Did you mean 'spherical'"):
        Direction(V).path(Z, "sperical")
