"""The models that ship with the package are what their cards say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.generators.outputs import mean_sample
from geomgan.models.card import EMBEDDED
from geomgan.training.data import load_mnist
from geomgan.training.datasets import load_images
from geomgan.training.judge import judged
from geomgan.training.shapes_renderer import factors_of, render
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


def test_shapes_are_drawn_as_they_are_rendered():
    G, card = gg.load("shapes"), gg.zoo.card("shapes")
    T = np.asarray(card["factors"]["directions"]).T
    np.testing.assert_allclose(T.T @ T, np.eye(7), atol=1e-10)
    Q = np.linalg.qr(np.hstack([T, np.eye(10)]))[0]  # the last three columns do nothing
    Q[:, :7] = T
    z = G.sample_latent(jax.random.key(7), 500)
    images = np.asarray(jax.jit(jax.vmap(render))(factors_of(z, jnp.asarray(Q, jnp.float32))))
    error = np.square(np.asarray(jax.jit(jax.vmap(G))(z)) - images).mean()
    assert np.sqrt(error) == pytest.approx(card["figures"]["rms"], rel=0.05)
    assert 1 - error / images.var(axis=0).mean() == pytest.approx(card["figures"]["explained"], abs=0.005)
    assert card["figures"]["explained"] > 0.95
    moved = np.abs(np.asarray(jax.jit(jax.vmap(G))(z[0] + 2 * Q.T.astype(np.float32))) - G(z[0])).mean(axis=(1, 2, 3))
    assert moved[7:].max() < 0.2 * moved[:5].min()


@pytest.mark.parametrize(("name", "least"), [("digits-vae", 0.44), ("digits-bigan", 0.6)])
def test_samples_and_reconstructions_of_the_small_models(name, least):
    """What their cards say, with other codes."""
    G, figures = gg.load(name), gg.zoo.card(name)["figures"]
    images = jax.jit(jax.vmap(lambda z: mean_sample(G.function(G.params, z))))(G.sample_latent(jax.random.key(7), 1000))
    said = judged(images)
    assert said["confident_share"] >= least
    assert said["confident_share"] == pytest.approx(figures["confident_share"], abs=0.05)
    assert said["digit_entropy"] >= 0.94
    assert min(said["digit_shares"]) >= 0.03
    encoder = gg.load(name, part="encoder")
    code = mean_sample(encoder(images[0]))
    assert code.shape == (16,)
    assert G(code).shape == (28, 28, 1)


@needs_assets
@pytest.mark.parametrize("name", ["digits-vae", "digits-bigan"])
def test_encoders_bring_test_images_back_as_the_cards_say(name):
    figures = gg.zoo.card(name)["figures"]
    G, encoder = gg.load(name), gg.load(name, part="encoder")
    x = load_images(ASSETS / "mnist").test_images[::20].astype(np.float32) / 127.5 - 1
    again = lambda x: mean_sample(G.function(G.params, mean_sample(encoder.function(encoder.params, x))))
    back = np.asarray(jax.jit(jax.vmap(again))(x))
    assert np.mean((back - x) ** 2) == pytest.approx(figures["reconstruction_mse"], rel=0.05)


def test_they_are_small():
    sizes = [p.stat().st_size for p in EMBEDDED.rglob("*") if p.is_file()]
    assert 2e6 < sum(sizes) < 5e6
    for name in ("digits-vae", "digits-bigan"):
        assert sum(p.stat().st_size for p in (EMBEDDED / name).rglob("*") if p.is_file()) < 1e6
