"""A small digit classifier, whose features make a perceptual distance between digits."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from geomgan.generators.layers import Conv, Dense, tap


class DigitClassifier(nn.Module):
    """``image (32, 32, 1) in (-1, 1) -> logits (10,)``.

    A 4x4 convolution of stride 2, two 3x3 convolutions each followed by the mean over 2x2 pixels, a dense
    layer and the logits, with ReLUs between. Means rather than maxima keep the features smooth in small shifts.
    Activations: ``conv{i}.preactivation`` and ``conv{i}`` (after the ReLU, before pooling) with sides 16, 16
    and 8; ``dense1.preactivation`` and ``dense1``; ``logits``.
    """

    features: tuple[int, ...] = (24, 48, 64)
    hidden: int = 128
    classes: int = 10

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Logits of one image."""
        for i, features in enumerate(self.features, start=1):
            kernel, stride = (4, 2) if i == 1 else (3, 1)
            x = Conv(features, kernel=kernel, stride=stride, padding=1, name=f"conv{i}")(x)
            x = nn.relu(tap(self, f"conv{i}.preactivation", x))
            x = tap(self, f"conv{i}", x)
            x = x if i == 1 else _pool(x)
        x = Dense(self.hidden, name="dense1")(jnp.ravel(x))
        x = nn.relu(tap(self, "dense1.preactivation", x))
        x = Dense(self.classes, name="logits")(tap(self, "dense1", x))
        return tap(self, "logits", x)


def _pool(x: jax.Array) -> jax.Array:
    """Mean over 2x2 pixels of ``(H, W, C)``."""
    height, width, channels = x.shape
    return x.reshape(height // 2, 2, width // 2, 2, channels).mean((1, 3))
