"""The Generator type."""

import dataclasses
import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import geomgan as gg
from geomgan.generators import generator as module_under_test
from geomgan.generators import tap
from geomgan.generators.generative_latent_space import BiGANEncoder
from geomgan.generators.network import FlaxFunction
from tests.fixtures import random_params
from tests.small_models import linear_generator, small_dcgan


def test_one_code_and_a_stack(rng):
    G = small_dcgan()
    z = rng.standard_normal((3, 8))
    x = G(z[0])
    assert x.shape == (16, 16, 3)
    assert x.dtype == jnp.float32
    np.testing.assert_allclose(jax.vmap(G)(z)[0], x, atol=1e-6)


def test_generators_and_distances_can_be_jitted_as_they_are(rng):
    G, D = small_dcgan(features=(16, 8, 8)), gg.distances.lpips("alex")
    z = rng.standard_normal((2, 8)).astype(np.float32)
    x, y = jax.jit(G)(z[0]), jax.jit(jax.vmap(G))(z)[1]
    np.testing.assert_allclose(x, G(z[0]), atol=1e-6)
    assert float(jax.jit(D)(x, y)) == pytest.approx(float(D(x, y)), rel=1e-5)


def test_codes_are_cast_to_the_networks_dtype(rng):
    G = small_dcgan()
    z = rng.standard_normal(8)
    assert G(z.astype(np.float64)).dtype == jnp.float32
    np.testing.assert_array_equal(G(z), G(jnp.asarray(z, jnp.float32)))
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda p: p.astype(jnp.float64), G)
        assert wide(z.astype(np.float32)).dtype == jnp.float64


class Normed(nn.Module):
    @nn.compact
    def __call__(self, z):
        return nn.BatchNorm(use_running_average=True)(nn.Dense(6)(z))


def test_modules_that_from_module_does_not_take_are_told_the_way():
    net = Normed()
    variables = net.init(jax.random.key(0), jnp.zeros(3))
    make = gg.Generator.from_module
    with pytest.raises(
        ValueError, match=r"all variables.*expected variables\['params'\].*'batch_stats' too is a function"
    ):
        make(net, variables, 3)
    with pytest.raises(ValueError, match=r"Normed has variables besides its parameters.*from_function"):
        make(net, variables["params"], 3)
    with pytest.raises(TypeError, match="module is the class Normed; expected an instance"):
        make(Normed, variables["params"], 3)
    with pytest.raises(TypeError, match=r"module is Linear; expected an instance of flax\.linen\.Module\. One of NNX"):
        make(nnx.Linear(3, 6, rngs=nnx.Rngs(0)), {}, 3)
    G = gg.Generator.from_function(lambda variables, z: net.apply(variables, z), variables, 3)
    np.testing.assert_allclose(G(jnp.ones(3)), net.apply(variables, jnp.ones(3)))


@pytest.mark.parametrize("narrow", ["bfloat16", "float16"])
@pytest.mark.parametrize("promotion", ["standard", "strict"])
def test_one_narrow_weight_does_not_narrow_the_codes(rng, narrow, promotion):
    params = {"a_scale": jnp.ones((), narrow), "weights": jnp.asarray(rng.standard_normal((12, 4)), jnp.float32)}
    G = gg.Generator.from_function(
        lambda p, z: jnp.tanh(p["weights"] @ z) * p["a_scale"].astype(jnp.float32), params, 4
    )
    wide = dataclasses.replace(G, params=params | {"a_scale": jnp.ones(())})
    z = rng.standard_normal(4).astype(np.float32)
    with jax.numpy_dtype_promotion(promotion):
        assert G.dtype == jnp.float32
        np.testing.assert_array_equal(G(z), wide(z))
        np.testing.assert_allclose(gg.metric_tensor(G, gg.distances.mse(), z),
                                   gg.metric_tensor(wide, gg.distances.mse(), z), rtol=1e-6)  # fmt: skip
    both = {"a": jnp.ones(3, "bfloat16"), "b": jnp.ones(3, "float16")}
    assert gg.Generator.from_function(lambda p, z: p["a"] * z[0] + p["b"], both, 1).dtype == jnp.float32


@pytest.mark.parametrize(
    ("z", "error", "message"),
    [
        (np.zeros(7), ValueError, r"\(7,\); expected \(8,\)"),
        (np.zeros((2, 8)), ValueError, "jax.vmap"),
        (np.zeros(8, int), TypeError, "int64.*floating point"),
        (np.full(8, np.nan), ValueError, "8 NaN"),
    ],
)
def test_wrong_codes_raise_before_any_work(z, error, message):
    with pytest.raises(error, match=message):
        small_dcgan()(z)


