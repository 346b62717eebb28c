"""Tens of steps of the VAE and the BiGAN, and the fit of the precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geomgan.generators import generative_latent_space as gls
from geomgan.training import bigan, rbf, vae
from geomgan.training import digit_networks as nets
from geomgan.training.batch_norm import population_statistics

VAE = vae.VaeOptions(latent_dim=3, epochs=2.25, batch=8, samples=2, variance=0.7, precision_epochs=1)  # 9 and 4 steps
BIGAN = bigan.BiganOptions(latent_dim=3, epochs=1, batch=8, average=0.5)


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    bars = np.zeros((32, 28, 28, 1), np.uint8)
    for image in bars:
        at = rng.integers(4, 20)
        image[at : at + 5, 4:24] = rng.integers(180, 256)
    return bars


def same(a, b):
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_array_equal(x, y)


class Killed(BaseException):
    pass


def killed_at(monkeypatch, module, name, step):
    """Let the training's step function raise when it would begin ``step``."""
    plain = getattr(module, name)

    def dies(state, *rest):
        if int(state.step) == step:
            raise Killed
        return plain(state, *rest)

    monkeypatch.setattr(module, name, dies)


def test_the_vae_trains_resumes_to_the_bit_and_ends_as_two_networks(images, tmp_path, monkeypatch):
    how = {"every": 3, "progress": False}
    whole, _ = vae.train_vae(images, jax.random.key(1), VAE, checkpoint=tmp_path / "whole.npz", **how)
    with monkeypatch.context() as patched:
        killed_at(patched, vae, "vae_step", 7)
        with pytest.raises(Killed):
            vae.train_vae(images, jax.random.key(1), VAE, checkpoint=tmp_path / "killed.npz", **how)
    resumed, _ = vae.train_vae(images, jax.random.key(1), VAE, checkpoint=tmp_path / "killed.npz", **how)
    same(whole, resumed)
    for stage in ("", "-precision"):
        assert (tmp_path / f"killed{stage}.csv").read_bytes() == (tmp_path / f"whole{stage}.csv").read_bytes()
    code = gls.VAEEncoder(3).apply({"params": whole["encoder"]}, images[0] / 127.5 - 1)
    seen = gls.VAEDecoder(12).apply({"params": whole["generator"]}, code.mean)
    assert seen.mean.shape == seen.std.shape == (28, 28, 1)
    assert (np.asarray(seen.std) <= rbf.ZETA**-0.5).all()


def test_too_few_images_for_the_centres_are_refused_before_training(images):
    with pytest.raises(ValueError, match="there are 11 images; expected at least 12, one for each centre"):
        vae.train_vae(images[:11], jax.random.key(0), VAE)


def test_the_vaes_loss_is_the_negative_evidence_lower_bound(images):
    """Against a transcription in numpy of one step's loss, from the same draws."""
    state = vae.initial_vae(jax.random.key(2), VAE, epoch=4)
    after, scalars = vae.vae_step(state, jnp.asarray(images), VAE, 4)
    key_draw, key_noise = jax.random.split(jax.random.fold_in(state.key, 0))
    x = nets.scaled(jnp.asarray(images)[jax.random.randint(key_draw, (8,), 0, 32)])
    encoder, decoder = (nets.spectral(state.params[part], after.vectors[part]) for part in ("encoder", "decoder"))
    code = {name: np.asarray(value, np.float64) for name, value in nets.encode(encoder, x)[0].items()}
    noise = np.asarray(jax.random.normal(key_noise, (2, 8, 3)))
    z = code["mean"] + np.exp(code["log_variance"] / 2) * noise
    seen = np.asarray(nets.decode(decoder, jnp.asarray(z.reshape(16, 3), jnp.float32))[0]).reshape(2, 8, 784)
    kl = -0.5 * (1 + code["log_variance"] - code["mean"] ** 2 - np.exp(code["log_variance"])).sum(1)
    density = -0.5 * (np.asarray(x).reshape(8, 784) - seen) ** 2 / 0.7 - 0.5 * np.log(2 * np.pi * 0.7)
    assert float(scalars["loss"]) == pytest.approx((kl - density.sum(2)).mean(), rel=1e-4)
    assert float(scalars["kl"]) == pytest.approx(kl.mean(), rel=1e-4)


def test_steps_teach_the_vae(images):
    state, losses = vae.initial_vae(jax.random.key(0), VAE, epoch=4), []
    for _ in range(40):
        state, scalars = vae.vae_step(state, jnp.asarray(images), VAE, 4)
        losses.append(float(scalars["mse"]))
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5]), losses
    assert vae.sample_vae(state, jax.random.key(0), 4).shape == (4, 28, 28, 1)


@pytest.mark.slow
def test_the_bigan_trains_resumes_to_the_bit_and_ends_as_three_networks(images, tmp_path, monkeypatch):
    how = {"every": 2, "progress": False}
    whole, _ = bigan.train_bigan(images, jax.random.key(1), BIGAN, **how)
    with monkeypatch.context() as patched:
        killed_at(patched, bigan, "bigan_step", 3)
        with pytest.raises(Killed):
            bigan.train_bigan(images, jax.random.key(1), BIGAN, checkpoint=tmp_path / "b.npz", **how)
    resumed, _ = bigan.train_bigan(images, jax.random.key(1), BIGAN, checkpoint=tmp_path / "b.npz", **how)
    same(whole, resumed)
    code = gls.BiGANEncoder(3).apply({"params": whole["encoder"]}, images[0] / 127.5 - 1)
    image = gls.Decoder((16, 3)).apply({"params": whole["generator"]}, code)
    real = gls.BiGANDiscriminator().apply({"params": whole["discriminator"]}, image, code)
    assert 0 < float(real) < 1


