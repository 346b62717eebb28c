"""Training of the digit classifier: cross entropy, Adam, and shifts of up to two pixels."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from geomgan.brief import brief
from geomgan.models.digit_classifier import DigitClassifier
from geomgan.runs.loop import run
from geomgan.training.data import SIDE, Digits

CLASSIFIER = DigitClassifier()
_SHIFT = 2  # pixels


@brief
class ClassifierState(NamedTuple):
    """Everything the next training step depends on."""

    params: Any
    optimizer: Any
    step: jax.Array
    key: jax.Array


def classify(params, images: jax.Array) -> jax.Array:
    """Logits ``(n, 10)`` of a stack of images ``(n, 32, 32, 1)``."""
    one: Callable[[jax.Array], Any] = partial(CLASSIFIER.apply, {"params": params})
    return jax.vmap(one)(images)


def initial_classifier(key: jax.Array, steps: int, learning_rate: float = 2e-3) -> ClassifierState:
    """The state before the first step: kernels from He's normal law, biases zero."""
    key_init, key_train = jax.random.split(key)
    init = partial(CLASSIFIER.init, mutable=["params"])
    shapes = jax.eval_shape(init, key_init, jnp.zeros((SIDE, SIDE, 1)))["params"]
    leaves, tree = jax.tree.flatten(shapes)
    keys = jax.random.split(key_init, len(leaves))
    params = jax.tree.unflatten(tree, [_he(k, leaf.shape) for k, leaf in zip(keys, leaves, strict=True)])
    optimizer = _optimizer(steps, learning_rate).init(params)
    return ClassifierState(params, optimizer, jnp.asarray(0, jnp.int32), key_train)


@partial(jax.jit, static_argnames=("steps", "batch", "learning_rate"))
def classifier_step(
    state: ClassifierState, images, labels, *, steps: int, batch: int = 128, learning_rate: float = 2e-3
) -> tuple[ClassifierState, dict[str, jax.Array]]:
    """One step of Adam on ``batch`` random images, randomly shifted; returns the new state and scalars."""
    key_draw, key_shift = jax.random.split(jax.random.fold_in(state.key, state.step))
    chosen = jax.random.randint(key_draw, (batch,), 0, len(images))
    x, y = shift(images[chosen], key_shift), labels[chosen]

    def loss_fn(params):
        return optax.softmax_cross_entropy_with_integer_labels(classify(params, x), y).mean()

    loss, grads = jax.value_and_grad(loss_fn)(state.params)
    updates, optimizer = _optimizer(steps, learning_rate).update(grads, state.optimizer, state.params)
    params = optax.apply_updates(state.params, updates)
    return ClassifierState(params, optimizer, state.step + 1, state.key), {"loss": loss}


def train_classifier(
    data: Digits,
    key: jax.Array,
    *,
    steps: int = 2500,
    batch: int = 128,
    learning_rate: float = 2e-3,
    checkpoint: Path | None = None,
    every: int = 500,
    settings: dict[str, Any] | None = None,
    progress: bool = True,
) -> tuple[Any, float]:
    """Train a `DigitClassifier` on the training images of ``data``.

    Minimises the cross entropy of shifted images with Adam; the learning rate falls to zero on a cosine.

    Args:
        data: From `load_mnist`.
        key: Random key; the result is a function of it, ``data`` and the options.
        steps: Training steps.
        batch: Images a step.
        learning_rate: Of the first step.
        checkpoint: File to go on from and to keep the latest state in.
        every: Steps between checkpoints.
        settings: Recorded in the checkpoint beside the options here.
        progress: Whether to show a progress bar.

    Returns:
        The module's ``params`` and the seconds of training.
    """
    options = {"steps": steps, "batch": batch, "learning_rate": learning_rate}
    images, labels = jnp.asarray(data.train_images), jnp.asarray(data.train_labels)
    state, seconds = run(
        lambda state: classifier_step(state, images, labels, **options),
        initial_classifier(key, steps, learning_rate),
        steps,
        checkpoint=checkpoint,
        every=every,
        settings={**(settings or {}), **options},
        label="classifier",
        progress=progress,
    )
    return state.params, seconds


def accuracy(params, images: np.ndarray, labels: np.ndarray, batch: int = 500) -> float:
    """The share of ``images (n, 32, 32, 1)`` whose largest logit is their label's, ``labels (n,)``."""
    return float(np.mean(predict(params, images, batch).argmax(1) == np.asarray(labels)))


def predict(params, images, batch: int = 500) -> np.ndarray:
    """Class probabilities ``(n, 10)`` of images ``(n, 32, 32, 1)``, ``batch`` at a time."""
    probabilities = jax.jit(lambda params, x: jax.nn.softmax(classify(params, x)))
    parts = [probabilities(params, images[i : i + batch]) for i in range(0, len(images), batch)]
    return np.concatenate(parts)


def shift(images: jax.Array, key: jax.Array) -> jax.Array:
    """Move each image by its own whole number of pixels, up to 2 along each axis, over background."""
    padded = jnp.pad(images, ((0, 0), (_SHIFT, _SHIFT), (_SHIFT, _SHIFT), (0, 0)), constant_values=-1)
    offsets = jax.random.randint(key, (len(images), 2), 0, 2 * _SHIFT + 1)
    crop = jax.vmap(lambda x, by: jax.lax.dynamic_slice(x, (by[0], by[1], 0), images.shape[1:]))
    return crop(padded, offsets)


def _optimizer(steps: int, learning_rate: float) -> optax.GradientTransformation:
    return optax.adam(optax.cosine_decay_schedule(learning_rate, steps))


def _he(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    if len(shape) == 1:
        return jnp.zeros(shape)
    return jax.random.normal(key, shape) * np.float32(np.sqrt(2 / np.prod(shape[:-1])))
