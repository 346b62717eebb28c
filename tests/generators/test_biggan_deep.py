"""BigGAN-deep: spaces, options, derivatives, layers."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.errors import OptionError
from geomgan.generators.generator import _generate, output_of
from tests.parity import write_config
from tests.small_models import in_float64, largest_difference
from tests.weights_convert.torch_biggan_deep import SMALL, deep_state
from tests.weights_convert.torch_models import saved
from weights_convert.convert import convert

DIMENSIONS = {"z": 5, "class": 3, "joint": 8}
LAYERS = ["project"]
for i in range(1, 7):
    LAYERS += ["attention"] if i == 4 else []
    LAYERS += [f"block{i}.{kind}{k}" for k in range(4) for kind in ("preactivation", "activation")] + [f"block{i}"]
LAYERS += ["norm.preactivation", "norm.activation", "output.preactivation"]


@pytest.fixture(scope="module")
def state():
    return deep_state(seed=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, state):
    folder = tmp_path_factory.mktemp("biggan-deep")
    write_config(folder, SMALL)
    (folder / "pytorch_model.bin").write_bytes(saved(state))
    return convert("biggan-deep", folder / "pytorch_model.bin", folder / "model")


# --- Derivatives, stacks, layers ---


@pytest.mark.parametrize("space", DIMENSIONS)
def test_forward_derivative_equals_finite_differences(folder, space):
    G, rng, step = gg.load(folder, space=space), np.random.default_rng(3), 1e-6
    with jax.enable_x64(True):
        G = in_float64(G)
        z, v = (jnp.asarray(rng.standard_normal(G.latent_dim)) for _ in range(2))
        image = jax.jit(lambda z: output_of(G, z))
        _, derivative = jax.jvp(image, (z,), (v,))
        slope = (image(z + step * v) - image(z - step * v)) / (2 * step)
    derivative, slope = np.asarray(derivative), np.asarray(slope)
    assert np.isfinite(derivative).all()
    assert abs(derivative).max() > 0.01
    assert largest_difference(derivative, slope) < 1e-6


def test_the_metric_is_the_jacobian_squared(folder):
    G = gg.load(folder, space="joint")
    z = np.asarray(G.sample_latent(jax.random.key(0), 1)[0])
    with jax.enable_x64(True):
        jacobian = jax.jit(jax.jacfwd(lambda G, z: output_of(G, z).ravel(), argnums=1))
        J = jacobian(in_float64(G), jnp.asarray(z, jnp.float64))
        expected = J.T @ J / J.shape[0]
    assert largest_difference(gg.metric_tensor(G, gg.distances.mse(), z), expected) < 1e-4


def test_many_codes_as_one_at_a_time(folder):
    G = gg.load(folder)
    z = G.sample_latent(jax.random.key(0), 5)
    assert largest_difference(jax.vmap(G)(z), np.stack([G(code) for code in z])) < 1e-5


def test_layers(folder):
    G = gg.load(folder)
    assert list(G.layers) == LAYERS
    sizes = {
        "project": (4, 4, 64),
        "block2.preactivation1": (4, 4, 16),
        "block2.preactivation2": (8, 8, 16),
        "block3": (16, 16, 16),
        "attention": (16, 16, 16),
        "block6": (32, 32, 4),
        "norm.activation": (32, 32, 4),
        "output.preactivation": (32, 32, 3),
    }
    assert {layer: G.at(layer).sample_shape.shape for layer in sizes} == sizes
    z = G.sample_latent(jax.random.key(1), 1)[0]
    np.testing.assert_allclose(np.tanh(G.at("output.preactivation")(z)), G(z), atol=1e-6)
    before, after = G.at("block5.preactivation1")(z), G.at("block5.activation1")(z)
    np.testing.assert_array_equal(np.maximum(before, 0), after)


# --- Spaces ---


@pytest.mark.parametrize("space", DIMENSIONS)
def test_another_class_truncation_or_noise_compiles_nothing(folder, space):
    """They are arguments of the compiled program."""
    codes = np.random.default_rng(0).standard_normal((2, DIMENSIONS[space])).astype(np.float32)
    first = {"z": {"class_index": 1}, "class": {"base": np.ones(5)}, "joint": {}}[space]
    other = {"z": {"class_index": 6}, "class": {"base": np.zeros(5)}, "joint": {}}[space]
    G = gg.load(folder, space=space, truncation=0.35, **first)
    sample = G(codes[0])
    compiled = _generate._cache_size()
    H = gg.load(folder, space=space, truncation=0.9, **other)
    assert np.abs(np.asarray(H(codes[0]) - sample)).max() > 0.01
    H(codes[1])
    assert _generate._cache_size() == compiled


def test_defaults(folder):
    """Class 0 in ``z``, zero noise in ``class``, truncation 0.7."""
    z, e = np.zeros(5, np.float32), gg.load(folder).params["context"]["classes"][0]
    explicit = gg.load(folder, space="z", class_index=0, truncation=0.7)(z)
    np.testing.assert_array_equal(gg.load(folder)(z), explicit)
    np.testing.assert_allclose(gg.load(folder, space="class")(e), explicit, atol=1e-6)
    assert {space: gg.load(folder, space=space).latent_dim for space in DIMENSIONS} == DIMENSIONS


def test_priors(folder, state):
    """Truncated noise, and embeddings of classes drawn uniformly."""
    table, key = state["embeddings.weight"].numpy().T, jax.random.key(5)
    codes = {
        space: np.asarray(gg.load(folder, space=space, truncation=0.5).sample_latent(key, 4000)) for space in DIMENSIONS
    }
    for noise in (codes["z"], codes["joint"][:, :5]):
        assert 0.98 < np.abs(noise).max() <= 1  # twice the truncation
        assert abs(noise.std() / (0.5 * 0.8796) - 1) < 0.02  # of the standard normal on [-2, 2]
    for embeddings in (codes["class"], codes["joint"][:, 5:]):
        drawn = np.argmin(((embeddings[:, None] - table) ** 2).sum(-1), axis=1)
        np.testing.assert_array_equal(table[drawn], embeddings)
        assert np.abs(np.bincount(drawn, minlength=7) / 4000 - 1 / 7).max() < 0.03
    assert abs(np.corrcoef(codes["joint"].T)[:5, 5:]).max() < 0.06
    one = gg.load(folder, space="joint", class_index=3).sample_latent(key, 10)[:, 5:]
    np.testing.assert_array_equal(one, np.broadcast_to(table[3], (10, 3)))


def test_codes_are_taken_as_they_are(folder):
    """Truncation does not scale or clamp a given code."""
    G = gg.load(folder, truncation=0.4)
    far = np.full(5, 3.0, np.float32)
    assert np.abs(np.asarray(G(far) - G(0.4 * far))).max() > 0.01
    assert np.abs(np.asarray(G(far) - G(far * 2 / 3))).max() > 0.001


# --- Options ---


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"space": "w"}, "space='w' is not known"),
        ({"class_index": 7}, "class_index=7 is no class of this model; expected an integer from 0 to 6"),
        ({"class_index": "tench"}, "this model has 7 classes of its own"),
        ({"truncation": 0}, "truncation=0 is outside the tables of statistics; expected a number above 0 and up to 1"),
        ({"truncation": 1.01}, r"truncation=1\.01 is outside"),
        ({"truncation": float("nan")}, "truncation=nan is outside"),
        ({"truncation": "0.5"}, "truncation='0.5' is outside"),
        ({"truncation": True}, "truncation=True is outside"),
        ({"base": np.zeros(5)}, "base is the noise of space='class'; this is space='z'"),
        ({"space": "class", "base": np.zeros(3)}, r"base has shape \(3,\); expected \(5,\)"),
        ({"space": "class", "base": np.full(5, np.inf)}, r"base has shape \(5,\); expected \(5,\), finite"),
        ({"space": "class", "base": "noise"}, "base is str; expected 5 numbers"),
    ],
)
def test_options_that_cannot_be(folder, options, says):
    with pytest.raises(OptionError, match=says):
        gg.load(folder, **options)


def test_an_option_of_another_family(folder):
    with pytest.raises(TypeError, match="has no option noise; it has space, class_index, truncation, base"):
        gg.load(folder, noise="zero")
