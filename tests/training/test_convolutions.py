import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geomgan.generators.layers import Conv, ConvTranspose
from geomgan.training.convolutions import convolution, transposed_convolution


@pytest.mark.parametrize(("kernel", "padding"), [(3, 0), (4, 0), (4, 1), (3, 1)])
@pytest.mark.parametrize("shape", [(5, 4), (2, 2)])
def test_the_transposed_convolution_of_a_batch_is_that_of_the_layer(rng, kernel, padding, shape):
    x = jnp.asarray(rng.normal(size=(3, *shape, 6)), jnp.float32)
    w = jnp.asarray(rng.normal(size=(kernel, kernel, 6, 5)), jnp.float32)
    layer = ConvTranspose(5, kernel, stride=2, padding=padding, bias=False)
    expected = jax.vmap(lambda x: layer.apply({"params": {"kernel": w}}, x))(x)
    np.testing.assert_allclose(transposed_convolution(x, w, padding), expected, atol=2e-5)


def test_the_transposed_convolution_of_one_pixel_is_a_projection(rng):
    x = jnp.asarray(rng.normal(size=(3, 1, 1, 6)), jnp.float32)
    w = jnp.asarray(rng.normal(size=(4, 4, 6, 5)), jnp.float32)
    layer = ConvTranspose(5, 4, bias=False)
    expected = jax.vmap(lambda x: layer.apply({"params": {"kernel": w}}, x))(x)
    np.testing.assert_allclose(transposed_convolution(x, w), expected, atol=1e-5)


@pytest.mark.parametrize("kernel", [3, 4])
def test_the_convolution_of_a_batch_is_that_of_the_layer(rng, kernel):
    x = jnp.asarray(rng.normal(size=(3, 13, 28, 2)), jnp.float32)
    w = jnp.asarray(rng.normal(size=(kernel, kernel, 2, 5)), jnp.float32)
    layer = Conv(5, kernel, stride=2, bias=False)
    expected = jax.vmap(lambda x: layer.apply({"params": {"kernel": w}}, x))(x)
    np.testing.assert_allclose(convolution(x, w), expected, atol=2e-5)
