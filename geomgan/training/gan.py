"""Training of a DCGAN on digits (Radford, Metz and Chintala, 2016), ending in the folded form of `DCGAN`.

The generator trains with batch norms, its discriminator with spectral norm (Miyato et al., 2018) and the hinge
loss. The discriminator also learns the labels of real digits, which sharpens samples (Salimans et al., 2016), and
the generator is rewarded for images of one clear class, all classes equally often (Springenberg, 2016).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from geomgan.brief import brief
from geomgan.generators.dcgan import DCGAN
from geomgan.generators.layers import Conv, Dense
from geomgan.runs.loop import run
from geomgan.training.batch_norm import fold, generate, population_statistics
from geomgan.training.data import SIDE, Digits
from geomgan.training.spectral_norm import power_iteration, spectral_normalise

LATENT = 64
GENERATOR = DCGAN(features=(192, 96, 48), channels=1)


class GanOptions(NamedTuple):
    """What a run is made of. Weights of losses are relative to the adversarial loss.

    Attributes:
        steps: Training steps, each one update of both networks.
        batch: Real images a step, and as many generated ones.
        width: Channels of the discriminator's first block.
        learning_rate: Of both Adams; constant for half of the run, then linear to zero.
        gain: Largest singular value of the discriminator's normalised kernels; 1 leaves it too weak for digits.
        label_weight: Weight of the cross entropy of real labels in the discriminator's loss.
        class_weight: Weight of the mutual information between code and predicted class in the generator's.
        average: Decay per step of the moving average of the generator's weights.
        classes: Labels that the discriminator learns; with one, as of images without labels, it learns none.
    """

    steps: int = 12_000
    batch: int = 64
    width: int = 32
    learning_rate: float = 4e-4
    gain: float = 2.0
    label_weight: float = 1.0
    class_weight: float = 1.0
    average: float = 0.999
    classes: int = 10


DEFAULTS = GanOptions()


@brief
class GanState(NamedTuple):
    """Everything the next training step depends on."""

    generator: Any
    discriminator: Any
    averaged: Any
    vectors: Any
    generator_optimizer: Any
    discriminator_optimizer: Any
    step: jax.Array
    key: jax.Array


class Discriminator(nn.Module):
    """``image (32, 32, 1) -> (realness (), class logits)``; three blocks that halve the side."""

    width: int
    classes: int = 10

    @nn.compact
    def __call__(self, x):
        """Judge one image."""
        for i in range(3):
            x = Conv(self.width * 2**i, kernel=4, stride=2, padding=1, name=f"block{i + 1}")(x)
            x = nn.leaky_relu(x, 0.1)
        x = jnp.ravel(x)
        return Dense(1, name="realness")(x)[0], Dense(self.classes, name="classes")(x)


def train_gan(
    data: Digits,
    key: jax.Array,
    options: GanOptions = DEFAULTS,
    *,
    checkpoint: Path | None = None,
    every: int = 500,
    settings: dict[str, Any] | None = None,
    progress: bool = True,
    picture: Callable[[GanState], object] | None = None,
    picture_every: int = 1000,
) -> tuple[Any, float]:
    """Train a generator of digits on the training images of ``data``.

    Args:
        data: From `load_mnist`; or with bytes ``(N, 28, 28, 1)`` as images.
        key: Random key; the result is a function of it, ``data`` and ``options``.
        options: Sizes and weights.
        checkpoint: File to go on from and to keep the latest state in.
        every: Steps between checkpoints.
        settings: Recorded in the checkpoint beside ``options``.
        progress: Whether to show a progress bar.
        picture: Called with the state every ``picture_every`` steps; `sample_gan` draws what it makes.
        picture_every: Steps between two pictures.

    Returns:
        ``params`` of ``DCGAN(features=(192, 96, 48), channels=1)`` with the batch norms folded in, and the
        seconds of training.
    """
    images, labels = jnp.asarray(data.train_images), jnp.asarray(data.train_labels)
    state, seconds = run(
        lambda state: gan_step(state, images, labels, options),
        initial_gan(key, options),
        options.steps,
        checkpoint=checkpoint,
        every=every,
        settings={**(settings or {}), **options._asdict()},
        label="gan",
        progress=progress,
        picture=picture,
        picture_every=picture_every,
    )
    return finished_generator(state), seconds


def initial_gan(key: jax.Array, options: GanOptions) -> GanState:
    """The state before the first step: kernels from N(0, 0.02²), scales one, biases zero."""
    key_generator, key_discriminator, key_vectors, key_train = jax.random.split(key, 4)
    generator = _normal(key_generator, _shapes(GENERATOR, (LATENT,)), 0.02)
    for name, block in generator.items():
        if name != "output":
            block["scale"] = jnp.ones_like(block["bias"])
    shapes = _shapes(Discriminator(options.width, options.classes), (SIDE, SIDE, 1))
    discriminator = _normal(key_discriminator, shapes, 0.02)
    vectors = {name: block["bias"].shape for name, block in shapes.items() if name != "classes"}
    keys = jax.random.split(key_vectors, len(vectors))
    vectors = {name: jax.random.normal(k, vectors[name]) for name, k in zip(vectors, keys, strict=True)}
    optimizer = _optimizer(options)
    return GanState(
        generator,
        discriminator,
        generator,
        vectors,
        optimizer.init(generator),
        optimizer.init(discriminator),
        jnp.asarray(0, jnp.int32),
        key_train,
    )


@partial(jax.jit, static_argnames=("options",))
def gan_step(state: GanState, images, labels, options: GanOptions) -> tuple[GanState, dict[str, jax.Array]]:
    """Update both networks once, on the same generated images; returns the new state and scalars to show.

    Discriminator: ``E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))] + label_weight · cross entropy``.
    Generator: ``-E[D(G(z))] - class_weight · I(class; z)``.
    """
    key_draw, key_codes = jax.random.split(jax.random.fold_in(state.key, state.step))
    chosen = jax.random.randint(key_draw, (options.batch,), 0, len(images))
    real, real_labels = _as_network(images[chosen]), labels[chosen]
    codes = jax.random.normal(key_codes, (options.batch, LATENT))
    vectors = power_iteration(state.discriminator, state.vectors)
    normalised = partial(spectral_normalise, vectors=vectors, gain=options.gain)
    optimizer = _optimizer(options)

    def generator_loss(params):
        fake = generate(params, codes)[0]
        score, logits = discriminate(normalised(state.discriminator), fake)
        return -score.mean() - options.class_weight * mutual_information(logits), fake

    def discriminator_loss(params, fake):
        score, logits = discriminate(normalised(params), jnp.concatenate([real, fake]))
        hinge = nn.relu(1 - score[: options.batch]).mean() + nn.relu(1 + score[options.batch :]).mean()
        known = optax.softmax_cross_entropy_with_integer_labels(logits[: options.batch], real_labels).mean()
        return hinge + options.label_weight * known, {"hinge": hinge, "labels": known}

    (loss, fake), grads_g = jax.value_and_grad(generator_loss, has_aux=True)(state.generator)
    grads_d, scalars = jax.grad(discriminator_loss, has_aux=True)(state.discriminator, fake)
    updates, optimizer_g = optimizer.update(grads_g, state.generator_optimizer)
    generator = optax.apply_updates(state.generator, updates)
    updates, optimizer_d = optimizer.update(grads_d, state.discriminator_optimizer)
    discriminator = optax.apply_updates(state.discriminator, updates)
    averaged = optax.incremental_update(generator, state.averaged, 1 - options.average)
    step = state.step + 1
    new = GanState(generator, discriminator, averaged, vectors, optimizer_g, optimizer_d, step, state.key)
    return new, {"generator": loss, **scalars}


def finished_generator(state: GanState, batches: int = 40, batch: int = 250) -> Any:
    """``params`` of `DCGAN`: the averaged weights with the population's batch norms folded in."""
    keys = jax.random.split(jax.random.fold_in(state.key, state.step), batches)
    codes = (jax.random.normal(key, (batch, LATENT)) for key in keys)
    return fold(state.averaged, population_statistics(generate, state.averaged, codes))


