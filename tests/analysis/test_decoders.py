"""The geometry of a decoder around encoded images, of a linear decoder in closed form."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.analysis import decoder_geometry
from geomgan.analysis import decoders as room
from geomgan.generators.latent_maps import EnterMap
from geomgan.generators.spaces import InSpace

C, SIDE, UNIT = 4, 4, 2
WEIGHTS = np.array([[1.0, 0, 0], [0, 2, 0], [0, 0, 3], [0.5, 0.5, 0]], np.float32)


def upsampled(weights, x):
    return jnp.repeat(jnp.repeat(x @ weights, UNIT, 0), UNIT, 1)


@pytest.fixture(scope="module")
def linear():
    """A decoder whose pixels are channels times a matrix; its metric is known."""
    enter = EnterMap((C, SIDE, SIDE), UNIT, "latent")
    function = InSpace(upsampled, enter)
    weights = {"network": WEIGHTS, "context": {}}
    return gg.Generator.in_space(function, weights, C * SIDE * SIDE, name="linear")


def geometry(G, images=2, **more):
    codes = np.asarray(G.sample_latent(jax.random.key(0), images))
    decoded = np.asarray(jax.vmap(G)(codes))
    return decoder_geometry(G, gg.distances.mse(), codes, decoded + 0.02, key=jax.random.key(1), **more)


def test_a_linear_decoder(linear):
    found = geometry(linear)
    pixels = (SIDE * UNIT) ** 2 * 3
    values = np.linalg.eigvalsh(WEIGHTS @ WEIGHTS.T)[::-1] * UNIT**2 / pixels
    np.testing.assert_allclose(found.values[0], np.repeat(values, SIDE**2), atol=1e-6)
    np.testing.assert_allclose(found.trace, 14.5 * UNIT**2 * SIDE**2 / pixels, rtol=1e-5)
    np.testing.assert_allclose(found.channels, np.tile(np.array([1, 4, 9, 0.5]) / 14.5, (2, 1)), atol=1e-5)
    assert found.axes == ("1", "8", "64", "random")  # of which the 64th has no eigenvalue: there are three colours
    assert np.isnan(found.holding[:, 2]).all()
    np.testing.assert_allclose(found.holding[:, [0, 1, 3]], 1, atol=1e-3)  # linear: the quadratic is the distance
    np.testing.assert_allclose(found.trusted[:, [0, 1, 3]], room.STEPS[-1])
    np.testing.assert_allclose(found.psnr, 20 * np.log10(2 / 0.02), rtol=1e-3)
    np.testing.assert_allclose(found.measured / found.predicted, 1, atol=0.35)  # a mean of few draws
    errors = 4 / 10 ** (found.noise_psnr / 10)
    np.testing.assert_allclose(errors, found.measured, rtol=1e-3)
    np.testing.assert_allclose(found.prior_trace, found.trace[0], rtol=0.4)  # by random signs
    assert found.complete


def test_large_codes_have_their_first_pairs(linear, monkeypatch):
    monkeypatch.setattr(room, "DENSE", 8)
    found = geometry(linear, images=1, top=5)
    whole = 14.5 * UNIT**2 * SIDE**2 / ((SIDE * UNIT) ** 2 * 3)
    assert found.values.shape == (1, 5)
    assert found.residuals.max() < 1e-5
    assert found.axes == ("1", "random")
    np.testing.assert_allclose(found.trace, whole, rtol=0.4)
    assert np.isnan(found.dimensions).all()


def test_bad_input(linear):
    codes = np.zeros((2, linear.latent_dim), np.float32)
    with pytest.raises(ValueError, match=r"images have shape \(1, 8, 8, 3\); expected \(2, 8, 8, 3\)"):
        decoder_geometry(linear, gg.distances.mse(), codes, np.zeros((1, 8, 8, 3)), key=jax.random.key(0))
    plain = replace(linear, function=lambda params, z: params["network"] * z.sum(), params=linear.params)
    with pytest.raises(ValueError, match=r"no maps \(C, h, w\)"):
        decoder_geometry(plain, gg.distances.mse(), codes, codes, key=jax.random.key(0))
