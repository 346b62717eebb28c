"""Classes drawn with the codes: the code of a pair is moved, its class is not."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.directions import JointOptions, initial_deformator, train_deformator
from geomgan.directions.classes import of_classes
from geomgan.directions.joint_training import draw_pairs, shifts_of
from geomgan.errors import OptionError
from geomgan.generators.frozen import freeze, samples_and_pull

SIDE, D = 32, 3
TABLE = np.array([[1.0, 0.2], [0.1, 1.0], [-0.7, 0.5], [0.4, -1.0]], np.float32)
OPTIONS = JointOptions(batch=8, least=0.5, most=2.0, learning_rate=1e-3, predictor_learning_rate=3e-3)


def gratings(params, z):
    """Three gratings, whose strengths are the code, and whose light and slope are the class."""
    light, slope = params["context"]["embedding"]
    x = jnp.linspace(0, 3 * np.pi, SIDE)
    maps = jnp.stack([jnp.sin(x)[:, None] + slope * x, jnp.sin(x) + 0 * x[:, None], jnp.sin(x[:, None] + slope * x)])
    return jnp.tanh(light + jnp.tensordot(z, maps, 1) / 2)[..., None]


@pytest.fixture(scope="module")
def G():
    return gg.Generator.from_function(gratings, {"context": {"embedding": TABLE[1]}}, D, name="gratings")


def test_codes_and_classes_are_one_code(G):
    both = of_classes(G, TABLE)
    codes = np.asarray(both.sample_latent(jax.random.key(0), 400))
    assert codes.shape == (400, 5)
    which = np.abs(codes[:, None, D:] - TABLE).sum(2).argmin(1)
    np.testing.assert_array_equal(codes[:, D:], TABLE[which])
    assert np.abs(np.bincount(which, minlength=4) / 400 - 0.25).max() < 0.08
    assert abs(codes[:, :D].std() - 1) < 0.1
    for code, k in zip(codes[:3], which, strict=False):
        expected = gratings({"context": {"embedding": TABLE[k]}}, code[:D])
        np.testing.assert_allclose(both(code), expected, atol=1e-6)


def test_codes_move_within_their_class(G):
    """Moved samples and their derivatives by the paths, against plain ones of pairs with one class each."""
    paths = initial_deformator(jax.random.key(2), "linear", D)
    both, key = of_classes(G, TABLE), jax.random.key(4)
    pairs = draw_pairs(both, key, D, OPTIONS)
    weights = jax.random.normal(jax.random.key(5), (8, SIDE, SIDE, 1))
    moved, pull = samples_and_pull(freeze(both, 8), pairs.codes + shifts_of(paths, pairs)[0])
    of = lambda z, e: gratings({"context": {"embedding": e}}, z)
    z, e = pairs.codes[:, :D], pairs.codes[:, D:]

    def plain(kernel):
        return jax.vmap(of)(z + pairs.magnitudes[:, None] * kernel[pairs.indices], e)

    kernel = paths.learnt["linear"]["kernel"]
    expected, slopes = jax.jit(lambda k: (plain(k), jax.grad(lambda k: (plain(k) * weights).sum())(k)))(kernel)
    np.testing.assert_allclose(moved, expected, atol=1e-5)
    with_kernel = lambda k: replace(paths, learnt={"linear": {**paths.learnt["linear"], "kernel": k}})
    _, back = jax.vjp(lambda k: shifts_of(with_kernel(k), pairs)[0], kernel)
    np.testing.assert_allclose(back(pull(weights))[0], slopes, rtol=1e-3, atol=1e-2)


def test_a_deformator_of_all_classes(G, tmp_path):
    train = partial(train_deformator, G, jax.random.key(0), kind="linear", predictor="lenet", options=OPTIONS, pairs=4)
    seen = []
    how = {"picture": lambda found, step: seen.append((step, found.settings["classes"], found.vectors.shape))}
    found = train(steps=4, classes=TABLE, out=tmp_path, picture_every=2, progress=False, **how).found
    assert seen == [(2, 4, (3, 3)), (4, 4, (3, 3))]
    own = train(steps=4, progress=False).found
    assert np.abs(found.vectors - own.vectors).max() > 1e-4
    assert (found.model, found.space, found.settings["classes"]) == (own.model, "z", 4)
    with pytest.raises(ValueError, match="classes: stored"):
        train(steps=5, classes=TABLE[:2], out=tmp_path, progress=False)
    with pytest.raises(OptionError, match=r"classes have shape \(2, 1\); expected \(m, 2\)"):
        train(steps=1, classes=TABLE[:2, :1], progress=False)
