"""The StyleGAN2 of lucidrains' stylegan2-pytorch, which differs from the published one in every layer.

No equalised learning rates; bilinear upsampling stands before a convolution and not in it; styles are offsets from 1;
both convolutions and the image layer of a block share one row of ``w+``; the image is upsampled and blurred behind the
sum; one noise image of the whole side, uniform in (0, 1), is cropped for each block, weighted per channel, and
transposed on the way. Learning-rate multipliers and offsets are folded into the weights.
"""

from __future__ import annotations

from collections.abc import Mapping as Dictionary
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from geomgan.errors import OptionError
from geomgan.generators import style_spaces
from geomgan.generators.convolutions import convolve, upsample_bilinear
from geomgan.generators.layers import Conv, Dense, leaky_relu, tap
from geomgan.generators.linear_attention import ChannelNorm, LinearAttention, blur
from geomgan.generators.spaces import Settings
from geomgan.generators.style_layers import Mapping, Style, Styles, demodulation, split_styles
from geomgan.generators.style_options import numbers_of

START = "start"  # the style vector of the first map, where no constant is learned


def style_layers(features: tuple[int, ...], constant: bool) -> tuple[Style, ...]:
    """The layers that take a style with its row of ``w+``: ``rgb4, conv4_1, conv4_2`` row 0, those of 8 pixels row 1.

    Without a ``constant`` the first is :data:`START`, the map of 4 x 4 pixels itself.
    """
    styles = [] if constant else [Style(START, 0, 16 * features[0])]
    for i, after in enumerate(features):
        before, side = features[max(i - 1, 0)], 4 * 2**i
        styles += [Style(f"rgb{side}", i, after), Style(f"conv{side}_1", i, before), Style(f"conv{side}_2", i, after)]
    return tuple(styles)


class AveragedStyles(Styles):
    """:class:`Styles` whose first one is of the mean of all rows."""

    @nn.compact
    def __call__(self, w_plus):
        first, *others = self.styles
        start = Dense(first.size, name=first.name)(w_plus.mean(axis=0))
        return jnp.concatenate([start, *(Dense(s.size, name=s.name)(w_plus[s.row]) for s in others)])


class NoisyConv(nn.Module):
    """``d ⊙ conv(s ⊙ x) + strength · noise + bias`` with a strength per channel, the preactivation of one layer."""

    features: int

    @nn.compact
    def __call__(self, x, style, noise):
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (3, 3, x.shape[-1], self.features))
        strength = self.param("strength", nn.initializers.zeros, (self.features,))
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        made = convolve(x * style, kernel, padding=1) * demodulation(style, kernel)
        return made + (strength * noise[:, :, None] + bias)


class Attention(nn.Module):
    """Linear attention and two 1 x 1 convolutions with a leaky ReLU between, each added to its input behind a norm."""

    inner: int

    @nn.compact
    def __call__(self, x):
        x = x + LinearAttention(self.inner, name="attend")(ChannelNorm(name="norm1")(x))
        y = leaky_relu(Conv(2 * x.shape[-1], kernel=1, name="wide")(ChannelNorm(name="norm2")(x)))
        return x + Conv(x.shape[-1], kernel=1, name="narrow")(y)


