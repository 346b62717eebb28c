"""StyleGAN (Karras, Laine and Aila, 2019), in the layout of the repository style-based-gan-pytorch.

Equalised learning rates and the norms of box and blur filters are folded into the weights.
"""

from __future__ import annotations

import numbers
from collections.abc import Mapping as Dictionary
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from geomgan.errors import OptionError
from geomgan.generators import style_spaces
from geomgan.generators.layers import Conv, leaky_relu, tap, upsample
from geomgan.generators.spaces import Settings
from geomgan.generators.style_layers import (
    Filter,
    Mapping,
    Style,
    Styles,
    split_styles,
    upfirdn,
    upsampling_convolution,
)
from geomgan.generators.style_options import noise_maps, numbers_of

BOX: Filter = ((1.0, 1.0), (0, 0))
BLUR: Filter = ((0.25, 0.5, 0.25), (1, 1))


def style_layers(features: tuple[int, ...]) -> tuple[Style, ...]:
    """The adaptive norms in network order, row by row of ``w+``: ``input4, conv4, up8, conv8, up16, ...``.

    A style vector is the gains and then the shifts of its layer's channels; the two norms of a block take two rows.
    """
    names = [("up" if i else "input", "conv") for i in range(len(features))]
    return tuple(
        Style(f"{name}{4 * 2**i}", 2 * i + k, 2 * size)
        for i, size in enumerate(features)
        for k, name in enumerate(names[i])
    )


def noise_sides(features: tuple[int, ...]) -> tuple[int, ...]:
    """The side of every noise map, one for both layers of a resolution."""
    return tuple(4 * 2**i for i in range(len(features)))


def adaptive_instance_norm(x: jax.Array, style: jax.Array, epsilon: float = 1e-5) -> jax.Array:
    """``γ_c (x - mean) / √(var + ε) + β_c``, mean and variance of each channel over the pixels (Huang, 2017)."""
    gain, shift = jnp.split(style, 2)
    centred = x - x.mean(axis=(0, 1))
    return centred * (gain * lax.rsqrt(jnp.mean(centred**2, axis=(0, 1)) + epsilon)) + shift


class UpsamplingConv(nn.Module):
    """Upsampling to twice the side, a 3 x 3 convolution, a bias and a blur with ``[1, 2, 1] / 4``.

    Nearest-neighbour upsampling with a convolution, and the transposed convolution with a 3 x 3 kernel that is
    smoothed by a box, are both: transposed convolution with stride 2, then a box filter. The blur sees zeros outside
    the image, so that it also lowers the bias at the edges.
    """

    features: int

    @nn.compact
    def __call__(self, x):
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (3, 3, x.shape[-1], self.features))
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        x = upsampling_convolution(x, kernel, (BOX, BLUR))
        inside = upfirdn(jnp.ones((*x.shape[:2], 1), x.dtype), BLUR[0], padding=BLUR[1])
        return x + inside * bias


