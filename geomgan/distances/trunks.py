"""The ImageNet networks whose features are compared, up to their last convolution: AlexNet, VGG, SqueezeNet."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from geomgan.generators.layers import Conv, tap


@partial(jax.custom_jvp, nondiff_argnums=(1, 2, 3))
def max_pool(x: jax.Array, window: int, stride: int, ceil: bool = False) -> jax.Array:
    """Largest value in each window of ``(H, W, C)``; its derivative is that of the first largest entry.

    Windows that are cut off by the border are dropped, or kept with ``ceil`` (PyTorch's ``ceil_mode=True``).
    """
    overhang = [(0, -(side - window) % stride if ceil else 0) for side in x.shape[:2]]
    return nn.max_pool(x, (window, window), strides=(stride, stride), padding=overhang)


@max_pool.defjvp
def _max_pool_jvp(
    window: int, stride: int, ceil: bool, primals: Sequence[jax.Array], tangents: Sequence[jax.Array]
) -> tuple[jax.Array, jax.Array]:
    """One mask for each place in the window, made once for all tangents; XLA would take the maximum for each anew."""
    (x,), (dx,) = primals, tangents
    y = max_pool(x, window, stride, ceil)
    overhang = [(0, max(0, window + stride * (n - 1) - side)) for n, side in zip(y.shape, x.shape[:2], strict=False)]
    x, dx = (jnp.pad(a, (*overhang, (0, 0)), constant_values=v) for a, v in ((x, -jnp.inf), (dx, 0)))
    free, dy = jnp.ones(y.shape, bool), jnp.zeros_like(y)
    for start in np.ndindex(window, window):
        at = tuple(slice(i, i + stride * (n - 1) + 1, stride) for i, n in zip(start, y.shape, strict=False))
        taken = free & (x[at] == y)
        free &= ~taken
        dy += jnp.where(taken, dx[at], 0)
    return y, dy


def _relu(module: nn.Module, name: str, x: jax.Array) -> jax.Array:
    """The ReLU of ``x``, named before and after."""
    return tap(module, name, nn.relu(tap(module, f"{name}.preactivation", x)))


class AlexNet(nn.Module):
    """The convolutions of torchvision's AlexNet: ``(H, W, 3)`` -> its five ReLU maps.

    Activations: ``relu1`` to ``relu5``, each also as ``relu1.preactivation``.
    """

    smallest_side = 31  # below it the second pooling has no whole window
    widths = (64, 192, 384, 256, 256)

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, ...]:
        maps = []
        specs = ((64, 11, 4, 2), (192, 5, 1, 2), (384, 3, 1, 1), (256, 3, 1, 1), (256, 3, 1, 1))
        for i, (features, kernel, stride, padding) in enumerate(specs, start=1):
            if i in (2, 3):
                x = max_pool(x, 3, 2)
            x = _relu(self, f"relu{i}", Conv(features, kernel, stride, padding, name=f"conv{i}")(x))
            maps.append(x)
        return tuple(maps)


class VGG(nn.Module):
    """The convolutions of torchvision's VGG16 or VGG19: ``(H, W, 3)`` -> the five ReLU maps before each pooling.

    Activations: ``relu1_1`` to ``relu5_3`` (VGG19: ``relu5_4``), each also as ``relu1_1.preactivation``.

    Attributes:
        depths: convolutions of each stage.
    """

    depths: tuple[int, ...]
    smallest_side = 16
    widths = (64, 128, 256, 512, 512)

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, ...]:
        maps = []
        for stage, (features, depth) in enumerate(zip(self.widths, self.depths, strict=True), start=1):
            if stage > 1:
                x = max_pool(x, 2, 2)
            for i in range(1, depth + 1):
                x = _relu(self, f"relu{stage}_{i}", Conv(features, 3, padding=1, name=f"conv{stage}_{i}")(x))
            maps.append(x)
        return tuple(maps)


class SqueezeNet(nn.Module):
    """The convolutions of torchvision's SqueezeNet 1.1: ``(H, W, 3)`` -> the seven maps that LPIPS compares.

    The maps are those after the first ReLU and after fire modules 3, 5, 6, 7, 8 and 9. A fire module (in the paper's
    numbers, from 2) narrows its input with a 1x1 convolution, then widens it with a 1x1 and a 3x3 one side by side.
    Activations: ``relu1``, and of each module ``fire2.squeeze`` and ``fire2``; all also as ``....preactivation``.

    Source: "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters", release 1.1.
    """

    smallest_side = 17  # below it the third pooling has fewer than two pixels, where PyTorch's raises
    widths = (64, 128, 256, 384, 384, 512, 512)

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, ...]:
        x = _relu(self, "relu1", Conv(64, 3, stride=2, name="conv1")(x))
        maps = [x]
        specs = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))
        for i, (narrow, wide) in enumerate(specs, start=2):
            if i in (2, 4, 6):
                x = max_pool(x, 3, 2, ceil=True)
            x = _relu(self, f"fire{i}.squeeze", Conv(narrow, 1, name=f"fire{i}_squeeze")(x))
            pointwise = Conv(wide, 1, name=f"fire{i}_expand1x1")(x)
            spatial = Conv(wide, 3, padding=1, name=f"fire{i}_expand3x3")(x)
            x = _relu(self, f"fire{i}", jnp.concatenate([pointwise, spatial], axis=-1))
            if i not in (2, 4):
                maps.append(x)
        return tuple(maps)


TRUNKS: dict[str, nn.Module] = {
    "alex": AlexNet(),
    "vgg": VGG((2, 2, 3, 3, 3)),
    "vgg19": VGG((2, 2, 4, 4, 4)),
    "squeeze": SqueezeNet(),
}
