"""Small generators that the tests share."""

import jax
import jax.numpy as jnp
import numpy as np

import geomgan as gg
from geomgan.generators.dcgan import DCGAN
from tests.fixtures import random_params


def small_dcgan(latent_dim=8, features=(16, 8), channels=3, seed=0, scale=0.1):
    """A DCGAN with random weights."""
    module = DCGAN(features, channels)
    params = random_params(module, (latent_dim,), seed=seed, scale=scale)
    return gg.Generator.from_module(module, params, latent_dim, name="small-dcgan")


def matrix_times_code(A, z):
    return A @ z


def linear_generator(A):
    """``G(z) = A z``, whose metric under the Euclidean distance is ``AᵀA`` everywhere."""
    A = jnp.asarray(A)
    return gg.Generator.from_function(matrix_times_code, A, A.shape[1], output_range=None, name="linear")


def smooth_network(params, z):
    first, second = params
    return jnp.tanh(second @ jnp.tanh(first @ z)).reshape(16, 16, 3)


def smooth_generator(latent_dim=6, hidden=24, seed=0):
    """A generator without kinks: two dense layers with tanh, an image of 16 pixels."""
    rng = np.random.default_rng(seed)
    first = rng.standard_normal((hidden, latent_dim)) / latent_dim**0.5
    second = rng.standard_normal((768, hidden)) / hidden**0.5
    params = (jnp.asarray(first, jnp.float32), jnp.asarray(second, jnp.float32))
    return gg.Generator.from_function(smooth_network, params, latent_dim, name="smooth")


def largest_difference(a, b):
    """Largest difference relative to the largest magnitude of ``b``."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return float(np.abs(a - b).max() / np.abs(b).max())


def same_field(a, b):
    """Whether two metric fields agree bit for bit (NaN with NaN)."""
    names = ("codes", "tensors", "values", "vectors", "residuals", "noise_floor", "status")
    present = [name for name in names if getattr(a, name) is not None or getattr(b, name) is not None]
    return all(np.array_equal(getattr(a, name), getattr(b, name), equal_nan=True) for name in present)


def in_float64(tree):
    """A generator or distance with float64 weights (inside ``jax.enable_x64``)."""
    return jax.tree.map(lambda x: x.astype(jnp.float64) if jnp.issubdtype(x.dtype, jnp.floating) else x, tree)
