"""Convolutions of many tangents with fewer multiplications: the same numbers as the definition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import geomgan as gg
from geomgan.generators.cost import count_flops
from geomgan.generators.dcgan import DCGAN
from geomgan.generators.layers import convolve, transposed_convolve, upsample, upsample_convolve
from geomgan.generators.winograd import PLAIN_3, TRANSPOSED_4, UPSAMPLED_3, combined_taps, expecting, prepare, winograd
from geomgan.metric import linear

LAYERS = {
    "plain_3": lambda x, kernel: convolve(x, kernel, padding=1),
    "upsampled_3": lambda x, kernel: upsample_convolve(x, kernel, 2),
    "transposed_4": lambda x, kernel: transposed_convolve(x, kernel, 2, 1),
}
SCHEMES = {scheme.name: scheme for scheme in (PLAIN_3, UPSAMPLED_3, TRANSPOSED_4)}
SAVED = {"plain_3": 16 / 36, "upsampled_3": 9 / 36, "transposed_4": 36 / 64}


def definition(name, x, kernel):
    """By XLA's convolution alone: of ``x``, of ``x`` repeated, or of ``x`` with zeros between its pixels."""
    axes = x.ndim - 1
    border = 2 if name == "transposed_4" else 1
    spatial = "HW"[2 - axes :]
    return lax.conv_general_dilated(
        (upsample(x, 2) if name == "upsampled_3" else x)[None],
        kernel,
        (1,) * axes,
        [(border, border)] * axes,
        lhs_dilation=(2 if name == "transposed_4" else 1,) * axes,
        dimension_numbers=(f"N{spatial}C", f"{spatial}IO", f"N{spatial}C"),
    )[0]


def layer(rng, name, shape, channels=(6, 5), dtype=np.float32):
    size = len(SCHEMES[name].taps[0])
    x = rng.standard_normal((*shape, channels[0])).astype(dtype)
    return x, rng.standard_normal((*(size,) * len(shape), *channels)).astype(dtype)


@pytest.mark.parametrize("shape", [(8, 8), (7, 5), (4, 1), (1, 1), (9,), (6,)])
@pytest.mark.parametrize("name", SCHEMES)
def test_a_scheme_is_the_convolution(name, shape, rng):
    with jax.enable_x64(True):
        x, kernel = map(jnp.asarray, layer(rng, name, shape, dtype=np.float64))
        expected = definition(name, x, kernel)
        got = winograd(SCHEMES[name], x, combined_taps(SCHEMES[name], kernel))
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("name", SCHEMES)
def test_rounding_grows_by_three_bits_at_most(name, rng):
    x, kernel = layer(rng, name, (16, 16), (128, 128))
    with jax.enable_x64(True):
        exact = np.asarray(definition(name, jnp.asarray(x, jnp.float64), jnp.asarray(kernel, jnp.float64)))
    error = lambda y: np.sqrt(np.mean((np.asarray(y, np.float64) - exact) ** 2) / np.mean(exact**2))
    fast = winograd(SCHEMES[name], x, combined_taps(SCHEMES[name], kernel))
    assert error(fast) < min(8 * error(definition(name, x, kernel)), 2e-6)


@pytest.mark.parametrize("name", SCHEMES)
def test_multiplications_are_saved(name, rng):
    x, kernel = layer(rng, name, (16, 16), (128, 128))
    products = count_flops(lambda x: winograd(SCHEMES[name], x, combined_taps(SCHEMES[name], kernel)), x)
    plain = count_flops(lambda x: definition(name, x, kernel), x)
    assert products == pytest.approx(SAVED[name] * plain)