def test_layers_and_cuts_agree_with_the_network_by_hand(rng):
    G = small_dcgan(features=(16, 8))
    assert G.layers == (
        "block1.preactivation",
        "block1",
        "block2.preactivation",
        "block2",
        "output.preactivation",
    )
    z = rng.standard_normal(8)
    pre, post = G.at("block1.preactivation")(z), G.at("block1")(z)
    np.testing.assert_array_equal(post, np.maximum(pre, 0))
    projected = jnp.einsum("c,hwco->hwo", jnp.asarray(z, jnp.float32), G.params["block1"]["kernel"][::-1, ::-1])
    np.testing.assert_allclose(pre, projected + G.params["block1"]["bias"], atol=1e-6)
    np.testing.assert_allclose(np.tanh(G.at("output.preactivation")(z)), G(z), atol=1e-6)
    assert G.at("block1").output_range is None
    assert G.at("block1").at("block2").sample_shape.shape == (8, 8, 8)


def assert_activations_are_the_cuts(G, z, layers):
    made = G.activations(z)
    assert tuple(made) == G.layers == layers
    for name, activation in made.items():
        np.testing.assert_allclose(activation, G.at(name)(z), atol=1e-6, err_msg=name)


def test_all_activations_at_once(rng):
    G, z = small_dcgan(features=(16, 8)), rng.standard_normal((2, 8))
    layers = ("block1.preactivation", "block1", "block2.preactivation", "block2", "output.preactivation")
    assert_activations_are_the_cuts(G, z[0], layers)
    for many in (jax.vmap(G.activations)(z), jax.jit(jax.vmap(G.activations))(z)):
        assert tuple(many) == layers
        np.testing.assert_allclose(many["block2"][1], G.at("block2")(z[1]), atol=1e-6)
    before = module_under_test._activations._cache_size()
    small_dcgan(seed=1, features=(16, 8)).activations(z[1])
    assert module_under_test._activations._cache_size() == before  # other weights and codes compile nothing
    with pytest.raises(ValueError, match=r"\(7,\); expected \(8,\)"):
        G.activations(np.zeros(7))
    with pytest.raises(ValueError, match="8 NaN"):
        G.activations(np.full(8, np.nan))


def test_activations_of_an_ensemble_are_the_mean_of_its_members(rng):
    members, z = [small_dcgan(features=(16, 8), seed=seed) for seed in (0, 1)], rng.standard_normal(8)
    G = gg.ensemble(members[0], jax.tree.map(lambda *p: jnp.stack(p), *(m.params for m in members)))
    assert_activations_are_the_cuts(G, z, members[0].layers)
    mean = (members[0].at("block1")(z) + members[1].at("block1")(z)) / 2
    np.testing.assert_allclose(G.activations(z)["block1"], mean, atol=1e-6)


def test_plain_functions_have_no_activations():
    plain = linear_generator(np.eye(3, dtype=np.float32))
    both = gg.ensemble(plain, jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), plain.params))
    for G in (plain, both):
        assert G.layers == ()
        for call in (G.activations, lambda z, G=G: G.at("block1")):
            with pytest.raises(ValueError, match=r"plain function.*Generator\.from_module"):
                call(np.zeros(3, np.float32))


def test_activations_of_a_network(rng):
    encoder = BiGANEncoder(3)
    params = random_params(encoder, (28, 28, 1))
    E = gg.Network(params, FlaxFunction(encoder), ((28, 28, 1),))
    x = rng.standard_normal((28, 28, 1)).astype(np.float32)
    made = E.activations(x)
    assert tuple(made) == E.layers
    assert len(made) > 2
    for name, activation in made.items():
        np.testing.assert_allclose(activation, E.at(name)(x), atol=1e-6, err_msg=name)
    with pytest.raises(ValueError, match=r"expected \(\(28, 28, 1\),\)"):
        E.activations(x[None])


def test_activations_of_nested_modules_are_reached():
    class Block(nn.Module):
        @nn.compact
        def __call__(self, x):
            return tap(self, "relu", nn.relu(nn.Dense(4, name="dense")(x)))

    class Net(nn.Module):
        @nn.compact
        def __call__(self, z):
            return tap(self, "sum", Block(name="second")(Block(name="first")(z)) * 2)

    G = gg.Generator.from_module(Net(), random_params(Net(), (3,)), 3)
    assert set(G.layers) == {"first.relu", "second.relu", "sum"}
    z = np.ones(3, np.float32)
    np.testing.assert_array_equal(G.at("second.relu")(z) * 2, G(z))


