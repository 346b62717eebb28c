"""Samples and reverse passes of a generator that does not train."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.backend import backend
from geomgan.generators.frozen import freeze, samples, samples_and_pull
from geomgan.generators.prepared import any_prepared
from geomgan.generators.sngan import SNGAN
from geomgan.generators.winograd import PLAIN_3, UPSAMPLED_3, combined_taps, pulled_taps, pulled_winograd, winograd
from tests.fixtures import random_params
from tests.small_models import largest_difference, small_dcgan

N = 16


@pytest.fixture(scope="module")
def wide():
    """An SNGAN whose kernels are wide enough to be prepared."""
    module = SNGAN(features=(96, 96), channels=1)
    return gg.Generator.from_module(module, random_params(module, (8,), seed=0, scale=0.1), 8, name="wide")


@pytest.mark.parametrize("together", [2, N])
def test_equals_the_generator_and_its_derivative(wide, together):
    F = replace(freeze(wide, N), together=together)
    assert any_prepared(F.generator) == (backend().fast_tangents is not None)
    codes, cotangents = (jax.random.normal(key, (N, 8)) for key in jax.random.split(jax.random.key(0)))
    expected, pull = jax.vjp(jax.vmap(wide), codes)
    cotangents = jax.random.normal(jax.random.key(1), expected.shape)
    images, pulled = samples_and_pull(F, codes)
    assert largest_difference(images, expected) < 1e-5
    assert largest_difference(samples(F, codes), expected) < 1e-5
    assert largest_difference(pulled(cotangents), pull(cotangents)[0]) < 1e-5


def test_narrow_generators_are_as_they_are():
    G = small_dcgan()
    F = freeze(G, 6)
    assert not any_prepared(F.generator)
    codes = jax.random.normal(jax.random.key(0), (6, 8))
    np.testing.assert_allclose(samples(F, codes), jax.vmap(G)(codes), rtol=0, atol=1e-6)


@pytest.mark.parametrize("scheme", [PLAIN_3, UPSAMPLED_3], ids=lambda scheme: scheme.name)
def test_reverse_passes_are_the_transpose(scheme, rng):
    """``⟨y, W x⟩ = ⟨Wᵀ y, x⟩``, on a map of odd sides."""
    kernel, x = (jnp.asarray(rng.standard_normal(shape), jnp.float32) for shape in ((3, 3, 5, 4), (5, 3, 5)))

    @jax.jit
    def both(kernel, x, dy):
        y = winograd(scheme, x, combined_taps(scheme, kernel))
        return y, pulled_winograd(scheme, dy, pulled_taps(scheme, kernel))

    dy = jnp.asarray(rng.standard_normal((5, 3, 4) if scheme is PLAIN_3 else (10, 6, 4)), jnp.float32)
    y, dx = both(kernel, x, dy)
    assert float(jnp.vdot(dy, y)) == pytest.approx(float(jnp.vdot(dx, x)), rel=1e-4)


def test_a_reverse_pass_keeps_of_its_codes_what_is_theirs_alone(wide):
    """Of every ReLU one byte a value, no kernels, and no zeros."""
    from geomgan.generators.frozen import _linearised

    F = freeze(wide, N)
    _, back = _linearised(F.generator, jnp.ones((2, 8)))
    values = 2 * 96 * (4 * 4 + 2 * 8 * 8)  # before the two convolutions of the block, and at the end
    assert sum(residual.nbytes for residual in back.residuals) == pytest.approx(values, rel=0.1)
