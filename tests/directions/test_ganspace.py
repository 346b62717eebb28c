"""GANSpace against numpy's SVD, a transcription of the published regression, and generators with known answers."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.directions import activation_components, ganspace, regressed
from geomgan.directions import components as of_rows
from geomgan.directions.components import Rows, principal_components
from geomgan.directions.ganspace import first_bent
from geomgan.errors import OptionError
from geomgan.generators import tap
from tests.generators.test_style_spaces import WIDTH, loaded
from tests.small_models import linear_generator, small_dcgan

KEY = jax.random.key(3)


class Linear(nn.Module):
    """``A z``, named."""

    size: int

    @nn.compact
    def __call__(self, z):
        return tap(self, "image", z @ self.param("kernel", nn.initializers.zeros, (len(z), self.size)))


def planted(rng, n=500, dim=60):
    """Rows far from the origin, of known spectrum."""
    return (rng.standard_normal((n, dim)) * 0.8 ** np.arange(dim) + 30).astype(np.float32)


def svd(rows):
    rows = np.asarray(rows, np.float64)
    _, singular, right = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    return singular / np.sqrt(len(rows)), right.T


@pytest.mark.parametrize("dense", [True, False])
def test_components_are_those_of_numpys_svd(rng, monkeypatch, dense):
    monkeypatch.setattr(of_rows, "DENSE", 1024 if dense else 8)
    rows = planted(rng)
    found = principal_components(Rows(jnp.asarray, rows, 64), 6, KEY)
    stdevs, vectors = svd(rows)
    np.testing.assert_allclose(found.mean, rows.mean(axis=0, dtype=np.float64), rtol=1e-7)
    np.testing.assert_allclose(found.stdevs, stdevs[:6], rtol=1e-4)
    np.testing.assert_allclose(np.abs(found.vectors.T @ vectors[:, :6]), np.eye(6), atol=2e-4)
    np.testing.assert_allclose(found.ratios, (stdevs**2 / (stdevs**2).sum())[:6], rtol=1e-4)
    assert found.residuals.max() < 1e-5
    random = np.array(jax.random.normal(KEY, (60, 6)), np.float64)
    random /= np.linalg.norm(random, axis=0)
    np.testing.assert_allclose(found.random, np.std(rows.astype(np.float64) @ random, axis=0), rtol=1e-4)


def test_the_batch_is_the_order_of_a_sum(rng):
    rows = planted(rng, n=201)  # the last batch is never full
    one, other = (principal_components(Rows(jnp.asarray, rows, batch), 5, KEY) for batch in (201, 32))
    np.testing.assert_allclose(one.stdevs, other.stdevs, rtol=1e-5)
    np.testing.assert_allclose(one.vectors, other.vectors, atol=1e-4)


def test_rows_that_do_not_fit_into_memory_are_made_again(rng, monkeypatch):
    rows, calls = planted(rng), []

    def make(batch):
        calls.append(len(batch))
        return jnp.asarray(batch)

    kept = principal_components(Rows(make, rows, 100), 3, KEY)
    assert len(calls) == 5
    monkeypatch.setattr(of_rows, "memory_budget", lambda: 0)
    again = principal_components(Rows(make, rows, 100), 3, KEY)
    assert len(calls) == 5 + 5 * 3  # the moments, the matrix, the random directions
    np.testing.assert_array_equal(kept.vectors, again.vectors)


def test_regression_is_the_published_one(rng):
    z = rng.standard_normal((400, 5)) + 2
    a = np.stack([z @ [1, 2, 0, 0, 0.5], z[:, 2] ** 2, rng.standard_normal(400)], axis=1)
    a = (a - a.mean(axis=0)) / a.std(axis=0)
    vectors, explained = regressed(a, z)
    M = np.linalg.lstsq(a, z, rcond=None)[0]  # as published: of codes that are not centred
    np.testing.assert_allclose(vectors, (M / np.linalg.norm(M, axis=1, keepdims=True)).T, atol=1e-10)
    assert explained[0] == pytest.approx(1)
    assert explained[2] == pytest.approx(0, abs=0.03)
    r2 = 1 - np.linalg.lstsq(np.c_[z, np.ones(400)], a, rcond=None)[1] / 400
    np.testing.assert_allclose(explained, np.maximum(1 - (1 - r2) * 399 / 394, 0), atol=1e-10)


def test_of_a_linear_generator_they_are_right_singular_vectors(rng):
    A = (rng.standard_normal((40, 4)) * [4, 3, 2, 1]).astype(np.float32)
    G = gg.Generator.from_module(Linear(40), {"kernel": A.T}, 4)
    found = ganspace(G, KEY, k=3, samples=4000)
    _, singular, right = np.linalg.svd(A)
    np.testing.assert_allclose(np.abs(found.vectors.T @ right[:3].T), np.eye(3), atol=0.1)  # sampling
    np.testing.assert_allclose(found.scores["act_stdev"], singular[:3], rtol=0.05)
    np.testing.assert_allclose(found.scores["explained"], 1, atol=1e-5)
    np.testing.assert_allclose(found.scales, 1, atol=0.05)
    assert found.settings == {"layer": "image", "samples": 4000}


def test_batches_change_nothing_of_what_is_found():
    G = small_dcgan()
    one, other = (ganspace(G, KEY, layer="block1", k=2, samples=96, batch=batch) for batch in (32, 96))
    np.testing.assert_allclose(one.vectors, other.vectors, atol=1e-3)
    assert 0 < one.scores["explained"].min() <= one.scores["explained"].max() <= 1
    assert one.scores["act_stdev"][0] > one.scores["random_stdev"].max()


@pytest.mark.parametrize("space", ["w", "w+"])
def test_codes_of_w_are_analysed_themselves(space):
    G = loaded(space)
    found = ganspace(G, KEY, k=3, samples=300)
    codes = np.asarray(G.sample_latent(jax.random.split(KEY)[0], 300), np.float64)[:, :WIDTH]
    stdevs, vectors = svd(codes)
    assert found.space == "w"
    np.testing.assert_allclose(found.scales, stdevs[:3], rtol=1e-3)
    np.testing.assert_allclose(np.abs(found.vectors.T @ vectors[:, :3]), np.eye(3), atol=1e-2)
    np.testing.assert_allclose(found.origin, codes.mean(axis=0), rtol=1e-5)


def test_the_layer_is_the_first_that_bends():
    assert first_bent(small_dcgan()) == "block1"
    assert ganspace(small_dcgan(), KEY, k=2, samples=64).settings["layer"] == "block1"


def test_z_of_a_style_network_is_regressed_from_w():
    found = ganspace(loaded("z"), KEY, k=2, samples=200)
    assert (found.settings["layer"], found.space) == ("w_plus", "z")


def test_refuses_what_cannot_be():
    G = small_dcgan()
    with pytest.raises(ValueError, match="k is 9; expected an integer from 1 to 8: there are 9 samples"):
        ganspace(G, KEY, k=9, samples=9)
    with pytest.raises(ValueError, match="8 samples are too few for codes of 8 dimensions"):
        ganspace(G, KEY, k=2, samples=8)
    with pytest.raises(ValueError, match="k is 9, but activations vary along 8 dimensions only"):
        ganspace(G, KEY, layer="block1.preactivation", k=9, samples=40)
    with pytest.raises(ValueError, match="5 codes have the same activations"):
        principal_components(Rows(jnp.asarray, np.ones((5, 3), np.float32), 5), 1, KEY)
    with pytest.raises(OptionError, match="names no activations"):
        activation_components(linear_generator(np.eye(3, dtype=np.float32)), KEY)