def test_unknown_layer_names_the_nearest():
    with pytest.raises(ValueError, match="block1"):
        small_dcgan().at("blok1")
    with pytest.raises(ValueError, match="plain function"):
        linear_generator(np.eye(3, dtype=np.float32)).at("block1")


def test_the_prior_is_reproducible_and_normal():
    G = small_dcgan()
    z = G.sample_latent(jax.random.key(3), 5000)
    np.testing.assert_array_equal(z, G.sample_latent(jax.random.key(3), 5000))
    assert z.shape == (5000, 8)
    assert abs(float(z.mean())) < 0.02
    assert abs(float(z.std()) - 1) < 0.02


def test_keys_are_typed():
    G = small_dcgan()
    key = jax.random.key(0)
    for given, got, fix in (
        (0, "the number 0", "jax.random.key(0)"),
        (np.int64(31), "the number 31", "jax.random.key(31)"),
        (jax.random.PRNGKey(0), "an untyped key, as jax.random.PRNGKey makes them", "jax.random.wrap_key_data(key)"),
        (jax.random.split(key), "keys of shape (2,)", "one of them"),
        (None, "None", "jax.random.key(0)"),
    ):
        with pytest.raises(TypeError, match=re.escape(f"key is {got}; expected one typed key. Pass {fix}.")):
            G.sample_latent(given, 3)
    for count in (0, -1, 2.5, True):
        with pytest.raises(ValueError, match=rf"n is {count}; expected .*, the number of codes to draw\."):
            G.sample_latent(key, count)
    np.testing.assert_allclose(jax.jit(lambda key: G.sample_latent(key, 3))(key), G.sample_latent(key, 3), rtol=1e-6)


def test_a_prior_of_ones_own():
    G = gg.Generator.from_function(
        lambda p, z: p * z, jnp.ones(2), 2, sample_latent=lambda key, n: jax.random.uniform(key, (n, 2))
    )
    z = G.sample_latent(jax.random.key(0), 100)
    assert float(z.min()) >= 0
    wrong = gg.Generator.from_function(lambda p, z: p * z, jnp.ones(2), 2, sample_latent=lambda key, n: jnp.ones(n))
    with pytest.raises(ValueError, match=r"\(n, latent_dim\)"):
        wrong.sample_latent(jax.random.key(0), 3)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((3, (), 4), {}, TypeError, "expected a function"),
        ((lambda p, z: z, (), 0), {}, ValueError, "positive integer"),
        ((lambda p, z: z, (), (1, 8)), {}, ValueError, r"latent_dim is \(1, 8\); expected a positive integer. Pass"),
        ((lambda p, z: z, (), 2), {"output_range": (1, 1)}, ValueError, "low < high"),
        ((lambda p, z: (z, z), (), 2), {}, TypeError, r"one floating-point array, .* fn\(params, z\)\[0\]\.$"),
        ((lambda p, z: {"x": z}, (), 2), {}, TypeError, "Let it return the sample alone"),
        *(
            (
                (lambda p, z, kind=kind: z.astype(kind), (), 2),
                {},
                TypeError,
                "before they are rounded or .*hvp='finite-d",
            )
            for kind in ("uint8", "int32", "bool")
        ),
    ],
)
def test_factory_checks_its_arguments(arguments, options, error, message):
    with pytest.raises(error, match=message):
        gg.Generator.from_function(*arguments, **options)


def test_other_weights_do_not_recompile(rng):
    G, other = small_dcgan(seed=0), small_dcgan(seed=1)
    z = rng.standard_normal(8)
    G(z)
    before = module_under_test._generate._cache_size()
    swapped = dataclasses.replace(G, params=other.params)
    np.testing.assert_array_equal(swapped(z), other(z))
    assert module_under_test._generate._cache_size() == before


def test_a_stochastic_decoder_is_its_mean(rng):
    def decoder(params, z):
        return gg.Gaussian(params @ z, jnp.exp(params @ z))

    G = gg.Generator.from_function(decoder, jnp.asarray(rng.standard_normal((5, 2)), jnp.float32), 2)
    z = np.array([0.3, -1.0], np.float32)
    np.testing.assert_allclose(G(z), G.params @ z, rtol=1e-6)
    np.testing.assert_allclose(G.distribution(z).std, np.exp(G.params @ z), rtol=1e-5)
    with pytest.raises(ValueError, match="deterministic"):
        small_dcgan().distribution(np.zeros(8))