class Synthesis(nn.Module):
    """``(s (S,), noise (side, side)) -> image (H, W, C)``, linear output, nominally in ``(0, 1)``.

    ``features[i]`` are the channels at ``4 · 2^i`` pixels; ``s`` is in the order of :func:`style_layers`.
    Activations: ``start``, then ``attention8`` (where there is one), ``conv4_1``, ``conv4_2`` (after the leaky ReLU,
    and ``.preactivation``), ``rgb4`` (the image so far), and so on.

    Attributes:
        features: see above.
        channels: of the image.
        attention: numbers of the blocks, from 0, that attention stands before.
        inner: channels of its heads.
        constant: whether the first map is learned; else a style.
    """

    features: tuple[int, ...]
    channels: int
    attention: tuple[int, ...] = ()
    inner: int = 512
    constant: bool = True

    @nn.compact
    def __call__(self, s, noise):
        styles, first = split_styles(s, style_layers(self.features, self.constant)), self.features[0]
        if self.constant:
            x = self.param("constant", nn.initializers.normal(1), (4, 4, first))
        else:
            x = styles[START].reshape(4, 4, first)
        x = tap(self, "start", Conv(first, kernel=3, padding=1, name="start")(x))
        image = None
        for i, features in enumerate(self.features):
            side = 4 * 2**i
            if i in self.attention:
                x = tap(self, f"attention{side}", Attention(self.inner, name=f"attention{side}")(x))
            x = upsample_bilinear(x) if i else x
            for name in (f"conv{side}_1", f"conv{side}_2"):
                x = NoisyConv(features, name=name)(x, styles[name], noise[:side, :side].T)
                x = tap(self, name, leaky_relu(tap(self, f"{name}.preactivation", x)))
            name = f"rgb{side}"
            kernel = self.param(name, nn.initializers.lecun_normal(), (features, self.channels))
            made = (x * styles[name]) @ kernel
            image = made if image is None else made + blur(upsample_bilinear(image))
            image = tap(self, name, image)
        return image


def networks(config: Dictionary[str, Any]) -> tuple[Mapping, Styles, Synthesis]:
    """Mapping network, affine maps and synthesis network of a configuration."""
    features, constant = tuple(config["features"]), config["constant"]
    styles = (Styles if constant else AveragedStyles)(style_layers(features, constant))
    synthesis = Synthesis(features, config["channels"], tuple(config["attention"]), config["inner"], constant)
    return Mapping(tuple(config["mapping"])), styles, synthesis


def network(config: Dictionary[str, Any]) -> style_spaces.StyleNetwork:
    """The whole network of a configuration, from ``z``."""
    return style_spaces.StyleNetwork(*networks(config))


def template(config: Dictionary[str, Any]) -> dict[str, Any]:
    """All weights as shapes: ``mapping``, ``styles``, ``synthesis``."""
    noise = jax.ShapeDtypeStruct((config["resolution"],) * 2, jnp.float32)
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
    """Lucidrains' StyleGAN2 in one of its spaces; ``w+`` has a row for each resolution.

    Args:
        config: of ``model.json``.
        params: ``generator`` (:func:`template`).
        space: ``"z"``, ``"w"``, ``"w+"`` or ``"s"`` (see :func:`style_layers`).
        truncation: see :func:`geomgan.generators.style_spaces.settings`; the published program shows 0.75.
        mean_latent: by default the mean of mapped codes: the file has none.
        layers: ``(a, b)``, the rows of ``w+`` that codes drive.
        base: the code of the others; by default the mean latent.
        noise: ``"zero"``, a ``jax.random.key`` (uniform in (0, 1), as published), or one image ``(H, W)`` or
            ``(H, W, 1)``, as the published network takes it; by default that of ``jax.random.key(0)``.

    Raises:
        OptionError: an option is out of range or of another shape.
    """
    return style_spaces.settings(
        networks(config),
        params["generator"],
        {"noise": _noise(noise, config["resolution"])},
        config["latent_dim"],
        space=space,
        truncation=truncation,
        mean_latent=mean_latent,
        layers=layers,
        base=base,
    )


def _noise(noise: Any, side: int) -> jax.Array:
    if isinstance(noise, str) and noise == "zero":
        return jnp.zeros((side, side), jnp.float32)
    key = jax.random.key(0) if noise is None else noise
    if isinstance(key, jax.Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key) and key.shape == ():
        return jax.random.uniform(key, (side, side), jnp.float32)
    if isinstance(noise, str):
        raise OptionError(f"noise={noise[:40]!r}; expected 'zero', one jax.random.key or an image ({side}, {side}).")
    image = numbers_of(noise, "noise")
    if image.shape not in ((side, side), (side, side, 1)):
        raise OptionError(f"noise has shape {image.shape}; expected ({side}, {side}) or ({side}, {side}, 1).")
    return jnp.asarray(image.reshape(side, side))
