"""Joint training of paths and predictor, on a generator whose paths are known to be easy or hard to tell apart."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.directions import (
    JointOptions,
    direction_set,
    initial_deformator,
    initial_predictor,
    load,
    path_accuracy,
    recognition,
    train_deformator,
    train_jointly,
)
from geomgan.directions.joint_training import draw_pairs, initial_state, joint_step
from geomgan.errors import CheckpointError, OptionError
from geomgan.generators.frozen import freeze
from geomgan.runs.curve import read_curve

SIDE, D = 32, 3
OPTIONS = JointOptions(batch=16, least=0.5, most=2.0, learning_rate=1e-3, predictor_learning_rate=3e-3)


def stripes(params, z):
    """Three gratings, whose strengths are the dimensions of the code."""
    del params
    x = jnp.linspace(0, 3 * np.pi, SIDE)
    maps = jnp.stack([jnp.sin(x)[:, None] + 0 * x, jnp.sin(x) + 0 * x[:, None], jnp.sin(x[:, None] + x)])
    return jnp.tanh(jnp.tensordot(z, maps, 1) / 2)[..., None]


@pytest.fixture(scope="module")
def G():
    return gg.Generator.from_function(stripes, (), D, name="stripes")


@pytest.fixture(scope="module")
def train(G):
    return partial(train_deformator, G, predictor="lenet", options=OPTIONS, pairs=16, every=5, progress=False)


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))


def test_a_predictor_learns_to_tell_paths_apart(G, train, tmp_path):
    trained = train(jax.random.key(0), kind="ortho", steps=60, out=tmp_path)
    losses = [row["loss"] for row in read_curve(tmp_path / "training.csv").rows]
    assert np.mean(losses[-3:]) < 0.6 * losses[0]
    assert trained.accuracy > 0.8
    assert trained.found.scores["accuracy"].mean() == pytest.approx(trained.accuracy)
    back = load(tmp_path / "directions.npz", G)
    np.testing.assert_array_equal(back.vectors, trained.deformator.vectors())
    assert (back.method, back.settings["kind"], back.settings["batch"]) == ("deformator", "ortho", 16)


@pytest.mark.parametrize("kind", ["ortho", "random"])
def test_an_interrupted_run_goes_on_to_the_bit(kind, train, tmp_path):
    whole = train(jax.random.key(1), kind=kind, steps=7, out=tmp_path / "whole")

    first = train(jax.random.key(1), kind=kind, steps=5, out=tmp_path / "cut")
    again = train(jax.random.key(1), kind=kind, steps=7, out=tmp_path / "cut")
    assert not same(first.predictor, again.predictor)
    assert same((whole.deformator, whole.predictor), (again.deformator, again.predictor))
    np.testing.assert_array_equal(whole.found.scores["accuracy"], again.found.scores["accuracy"])
    if kind == "random":  # its matrix is part of the checkpoint, and never moves
        assert same(first.deformator, again.deformator)
        with np.load(tmp_path / "cut" / "training.npz") as archive:
            assert "paths/kept/columns" in archive.files
    with pytest.raises(CheckpointError, match=r"kind: stored .*, now 'linear'"):
        train(jax.random.key(1), kind="linear", steps=7, out=tmp_path / "cut")


def test_a_step_is_one_of_adam_on_the_published_loss(G):
    """The loss and the first update, which of Adam is the rate times the gradient's sign, from plain derivatives."""
    paths = initial_deformator(jax.random.key(2), "linear", D)
    predictor = initial_predictor(jax.random.key(3), "lenet", D, (SIDE, SIDE, 1))
    state = initial_state(paths, predictor, jax.random.key(4), OPTIONS)
    after, scalars = joint_step(freeze(G, OPTIONS.batch), state, OPTIONS)
    pairs = draw_pairs(G, jax.random.fold_in(jax.random.key(4), 0), D, OPTIONS)
    images = np.stack([stripes((), z) for z in pairs.codes])

    def loss_fn(kernel):
        shifts = pairs.magnitudes[:, None] * kernel[pairs.indices] + paths.learnt["linear"]["bias"]
        moved = jax.vmap(partial(stripes, ()))(pairs.codes + shifts)
        logits, magnitudes, _ = predictor(images, moved, training=True)
        label = -jax.nn.log_softmax(logits)[jnp.arange(16), pairs.indices].mean()
        return label + 0.25 * jnp.abs(magnitudes - pairs.magnitudes).mean()

    kernel = paths.learnt["linear"]["kernel"]
    value, gradient = jax.jit(jax.value_and_grad(loss_fn))(kernel)
    assert float(scalars["loss"]) == pytest.approx(float(value), rel=1e-5)
    moved = np.asarray(after.paths.learnt["linear"]["kernel"] - kernel)
    np.testing.assert_allclose(moved, -OPTIONS.learning_rate * np.sign(gradient), rtol=1e-3)
    assert int(after.step) == 1


def test_accuracy_is_that_of_every_path_alike(G):
    """A predictor whose last layer says path 2, always, is right of that alone."""
    paths = initial_deformator(jax.random.key(5), "id", D)
    predictor = initial_predictor(jax.random.key(6), "lenet", D, (SIDE, SIDE, 1))
    last = {"kernel": jnp.zeros((84, D)), "bias": jnp.asarray([0.0, 0.0, 1.0])}
    always = type(predictor)({**predictor.learnt, "path2": last}, predictor.kept, predictor.kind)
    accuracy = path_accuracy(G, paths, always, jax.random.key(7), OPTIONS, pairs=5)
    np.testing.assert_array_equal(accuracy, [0, 0, 1])


def test_directions_of_any_method_are_told_apart_or_not(G):
    apart = direction_set(G, np.eye(D), "axes")
    alike = direction_set(G, np.eye(D)[:, [0, 0, 0]] + 1e-3 * np.eye(D), "one axis")
    score = partial(recognition, G, key=jax.random.key(8), steps=40, options=OPTIONS, pairs=16, progress=False)
    assert score(apart).mean() > 0.8
    assert score(alike).mean() < 0.6


def test_what_cannot_be(G, train):
    with pytest.raises(TypeError, match="key is the number 3; expected one typed key"):
        train(3)
    with pytest.raises(OptionError, match="kind='ortho' with 2 paths in 3 dimensions"):
        train(jax.random.key(0), kind="ortho", directions=2)
    with pytest.raises(ValueError, match=r"magnitudes from 6\.0 to 1\.0"):
        train(jax.random.key(0), options=JointOptions(least=6.0, most=1.0))
    with pytest.raises(ValueError, match="batch is 1; expected at least 2"):
        train(jax.random.key(0), options=JointOptions(batch=1))
    with pytest.raises(ValueError, match="steps is 0"):
        train_jointly(
            G,
            initial_deformator(jax.random.key(0), "id", D),
            initial_predictor(jax.random.key(0), "lenet", D, (SIDE, SIDE, 1)),
            jax.random.key(0),
            0,
        )