def discriminate(params, images: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Realness ``(n,)`` and class logits ``(n, classes)`` of images ``(n, 32, 32, 1)``."""
    width, classes = (params[layer]["kernel"].shape[-1] for layer in ("block1", "classes"))
    one: Callable[[jax.Array], Any] = partial(Discriminator(width, classes).apply, {"params": params})
    return jax.vmap(one)(images)


def mutual_information(logits: jax.Array) -> jax.Array:
    """``H(mean p) - mean H(p)`` in nats, for probabilities ``p = softmax(logits)`` of ``(n, classes)``."""
    logs = jax.nn.log_softmax(logits)
    mean = jnp.exp(logs).mean(0)
    return (jnp.exp(logs) * logs).sum(1).mean() - (mean * jnp.log(mean + 1e-8)).sum()


def sample(params, key: jax.Array, n: int, batch: int = 250) -> np.ndarray:
    """``n`` images ``(n, 32, 32, 1)`` from the folded generator and codes from N(0, I)."""
    codes = np.asarray(jax.random.normal(key, (n, LATENT)))
    images = jax.jit(lambda params, z: jax.vmap(lambda z: GENERATOR.apply({"params": params}, z))(z))
    return np.concatenate([images(params, codes[i : i + batch]) for i in range(0, n, batch)])


def sample_gan(state: GanState, key: jax.Array, n: int = 100) -> jax.Array:
    """``n`` images of random codes by the averaged generator as it is, normalised by their own moments."""
    return _generated(state.averaged, jax.random.normal(key, (n, LATENT)))


@jax.jit
def _generated(params, codes):
    return generate(params, codes)[0]


def _as_network(images: jax.Array) -> jax.Array:
    """Images as they are, or bytes of 28 pixels with a border of background, in ``(-1, 1)``."""
    if images.dtype != jnp.uint8:
        return images
    border = (SIDE - images.shape[1]) // 2
    return jnp.pad(images, ((0, 0), (border, border), (border, border), (0, 0))).astype(jnp.float32) / 127.5 - 1


def _optimizer(options: GanOptions) -> optax.GradientTransformation:
    half = options.steps // 2
    rate = optax.linear_schedule(options.learning_rate, 0.0, options.steps - half, transition_begin=half)
    return optax.adam(rate, b1=0.5, b2=0.99)


def _shapes(module: nn.Module, shape: tuple[int, ...]) -> Any:
    init = partial(module.init, mutable=["params"])
    return jax.eval_shape(init, jax.random.key(0), jnp.zeros(shape))["params"]


def _normal(key: jax.Array, shapes: Any, std: float) -> Any:
    """Arrays of the given shapes: kernels and power-iteration vectors from N(0, std²), biases zero."""
    leaves, tree = jax.tree_util.tree_flatten_with_path(shapes)
    keys = jax.random.split(key, len(leaves))
    values = [
        jnp.zeros(leaf.shape) if path[-1].key == "bias" else std * jax.random.normal(k, leaf.shape)
        for k, (path, leaf) in zip(keys, leaves, strict=True)
    ]
    return jax.tree.unflatten(tree, values)
