"""StyleGAN2 (Karras, Laine, Aittala, Hellsten, Lehtinen and Aila, 2020): modulated convolutions, skip connections.

Constants of training are folded into the weights: equalised learning rates, the mapping network's learning-rate
multiplier, gains of ``√2``, the norm of the resampling filter.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping as Dictionary
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from geomgan.generators import style_spaces
from geomgan.generators.layers import convolve, leaky_relu, tap
from geomgan.generators.spaces import Settings
from geomgan.generators.style_layers import (
    Mapping,
    Style,
    Styles,
    Taps,
    demodulation,
    split_styles,
    upfirdn,
    upsampling_convolution,
)
from geomgan.generators.style_options import noise_maps


def style_layers(features: tuple[int, ...]) -> tuple[Style, ...]:
    """The modulated convolutions in network order, with the row of ``w+`` that each takes.

    ``conv4, rgb4`` take rows 0 and 1; ``up8, conv8, rgb8`` rows 1, 2, 3; ``up16, conv16, rgb16`` rows 3, 4, 5; and so
    on: an RGB layer shares its row with the next block's first convolution. ``n`` blocks take ``2 n`` rows.
    """
    styles = [Style("conv4", 0, features[0]), Style("rgb4", 1, features[0])]
    for i, (before, after) in enumerate(itertools.pairwise(features), start=1):
        side, row = 4 * 2**i, 2 * i
        styles += [
            Style(f"up{side}", row - 1, before),
            Style(f"conv{side}", row, after),
            Style(f"rgb{side}", row + 1, after),
        ]
    return tuple(styles)


def noise_sides(features: tuple[int, ...]) -> tuple[int, ...]:
    """The side of every noise map: one at 4 pixels, two at each further resolution."""
    return (4, *(4 * 2**i for i in range(1, len(features)) for _ in range(2)))


class StyledConv(nn.Module):
    """``√2 (d ⊙ conv(s ⊙ x) + strength · noise + bias)``, the preactivation of one layer.

    With ``taps`` the convolution doubles the side and is followed by that filter. The gain is folded into strength
    and bias; the demodulation ``d`` takes it along.
    """

    features: int
    taps: Taps = ()

    @nn.compact
    def __call__(self, x, style, noise):
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (3, 3, x.shape[-1], self.features))
        strength = self.param("strength", nn.initializers.zeros, ())
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        x = x * style
        if self.taps:
            x = upsampling_convolution(x, kernel, [(self.taps, (1, 1))])
        else:
            x = convolve(x, kernel, padding=1)
        return x * (math.sqrt(2) * demodulation(style, kernel)) + (strength * noise[:, :, None] + bias)


class ToRGB(nn.Module):
    """A modulated 1 x 1 convolution without demodulation, and a bias."""

    channels: int

    @nn.compact
    def __call__(self, x, style):
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (x.shape[-1], self.channels))
        return (x * style) @ kernel + self.param("bias", nn.initializers.zeros, (self.channels,))


class Synthesis(nn.Module):
    """``(s (S,), noise maps) -> image (H, W, C)``, linear output, nominally in ``(-1, 1)``.

    ``features[i]`` are the channels at ``4 · 2^i`` pixels; ``s`` is in the order of :func:`style_layers`.
    Activations: ``conv4``, ``up8``, ``conv8``, ... (after the leaky ReLU, and ``.preactivation``), ``rgb4``, ``rgb8``,
    ... (the image so far).
    """

    features: tuple[int, ...]
    channels: int
    taps: Taps

    @nn.compact
    def __call__(self, s, noise):
        styles, maps = split_styles(s, style_layers(self.features)), iter(noise)

        def styled(name: str, features: int, x: jax.Array, taps: Taps = ()) -> jax.Array:
            x = StyledConv(features, taps, name=name)(x, styles[name], next(maps))
            return tap(self, name, leaky_relu(tap(self, f"{name}.preactivation", x)))

        x = self.param("constant", nn.initializers.normal(1), (4, 4, self.features[0]))
        x = styled("conv4", self.features[0], x)
        image = tap(self, "rgb4", ToRGB(self.channels, name="rgb4")(x, styles["rgb4"]))
        for i, features in enumerate(self.features[1:], start=1):
            side = 4 * 2**i
            x = styled(f"up{side}", features, x, self.taps)
            x = styled(f"conv{side}", features, x)
            rgb = ToRGB(self.channels, name=f"rgb{side}")(x, styles[f"rgb{side}"])
            image = tap(self, f"rgb{side}", upfirdn(image, self.taps, up=2, padding=(2, 1)) + rgb)
        return image


def configuration(resolution: int, channel_multiplier: int = 2) -> dict[str, Any]:
    """The configuration of the published models: 512 channels up to 32 pixels, then ``64 · 256 m / side``."""
    sides = [2**i for i in range(2, resolution.bit_length())]
    return {
        "resolution": resolution,
        "latent_dim": 512,
        "mapping": [512] * 8,
        "features": [512 if side <= 32 else 16384 * channel_multiplier // side for side in sides],
        "channels": 3,
        "taps": [0.25, 0.75, 0.75, 0.25],
    }


def networks(config: Dictionary[str, Any]) -> tuple[Mapping, Styles, Synthesis]:
    """Mapping network, affine maps and synthesis network of a configuration."""
    features = tuple(config["features"])
    synthesis = Synthesis(features, config["channels"], tuple(config["taps"]))
    return Mapping(tuple(config["mapping"])), Styles(style_layers(features)), synthesis


def network(config: Dictionary[str, Any]) -> style_spaces.StyleNetwork:
    """The whole network of a configuration, from ``z``."""
    return style_spaces.StyleNetwork(*networks(config))


def template(config: Dictionary[str, Any]) -> dict[str, Any]:
    """All weights as shapes: ``mapping``, ``styles``, ``synthesis``."""
    sides = noise_sides(tuple(config["features"]))
    noise = [jax.ShapeDtypeStruct((side, side), jnp.float32) for side in sides]
    return style_spaces.template(networks(config), config["latent_dim"], {"noise": noise})


def generator(
    config: Dictionary[str, Any],
    params: Dictionary[str, Any],
    *,
    space: str = "z",
    truncation: Any = 1.0,
    mean_latent: Any = None,
    layers: Any = None,
    base: Any = None,
    noise: Any = None,
) -> Settings:
    """StyleGAN2 in one of its spaces.

    ``s`` concatenates the style vectors of ``conv4, rgb4, up8, conv8, rgb8, up16, ...``; see :func:`style_layers`.

    Args:
        config: see :func:`configuration`.
        params: ``generator`` (:func:`template`); where the checkpoint has them, ``noise`` (``map0``, ``map1``, ...)
            and ``average`` (``latent (w,)`` or ``(L, w)``).
        space: ``"z"``, ``"w"``, ``"w+"`` or ``"s"``.
        truncation: see :func:`geomgan.generators.style_spaces.settings`.
        mean_latent: by default the stored one.
        layers: ``(a, b)``, the style layers that codes drive.
        base: the code of the others; by default the mean latent.
        noise: see :func:`geomgan.generators.style_options.noise_maps`.

    Raises:
        OptionError: an option is out of range or of another shape.
    """
    sides, stored = noise_sides(tuple(config["features"])), params.get("noise")
    maps = None if stored is None else [stored[f"map{i}"] for i in range(len(sides))]
    if mean_latent is None and "average" in params:
        mean_latent = params["average"]["latent"]
    return style_spaces.settings(
        networks(config),
        params["generator"],
        {"noise": noise_maps(noise, sides, maps)},
        config["latent_dim"],
        space=space,
        truncation=truncation,
        mean_latent=mean_latent,
        layers=layers,
        base=base,
    )
