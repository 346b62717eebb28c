"""Training of a small progressive GAN (Karras, Aila, Laine and Lehtinen, 2018), with the Hessian Penalty or without.

Both networks begin at 4 pixels and grow by scales of twice the side, each faded in. The loss is Wasserstein's with
gradient penalty, learning rates are equalised, and the generator is :class:`geomgan.generators.pggan.PGGAN`. The
regulariser is that of Peebles et al. (2020), section 4.2: with a weight that warms up, the Hessian Penalty of the
activations behind the last pixel norm of every scale is added to the generator's loss.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.tree_util import Partial

from geomgan.brief import brief
from geomgan.errors import OptionError, as_array, check_count, check_finite, check_key
from geomgan.generators.generator import Generator
from geomgan.generators.network import FlaxFunction
from geomgan.metric.hessian_penalty import check_options, hessian_penalty
from geomgan.runs.loop import run
from geomgan.training.progressive_networks import (
    EPSILON,
    GROUP,
    discriminate,
    discriminator_shapes,
    generator_shapes,
    normal_weights,
    pggan_of,
    reals,
)


class ProgressiveOptions(NamedTuple):
    """What a run is made of.

    Attributes:
        features: channels of the scales of 4, 8, 16, ... pixels; as many scales as images of that side have.
        latent: dimensions of a code.
        batch: images a step, a multiple of 4.
        grow: steps in which a scale is faded in, and steps that follow before the next one.
        steps: all steps; at least ``2 grow`` for every scale but the first.
        learning_rate: of both Adams (0, 0.99), which begin anew with every scale.
        gradient_penalty: weight of ``(|∂D/∂x| - 1)²`` between real and generated images.
        drift: weight of ``D(real)²``.
        average: decay per step of the moving average of the generator's weights.
        penalty: ``λ``, the weight of the Hessian Penalty; 0 trains without.
        penalty_start: the step at which it begins.
        warm_up: steps in which its weight grows from 0 to ``λ``; published to fine-tune a trained GAN.
        penalised: numbers of the scales, from 1, whose activations are penalised; None for all.
        k: draws of signs.
        epsilon: of the differences, in latent units: the penalty scales with it, and ``λ`` against it.
    """

    features: tuple[int, ...] = (64, 48, 32, 16)
    latent: int = 12
    batch: int = 32
    grow: int = 300
    steps: int = 2400
    learning_rate: float = 1e-3
    gradient_penalty: float = 10.0
    drift: float = 1e-3
    average: float = 0.995
    penalty: float = 0.0
    penalty_start: int = 0
    warm_up: int = 0
    penalised: tuple[int, ...] | None = None
    k: int = 2
    epsilon: float = 0.1


PROGRESSIVE_DEFAULTS = ProgressiveOptions()


@brief
class ProgressiveState(NamedTuple):
    """Everything the next training step depends on; weights are those of all scales, before equalisation."""

    generator: Any
    discriminator: Any
    averaged: Any
    generator_optimizer: Any
    discriminator_optimizer: Any
    step: jax.Array
    key: jax.Array


def train_progressive(
    images: Any,
    key: jax.Array,
    options: ProgressiveOptions = PROGRESSIVE_DEFAULTS,
    *,
    checkpoint: Path | None = None,
    every: int = 500,
    settings: dict[str, Any] | None = None,
    picture: Callable[[Generator, int], object] | None = None,
    picture_every: int = 500,
    progress: bool = True,
) -> tuple[Generator, float]:
    """Train a generator of images, scale by scale.

    Args:
        images: ``(n, H, W, C)`` in ``(-1, 1)``, ``H = W`` of 4, 8, 16, ... pixels; all in memory.
        key: random key; the result is a function of it, ``images`` and ``options``.
        options: sizes and weights.
        checkpoint: file to go on from and to keep the latest state in.
        every: steps between checkpoints.
        settings: recorded in the checkpoint beside ``options``: what images these are.
        picture: called with the generator so far, at its present side, and the step.
        picture_every: steps between two pictures.
        progress: whether to show a progress bar.

    Returns:
        The generator of the averaged weights, and the seconds of training.

    Raises:
        OptionError: an option has a value that it cannot take.
        ValueError: the images are of another side than the scales.
        CheckpointError: the checkpoint belongs to a run with other settings.
    """
    check_key(key)
    real = jnp.asarray(_checked(images, options))
    channels = real.shape[-1]
    # all but the number of steps, which may be raised
    kept = {name: value for name, value in options._asdict().items() if name != "steps"}
    state, seconds = run(
        lambda state: train_step(state, real, in_force(int(state.step), options), scale_at(int(state.step), options)),
        initial_state(key, channels, options),
        options.steps,
        checkpoint=checkpoint,
        every=every,
        settings={**(settings or {}), **kept},
        label="progressive gan",
        progress=progress,
        picture=None if picture is None else lambda s: picture(generator_of(s, options), int(s.step)),
        picture_every=picture_every,
    )
    return generator_of(state, options), seconds


def scale_at(step: int, options: ProgressiveOptions) -> int:
    """The number of scales that train at a step: one for ``grow`` steps, each other one ``2 grow``."""
    return min(1 + (step + options.grow) // (2 * options.grow), len(options.features))


def old_weight(step: Any, scale: int, options: ProgressiveOptions) -> jax.Array:
    """``alpha``: the weight of the scales before while the last one is faded in, from 1 to 0."""
    if scale == 1:
        return jnp.zeros(())
    return jnp.clip(1 - (step - first_step(scale, options)) / options.grow, 0, 1)


def first_step(scale: int, options: ProgressiveOptions) -> int:
    """The step at which a scale joins."""
    return max(0, (2 * scale - 3) * options.grow)


def penalty_weight(step: Any, options: ProgressiveOptions) -> jax.Array:
    """``λ(t) = λ · min(1, (t - start) / warm_up)``, 0 before the start."""
    past = step - options.penalty_start
    ramp = jnp.clip(past / options.warm_up, 0, 1) if options.warm_up else jnp.ones(())
    return jnp.where(past >= 0, options.penalty * ramp, 0.0)


def in_force(step: int, options: ProgressiveOptions) -> ProgressiveOptions:
    """The options of a step: without the penalty before it begins, whose programs cost twice as much."""
    return options if step >= options.penalty_start else options._replace(penalty=0.0)


def initial_state(key: jax.Array, channels: int, options: ProgressiveOptions) -> ProgressiveState:
    """The state before the first step."""
    keys = jax.random.split(key, 3)
    generator = normal_weights(keys[0], generator_shapes(channels, options.latent, options.features))
    discriminator = normal_weights(keys[1], discriminator_shapes(channels, options.features))
    optimizers = (_adam(options).init(generator), _adam(options).init(discriminator))
    return ProgressiveState(generator, discriminator, generator, *optimizers, jnp.asarray(0, jnp.int32), keys[2])


@partial(jax.jit, static_argnames=("options", "scale"))
def train_step(
    state: ProgressiveState, images: jax.Array, options: ProgressiveOptions, scale: int
) -> tuple[ProgressiveState, dict[str, jax.Array]]:
    """Update the discriminator, then the generator; returns the new state and scalars to show."""
    keys = jax.random.split(jax.random.fold_in(state.key, state.step), 5)
    alpha, n = old_weight(state.step, scale, options), options.batch
    new = state.step == first_step(scale, options)
    again = lambda now, then: jax.tree.map(lambda a, b: jnp.where(new, a, b), now, then)
    optimizer = _adam(options)
    real = reals(images[jax.random.randint(keys[0], (n,), 0, len(images))], scale, alpha)
    codes = jax.random.normal(keys[1], (2, n, options.latent))

    def made(weights: Any, codes: jax.Array) -> jax.Array:
        module, params = pggan_of(weights, scale, options.features)
        one: Callable[[jax.Array], Any] = lambda z: module.apply({"params": params}, z, alpha)
        return jax.vmap(one)(codes)

    def judged(weights: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
        fake = made(state.generator, codes[0])
        mixed = real + jax.random.uniform(keys[2], (n, 1, 1, 1)) * (fake - real)
        slopes = jax.grad(lambda x: discriminate(weights, x, alpha).sum())(mixed)
        length = jnp.sqrt((slopes**2).sum((1, 2, 3)) + EPSILON)
        of_real, of_fake = discriminate(weights, real, alpha), discriminate(weights, fake, alpha)
        gap, lipschitz = of_real.mean() - of_fake.mean(), ((length - 1) ** 2).mean()
        loss = -gap + options.gradient_penalty * lipschitz + options.drift * (of_real**2).mean()
        return loss, {"gap": gap, "lipschitz": lipschitz}

    slopes, scalars = jax.grad(judged, has_aux=True)(state.discriminator)
    begun = again(optimizer.init(state.discriminator), state.discriminator_optimizer)
    updates, optimizer_d = optimizer.update(slopes, begun)
    discriminator = optax.apply_updates(state.discriminator, updates)

    def fooled(weights: Any) -> tuple[jax.Array, jax.Array]:
        loss = -discriminate(discriminator, made(weights, codes[1]), alpha).mean()
        if not options.penalty:
            return loss, jnp.zeros(())
        curved = layer_penalty(weights, codes[1], keys[3], alpha, scale, options)
        return loss + penalty_weight(state.step, options) * curved, curved

    slopes, curved = jax.grad(fooled, has_aux=True)(state.generator)
    updates, optimizer_g = optimizer.update(slopes, again(optimizer.init(state.generator), state.generator_optimizer))
    generator = optax.apply_updates(state.generator, updates)
    averaged = optax.incremental_update(generator, state.averaged, 1 - options.average)
    networks = (generator, discriminator, averaged, optimizer_g, optimizer_d)
    return ProgressiveState(*networks, state.step + 1, state.key), {**scalars, "penalty": curved}


def layer_penalty(
    weights: Any, codes: jax.Array, key: jax.Array, alpha: Any, scale: int, options: ProgressiveOptions
) -> jax.Array:
    """The Hessian Penalty of the scales' normalised activations: maxima, with ``ddof`` 0, as published.

    A scale counts with the weight with which it has been faded in.
    """
    module, params = pggan_of(weights, scale, options.features)
    wanted = [s for s in options.penalised or range(1, scale + 1) if s <= scale]
    if not wanted:
        return jnp.zeros(())
    function = Partial(_Scales(FlaxFunction(module), tuple(wanted)), params)
    how: dict[str, Any] = {"k": options.k, "epsilon": options.epsilon, "ddof": 0, "separate": True}
    each = hessian_penalty(function, codes, key, **how)
    return sum(((1 - alpha) if s == scale else 1.0) * each[s] for s in wanted)


class _Scales(NamedTuple):
    """``(params, z) -> {scale: its last normalised activation}``."""

    network: FlaxFunction
    scales: tuple[int, ...]

    def __call__(self, params: Any, z: jax.Array) -> dict[int, jax.Array]:
        found = self.network.activations(params, z)
        return {s: found[f"scale{s}.normalised"] for s in self.scales}


def generator_of(state: ProgressiveState, options: ProgressiveOptions) -> Generator:
    """The generator of the averaged weights, with the scales that have joined."""
    scale = scale_at(max(int(state.step) - 1, 0), options)
    module, params = pggan_of(state.averaged, scale, options.features)
    params.pop("output_before", None)
    return Generator.from_module(module, params, options.latent, name=f"progressive-{4 * 2 ** (scale - 1)}")


def _checked(images: Any, options: ProgressiveOptions) -> np.ndarray:
    """The images in float32; options and sizes fit."""
    check_options(options.k, "differences", options.epsilon, 0)
    for name in ("latent", "batch", "grow", "steps"):
        check_count(getattr(options, name), np.inf, name)
    scales = len(options.features)
    if options.batch % GROUP:
        raise OptionError(f"batch is {options.batch}; expected a multiple of {GROUP}, whose deviation is compared.")
    if options.steps < (least := 2 * options.grow * (scales - 1)):
        raise OptionError(f"steps is {options.steps}; expected at least {least} until the last scale is faded in.")
    if bad := [s for s in options.penalised or () if not 1 <= s <= scales]:
        raise OptionError(f"penalised names scale {bad[0]}; expected numbers from 1 to {scales}.")
    array = np.asarray(as_array(images, "images"), np.float32)
    side = 4 * 2 ** (scales - 1)
    if array.ndim != 4 or array.shape[1:3] != (side, side):
        raise ValueError(
            f"images have shape {array.shape}; expected (n, {side}, {side}, C), the side that {scales} scales end at. "
            "Change features, which has one entry for each scale, or the images."
        )
    check_finite(array, "images")
    return array


def _adam(options: ProgressiveOptions) -> optax.GradientTransformation:
    return optax.adam(options.learning_rate, b1=0.0, b2=0.99)
