"""Discovery by the Hessian Penalty: planted axes, resumption to the bit, classes, layers of the code, bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.directions import PenaltyOptions, discover_by_penalty, orthonormalised
from geomgan.directions.penalty_discovery import moved_penalty
from geomgan.errors import CheckpointError, OptionError
from geomgan.generators import biggan
from tests.fixtures import random_params
from tests.small_models import small_dcgan, smooth_generator, smooth_network

QUICK = PenaltyOptions(steps=6, batch=3)


def separable(rows, z):
    """Every number depends on one row only: its Hessian in the rows' coordinates is diagonal."""
    t = rows @ z
    return jnp.concatenate([jnp.sin(1.3 * t), 0.5 * t**2, jnp.cos(0.7 * t + 1)])


def planted(d=3, seed=2):
    rows = np.asarray(orthonormalised(np.random.default_rng(seed).standard_normal((d, d))), np.float32)
    return gg.Generator.from_function(separable, rows, d, output_range=None, name="separable"), rows


@pytest.mark.parametrize("method", ["differences", "exact"])
def test_planted_axes_are_found(method):
    G, rows = planted()
    options = PenaltyOptions(steps=250, batch=16, learning_rate=0.02, path_size=1.0, method=method)
    found = discover_by_penalty(G, jax.random.key(0), options, progress=False)
    cosines = np.abs(rows @ found.vectors)
    assert cosines.max(axis=0).min() > 0.97, cosines
    assert len(set(cosines.argmax(axis=0))) == 3


def test_the_penalty_and_its_gradient_are_those_of_a_transcription():
    G = smooth_generator()
    rng = np.random.default_rng(0)
    A, z, w = rng.standard_normal((4, 6)), rng.standard_normal(6), np.array([0, 2.0, 0, 0])
    signs = rng.choice([-1.0, 1.0], (2, 4))

    def published(A):
        Q = []
        for x in A:
            for y in Q:
                x = x - x @ y / (y @ y) * y
            Q.append(x)
        Q = jnp.stack([x / jnp.linalg.norm(x) for x in Q])
        f = lambda w: smooth_network(params, z + w @ Q)
        forms = [(f(w + 0.1 * v) - 2 * f(w) + f(w - 0.1 * v)) / 0.1**2 for v in signs]
        return jnp.stack(forms).var(0, ddof=1).mean()

    with jax.enable_x64(True):
        params = jax.tree.map(lambda x: x.astype(jnp.float64), G.params)
        exact = gg.Generator.from_function(smooth_network, params, 6)
        ours = jax.value_and_grad(lambda A: moved_penalty(A, exact, z, w, signs, PenaltyOptions())[0])(jnp.asarray(A))
        theirs = jax.value_and_grad(published)(jnp.asarray(A))
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-9)
    np.testing.assert_allclose(ours[1], theirs[1], atol=1e-8 * np.abs(theirs[1]).max())


def test_interrupted_and_resumed_equals_uninterrupted(tmp_path):
    G, key = small_dcgan(), jax.random.key(3)
    seen = []
    options = QUICK._replace(ndirs=5)
    whole = discover_by_penalty(G, key, options, progress=False)
    discover_by_penalty(G, key, options._replace(steps=2), out=tmp_path, progress=False)
    picture = lambda found, step: seen.append((step, len(found)))
    kwargs = {"out": tmp_path, "picture": picture, "picture_every": 4, "progress": False}
    resumed = discover_by_penalty(G, key, options, **kwargs)
    np.testing.assert_array_equal(whole.vectors, resumed.vectors)
    assert seen == [(4, 5), (6, 5)]
    read = gg.directions.load(tmp_path / "directions.npz", G)
    np.testing.assert_array_equal(read.vectors, whole.vectors)
    assert read.settings["ndirs"] == 5
    with pytest.raises(CheckpointError, match=r"epsilon: stored 0.1, now 0.2"):
        discover_by_penalty(G, key, options._replace(epsilon=0.2), out=tmp_path, progress=False)
    with pytest.raises(CheckpointError, match="key: stored"):
        discover_by_penalty(G, jax.random.key(4), options, out=tmp_path, progress=False)


