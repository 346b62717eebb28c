"""The autoencoders of latent diffusion models: Stable Diffusion 1 and 2, XL and 3, FLUX.1.

Residual blocks of group norm, SiLU and 3 x 3 convolutions, with one attention at the smallest map. The network takes
and makes raw latents; the diffusion model sees ``(raw - shift) · scaling``.

Source: Rombach et al. (CVPR 2022), High-Resolution Image Synthesis with Latent Diffusion Models.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from geomgan.generators.autoencoder_tiny import images as images
from geomgan.generators.autoencoder_tiny import latents as latents
from geomgan.generators.latent_maps import flat_code, settings
from geomgan.generators.layers import Conv, tap
from geomgan.generators.map_layers import GroupNorm, MapAttention
from geomgan.generators.outputs import Gaussian
from geomgan.generators.spaces import Settings

EPSILON = 1e-6
LOG_VARIANCES = (-30.0, 20.0)


class ResBlock(nn.Module):
    """``x + conv(silu(norm(conv(silu(norm(x))))))`` on ``(H, W, C)``, ``x`` projected where the width changes."""

    features: int
    groups: int

    @nn.compact
    def __call__(self, x):
        y = x
        for i in (1, 2):
            y = nn.silu(GroupNorm(self.groups, EPSILON, name=f"norm{i}")(y))
            y = Conv(self.features, 3, padding=1, name=f"conv{i}")(y)
        return y + (x if x.shape[-1] == self.features else Conv(self.features, 1, name="shortcut")(x))


class Middle(nn.Module):
    """A block, attention where there is one, a block."""

    groups: int
    attention: bool

    @nn.compact
    def __call__(self, x):
        x = tap(self, "block1", ResBlock(x.shape[-1], self.groups, name="block1")(x))
        if self.attention:
            x = tap(self, "attention", MapAttention(self.groups, EPSILON, name="attention")(x))
        return tap(self, "block2", ResBlock(x.shape[-1], self.groups, name="block2")(x))


class KLDecoder(nn.Module):
    """``raw latents (h, w, C) -> image (H, W, 3)``; each stage but the last ends with upsampling to twice the side.

    Activations: ``middle.block1``, ``middle.attention``, ``middle.block2``, ``stage1.block1``, ``stage1.upsample``, ...
    """

    widths: tuple[int, ...]
    blocks: int
    groups: int
    attention: bool
    quant: bool
    channels: int = 3

    @nn.compact
    def __call__(self, x):
        if self.quant:
            x = Conv(x.shape[-1], 1, name="quant")(x)
        x = Conv(self.widths[0], 3, padding=1, name="input")(x)
        x = Middle(self.groups, self.attention, name="middle")(x)
        for s, features in enumerate(self.widths, start=1):
            for b in range(1, self.blocks + 1):
                x = tap(self, f"stage{s}.block{b}", ResBlock(features, self.groups, name=f"stage{s}_block{b}")(x))
            if s < len(self.widths):
                x = Conv(features, 3, padding=1, upsample=2, name=f"stage{s}_upsample")(x)
                x = tap(self, f"stage{s}.upsample", x)
        x = nn.silu(GroupNorm(self.groups, EPSILON, name="norm")(x))
        return Conv(self.channels, 3, padding=1, name="output")(x)


class KLEncoder(nn.Module):
    """``image (H, W, 3) -> Gaussian(mean, std)`` of the code ``(C h w,)`` that the diffusion model sees."""

    widths: tuple[int, ...]
    blocks: int
    groups: int
    attention: bool
    quant: bool
    latent_channels: int
    scaling: float
    shift: float

    @nn.compact
    def __call__(self, x):
        x = Conv(self.widths[0], 3, padding=1, name="input")(x)
        for s, features in enumerate(self.widths, start=1):
            for b in range(1, self.blocks + 1):
                x = tap(self, f"stage{s}.block{b}", ResBlock(features, self.groups, name=f"stage{s}_block{b}")(x))
            if s < len(self.widths):  # one row and column of zeros, behind
                x = jnp.pad(x, ((0, 1), (0, 1), (0, 0)))
                x = tap(self, f"stage{s}.downsample", Conv(features, 3, stride=2, name=f"stage{s}_downsample")(x))
        x = Middle(self.groups, self.attention, name="middle")(x)
        x = nn.silu(GroupNorm(self.groups, EPSILON, name="norm")(x))
        x = Conv(2 * self.latent_channels, 3, padding=1, name="output")(x)
        if self.quant:
            x = Conv(2 * self.latent_channels, 1, name="quant")(x)
        mean, log_variance = jnp.split(x, 2, axis=-1)
        std = jnp.exp(0.5 * jnp.clip(log_variance, *LOG_VARIANCES))
        return Gaussian(flat_code(mean, self.scaling, self.shift), flat_code(std, self.scaling))


def decoder(config: Mapping[str, Any]) -> KLDecoder:
    """The decoder of a configuration in ``model.json``."""
    return KLDecoder(*_common(config, "decoder"), config["channels"])


def encoder(config: Mapping[str, Any]) -> KLEncoder:
    """The encoder of a configuration in ``model.json``."""
    return KLEncoder(*_common(config, "encoder"), config["latent_channels"], config["scaling"], config["shift"])


def _common(config: Mapping[str, Any], part: str) -> tuple[tuple[int, ...], int, int, bool, bool]:
    own = config[part]
    return tuple(own["widths"]), own["blocks"], config["groups"], own["attention"], own["quant"]


def generator(
    config: Mapping[str, Any],
    params: Mapping[str, Any],
    *,
    space: str = "latent",
    resolution: int | tuple[int, int] | None = None,
) -> Settings:
    """The decoder of a latent diffusion model's autoencoder; arguments as of the tiny ones' generator."""
    return settings(decoder(config), config, params, space, resolution)
