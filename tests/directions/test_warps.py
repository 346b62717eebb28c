"""Warps: the gradient of their functions, their paths, and training them."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.directions import JointOptions, Warp, Warps, chords_of, initial_warps, train_warps
from geomgan.directions.warps import unit_gradient
from geomgan.runs.results import read_result
from tests.directions.test_joint_training import D, stripes
from tests.small_models import largest_difference, linear_generator

DIM, K, DIPOLES = 8, 5, 6
OPTIONS = JointOptions(batch=8, law="balanced", least=0.25, most=0.45, predictor_learning_rate=1e-3)


@pytest.fixture(scope="module")
def warps():
    start = initial_warps(jax.random.key(0), DIM, K, DIPOLES, learn_weights=True)
    noise = lambda leaf: leaf + 0.3 * jax.random.normal(jax.random.key(1), leaf.shape)
    return Warps(jax.tree.map(noise, start.learnt), start.kept, K)


def test_shifts_are_the_gradient_of_the_function_normalised(warps):
    codes = jax.random.normal(jax.random.key(2), (K, DIM))
    magnitudes = jnp.asarray([-0.4, 0.3, 0.25, -0.1, 0.2])
    moved, _ = warps.shifts(codes, jnp.arange(K), magnitudes)
    gradient = jnp.stack([jax.grad(warps.function)(z, k) for k, z in enumerate(codes)])
    expected = magnitudes[:, None] * gradient / jnp.linalg.norm(gradient, axis=1, keepdims=True)
    np.testing.assert_allclose(moved, expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(jnp.linalg.norm(moved, axis=1), jnp.abs(magnitudes), rtol=1e-6)


def test_the_function_is_a_sum_of_radial_basis_functions(warps):
    s, a, log_g = (np.asarray(warps.learnt[name], np.float64) for name in ("supports", "weights", "log_widths"))
    z = np.linspace(-1, 1, DIM)
    expected = np.sum(a[3] * np.exp(-np.exp(log_g[3]) * ((z - s[3]) ** 2).sum(-1)))
    assert float(warps.function(jnp.asarray(z, jnp.float32), 3)) == pytest.approx(expected, rel=1e-5)


def test_begins_with_dipoles_on_spheres():
    start = initial_warps(jax.random.key(0), DIM, 47, DIPOLES)
    assert sorted(start.learnt) == ["log_widths", "supports"]
    supports = np.asarray(start.learnt["supports"])
    assert supports.shape == (47, 2 * DIPOLES, DIM)
    np.testing.assert_array_equal(supports[:, 0::2], -supports[:, 1::2])
    radii = np.linalg.norm(supports, axis=-1)
    np.testing.assert_allclose(radii, np.repeat(1 + 3 * np.arange(47)[:, None] / 47, 2 * DIPOLES, 1), rtol=1e-5)
    np.testing.assert_array_equal(start.kept["weights"][0], [1, -1] * DIPOLES)
    np.testing.assert_allclose(jnp.exp(start.learnt["log_widths"]), 1 / DIM, rtol=1e-6)


def test_where_the_gradient_vanishes_codes_stay_and_derivatives_are_finite():
    supports = jnp.stack([jnp.ones(DIM), jnp.ones(DIM)])
    along = lambda s: unit_gradient(jnp.zeros(DIM), s, jnp.asarray([1.0, -1.0]), jnp.asarray(0.0)).sum()
    assert float(along(supports)) == 0
    assert np.isfinite(jax.grad(along)(supports)).all()
    far = unit_gradient(1e3 * jnp.ones(DIM), supports, jnp.asarray([1.0, 1.0]), jnp.asarray(0.0))
    np.testing.assert_allclose(far, -np.ones(DIM) / DIM**0.5, rtol=1e-5)  # all exponentials are zero in float32


def test_one_distant_dipole_makes_a_straight_path():
    s = 1e3 * jax.random.normal(jax.random.key(3), (DIM,))
    far = Warps({}, {"supports": jnp.stack([s, -s])[None], "weights": jnp.asarray([[1.0, -1.0]]), **WIDTH}, 1)
    z = jax.random.normal(jax.random.key(4), (DIM,))
    codes = np.asarray(Warp(far, 0, 0.5, 8).path(z)(np.arange(-4.0, 5.0)))
    np.testing.assert_allclose(np.diff(codes, axis=0), np.tile(s / jnp.linalg.norm(s), (8, 1)), atol=3e-3)


def test_chords_are_means_of_ends_of_walks(warps):
    G = linear_generator(np.eye(DIM, dtype=np.float32))
    codes = np.asarray(G.sample_latent(jax.random.key(6), 7))
    found = chords_of(G, warps, codes, step=0.5, steps=4, accuracy=np.linspace(0, 1, K))
    for k in range(K):
        ends = np.stack([np.asarray(Warp(warps, k, 0.5, 4).path(z)(np.array([-2.0, 2.0]))) for z in codes])
        chords = ends[:, 1] - ends[:, 0]
        mean = (chords / np.linalg.norm(chords, axis=1, keepdims=True)).mean(axis=0)
        assert found.scores["alike"][k] == pytest.approx(np.linalg.norm(mean), abs=1e-5)
        np.testing.assert_allclose(found.vectors[:, k], mean / np.linalg.norm(mean), atol=1e-5)
    assert (found.names[2], found.method, found.scores["accuracy"][K - 1]) == ("warp 2", "warps", 1)


WIDTH = {"log_widths": jnp.log(jnp.asarray([1e-9]))}


def test_a_path_takes_steps_of_one_length_both_ways(warps):
    z = np.asarray(jax.random.normal(jax.random.key(5), (DIM,)))
    path = Warp(warps, 2, 0.2, 3).path(z)
    expected = {0: z}
    for sign in (1, -1):
        code = z
        for i in (1, 2, 3):
            gradient = np.asarray(jax.grad(warps.function)(jnp.asarray(code), 2))
            code = code + sign * 0.2 * gradient / np.linalg.norm(gradient)
            expected[sign * i] = code
    codes = path(0.2 * np.arange(-3, 4))
    assert largest_difference(codes, np.stack([expected[i] for i in range(-3, 4)])) < 1e-5
    assert largest_difference(path(np.asarray([0.1])), ((expected[0] + expected[1]) / 2)[None]) < 1e-5


def test_training_resumes_to_the_bit(tmp_path):
    G = gg.Generator.from_function(stripes, (), D, name="stripes")
    options = {"paths": 4, "dipoles": 5, "predictor": "lenet", "options": OPTIONS, "pairs": 2, "progress": False}
    train = partial(train_warps, G, jax.random.key(0), **options)
    whole = train(steps=3, out=tmp_path / "whole")
    train(steps=2, out=tmp_path / "cut")
    again = train(steps=3, out=tmp_path / "cut")
    for a, b in zip(jax.tree.leaves(whole.warps), jax.tree.leaves(again.warps), strict=True):
        np.testing.assert_array_equal(a, b)
    back = read_result(tmp_path / "whole" / "support_sets.npz", Warps)
    np.testing.assert_array_equal(back.learnt["supports"], whole.warps.learnt["supports"])
    assert [move.name for move in whole.moves()] == ["warp 0", "warp 1", "warp 2", "warp 3"]
    start = initial_warps(jax.random.split(jax.random.key(0), 4)[0], D, 4, 5)
    assert float(jnp.abs(whole.warps.learnt["supports"] - start.learnt["supports"]).max()) > 1e-4


def test_what_cannot_be():
    with pytest.raises(ValueError, match="dipoles is 0; expected a positive integer"):
        initial_warps(jax.random.key(0), DIM, K, 0)
    with pytest.raises(ValueError, match="width is -1; expected a positive number"):
        initial_warps(jax.random.key(0), DIM, K, 2, width=-1)
