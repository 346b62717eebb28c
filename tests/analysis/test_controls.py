"""Controls keep what they should, and lose the rest."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import keystr, tree_flatten_with_path

import geomgan as gg
from geomgan.analysis import random_frames, shuffle_weights
from geomgan.generators.ensemble import ensemble
from geomgan.generators.network import FlaxFunction
from geomgan.generators.spaces import InSpace
from tests.analysis.tensors import field_of, random_tensors
from tests.small_models import linear_generator, small_dcgan


def leaves(G):
    return {keystr(path): np.asarray(leaf) for path, leaf in tree_flatten_with_path(G.params)[0]}


def same_entries(a, b):
    return np.array_equal(np.sort(a.ravel()), np.sort(b.ravel()))


def test_kernels_are_permuted_and_biases_stay():
    G = small_dcgan()
    S = shuffle_weights(G, jax.random.key(0))
    before, after = leaves(G), leaves(S)
    assert before.keys() == after.keys()
    for name, array in before.items():
        assert after[name].shape == array.shape
        assert after[name].dtype == array.dtype
        assert same_entries(after[name], array)
        assert np.array_equal(after[name], array) == ("bias" in name), name
    assert sum("kernel" in name for name in before) == 3
    assert S.name == "small-dcgan shuffled"
    assert S.layers == G.layers
    z = G.sample_latent(jax.random.key(1), 1)[0]
    assert np.abs(S(z) - G(z)).max() > 1e-3


def test_the_same_key_gives_the_same_network():
    G = small_dcgan()
    first, again, other = (shuffle_weights(G, jax.random.key(seed)) for seed in (3, 3, 4))
    for name, array in leaves(first).items():
        assert np.array_equal(array, leaves(again)[name])
    assert not np.array_equal(leaves(first)["['output']['kernel']"], leaves(other)["['output']['kernel']"])


def test_everything_permutes_biases_too():
    G = small_dcgan(channels=10)
    S = shuffle_weights(G, jax.random.key(0), "everything")
    for name, array in leaves(G).items():
        assert same_entries(leaves(S)[name], array)
        assert not np.array_equal(leaves(S)[name], array), name


def enter(context, z):
    return (context["scale"][0] * z,)


def generator_in_space():
    G = small_dcgan()
    context = {"scale": jnp.array([[2.0] * 8, [3.0] * 8]) + jnp.arange(8.0)}
    params = {"network": G.params, "context": context}
    return gg.Generator.in_space(InSpace(FlaxFunction(G.function.module), enter), params, 8, name="in-space")


def test_what_the_user_fixed_stays():
    G = generator_in_space()
    S = shuffle_weights(G, jax.random.key(0))
    np.testing.assert_array_equal(S.params["context"]["scale"], G.params["context"]["scale"])
    for name, array in leaves(G).items():
        assert np.array_equal(leaves(S)[name], array) == ("kernel" not in name), name
    assert S(jnp.ones(8)).shape == G(jnp.ones(8)).shape
    everything = shuffle_weights(G, jax.random.key(0), "everything")
    assert not np.array_equal(everything.params["context"]["scale"], G.params["context"]["scale"])


def test_members_of_an_ensemble_are_shuffled_within_themselves():
    members = [small_dcgan(seed=seed) for seed in (0, 1)]
    E = ensemble(members[0], jax.tree.map(lambda *p: jnp.stack(p), *[G.params for G in members]))
    S = shuffle_weights(E, jax.random.key(0))
    for name, array in leaves(E).items():
        for e in range(2):
            assert same_entries(leaves(S)[name][e], array[e])
        assert np.array_equal(leaves(S)[name], array) == ("bias" in name), name
    assert np.isfinite(np.asarray(S(jnp.ones(8)))).all()


def with_tables(params, z):
    return params["constant"].sum() + params["layer"]["kernel"] @ (z + params["layer"]["steps"])


def test_tables_and_counts_are_no_weights():
    params = {
        "constant": jnp.arange(6.0).reshape(2, 3),
        "layer": {"kernel": jnp.arange(12.0).reshape(4, 3), "steps": jnp.arange(3)},
    }
    G = gg.Generator.from_function(with_tables, params, 3)
    S = shuffle_weights(G, jax.random.key(0))
    np.testing.assert_array_equal(S.params["constant"], params["constant"])
    np.testing.assert_array_equal(S.params["layer"]["steps"], params["layer"]["steps"])
    assert not np.array_equal(S.params["layer"]["kernel"], params["layer"]["kernel"])


def test_one_array_as_parameters(rng):
    A = rng.standard_normal((5, 3)).astype(np.float32)
    S = shuffle_weights(linear_generator(A), jax.random.key(0))
    assert same_entries(np.asarray(S.params), A)
    assert not np.array_equal(S.params, A)


def test_shipped_models_can_be_shuffled():
    G = gg.load("digits-dcgan")
    S = shuffle_weights(G, jax.random.key(0))
    z = G.sample_latent(jax.random.key(1), 1)[0]
    assert np.abs(S(z) - G(z)).max() > 0.1
    for name, array in leaves(G).items():
        assert same_entries(leaves(S)[name], array)


def scaled(params, z):
    return params * z


def test_bad_input():
    G = small_dcgan()
    with pytest.raises(gg.errors.OptionError, match="'weights'"):
        shuffle_weights(G, jax.random.key(0), "weight")
    with pytest.raises(TypeError, match=r"jax.random.key\(0\)"):
        shuffle_weights(G, 0)
    with pytest.raises(TypeError, match=r"expected a geomgan.Generator"):
        shuffle_weights(G.params, jax.random.key(0))
    with pytest.raises(ValueError, match="no array with more than one axis"):
        shuffle_weights(gg.Generator.from_function(scaled, jnp.ones(4), 4), jax.random.key(0))


def test_random_frames_keep_spectra(rng):
    tensors = random_tensors(rng, count=4, dim=5, negative=1)
    for given in (tensors, field_of(tensors), np.linalg.eigvalsh(tensors)):
        control = random_frames(given, jax.random.key(0))
        np.testing.assert_allclose(np.linalg.eigvalsh(control), np.linalg.eigvalsh(tensors), atol=1e-14)
        np.testing.assert_array_equal(control, control.transpose(0, 2, 1))
        assert np.abs(control - tensors).max() > 0.1
    again = random_frames(tensors, jax.random.key(0))
    np.testing.assert_allclose(again, random_frames(field_of(tensors), jax.random.key(0)), atol=1e-14)


def test_random_frames_are_uniform():
    dim, count = 4, 20_000
    planted = np.zeros((count, dim))
    planted[:, 0] = 1  # the tensor is u uᵀ of the first axis, whose fourth moments are known
    control = random_frames(planted, jax.random.key(0))
    np.testing.assert_allclose(control.mean(axis=0), np.eye(dim) / dim, atol=0.01)
    assert (control[:, 0, 0] ** 2).mean() == pytest.approx(3 / (dim * (dim + 2)), rel=0.05)
    assert (control[:, 0, 1] ** 2).mean() == pytest.approx(1 / (dim * (dim + 2)), rel=0.05)
