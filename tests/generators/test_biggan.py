"""BigGAN: derivatives, layers, latent spaces and options."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.errors import OptionError
from geomgan.generators.class_names import imagenet_classes
from geomgan.generators.generator import output_of
from tests.small_models import in_float64, largest_difference
from tests.weights_convert.torch_biggan import SMALL, biggan_state
from tests.weights_convert.torch_models import saved
from weights_convert.convert import convert

LAYERS = ["project"]
for block in (1, 2, 3):
    LAYERS += [f"block{block}.{kind}{i}" for i in (1, 2) for kind in ("preactivation", "activation")]
    LAYERS += [f"block{block}"]
LAYERS += ["block3.attention", "norm.preactivation", "norm.activation", "output.preactivation"]


def converted(folder, family="biggan-138k", **sizes):
    (folder / "G_ema.pth").write_bytes(saved(biggan_state(**{**SMALL, **sizes})))
    return convert(family, folder / "G_ema.pth", folder / "model")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return converted(tmp_path_factory.mktemp("biggan"))


@pytest.fixture(scope="module")
def unconditional(tmp_path_factory):
    return converted(tmp_path_factory.mktemp("bigbigan"), "bigbigan")


@pytest.fixture(scope="module")
def thousand(tmp_path_factory):
    """A model with as many classes as ImageNet."""
    return converted(tmp_path_factory.mktemp("thousand"), features=(2, 2), attention=(), classes=1000)


# --- Derivatives, stacks, layers ---


@pytest.mark.parametrize("space", ["z", "class", "unconditional"])
def test_forward_derivative_equals_finite_differences(model, unconditional, space):
    folder = unconditional if space == "unconditional" else model
    G = gg.load(folder, space="z" if space == "unconditional" else space)
    rng = np.random.default_rng(3)
    with jax.enable_x64(True):
        G = in_float64(G)
        z, v = (jnp.asarray(rng.standard_normal(G.latent_dim)) for _ in range(2))
        _, derivative = jax.jvp(lambda z: output_of(G, z), (z,), (v,))
        step = 1e-6
        slope = (output_of(G, z + step * v) - output_of(G, z - step * v)) / (2 * step)
        assert np.isfinite(derivative).all()
        assert np.abs(slope).max() > 0.1
        assert largest_difference(derivative, slope) < 1e-6


@pytest.mark.parametrize("space", ["z", "class"])
def test_a_stack_of_codes_is_one_at_a_time(model, space):
    G = gg.load(model, space=space)
    codes = G.sample_latent(jax.random.key(0), 4)
    assert largest_difference(jax.vmap(G)(codes), [G(z) for z in codes]) < 1e-5


def test_layers(model):
    G = gg.load(model, class_index=1)
    assert list(G.layers) == LAYERS
    shapes = {name: G.at(name).sample_shape.shape for name in LAYERS}
    assert shapes["project"] == shapes["block1.activation1"] == (4, 4, 16)
    assert [shapes[f"block{k}"] for k in (1, 2, 3)] == [(8, 8, 16), (16, 16, 8), (32, 32, 8)]
    assert shapes["block2.preactivation2"] == shapes["block2.activation2"] == (16, 16, 8)
    assert shapes["block3.attention"] == shapes["norm.activation"] == (32, 32, 8)
    z = np.linspace(-1, 1, 12)
    np.testing.assert_allclose(np.tanh(G.at("output.preactivation")(z)), G(z), atol=1e-6)
    activation = G.at("block2.activation2")(z)
    np.testing.assert_array_equal(activation, np.maximum(G.at("block2.preactivation2")(z), 0))
    assert (activation == 0).mean() > 0.1
    with pytest.raises(ValueError, match=r"layer='block4' is not known\. Did you mean 'block"):
        G.at("block4")


def test_the_metric_of_a_layer_is_its_jacobians(model):
    G = gg.load(model, class_index=2).at("block2")
    z = np.linspace(-1, 1, 12).astype(np.float32)
    J = jax.jacfwd(G)(z).reshape(-1, 12)
    g = gg.metric_tensor(G, gg.distances.euclidean(), z)
    assert largest_difference(g, J.T @ J) < 1e-4


# --- Spaces and options ---


def test_the_class_is_an_argument_and_not_a_constant(model):
    traced = []

    @jax.jit
    def sample(G, z):
        traced.append(z)
        return output_of(G, z)

    z = np.linspace(-1, 1, 12)
    made = [np.asarray(sample(gg.load(model, class_index=number), z)) for number in range(4)]
    assert len(traced) == 1
    assert min(np.abs(a - b).max() for i, a in enumerate(made) for b in made[:i]) > 0.01
    np.testing.assert_array_equal(made[0], sample(gg.load(model), z))  # class 0 unless given


def test_both_spaces_are_the_same_network(model):
    z = np.linspace(-1, 1, 12)
    G = gg.load(model, space="class", base=z)
    assert G.latent_dim == 5
    table = G.params["context"]["classes"]
    np.testing.assert_allclose(G(table[3]), gg.load(model, class_index=3)(z), atol=1e-6)
    np.testing.assert_allclose(  # the mean of the prior unless given
        gg.load(model, space="class")(table[3]), gg.load(model, class_index=3)(np.zeros(12)), atol=1e-6
    )


def test_priors(model):
    key = jax.random.key(1)
    z = np.asarray(gg.load(model).sample_latent(key, 4000))
    assert z.shape == (4000, 12)
    assert abs(z.std() - 1) < 0.01
    assert np.abs(z).max() > 3
    truncated = np.asarray(gg.load(model, truncation=0.5).sample_latent(key, 4000))
    assert 0.499 < np.abs(truncated).max() <= 0.5
    # of the normal law within ±t: variance 1 - 2 t φ(t) / (2 Φ(t) - 1)
    assert abs(truncated.std() - 0.2837) < 0.003
    G = gg.load(model, space="class")
    classes, table = np.asarray(G.sample_latent(key, 400)), np.asarray(G.params["context"]["classes"])
    counts = [(classes == row).all(axis=1).sum() for row in table]
    assert sum(counts) == 400
    assert min(counts) > 60
    only = gg.load(model, space="class", class_index=2).sample_latent(key, 3)
    np.testing.assert_array_equal(only, table[[2, 2, 2]])


def test_truncation_is_of_the_prior_alone(model):
    z = np.linspace(-3, 3, 12)
    np.testing.assert_array_equal(gg.load(model, truncation=0.5)(z), gg.load(model)(z))


def test_the_unconditional_model_has_one_class(model, unconditional):
    G = gg.load(unconditional, truncation=0.1)
    assert np.abs(G.sample_latent(jax.random.key(0), 9)).max() <= 0.1
    assert G.params["context"]["embedding"].shape == (5,)
    with pytest.raises(TypeError, match=r"has no option class_index; it has space, truncation"):
        gg.load(unconditional, class_index=0)
    with pytest.raises(OptionError, match=r"space='class' is not known\. Known: 'z'"):
        gg.load(unconditional, space="class")


def test_classes_by_name(thousand):
    name = imagenet_classes()[239]
    assert name.lower() == "bernese mountain dog"
    by_number, by_name = gg.load(thousand, class_index=239), gg.load(thousand, class_index=name)
    np.testing.assert_array_equal(by_number.params["context"]["embedding"], by_name.params["context"]["embedding"])
    with pytest.raises(OptionError, match="class_index='no such beast' is no"):
        gg.load(thousand, class_index="no such beast")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"space": "w"}, r"space='w' is not known\. Known: 'z', 'class'"),
        ({"class_index": 4}, r"class_index=4 is no class of this model; expected an integer from 0 to 3"),
        ({"class_index": -1}, r"class_index=-1 is no class"),
        ({"class_index": 1.5}, r"class_index=1\.5 \(float\) is no class"),
        ({"class_index": "goldfish"}, r"this model has 4 classes of its own"),
        ({"truncation": 0}, r"truncation=0; expected a positive number"),
        ({"truncation": -0.5}, r"truncation=-0\.5; expected a positive number"),
        ({"truncation": np.nan}, r"truncation=nan; expected a positive number"),
        ({"truncation": "0.7"}, r"truncation='0\.7'; expected a positive number"),
        ({"truncation": True}, r"truncation=True; expected a positive number"),
        ({"base": np.zeros(12)}, r"base is the noise of space='class'; in space='z' it is the code"),
        ({"space": "class", "class_index": 4}, r"class_index=4 is no class of this model"),
        ({"space": "class", "truncation": 0.7}, r"truncation is of the prior of space='z'"),
        ({"space": "class", "base": np.zeros(5)}, r"base has shape \(5,\); expected 12 finite numbers"),
        ({"space": "class", "base": np.full(12, np.inf)}, r"base holds NaN or infinite values"),
        ({"space": "class", "base": "zeros"}, r"base is str; expected an array of shape \(12,\)"),
    ],
)
def test_options_out_of_range(model, options, says):
    with pytest.raises(OptionError, match=says):
        gg.load(model, **options)
