"""Walks along warps: the same codes as step by step, samples of exactly these codes, both ways, and what cannot be."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.directions import Warp, initial_warps, traverse_warps, warp_walks
from geomgan.directions.warp_walks import samples_of_codes
from geomgan.errors import OptionError
from tests.directions.test_joint_training import D, stripes
from tests.small_models import largest_difference

K = 4


@pytest.fixture(scope="module")
def G():
    return gg.Generator.from_function(stripes, (), D, name="stripes")


@pytest.fixture(scope="module")
def warps():
    return initial_warps(jax.random.key(0), D, K, 6, width=0.5)


CODES = np.random.default_rng(0).standard_normal((3, D)).astype(np.float32)


def test_all_codes_and_paths_at_once_are_those_one_by_one(warps):
    walked, t = warp_walks(warps, CODES, step=0.2, steps=5)
    np.testing.assert_allclose(t, 0.2 * np.arange(-5, 6))
    assert walked.shape == (3, K, 11, D)
    for i, k in ((0, 0), (2, 3)):
        assert largest_difference(walked[i, k], Warp(warps, k, 0.2, 5).path(CODES[i])(t)) < 1e-6
    np.testing.assert_array_equal(walked[:, :, 5], np.broadcast_to(CODES[:, None], (3, K, D)))
    np.testing.assert_allclose(np.linalg.norm(np.diff(walked, axis=2), axis=-1), 0.2, rtol=1e-4)


def test_a_leap_keeps_every_other_code_of_the_same_walk(warps):
    every, t = warp_walks(warps, CODES, step=0.2, steps=5, paths=[2])
    some, far = warp_walks(warps, CODES, step=0.2, steps=5, leap=2, paths=[2])
    np.testing.assert_allclose(far, t[[1, 3, 5, 7, 9]])
    assert largest_difference(some, every[:, :, [1, 3, 5, 7, 9]]) < 1e-6


def test_samples_are_those_of_the_codes_that_are_kept(G, warps):
    """Not one step ahead, as in the original: to the bit by the same program, and to rounding by any other."""
    walked = traverse_warps(G, warps, CODES, step=0.3, steps=4)
    again = samples_of_codes(G, walked.codes.reshape(-1, D)).reshape(walked.samples.shape)
    np.testing.assert_array_equal(walked.samples, again)
    plain = jax.vmap(lambda z: stripes((), z))(jnp.asarray(walked.codes.reshape(-1, D))).reshape(walked.samples.shape)
    np.testing.assert_allclose(walked.samples, plain, atol=1e-5)
    ahead = np.abs(walked.samples[:, :, 1:] - walked.samples[:, :, :-1]).max()
    assert ahead > 0.01  # what a step changes
    assert walked.names == ("warp 0", "warp 1", "warp 2", "warp 3")


def test_what_cannot_be(warps):
    with pytest.raises(OptionError, match=r"step=-0\.2; expected a positive number"):
        warp_walks(warps, CODES, step=-0.2)
    with pytest.raises(OptionError, match="leap=9 keeps none of 4 steps"):
        warp_walks(warps, CODES, steps=4, leap=9)
    with pytest.raises(OptionError, match=r"paths=\[.*7.*\]; expected some of 0 to 3"):
        warp_walks(warps, CODES, paths=[7])
    with pytest.raises(ValueError, match=r"codes have shape \(3, 2\); expected \(n, 3\)"):
        warp_walks(warps, CODES[:, :2])