@pytest.mark.parametrize("name", SCHEMES)
def test_only_tangents_of_samples_take_it(name, rng):
    """Samples bit for bit as before; tangents of kernels, and of both together, as the definition has them."""
    x, kernel = layer(rng, name, (6, 6), (128, 96))
    dx, dkernel = layer(rng, name, (6, 6), (128, 96))
    plain = LAYERS[name]

    def fast(x, kernel):
        with expecting(16):
            return plain(x, kernel)

    np.testing.assert_array_equal(jax.jit(fast)(x, kernel), jax.jit(plain)(x, kernel))
    names = lambda f, x, dx: {e.primitive.name for e in jax.make_jaxpr(jax.linearize(f, x)[1])(dx).eqns}
    assert "conv_general_dilated" not in names(lambda x: fast(x, kernel), x, dx)
    assert "conv_general_dilated" in names(lambda x: plain(x, kernel), x, dx)
    for tangents in ((dx, np.zeros_like(kernel)), (np.zeros_like(x), dkernel), (dx, dkernel)):
        expected = jax.jvp(plain, (x, kernel), tangents)[1]
        got = jax.jvp(fast, (x, kernel), tangents)[1]
        np.testing.assert_allclose(got, expected, rtol=0, atol=3e-6 * np.abs(expected).max())
    (y, back), (_, fast_back) = jax.vjp(plain, x, kernel), jax.vjp(fast, x, kernel)
    for got, expected in zip(fast_back(y), back(y), strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=3e-6 * np.abs(expected).max())


@pytest.mark.parametrize(("tangents", "channels"), [(15, (128, 128)), (1, (512, 512)), (100, (16, 16))])
@pytest.mark.parametrize("name", SCHEMES)
def test_few_tangents_and_narrow_layers_stay_with_the_definition(name, tangents, channels, rng):
    x, kernel = layer(rng, name, (4, 4), channels)

    def asked(x):
        with expecting(tangents):
            return LAYERS[name](x, kernel)

    assert "custom_jvp_call" not in {e.primitive.name for e in jax.make_jaxpr(asked)(x).eqns}


@pytest.fixture(scope="module")
def wide():
    """A DCGAN of 32 pixels whose two wide blocks take a scheme, the output does not."""
    module = DCGAN(features=(256, 128, 96))
    params = jax.jit(module.init)(jax.random.key(3), jnp.zeros(24))["params"]
    return gg.Generator.from_module(module, params, 24)


def test_metric_of_a_wide_generator(wide):
    z = wide.sample_latent(jax.random.key(1), 3)
    mse = gg.distances.mse()
    field = gg.metric_field(wide, mse, z, progress=False)
    for i, code in enumerate(z):
        plain = gg.metric_operator(wide, mse, code).to_dense()  # may be used for one product: not prepared
        for g in (gg.metric_tensor(wide, mse, code), field.tensors[i]):
            np.testing.assert_allclose(g, plain, rtol=0, atol=1e-5 * np.abs(plain).max())


def test_kernels_of_a_field_are_prepared_once(wide):
    mse = gg.distances.mse()
    kernels = linear.prepared_kernels(wide, mse, "pushforward", 24)
    leaves = jax.tree.leaves((wide, mse))
    assert sorted(leaves[i].shape for i, _ in kernels) == [(4, 4, 128, 96), (4, 4, 256, 128)]
    for (i, name), combinations in kernels.items():
        assert len(combinations) == len(SCHEMES[name].taps) ** 2
        own = combined_taps(SCHEMES[name], leaves[i])
        for key, combination in combinations.items():
            np.testing.assert_allclose(combination, own[key], rtol=1e-6, atol=1e-6)
    assert linear.prepared_kernels(wide, mse, "pushforward", 15) == {}
    assert linear.prepared_kernels(wide, mse, "product", 24) is None

    def push(z, kernels):
        return linear.linear_map(wide, mse, z, "pushforward", "highest", 24, tangents=24, kernels=kernels)

    z = wide.sample_latent(jax.random.key(1), 1)[0]
    doubled = jax.tree.map(lambda k: 2 * k, kernels)  # the result shows where kernels come from
    once, twice = (np.asarray(push(z, k)(z)[0]) for k in (kernels, doubled))
    np.testing.assert_allclose(twice, 4 * once, rtol=0, atol=1e-5 * np.abs(once).max())


def test_kernels_that_are_no_leaf_are_prepared_where_they_are_used(rng):
    """For example those of an ensemble's members, or of a network that scales its weights."""
    x, kernel = layer(rng, "plain_3", (6, 6), (96, 96))

    def scaled(x, scale):
        with expecting(16, kernel) as keys:
            y = LAYERS["plain_3"](x, scale * kernel)
        assert keys == {}
        return y

    expected = 2 * definition("plain_3", x, kernel)
    got = jax.jvp(lambda x: scaled(x, 2.0), (x,), (x,))[1]
    np.testing.assert_allclose(got, expected, rtol=0, atol=3e-6 * np.abs(expected).max())
    assert prepare(kernel, ()) == {}
