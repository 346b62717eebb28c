"""Training of the variational autoencoder of "On Linear Interpolation in the Latent Space of Deep Generative Models".

Encoder and decoder learn first, with one variance for all pixels; then the decoder's precision is fitted
(:mod:`geomgan.training.rbf`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from geomgan.brief import brief
from geomgan.generators import generative_latent_space as gls
from geomgan.runs.loop import run
from geomgan.training import digit_networks as nets
from geomgan.training.batch_norm import population_statistics
from geomgan.training.published_adam import published_adam
from geomgan.training.rbf import CENTERS, fit_precision
from geomgan.training.spectral_norm import power_iteration


class VaeOptions(NamedTuple):
    """What a run is made of; the defaults are those of the published code.

    Attributes:
        latent_dim: dimensions of a code.
        epochs: passes over the images; images are drawn with replacement.
        batch: images a step.
        samples: codes drawn for each image.
        learning_rate: of Adam in the first epoch.
        decay: factor on it after each epoch.
        weight_decay: in the gradient, of all parameters.
        variance: of every pixel while encoder and decoder learn. The paper's is 0.5; the published code takes 0.5 for
            its logarithm, so that its variance is ``exp(0.5)`` = 1.65.
        precision_epochs: passes over the images while the precision is fitted.
        precision_rate: learning rate of that Adam.
    """

    latent_dim: int = 16
    epochs: float = 200
    batch: int = 16
    samples: int = 4
    learning_rate: float = 5e-3
    decay: float = 0.95
    weight_decay: float = 1e-4
    variance: float = 0.5
    precision_epochs: float = 50
    precision_rate: float = 1.0


PUBLISHED = VaeOptions()


@brief
class VaeState(NamedTuple):
    """Everything the next training step depends on."""

    params: Any
    vectors: Any
    optimizer: Any
    step: jax.Array
    key: jax.Array


def train_vae(
    images: Any,
    key: jax.Array,
    options: VaeOptions = PUBLISHED,
    *,
    checkpoint: Path | None = None,
    every: int = 500,
    settings: dict[str, Any] | None = None,
    progress: bool = True,
    picture: Callable[[VaeState], object] | None = None,
    picture_every: int = 1000,
) -> tuple[dict[str, Any], float]:
    """Train encoder, decoder and precision on grey images.

    Args:
        images: bytes ``(N, 28, 28, 1)``.
        key: random key; the result is a function of it, ``images`` and ``options``.
        options: sizes, rates and lengths.
        checkpoint: file to go on from and to keep the latest state in; that of the precision lies beside it.
        every: steps between checkpoints.
        settings: recorded in the checkpoints beside ``options``.
        progress: whether to show progress bars.
        picture: called with the state every ``picture_every`` steps; :func:`sample_vae` draws what it makes.
        picture_every: steps between two pictures.

    Returns:
        ``{"generator", "encoder"}``, the parameters of `VAEDecoder` and `VAEEncoder`, and the seconds of training.

    Raises:
        ValueError: there are fewer images than centres of the precision, four for each latent dimension.
    """
    images = jnp.asarray(images)
    if len(images) < (least := CENTERS * options.latent_dim):
        raise ValueError(
            f"there are {len(images)} images; expected at least {least}, one for each centre of the precision. Take "
            "more, or a smaller latent_dim."
        )
    epoch = max(1, len(images) // options.batch)
    steps = max(1, round(options.epochs * epoch))
    key_train, key_precision = jax.random.split(key)
    settings = {**(settings or {}), **options._asdict()}
    state, seconds = run(
        lambda state: vae_step(state, images, options, epoch),
        initial_vae(key_train, options, epoch),
        steps,
        checkpoint=checkpoint,
        every=every,
        settings=settings,
        label="vae",
        progress=progress,
        picture=picture,
        picture_every=picture_every,
    )
    encoder, decoder = (_finished(state, part, images) for part in ("encoder", "decoder"))
    precision, more = fit_precision(
        images,
        partial(_embedded, encoder),
        partial(_decoded, decoder),
        key_precision,
        options,
        checkpoint=checkpoint and checkpoint.with_name(f"{checkpoint.stem}-precision.npz"),
        every=every,
        settings=settings,
        progress=progress,
    )
    generator = {"mean": nets.folded(*decoder), "precision": precision}
    return {"generator": generator, "encoder": nets.folded(*encoder)}, seconds + more


def initial_vae(key: jax.Array, options: VaeOptions, epoch: int) -> VaeState:
    """The state before the first step."""
    key_encoder, key_decoder, key_train = jax.random.split(key, 3)
    encoder = nets.initial_network(gls.VAEEncoder(options.latent_dim), key_encoder, (nets.SIDE, nets.SIDE, 1))
    decoder = nets.initial_network(gls.Decoder((32, 32)), key_decoder, (options.latent_dim,))
    params, vectors = ({"encoder": a, "decoder": b} for a, b in zip(encoder, decoder, strict=True))
    return VaeState(params, vectors, _optimizer(options, epoch).init(params), jnp.asarray(0, jnp.int32), key_train)


@partial(jax.jit, static_argnames=("options", "epoch"))
def vae_step(state: VaeState, images, options: VaeOptions, epoch: int) -> tuple[VaeState, dict[str, jax.Array]]:
    """One step of Adam on the negative evidence lower bound of ``options.batch`` random images, in nats an image.

    ``½ Σ_i (μ_i² + σ_i² - 1 - log σ_i²) + mean over codes z ~ N(μ, σ²) of ½ Σ_p ((x_p - G(z)_p)²/v + log 2πv)``.
    """
    key_draw, key_noise = jax.random.split(jax.random.fold_in(state.key, state.step))
    x = nets.scaled(images[jax.random.randint(key_draw, (options.batch,), 0, len(images))])
    noise = jax.random.normal(key_noise, (options.samples, options.batch, options.latent_dim))
    vectors = {part: power_iteration(state.params[part], state.vectors[part]) for part in state.params}

    def loss_fn(params):
        code, _ = nets.encode(nets.spectral(params["encoder"], vectors["encoder"]), x)
        mean, log_variance = code["mean"], code["log_variance"]
        codes = mean + jnp.exp(0.5 * log_variance) * noise
        decoder = nets.spectral(params["decoder"], vectors["decoder"])
        seen, _ = nets.decode(decoder, codes.reshape(-1, options.latent_dim))
        error = jnp.square(x - seen.reshape(options.samples, *x.shape))
        per_pixel = 0.5 * (error / options.variance + jnp.log(2 * jnp.pi * options.variance))
        likelihood = per_pixel.sum((2, 3, 4)).mean()
        kl = 0.5 * (mean**2 + jnp.exp(log_variance) - 1 - log_variance).sum(1).mean()
        return kl + likelihood, {"loss": kl + likelihood, "kl": kl, "mse": error.mean()}

    grads, scalars = jax.grad(loss_fn, has_aux=True)(state.params)
    updates, optimizer = _optimizer(options, epoch).update(grads, state.optimizer, state.params)
    params = optax.apply_updates(state.params, updates)
    return VaeState(params, vectors, optimizer, state.step + 1, state.key), scalars


def sample_vae(state: VaeState, key: jax.Array, n: int = 100) -> jax.Array:
    """``n`` images of random codes by the decoder as it is, normalised by their own moments."""
    params, vectors = state.params["decoder"], state.vectors["decoder"]
    return nets.decode_spectral(params, vectors, jax.random.normal(key, (n, params["project"]["kernel"].shape[0])))


def _finished(state: VaeState, part: str, images: jax.Array, batches: int = 40, batch: int = 250) -> tuple[Any, ...]:
    """Weights, settled vectors and the population's statistics of one of the two networks."""
    params = state.params[part]
    vectors = nets.settled(params, state.vectors[part])
    keys = jax.random.split(jax.random.fold_in(state.key, state.step), batches)
    drawn = (nets.scaled(images[jax.random.randint(key, (batch,), 0, len(images))]) for key in keys)
    if part == "encoder":
        return params, vectors, population_statistics(nets.encode, nets.spectral(params, vectors), drawn)
    encoder = nets.spectral(state.params["encoder"], state.vectors["encoder"])
    codes = (_draw(encoder, x, jax.random.fold_in(key, 1)) for x, key in zip(drawn, keys, strict=True))
    return params, vectors, population_statistics(nets.decode, nets.spectral(params, vectors), codes)


@jax.jit
def _draw(encoder, x, key):
    """Codes of images as the decoder saw them in training."""
    code, _ = nets.encode(encoder, x)
    return code["mean"] + jnp.exp(0.5 * code["log_variance"]) * jax.random.normal(key, code["mean"].shape)


def _embedded(encoder, x):
    params, vectors, statistics = encoder
    return nets.encode(nets.spectral(params, vectors), x, statistics)[0]["mean"]


def _decoded(decoder, codes):
    params, vectors, statistics = decoder
    return nets.decode(nets.spectral(params, vectors), codes, statistics)[0]


def _optimizer(options: VaeOptions, epoch: int) -> optax.GradientTransformation:
    return published_adam(options.learning_rate, decay=options.decay, epoch=epoch, weight_decay=options.weight_decay)
