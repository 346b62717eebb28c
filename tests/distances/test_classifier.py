"""Classifier features as distances, and the activation of a unit as an objective."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.distances.classifiers import NETWORKS
from geomgan.errors import CheckpointError
from geomgan.generators.network import FlaxFunction
from tests.distances.torch_networks import our_weights, outputs, seeded
from tests.fixtures import assert_close
from tests.oracles import half_hessian
from tests.small_models import in_float64, largest_difference, smooth_generator

classifier_features, activation = gg.distances.classifier_features, gg.distances.activation
LAYERS = {  # our names, and torchvision's positions in `features`
    "alex": {"relu1.preactivation": 0, "relu2": 4, "relu5.preactivation": 10},
    "vgg": {"relu1_2.preactivation": 2, "relu3_2": 13, "relu5_3": 29},
    "squeeze": {"relu1.preactivation": 0, "fire2": 3, "fire4": 6, "fire9": 12},
}


@functools.cache
def trunk(net):
    return {"trunk": our_weights(net, seeded(net))["trunk"]}


def photo(rng, *shape):
    return rng.uniform(-1, 1, shape).astype(np.float32)


@functools.cache
def smooth_digits(latent_dim=4):
    """Grey images of 16 pixels from a generator without kinks."""
    G = smooth_generator(latent_dim)
    return gg.Generator.from_function(grey, G.params, latent_dim, name="grey")


def grey(params, z):
    first, second = params
    return jnp.tanh(second[:256] @ jnp.tanh(first @ z)).reshape(16, 16, 1)


# --- Values ---


@pytest.mark.parametrize("net", LAYERS)
def test_activations_equal_torch(rng, net):
    x = photo(rng, 37, 50, 3)
    layers = tuple(LAYERS[net])
    D = classifier_features(net, layers, weights=trunk(net))
    theirs = outputs(net, seeded(net), x)
    for layer, ours in zip(layers, D.embedding(D.params, jnp.asarray(x)), strict=True):
        assert_close(ours, theirs[LAYERS[net][layer]][0].permute(1, 2, 0).numpy())


def test_a_squeeze_layer_inside_of_a_fire_module_equals_torch(rng):
    x = photo(rng, 40, 40, 3)
    weights = seeded("squeeze")
    before = outputs("squeeze", weights, x)[6][0].permute(1, 2, 0).numpy()
    kernel = weights["features.7.squeeze.weight"][:, :, 0, 0].T
    D = classifier_features("squeeze", "fire5.squeeze.preactivation", weights=trunk("squeeze"))
    assert_close(D.embed(x), (before @ kernel + weights["features.7.squeeze.bias"]).ravel())


def test_the_distance_is_the_sum_of_squares_of_its_layers(rng):
    x, y = photo(rng, 2, 40, 40, 3)
    one, two, both = (
        float(classifier_features("alex", layers)(x, y)) for layers in ("relu2", ["relu5"], ["relu2", "relu5"])
    )
    assert both == pytest.approx(one + two, rel=1e-5)
    D = classifier_features("alex", ["relu2", "relu5"])
    assert both == pytest.approx(float(((D.embed(x) - D.embed(y)) ** 2).sum()), rel=1e-5)
    assert D.name == "alex-relu2-relu5"


def test_digits_equal_the_network_that_ships(rng):
    x, y = photo(rng, 2, 32, 32, 1)
    network = gg.load("digits-classifier")
    for layer in ("conv3", "dense1", "logits"):
        expected = float(((network.at(layer)(x) - network.at(layer)(y)) ** 2).sum())
        assert float(classifier_features("digits", layer)(x, y)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("net", NETWORKS)
def test_every_activation_of_a_network_is_offered(net):
    digits = net == "digits"
    module, shape = NETWORKS[net], (32, 32, 1) if digits else (40, 40, 3)
    example = jax.ShapeDtypeStruct(shape, jnp.float32)
    params = jax.eval_shape(module.init, jax.random.key(0), example)["params"]
    weights = {"classifier" if digits else "trunk": jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), params)}
    names = FlaxFunction(module).layers(params, example)
    assert len(names) == {"alex": 10, "vgg": 26, "vgg19": 32, "squeeze": 34, "digits": 9}[net]
    D = classifier_features(net, names, weights=weights)
    assert len(jax.eval_shape(D.embedding, D.params, example)) == len(names)


# --- Units ---


def test_a_channel_and_a_unit_are_parts_of_the_layer(rng):
    x, y = photo(rng, 2, 48, 40, 3)
    whole = classifier_features("alex", "relu2.preactivation")
    difference = np.asarray(whole.embed(x) - whole.embed(y)).reshape(5, 4, 192)
    channel = classifier_features("alex", "relu2.preactivation", unit=7)
    one = classifier_features("alex", "relu2.preactivation", unit=(2, 3, 7))
    assert float(channel(x, y)) == pytest.approx((difference[..., 7] ** 2).sum(), rel=1e-4)
    assert float(one(x, y)) == pytest.approx(difference[2, 3, 7] ** 2, rel=1e-4)
    assert (channel.embed(x).shape, one.embed(x).shape) == ((20,), (1,))
    assert one.name == "alex-relu2.preactivation-2-3-7"


def test_the_activation_of_a_unit_is_an_objective(rng):
    x = photo(rng, 48, 40, 3)
    layer = np.asarray(classifier_features("alex", "relu2.preactivation").embed(x)).reshape(5, 4, 192)
    for unit, expected in ((7, layer[..., 7].mean()), ((0, 3, 7), layer[0, 3, 7])):
        fn, params = activation("alex", "relu2.preactivation", unit)
        assert float(fn(params, x)) == pytest.approx(float(expected), rel=1e-4)
    slope, tangent = jax.grad(fn, argnums=1)(params, x), jax.jvp(lambda a: fn(params, a), (x,), (x,))[1]
    assert float(np.vdot(slope, x)) == pytest.approx(float(tangent), rel=1e-4)
    assert np.abs(slope).sum(-1)[34:].sum() == 0  # below the receptive field
    stepped = float(fn(params, x + 1e-3 * np.asarray(slope)))
    assert stepped > float(fn(params, x))


def test_an_objective_takes_the_range_and_the_size_of_its_images(rng):
    x = photo(rng, 28, 28, 1)
    fn, params = activation("digits", "logits", 3, resize=32)
    other_fn, other = activation("digits", "logits", 3, resize=32, input_range=(0, 255))
    assert fn is other_fn
    assert float(fn(params, x)) == pytest.approx(float(fn(other, (x + 1) * 127.5)), rel=1e-4)
    batched = jax.jit(jax.vmap(fn, (None, 0)))(params, jnp.stack([x, -x]))
    assert float(batched[1]) == pytest.approx(float(fn(params, -x)), rel=1e-4)


# --- Geometry ---


def value(D, x, y):
    """A distance as a function of its weights too: they are arguments of compiled programs, not constants."""
    return D(x, y)


VARIANTS = {
    "digits": lambda: classifier_features("digits", ("conv2", "dense1"), resize=32),
    "digits, a unit": lambda: classifier_features("digits", "dense1.preactivation", unit=3, resize=32),
    "alex": lambda: classifier_features("alex", ("relu1", "relu3"), resize=31),
    "squeeze, a channel": lambda: classifier_features("squeeze", "fire3", unit=5, resize=18, weights=trunk("squeeze")),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_metric_is_half_the_hessian_in_float64(float64, name):
    D, G = in_float64(VARIANTS[name]()), in_float64(smooth_digits())
    z = jnp.asarray([0.3, -1.0, 0.5, 0.8])
    assert largest_difference(gg.metric_tensor(G, D, z), half_hessian(G, D, z)) < 1e-6


@pytest.mark.parametrize("name", ["digits", "alex"])
def test_derivatives_are_finite_on_constant_images_and_agree(rng, name):
    D = VARIANTS[name]()
    images = jnp.ones((3, 16, 16, 1)) * jnp.asarray([-1.0, 0.0, 1.0])[:, None, None, None]
    other = jnp.asarray(photo(rng, 16, 16, 1))
    slopes = jax.jit(jax.vmap(jax.grad(value, 1), (None, 0, None)))(D, images, other)
    forward = jax.jit(jax.vmap(lambda D, x, y: jax.jvp(lambda x: D(x, y), (x,), (y,)), (None, 0, None)))
    values, tangents = forward(D, images, other)
    np.testing.assert_allclose(tangents, jnp.sum(slopes * other, (1, 2, 3)), rtol=1e-3)
    assert float(D(images[1], other)) == pytest.approx(float(values[1]), rel=1e-4)


# --- Bad input ---


@pytest.mark.parametrize(
    ("net", "layers", "options", "says"),
    [
        ("resnet", "relu1", {}, "net='resnet' is not known"),
        ("vgg", "relu3_4", {}, r"layer='relu3_4' is not known\. Did you mean 'relu3_3'"),
        ("alex", [], {}, "one or more different activations"),
        ("alex", ["relu1", "relu1"], {}, "one or more different activations"),
        ("alex", ["relu1", "relu2"], {"unit": 3}, "one layer with a unit"),
        (
            "alex",
            "relu1",
            {"unit": 64},
            r"unit is 64; expected a channel 0 to 63, or \(row, column, channel\) of 'relu1'",
        ),
        ("alex", "relu1", {"unit": -1}, "unit is -1"),
        ("alex", "relu1", {"unit": (3, 4)}, r"unit is \(3, 4\)"),
        ("alex", "relu1", {"unit": 2.0}, r"unit is 2\.0"),
        ("digits", "dense1", {"unit": (0, 0, 3)}, "expected a channel 0 to 127 of 'dense1'"),
        ("digits", "dense1", {"resize": 64}, r"resize is 64; expected 32 for classifier_features\('digits'\)"),
        ("digits", "dense1", {"weights": {"trunk": {}}}, r"weights is \['trunk'\]; expected a folder"),
        ("alex", "relu1", {"input_range": (1, 1)}, "low < high"),
    ],
)
def test_bad_options(net, layers, options, says):
    with pytest.raises(ValueError, match=says):
        classifier_features(net, layers, **options)


def test_bad_samples():
    digits = classifier_features("digits", "dense1")
    for shape, says in (((28, 28, 1), r"28 x 28 pixels; expected 32 a side.*resize=32"), ((32, 32, 3), r"\(H, W, 1\)")):
        with pytest.raises(ValueError, match=says):
            digits.embed(np.zeros(shape, np.float32))
    fn, params = activation("alex", "relu5", (3, 0, 7))
    with pytest.raises(ValueError, match=r"unit \(3, 0, 7\) is outside of 'relu5', which has shape \(3, 4, 256\)"):
        fn(params, np.zeros((64, 80, 3), np.float32))
    with pytest.raises(ValueError, match="expected about -1 to 1"):
        fn(params, np.full((80, 80, 3), 255, np.float32))


def test_a_folder_of_another_model_is_refused(tmp_path):
    from geomgan.models.folder import write_model

    write_model(tmp_path / "dcgan", {"family": "dcgan-tutorial"}, {"generator": {"a": np.ones(2)}})
    with pytest.raises(CheckpointError, match="holds 'dcgan-tutorial'; expected 'digit-classifier'"):
        classifier_features("digits", "dense1", weights=tmp_path / "dcgan")
    with pytest.raises(CheckpointError, match="expected one of 'torchvision-alexnet'"):
        classifier_features("alex", "relu1", weights=tmp_path / "dcgan")