def test_a_part_of_the_code_alone_is_searched():
    G = smooth_generator(9)
    found = discover_by_penalty(G, jax.random.key(0), QUICK._replace(search_space="mid"), progress=False)
    assert found.vectors.shape == (9, 3)
    assert not found.vectors[[0, 1, 2, 6, 7, 8]].any()
    loose = QUICK._replace(ndirs=11, orthogonal=False)
    assert discover_by_penalty(G, jax.random.key(0), loose, progress=False).vectors.shape == (9, 11)


def test_within_a_subspace_what_is_found_is_a_turn_of_its_columns():
    G, rows = planted()
    turn = np.array([[np.cos(0.6), -np.sin(0.6)], [np.sin(0.6), np.cos(0.6)]])
    options = PenaltyOptions(steps=150, batch=16, learning_rate=0.02, path_size=1.0)
    found = discover_by_penalty(G, jax.random.key(0), options, within=rows[:2].T @ turn, progress=False)
    cosines = np.abs(rows @ found.vectors)
    assert cosines[:2].max(axis=0).min() > 0.97, cosines
    np.testing.assert_allclose(cosines[2], 0, atol=1e-6)
    assert (len(found), found.settings["within"]) == (2, 2)
    with pytest.raises(OptionError, match="are two subspaces"):
        discover_by_penalty(G, jax.random.key(0), options._replace(search_space=(0, 2)), within=rows[:2].T)
    with pytest.raises(OptionError, match="ndirs is 3; expected at most 2"):
        discover_by_penalty(G, jax.random.key(0), options._replace(ndirs=3), within=rows[:2].T)


def test_classes_are_drawn_for_every_code():
    config = {"features": [4, 4], "attention": [], "channels": 3, "bottom": 4, "latent_dim": 6}
    table = np.random.default_rng(0).standard_normal((3, 5)).astype(np.float32)
    weights = random_params(biggan.network(config), (6,), (5,), scale=0.4)
    settings = biggan.biggan(config, {"generator": {"network": weights, "classes": table}}, class_index=1)
    G = gg.Generator.in_space(settings.function, settings.params, 6, name="small-biggan")
    find = lambda classes: discover_by_penalty(G, jax.random.key(0), QUICK, classes=classes, progress=False).vectors
    np.testing.assert_allclose(find(table[1:2]), find(None), atol=1e-4)  # its own class
    assert np.abs(find(table) - find(None)).max() > 1e-3
    with pytest.raises(OptionError, match=r"classes have shape \(3, 4\); expected \(m, 5\)"):
        find(table[:, :4])


def test_what_draws_numbers_is_refused():
    rng = np.random.default_rng(0)
    noisy = gg.Generator.from_function(lambda params, z: z + rng.standard_normal(3).astype("f"), (), 3, name="noisy")
    with pytest.raises(ValueError, match="noisy gave two different samples of one code"):
        discover_by_penalty(noisy, jax.random.key(0), QUICK, progress=False)


def test_rounding_is_said():
    with pytest.warns(UserWarning, match="epsilon=0.0001 is too small"):
        discover_by_penalty(smooth_generator(), jax.random.key(0), QUICK._replace(epsilon=1e-4), progress=False)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"ndirs": 9}, "ndirs is 9; expected at most 8"),
        ({"k": 1}, "k is 1; expected at least 2"),
        ({"path_size": -1.0}, "path_size is -1.0; expected a positive number"),
        ({"search_space": "coarse"}, "a third of the code, and 8 dimensions have none"),
    ],
)
def test_bad_options(change, says):
    with pytest.raises(OptionError, match=says):
        discover_by_penalty(small_dcgan(), jax.random.key(0), QUICK._replace(**change), progress=False)


def test_classes_need_a_model_with_classes():
    with pytest.raises(OptionError, match="has no class beside its codes"):
        discover_by_penalty(small_dcgan(), jax.random.key(0), QUICK, classes=np.ones((2, 3)), progress=False)
