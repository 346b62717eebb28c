"""Convolutions of many tangents with fewer multiplications: the same numbers as the definition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from geomgan.generators.convolutions import upsample
from geomgan.generators.cost import count_flops
from geomgan.generators.winograd import SCHEMES, combined_taps, winograd

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
