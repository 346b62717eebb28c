"""The ImageNet networks whose features LPIPS compares: AlexNet and VGG16 up to their last convolution."""

from __future__ import annotations

import flax.linen as nn
import jax

from geomgan.generators.layers import Conv, tap


def max_pool(x: jax.Array, window: int, stride: int) -> jax.Array:
    """Largest value in each window of ``(H, W, C)``; incomplete windows at the border are dropped."""
    return nn.max_pool(x, (window, window), strides=(stride, stride))


class AlexNet(nn.Module):
    """The convolutions of torchvision's AlexNet: ``(H, W, 3)`` -> its five ReLU maps.

    Activations: ``relu1`` to ``relu5``.
    """

    smallest_side = 31  # below it the second pooling has no whole window

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, ...]:
        maps = []
        specs = ((64, 11, 4, 2), (192, 5, 1, 2), (384, 3, 1, 1), (256, 3, 1, 1), (256, 3, 1, 1))
        for i, (features, kernel, stride, padding) in enumerate(specs, start=1):
            if i in (2, 3):
                x = max_pool(x, 3, 2)
            x = nn.relu(Conv(features, kernel, stride, padding, name=f"conv{i}")(x))
            maps.append(tap(self, f"relu{i}", x))
        return tuple(maps)


class VGG16(nn.Module):
    """The convolutions of torchvision's VGG16: ``(H, W, 3)`` -> the five ReLU maps before each pooling.

    Activations: ``relu1_1`` to ``relu5_3``.
    """

    smallest_side = 16

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, ...]:
        maps = []
        for stage, (features, depth) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)), start=1):
            if stage > 1:
                x = max_pool(x, 2, 2)
            for i in range(1, depth + 1):
                x = nn.relu(Conv(features, 3, padding=1, name=f"conv{stage}_{i}")(x))
                x = tap(self, f"relu{stage}_{i}", x)
            maps.append(x)
        return tuple(maps)


TRUNKS: dict[str, nn.Module] = {"alex": AlexNet(), "vgg": VGG16()}