class Synthesis(nn.Module):
    """``(s (S,), noise maps, alpha) -> image (H, W, C)``, linear output, nominally in ``(-1, 1)``.

    ``features[i]`` are the channels at ``4 · 2^i`` pixels; ``s`` is in the order of :func:`style_layers`. With
    ``alpha`` the image is ``(1 - alpha)`` times that of the block before, upsampled, and ``alpha`` times this one: the
    fade-in of progressive growing. Activations: ``input4``, ``conv4``, ``up8``, ``conv8``, ... (after the adaptive
    norm; with ``.preactivation`` and ``.activation`` before and after the leaky ReLU), ``rgb{side}``.
    """

    features: tuple[int, ...]
    channels: int

    @nn.compact
    def __call__(self, s, noise, alpha=None):
        styles = split_styles(s, style_layers(self.features))

        def styled(name: str, x: jax.Array, noise: jax.Array) -> jax.Array:
            strength = self.param(f"{name}_strength", nn.initializers.zeros, (x.shape[-1],))
            x = tap(self, f"{name}.preactivation", x + noise[:, :, None] * strength)
            x = tap(self, f"{name}.activation", leaky_relu(x))
            return tap(self, name, adaptive_instance_norm(x, styles[name]))

        def rgb(side: int, x: jax.Array) -> jax.Array:
            return tap(self, f"rgb{side}", Conv(self.channels, kernel=1, name=f"rgb{side}")(x))

        x = self.param("constant", nn.initializers.ones, (4, 4, self.features[0]))
        before = x
        for i, (features, side) in enumerate(zip(self.features, noise_sides(self.features), strict=True)):
            if i:
                before, x = x, UpsamplingConv(features, name=f"up{side}")(x)
            x = styled(f"up{side}" if i else "input4", x, noise[i])
            x = Conv(features, kernel=3, padding=1, name=f"conv{side}")(x)
            x = styled(f"conv{side}", x, noise[i])
        if alpha is None:
            return rgb(side, x)
        return (1 - alpha) * upsample(rgb(side // 2, before)) + alpha * rgb(side, x)


def networks(config: Dictionary[str, Any], resolution: int) -> tuple[Mapping, Styles, Synthesis]:
    """Mapping network, affine maps and synthesis network up to a resolution."""
    features = tuple(config["features"])[: (resolution // 4).bit_length()]
    mapping = Mapping(tuple(config["mapping"]))
    return mapping, Styles(style_layers(features)), Synthesis(features, config["channels"])


def network(config: Dictionary[str, Any]) -> style_spaces.StyleNetwork:
    """The whole network of a configuration, from ``z``."""
    return style_spaces.StyleNetwork(*networks(config, config["resolution"]))


def template(config: Dictionary[str, Any]) -> dict[str, Any]:
    """All weights as shapes: ``mapping``, ``styles``, ``synthesis``, with the image layers of every resolution."""
    sides = noise_sides(tuple(config["features"]))
    modules = networks(config, sides[-1])
    noise = [jax.ShapeDtypeStruct((side, side), jnp.float32) for side in sides]
    shapes = style_spaces.template(modules, config["latent_dim"], {"noise": noise})
    for side, features in zip(sides, config["features"], strict=True):
        layer = {"kernel": (1, 1, features, config["channels"]), "bias": (config["channels"],)}
        shapes["synthesis"][f"rgb{side}"] = {k: jax.ShapeDtypeStruct(v, jnp.float32) for k, v in layer.items()}
    return shapes


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
    resolution: int | None = None,
    alpha: float = 1.0,
) -> Settings:
    """StyleGAN in one of its spaces.

    ``w+`` has two rows per resolution, and ``s`` the gains and shifts of their layers; see :func:`style_layers`.

    Args:
        config: ``latent_dim``, ``mapping`` (widths), ``features``, ``channels``, ``resolution``.
        params: ``generator`` (:func:`template`).
        space: ``"z"``, ``"w"``, ``"w+"`` or ``"s"``.
        truncation: see :func:`geomgan.generators.style_spaces.settings`. The published samples have 0.7.
        mean_latent: by default an average of mapped codes.
        layers: ``(a, b)``, the style layers that codes drive.
        base: the code of the others; by default the mean latent.
        noise: see :func:`geomgan.generators.style_options.noise_maps`; one map per resolution, used by both its layers.
        resolution: a power of two from 4 to the network's; by default what the model was converted for.
        alpha: weight of the last block in ``[0, 1]``, the rest is the image of the block before; 1 for no fade-in.

    Raises:
        OptionError: an option is out of range or of another shape.
    """
    resolution = _resolution(config, resolution)
    modules = networks(config, resolution)
    inputs: dict[str, Any] = {"noise": noise_maps(noise, noise_sides(modules[2].features))}
    if (weight := _alpha(alpha, resolution)) < 1:
        inputs["alpha"] = np.float32(weight)
    shapes = style_spaces.template(modules, config["latent_dim"], inputs)
    return style_spaces.settings(
        modules,
        {part: {name: params["generator"][part][name] for name in leaves} for part, leaves in shapes.items()},
        inputs,
        config["latent_dim"],
        space=space,
        truncation=truncation,
        mean_latent=mean_latent,
        layers=layers,
        base=base,
    )


def _resolution(config: Dictionary[str, Any], value: Any) -> int:
    sides = noise_sides(tuple(config["features"]))
    resolution = config["resolution"] if value is None else value
    if isinstance(resolution, bool) or not isinstance(resolution, numbers.Integral) or resolution not in sides:
        raise OptionError(f"resolution={resolution!r}; this network makes {', '.join(map(str, sides))} pixels.")
    return int(resolution)


def _alpha(value: Any, resolution: int) -> float:
    alpha = numbers_of(value, "alpha")
    if alpha.shape or isinstance(value, bool) or not 0 <= alpha <= 1:
        raise OptionError(f"alpha={value!r}; expected a number from 0 to 1: the weight of the last block.")
    if alpha < 1 and resolution == 4:
        raise OptionError(f"alpha={value!r}, but 4 pixels are the first block: there is none to fade from.")
    return float(alpha)
