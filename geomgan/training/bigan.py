"""Training of the BiGAN of "On Linear Interpolation in the Latent Space of Deep Generative Models".

A discriminator tells pairs (image, code of the encoder) from pairs (image of the generator, code); encoder and
generator learn to make them alike, whereby they become inverses of each other (Donahue, Krähenbühl and Darrell, 2017).
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
from geomgan.training.spectral_norm import power_iteration

PARTS = ("generator", "encoder", "discriminator")


class BiganOptions(NamedTuple):
    """What a run is made of; the defaults are those of the published code.

    Attributes:
        latent_dim: dimensions of a code.
        epochs: passes over the images; images are drawn with replacement.
        batch: images a step, and as many codes.
        learning_rate: of the generator's and encoder's Adam in the first epoch.
        discriminator_rate: of the discriminator's.
        decay: factor on both after each epoch.
        weight_decay: in the gradient, of all parameters.
        average: decay per step of a moving average of the weights, which is what is kept; 0, as published, keeps the
            last weights.
    """

    latent_dim: int = 16
    epochs: float = 200
    batch: int = 16
    learning_rate: float = 5e-3
    discriminator_rate: float = 3e-3
    decay: float = 0.95
    weight_decay: float = 1e-4
    average: float = 0.0


PUBLISHED = BiganOptions()


@brief
class BiganState(NamedTuple):
    """Everything the next training step depends on; ``params`` and the like by part."""

    params: Any
    averaged: Any
    vectors: Any
    makers_optimizer: Any
    discriminator_optimizer: Any
    step: jax.Array
    key: jax.Array


def train_bigan(
    images: Any,
    key: jax.Array,
    options: BiganOptions = PUBLISHED,
    *,
    checkpoint: Path | None = None,
    every: int = 500,
    settings: dict[str, Any] | None = None,
    progress: bool = True,
    picture: Callable[[BiganState], object] | None = None,
    picture_every: int = 1000,
) -> tuple[dict[str, Any], float]:
    """Train generator, encoder and discriminator on grey images.

    Args:
        images: bytes ``(N, 28, 28, 1)``.
        key: random key; the result is a function of it, ``images`` and ``options``.
        options: sizes, rates and lengths.
        checkpoint: file to go on from and to keep the latest state in.
        every: steps between checkpoints.
        settings: recorded in the checkpoint beside ``options``.
        progress: whether to show a progress bar.
        picture: called with the state every ``picture_every`` steps; :func:`sample_bigan` draws what it makes.
        picture_every: steps between two pictures.

    Returns:
        ``{"generator", "encoder", "discriminator"}``, the parameters of the modules in
        ``geomgan.generators.generative_latent_space``, and the seconds of training.
    """
    images = jnp.asarray(images)
    epoch = max(1, len(images) // options.batch)
    state, seconds = run(
        lambda state: bigan_step(state, images, options, epoch),
        initial_bigan(key, options, epoch),
        max(1, round(options.epochs * epoch)),
        checkpoint=checkpoint,
        every=every,
        settings={**(settings or {}), **options._asdict()},
        label="bigan",
        progress=progress,
        picture=picture,
        picture_every=picture_every,
    )
    return finished_bigan(state, images), seconds


def initial_bigan(key: jax.Array, options: BiganOptions, epoch: int) -> BiganState:
    """The state before the first step."""
    *keys, key_train = jax.random.split(key, 4)
    image, code = (nets.SIDE, nets.SIDE, 1), (options.latent_dim,)
    modules = (
        (gls.Decoder((16, 3)), (code,)),
        (gls.BiGANEncoder(options.latent_dim), (image,)),
        (gls.BiGANDiscriminator(), (image, code)),
    )
    begun = [nets.initial_network(module, k, *shapes) for k, (module, shapes) in zip(keys, modules, strict=True)]
    params, vectors = (dict(zip(PARTS, values, strict=True)) for values in zip(*begun, strict=True))
    makers, judge = _optimizers(options, epoch)
    return BiganState(
        params,
        params,
        vectors,
        makers.init(_makers(params)),
        judge.init(params["discriminator"]),
        jnp.asarray(0, jnp.int32),
        key_train,
    )


@partial(jax.jit, static_argnames=("options", "epoch"))
def bigan_step(state: BiganState, images, options: BiganOptions, epoch: int) -> tuple[BiganState, dict[str, jax.Array]]:
    """Update all three networks once, on the same pairs.

    Discriminator: ``-E log D(x, E(x)) - E log(1 - D(G(z), z))``; encoder and generator the same with labels
    exchanged. Each kind of pair is normalised by its own moments.
    """
    key_draw, key_codes = jax.random.split(jax.random.fold_in(state.key, state.step))
    real = nets.scaled(images[jax.random.randint(key_draw, (options.batch,), 0, len(images))])
    codes = jax.random.normal(key_codes, (options.batch, options.latent_dim))
    vectors = {part: power_iteration(state.params[part], state.vectors[part]) for part in PARTS}

    def pairs(makers):
        encoder, generator = (nets.spectral(makers[part], vectors[part]) for part in ("encoder", "generator"))
        return (real, nets.encode(encoder, real)[0]["code"]), (nets.decode(generator, codes)[0], codes)

    def logits(discriminator, both):
        judge = nets.spectral(discriminator, vectors["discriminator"])
        return (nets.discriminate(judge, pair)[0] for pair in both)

    def makers_loss(makers):
        both = pairs(makers)
        of_real, of_made = logits(state.params["discriminator"], both)
        return (jax.nn.softplus(of_real) + jax.nn.softplus(-of_made)).mean(), both

    def discriminator_loss(discriminator, both):
        of_real, of_made = logits(discriminator, both)
        right = 0.5 * ((of_real > 0).mean() + (of_made < 0).mean())
        return (jax.nn.softplus(-of_real) + jax.nn.softplus(of_made)).mean(), right

    (makers_value, both), grads = jax.value_and_grad(makers_loss, has_aux=True)(_makers(state.params))
    of_judge = jax.value_and_grad(discriminator_loss, has_aux=True)
    (judge_value, right), judge_grads = of_judge(state.params["discriminator"], both)
    makers, judge = _optimizers(options, epoch)
    updates, makers_optimizer = makers.update(grads, state.makers_optimizer, _makers(state.params))
    params = optax.apply_updates(_makers(state.params), updates)
    judge_updates, judge_optimizer = judge.update(
        judge_grads, state.discriminator_optimizer, state.params["discriminator"]
    )
    params["discriminator"] = optax.apply_updates(state.params["discriminator"], judge_updates)
    averaged = optax.incremental_update(params, state.averaged, 1 - options.average)
    new = BiganState(params, averaged, vectors, makers_optimizer, judge_optimizer, state.step + 1, state.key)
    return new, {"makers": makers_value, "discriminator": judge_value, "accuracy": right}


def finished_bigan(state: BiganState, images: jax.Array, batches: int = 40, batch: int = 250) -> dict[str, Any]:
    """The parameters of the three modules: averaged weights, with the population's statistics folded in."""
    params = state.averaged
    vectors = {part: nets.settled(params[part], state.vectors[part]) for part in PARTS}
    spectral = {part: nets.spectral(params[part], vectors[part]) for part in PARTS}
    keys = jax.random.split(jax.random.fold_in(state.key, state.step), (batches, 2))
    latent_dim = params["generator"]["project"]["kernel"].shape[0]
    real = [nets.scaled(images[jax.random.randint(k[0], (batch,), 0, len(images))]) for k in keys]
    codes = [jax.random.normal(k[1], (batch, latent_dim)) for k in keys]
    statistics = {
        "generator": population_statistics(nets.decode, spectral["generator"], codes),
        "encoder": population_statistics(nets.encode, spectral["encoder"], real),
    }
    decode = jax.jit(lambda z: nets.decode(spectral["generator"], z, statistics["generator"])[0])
    encode = jax.jit(lambda x: nets.encode(spectral["encoder"], x, statistics["encoder"])[0]["code"])
    pairs = [pair for x, z in zip(real, codes, strict=True) for pair in ((x, encode(x)), (decode(z), z))]
    statistics["discriminator"] = population_statistics(nets.discriminate, spectral["discriminator"], pairs)
    return {part: nets.folded(params[part], vectors[part], statistics[part]) for part in PARTS}


def sample_bigan(state: BiganState, key: jax.Array, n: int = 100) -> jax.Array:
    """``n`` images of random codes by the averaged generator, normalised by their own moments."""
    params, vectors = state.averaged["generator"], state.vectors["generator"]
    return nets.decode_spectral(params, vectors, jax.random.normal(key, (n, params["project"]["kernel"].shape[0])))


def _makers(params: Any) -> Any:
    return {part: params[part] for part in ("generator", "encoder")}


def _optimizers(options: BiganOptions, epoch: int) -> tuple[optax.GradientTransformation, ...]:
    adam = partial(published_adam, decay=options.decay, epoch=epoch, weight_decay=options.weight_decay)
    return adam(options.learning_rate), adam(options.discriminator_rate)