def test_the_bigans_losses_are_cross_entropies_with_labels_exchanged(images):
    state = bigan.initial_bigan(jax.random.key(3), BIGAN, epoch=4)
    after, scalars = bigan.bigan_step(state, jnp.asarray(images), BIGAN, 4)
    key_draw, key_codes = jax.random.split(jax.random.fold_in(state.key, 0))
    x = nets.scaled(jnp.asarray(images)[jax.random.randint(key_draw, (8,), 0, 32)])
    z = jax.random.normal(key_codes, (8, 3))
    G, E, D = (nets.spectral(state.params[part], after.vectors[part]) for part in bigan.PARTS)
    of_real = np.asarray(nets.discriminate(D, (x, nets.encode(E, x)[0]["code"]))[0], np.float64)
    of_made = np.asarray(nets.discriminate(D, (nets.decode(G, z)[0], z))[0], np.float64)
    real, made = 1 / (1 + np.exp(-of_real)), 1 / (1 + np.exp(-of_made))
    assert float(scalars["discriminator"]) == pytest.approx(-(np.log(real) + np.log(1 - made)).mean(), rel=1e-4)
    assert float(scalars["makers"]) == pytest.approx(-(np.log(1 - real) + np.log(made)).mean(), rel=1e-4)
    moved = jax.tree.map(lambda a, b: bool((a != b).any()), state.params, after.params)
    assert all(jax.tree.leaves(moved)), moved


def test_population_statistics_of_a_training_network(images):
    params, vectors = nets.initial_network(gls.BiGANEncoder(3), jax.random.key(0), (28, 28, 1))
    spectral = nets.spectral(params, vectors)
    batches = [nets.scaled(jnp.asarray(images[i : i + 16])) for i in (0, 16)]
    found = population_statistics(nets.encode, spectral, batches)
    each = [nets.encode(spectral, batch)[1]["features/block2"]["mean"] for batch in batches]
    np.testing.assert_allclose(found["features/block2"]["mean"], np.mean(each, 0), rtol=1e-4, atol=1e-5)


def test_k_means_finds_planted_clusters_and_their_bandwidths(rng):
    planted = 10 * rng.standard_normal((5, 3))
    codes = np.repeat(planted, 200, 0) + 0.1 * rng.standard_normal((1000, 3))
    centers, bandwidth = min((rbf.basis(codes, 5, jax.random.key(i)) for i in range(8)), key=lambda b: 1 / b[1].min())
    nearest = np.linalg.norm(planted[:, None] - centers, axis=-1)
    np.testing.assert_allclose(nearest.min(1), 0, atol=0.05)
    for center, b in zip(centers, bandwidth, strict=True):
        own = codes[np.linalg.norm(codes - center, axis=1) < 1]
        assert b == pytest.approx(0.5 / (np.linalg.norm(own - center, axis=1).mean() + 1e-6) ** 2, rel=1e-4)


def test_k_means_ends_where_codes_are_fewer_kinds_than_centres():
    codes = np.repeat(np.eye(3), 10, 0)
    centers, bandwidth = rbf.basis(codes, 6, jax.random.key(0))
    assert np.isfinite(centers).all()
    assert (bandwidth > 0).all()


def test_the_precision_is_that_of_what_the_decoder_leaves(rng):
    """Two far clusters of codes with residuals of known size: β there is the inverse of their mean square."""
    side = np.where(np.arange(400) < 200, -5.0, 5.0)
    size = np.where(side < 0, 0.2, 0.5)
    residual = size[:, None] * rng.standard_normal((400, 784))
    x = np.clip(np.rint((residual + 1) * 127.5), 0, 255).astype(np.uint8).reshape(400, 28, 28, 1)

    def encode(images):  # the side of an image, by the size of its residual
        return jnp.where(jnp.square(images).mean((1, 2, 3)) < 0.1, -5.0, 5.0)[:, None]

    options = vae.VaeOptions(latent_dim=1, batch=64, precision_epochs=100, weight_decay=0.0, precision_rate=0.3)
    fitted, _ = rbf.fit_precision(
        jnp.asarray(x), encode, lambda z: jnp.zeros((len(z), 28, 28, 1)), jax.random.key(0), options, progress=False
    )
    for at, of_side in ((-5.0, x[:200]), (5.0, x[200:])):
        precision = gls.RBFPrecision(784, 4).apply({"params": fitted}, jnp.array([at]))
        square = np.square(of_side.reshape(200, 784) / 127.5 - 1).mean(0)
        assert np.median(precision * square) == pytest.approx(1, abs=0.1)
    far = gls.RBFPrecision(784, 4).apply({"params": fitted}, jnp.array([1e3]))
    np.testing.assert_allclose(far, rbf.ZETA, rtol=1e-6)
