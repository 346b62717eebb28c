"""The tiny autoencoders of diffusion models: TAESD, TAESDXL, TAESD3, TAEF1, TAEF2 and Sana's.

Residual blocks of three 3 x 3 convolutions and ReLUs at each resolution; distilled from the large autoencoders, whose
latents, as the diffusion model sees them, they take and make. Samples are in ``(-1, 1)``: the published network's
``(0, 1)`` is folded into the last layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from geomgan.generators.latent_maps import flat_code, settings, sides
from geomgan.generators.layers import Conv, tap
from geomgan.generators.map_layers import GroupNorm
from geomgan.generators.spaces import Settings
from geomgan.generators.windows import Reach, Window, cut, enlarged, needed

BOUND = 3.0  # latents are squashed to it: tanh(z / 3) · 3
POOL_GROUPS, POOL_WIDTH = 4, 4
Stage = tuple[int, tuple[tuple[int, bool], ...]]  # channels of its convolution; channels and pooling of each block
Stem = tuple[int, int, bool]  # channels and stride of a convolution, and whether a ReLU follows


class Block(nn.Module):
    """``relu(conv(relu(conv(relu(conv(x))))) + x)`` on ``(H, W, C)``, ``x`` projected where the width changes.

    With ``pooled``, ``x`` first gets a branch of its own added: 1 x 1 to four times the width, group norm, ReLU, 1 x 1.
    """

    features: int
    pooled: bool

    @nn.compact
    def __call__(self, x):
        if self.pooled:
            y = Conv(POOL_WIDTH * x.shape[-1], 1, bias=False, name="pool_in")(x)
            y = nn.relu(GroupNorm(POOL_GROUPS, name="pool_norm")(y))
            x = x + Conv(x.shape[-1], 1, bias=False, name="pool_out")(y)
        skip = x if x.shape[-1] == self.features else Conv(self.features, 1, bias=False, name="skip")(x)
        for i in range(3):
            x = Conv(self.features, 3, padding=1, name=f"conv{i + 1}")(x)
            x = x + skip if i == 2 else x
            x = nn.relu(tap(self, f"conv{i + 1}.preactivation", x))
        return x


class TinyDecoder(nn.Module):
    """``latents (h, w, C) -> image (H, W, 3)``, each stage but the first after upsampling to twice the side.

    With ``window``, pixels ``((top, bottom), (left, right))``, the sample is that part of the image, and of every map
    only what it needs is computed; a pooled block needs all.

    Activations: ``stage1.conv``, ``stage1.block1``, ..., each block also ``....conv1.preactivation`` and so on.
    """

    stages: tuple[Stage, ...]
    channels: int = 3
    window: Window | None = None

    @nn.compact
    def __call__(self, z):
        layers = [
            Reach(1, 2 if s else 1) if b < 0 else Reach(None if pooled else 3) for s, b, _, pooled in self._order()
        ]
        factor = 2 ** (len(self.stages) - 1)
        height, width = (factor * side for side in z.shape[:2])
        window = self.window or ((0, height), (0, width))
        wanted = needed([*layers, Reach(1)], window, (height, width))
        x, has = jnp.tanh(z / BOUND) * BOUND, ((0, z.shape[0]), (0, z.shape[1]))
        for (s, b, features, pooled), layer, window in zip(self._order(), layers, wanted, strict=False):
            x, has = cut(x, has, window), enlarged(window, layer.upsample)
            if b < 0:
                first = s == 0
                x = Conv(features, 3, padding=1, bias=first, upsample=layer.upsample, name=f"stage{s + 1}_conv")(x)
                x = tap(self, f"stage{s + 1}.conv", nn.relu(x) if first else x)
            else:
                x = tap(
                    self, f"stage{s + 1}.block{b + 1}", Block(features, pooled, name=f"stage{s + 1}_block{b + 1}")(x)
                )
        x = Conv(self.channels, 3, padding=1, name="output")(cut(x, has, wanted[-2]))
        return cut(x, wanted[-2], wanted[-1])

    def _order(self):
        """Stage, block (-1: its convolution), channels and pooling of each layer."""
        for s, (features, blocks) in enumerate(self.stages):
            yield s, -1, features, False
            yield from ((s, b, width, pooled) for b, (width, pooled) in enumerate(blocks))


class TinyEncoder(nn.Module):
    """``image (H, W, 3)`` in ``(-1, 1)`` -> the code ``(C h w,)`` that the diffusion model sees.

    Convolutions of the stem, then stages of blocks, each but the first after a convolution of stride 2.
    """

    stem: tuple[Stem, ...]
    stages: tuple[Stage, ...]
    latent_channels: int

    @nn.compact
    def __call__(self, x):
        x = (x + 1) / 2
        for i, (features, stride, activated) in enumerate(self.stem):
            x = Conv(features, 3, stride, padding=1, name=f"stem{i + 1}")(x)
            x = nn.relu(x) if activated else x
        for s, (features, blocks) in enumerate(self.stages):
            if s:
                x = Conv(features, 3, 2, padding=1, bias=False, name=f"stage{s + 1}_conv")(x)
            for b, (width, pooled) in enumerate(blocks):
                x = tap(self, f"stage{s + 1}.block{b + 1}", Block(width, pooled, name=f"stage{s + 1}_block{b + 1}")(x))
        return flat_code(Conv(self.latent_channels, 3, padding=1, name="output")(x))


def decoder(config: Mapping[str, Any]) -> TinyDecoder:
    """The decoder of a configuration in ``model.json``."""
    return TinyDecoder(_stages(config["decoder"]), config["channels"])


def encoder(config: Mapping[str, Any]) -> TinyEncoder:
    """The encoder of a configuration in ``model.json``."""
    return TinyEncoder(
        tuple((width, stride, activated) for width, stride, activated in config["encoder"]["stem"]),
        _stages(config["encoder"]["stages"]),
        config["latent_channels"],
    )


def _stages(stages: Any) -> tuple[Stage, ...]:
    return tuple((width, tuple((features, pooled) for features, pooled in blocks)) for width, blocks in stages)


def latents(config: Mapping[str, Any]) -> tuple[tuple[int, ...], ...]:
    """The input of the decoder: a map."""
    height, width = sides(config)
    return ((height // config["factor"], width // config["factor"], config["latent_channels"]),)


def images(
    config: Mapping[str, Any], *, resolution: int | tuple[int, int] | None = None
) -> tuple[tuple[int, ...], ...]:
    """The input of the encoder: an image."""
    return ((*sides(config, resolution), config["channels"]),)


def generator(
    config: Mapping[str, Any],
    params: Mapping[str, Any],
    *,
    space: str = "latent",
    resolution: int | tuple[int, int] | None = None,
) -> Settings:
    """The decoder of a tiny autoencoder.

    Args:
        config: of ``model.json``.
        params: part -> weights.
        space: ``"latent"``, as the diffusion model sees it, or ``"raw"``, before scaling and shift.
        resolution: of the images, a side or ``(height, width)``.

    Raises:
        OptionError: an option has a value that it cannot take.
    """
    return settings(decoder(config), config, params, space, resolution)
