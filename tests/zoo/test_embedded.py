"""The models that ship with the package are what their cards say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.models.card import EMBEDDED
from geomgan.training.data import load_mnist
from tests.fixtures import ASSETS, needs_assets


def test_samples_are_digits():
    G, classifier = gg.load("digits-dcgan"), gg.load("digits-classifier")
    judge = jax.jit(jax.vmap(lambda z: jax.nn.softmax(classifier(G(z)))))
    p = np.concatenate([judge(z) for z in G.sample_latent(jax.random.key(2026), 2000).reshape(8, 250, 64)])
    assert (p.max(axis=1) > 0.9).mean() >= 0.85
    shares = np.bincount(p.argmax(axis=1), minlength=10) / 2000
    assert shares.min() >= 0.04
    figures = gg.zoo.card("digits-dcgan")["figures"]
    assert (p.max(axis=1) > 0.9).mean() == pytest.approx(figures["confident_share"], abs=0.025)
    np.testing.assert_allclose(shares, figures["digit_shares"], atol=0.03)


@needs_assets
def test_the_classifier_knows_digits():
    data = load_mnist(ASSETS / "mnist")
    classifier = gg.load("digits-classifier")
    logits = jax.jit(jax.vmap(classifier))(jnp.asarray(data.test_images))
    accuracy = float((np.asarray(logits).argmax(axis=1) == data.test_labels).mean())
    assert accuracy >= 0.985
    assert accuracy == pytest.approx(gg.zoo.card("digits-classifier")["figures"]["test_accuracy"], abs=1e-4)


def test_they_are_small():
    sizes = [p.stat().st_size for p in EMBEDDED.rglob("*") if p.is_file()]
    assert 2e6 < sum(sizes) < 4e6
