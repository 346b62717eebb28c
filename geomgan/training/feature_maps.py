"""Feature maps of classifiers trained on one's own images: logistic regression and LeNet, as distances.

In "On Linear Interpolation in the Latent Space of Deep Generative Models" (2021) curves are also shortened in the
space of a logistic regression's log-posteriors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from geomgan.brief import brief
from geomgan.distances import features
from geomgan.distances.distance import Distance
from geomgan.errors import check_choice
from geomgan.generators.layers import Conv, Dense
from geomgan.runs.loop import run
from geomgan.training.datasets import Images
from geomgan.training.digit_networks import SIDE, scaled
from geomgan.training.published_adam import published_adam


class LogisticRegression(nn.Module):
    """``image (28, 28, 1) -> log-posteriors (classes,)`` of a linear classifier, which are its features too."""

    classes: int

    @nn.compact
    def __call__(self, x):
        """Features and log-posteriors of one image."""
        logs = jax.nn.log_softmax(Dense(self.classes, name="logits")(jnp.ravel(x)))
        return logs, logs


class LeNet(nn.Module):
    """LeNet-5 with ReLUs (LeCun et al., 1998): ``image (28, 28, 1) -> (features (84,), log-posteriors)``.

    Two 5 x 5 convolutions to 6 and 16 maps, each followed by the mean over 2 x 2 pixels; dense layers of 120 and 84.
    """

    classes: int

    @nn.compact
    def __call__(self, x):
        """Features and log-posteriors of one image."""
        x = _pooled(nn.relu(Conv(6, kernel=5, padding=2, name="conv1")(x)))
        x = _pooled(nn.relu(Conv(16, kernel=5, name="conv2")(x)))
        x = nn.relu(Dense(120, name="dense1")(jnp.ravel(x)))
        x = nn.relu(Dense(84, name="dense2")(x))
        return x, jax.nn.log_softmax(Dense(self.classes, name="logits")(x))


NETWORKS: dict[str, Callable[[int], nn.Module]] = {"logreg": LogisticRegression, "lenet": LeNet}
RATES = {"logreg": 1e-2, "lenet": 2e-3}


@brief
class FeatureState(NamedTuple):
    """Everything the next training step depends on."""

    params: Any
    optimizer: Any
    step: jax.Array
    key: jax.Array


def feature_map(
    kind: str,
    images: Images,
    key: jax.Array,
    *,
    epochs: float = 5,
    batch: int = 128,
    checkpoint: Path | None = None,
    progress: bool = True,
) -> tuple[Distance, float]:
    """Train a classifier; the squared distance of its features, and its accuracy on the test images.

    Minimises the cross entropy with Adam, whose rate falls by 0.9 after each epoch, as published.

    Args:
        kind: ``"logreg"`` (log-posteriors) or ``"lenet"`` (its last hidden layer, 84 numbers).
        images: from :func:`load_images`, with at least two classes.
        key: random key.
        epochs: passes over the images.
        batch: images a step.
        checkpoint: file to go on from and to keep the latest state in.
        progress: whether to show a progress bar.

    Returns:
        A distance between images ``(28, 28, 1)`` in ``(-1, 1)``, and the share of test images whose class it names.

    Raises:
        OptionError: no such kind.
        ValueError: the images have only one class.
    """
    check_choice(kind, NETWORKS, "kind")
    classes = len(images.classes)
    if classes < 2:
        raise ValueError(f"the images are all of the class {images.classes[0]!r}; expected at least two to tell apart.")
    module = NETWORKS[kind](classes)
    x, y = jnp.asarray(images.train_images), jnp.asarray(images.train_labels)
    epoch = max(1, len(x) // batch)
    adam = published_adam(RATES[kind], decay=0.9, epoch=epoch, weight_decay=0.0)

    @jax.jit
    def step(state: FeatureState) -> tuple[FeatureState, dict[str, jax.Array]]:
        chosen = jax.random.randint(jax.random.fold_in(state.key, state.step), (batch,), 0, len(x))

        def loss_fn(params):
            logs = jax.vmap(partial(_applied, module, params))(scaled(x[chosen]))[1]
            return -jnp.take_along_axis(logs, y[chosen][:, None], 1).mean()

        loss, grads = jax.value_and_grad(loss_fn)(state.params)
        updates, optimizer = adam.update(grads, state.optimizer, state.params)
        params = optax.apply_updates(state.params, updates)
        return FeatureState(params, optimizer, state.step + 1, state.key), {"loss": loss}

    key_init, key_train = jax.random.split(key)
    params = jax.jit(partial(_initial, module))(key_init)
    state, _ = run(
        step,
        FeatureState(params, adam.init(params), jnp.asarray(0, jnp.int32), key_train),
        max(1, round(epochs * epoch)),
        checkpoint=checkpoint,
        settings={"kind": kind, "epochs": epochs, "batch": batch, "classes": list(images.classes)},
        label=kind,
        progress=progress,
    )
    named = jax.jit(jax.vmap(lambda image: _applied(module, state.params, image)[1].argmax()))
    test = images.test_images
    right = [named(scaled(jnp.asarray(test[i : i + 500]))) for i in range(0, len(test), 500)]
    accuracy = float(np.mean(np.concatenate(right) == images.test_labels)) if right else float("nan")
    return features(Features(module), state.params), accuracy


@dataclass(frozen=True)
class Features:
    """``(params, image) -> features`` of a module, equal by value."""

    module: nn.Module

    def __call__(self, params: Any, image: jax.Array) -> jax.Array:
        """The features of one image."""
        return _applied(self.module, params, image)[0]


def _applied(module: nn.Module, params: Any, image: jax.Array) -> tuple[jax.Array, jax.Array]:
    outputs: Any = module.apply({"params": params}, image)
    return outputs


def _initial(module: nn.Module, key: jax.Array) -> Any:
    """Kernels from He's normal law, biases zero."""
    shapes = jax.eval_shape(module.init, key, jnp.zeros((SIDE, SIDE, 1)))["params"]
    leaves, tree = jax.tree.flatten(shapes)
    keys = jax.random.split(key, len(leaves))
    he = lambda k, shape: jax.random.normal(k, shape) * float(np.sqrt(2 / np.prod(shape[:-1])))
    values = [he(k, x.shape) if x.ndim > 1 else jnp.zeros(x.shape) for k, x in zip(keys, leaves, strict=True)]
    return jax.tree.unflatten(tree, values)


def _pooled(x: jax.Array) -> jax.Array:
    """Mean over 2 x 2 pixels."""
    height, width, channels = x.shape
    return x.reshape(height // 2, 2, width // 2, 2, channels).mean((1, 3))
