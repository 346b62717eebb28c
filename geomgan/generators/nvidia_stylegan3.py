"""StyleGAN3, configurations T and R (Karras, Aittala, Laine, Härkönen, Hellsten, Lehtinen and Aila, 2021).

Feature maps are samples of band-limited signals: the first is a field of plane waves, and every non-linearity acts
on an upsampled signal that is low-pass filtered afterwards. Constants of training are folded into the weights:
equalised learning rates, gains of ``√2``, running magnitudes, the unit norm of the kernels, the output's scale.
"""

from __future__ import annotations

import math
from collections.abc import Mapping as Dictionary
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from geomgan.generators import style_spaces
from geomgan.generators.layers import convolve, leaky_relu, tap
from geomgan.generators.nvidia_stylegan2 import of_class, truncation_up_to
from geomgan.generators.spaces import Settings
from geomgan.generators.style_layers import Mapping, Style, Styles, demodulation, split_styles, upfirdn


@dataclass(frozen=True)
class Waves:
    """The Fourier input: ``features`` plane waves on ``size`` pixels a side, of which ``rate`` make one unit.

    Waves of a frequency above ``bandwidth`` are damped, linearly down to zero at ``rate / 2``.
    """

    features: int
    size: int
    rate: float
    bandwidth: float


@dataclass(frozen=True)
class Filtered:
    """One layer: a modulated convolution, and but for the last a filtered non-linearity.

    Attributes:
        before: channels that it takes.
        features: channels that it makes.
        kernel: side of the convolution.
        up: factor of upsampling before the non-linearity.
        down: factor of downsampling after it.
        up_taps: length of the separable filter behind the upsampling.
        down_taps: length (radial: side) of the filter before the downsampling.
        radial: whether that filter is two-dimensional (configuration R).
        padding: zeros (negative: pixels dropped) before and after the upsampled map.
    """

    before: int
    features: int
    kernel: int
    up: int
    down: int
    up_taps: int
    down_taps: int
    radial: bool
    padding: tuple[int, int]


class FourierInput(nn.Module):
    """``style (4,) -> (size, size, features)``: plane waves, rotated and moved by the style, mixed by a matrix.

    The style is ``(r_c, r_s, t_x, t_y)``, divided by ``‖(r_c, r_s)‖``. With ``M = R(r) T(-t) transform``, a wave of
    frequency ``f`` and phase ``φ`` is ``a(|Mᵀf|) sin 2π(f·M x + φ)`` at the point ``x``; the origin is in the middle.
    """

    waves: Waves

    @nn.compact
    def __call__(self, style):
        features, size = self.waves.features, self.waves.size
        frequencies = self.param("frequencies", nn.initializers.normal(1), (features, 2))
        phases = self.param("phases", nn.initializers.zeros, (features,))
        transform = self.param("transform", nn.initializers.zeros, (3, 3))
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (features, features))
        cos, sin, x, y = style * lax.rsqrt(style[0] ** 2 + style[1] ** 2)
        moved = jnp.stack([transform[0] - x * transform[2], transform[1] - y * transform[2]])
        matrix = jnp.stack([cos * moved[0] - sin * moved[1], sin * moved[0] + cos * moved[1]])  # (2, 3)
        phases = phases + frequencies @ matrix[:, 2]
        frequencies = frequencies @ matrix[:, :2]
        excess = jnp.sqrt(jnp.sum(frequencies**2, axis=1)) - self.waves.bandwidth
        amplitudes = jnp.clip(1 - excess / (self.waves.rate / 2 - self.waves.bandwidth), 0, 1)
        at = jnp.asarray((np.arange(size) + 0.5 - size / 2) / self.waves.rate, style.dtype)
        columns, rows = at[:, None] * frequencies[:, 0], at[:, None] * frequencies[:, 1]
        angles = columns[None] + rows[:, None] + phases
        return (jnp.sin(2 * math.pi * angles) * amplitudes) @ kernel


class FilteredLayer(nn.Module):
    """``down(leaky_relu(up(g d ⊙ conv(s ⊙ x) + bias)))``; the last layer is ``conv(s ⊙ x) + bias``.

    ``s`` is the style divided by its root mean square, ``d`` the demodulation and ``g`` a trained gain. Activations:
    ``preactivation`` (the upsampled map before the non-linearity).
    """

    layer: Filtered
    last: bool

    @nn.compact
    def __call__(self, x, style):
        layer = self.layer
        shape = (layer.kernel, layer.kernel, layer.before, layer.features)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape)
        bias = self.param("bias", nn.initializers.zeros, (layer.features,))
        if self.last:
            return convolve(x * style, kernel, padding=layer.kernel - 1) + bias
        style = style * lax.rsqrt(jnp.mean(style**2))
        gain = self.param("gain", nn.initializers.ones, ()) * demodulation(style, kernel)
        x = convolve(x * style, kernel, padding=layer.kernel - 1) * gain + bias
        up = self.param("up", nn.initializers.ones, (layer.up_taps,))
        down = self.param("down", nn.initializers.ones, (layer.down_taps,) * (2 if layer.radial else 1))
        x = tap(self, "preactivation", _upsampled(x, up, layer))
        return decimate(leaky_relu(x), down, layer.down)


def _upsampled(x: jax.Array, taps: jax.Array, layer: Filtered) -> jax.Array:
    """The map with zeros between its pixels and around it, filtered; ``upfirdn`` makes a multiple of ``up`` pixels."""
    before, after = layer.padding
    side = len(x) * layer.up + before + after - layer.up_taps + 1
    return upfirdn(x, tuple(taps), layer.up, (before, after + -side % layer.up))[:side, :side]


def decimate(x: jax.Array, taps: jax.Array, factor: int) -> jax.Array:
    """``y[i, j] = Σ_kl taps[k, l] x[f i + k, f j + l]`` on ``x (H, W, C)``, windows inside ``x`` only.

    ``taps`` ``(n, n)``, or ``(n,)`` for the separable filter ``taps ⊗ taps``.
    """
    if taps.ndim == 2:  # a stack of maps with one channel: the same filter for all
        maps = jnp.moveaxis(x, -1, 0)[..., None]
        kernel = taps[:, :, None, None]
        strides = (factor, factor)
        y = lax.conv_general_dilated(maps, kernel, strides, "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return jnp.moveaxis(y[..., 0], 0, -1)
    for axis in (0, 1):
        reach = (x.shape[axis] - len(taps)) // factor * factor + 1
        terms = [taps[k] * lax.slice_in_dim(x, k, k + reach, factor, axis) for k in range(len(taps))]
        x = sum(terms[1:], start=terms[0])
    return x


def style_layers(layers: Sequence[Filtered]) -> tuple[Style, ...]:
    """``input`` takes row 0 of ``w+``, layer ``Lk`` row ``k + 1``."""
    return (Style("input", 0, 4), *(Style(f"L{k}", k + 1, layer.before) for k, layer in enumerate(layers)))


class Synthesis(nn.Module):
    """``s (S,) -> image (H, W, C)``, linear output, nominally in ``(-1, 1)``.

    Activations: ``input``, ``L0``, ``L1``, ... (after the non-linearity and its filter), and ``L0.preactivation``, ...
    """

    waves: Waves
    layers: tuple[Filtered, ...]

    @nn.compact
    def __call__(self, s):
        styles = split_styles(s, style_layers(self.layers))
        x = tap(self, "input", FourierInput(self.waves, name="input")(styles["input"]))
        for k, layer in enumerate(self.layers):
            name, last = f"L{k}", k == len(self.layers) - 1
            x = tap(self, name, FilteredLayer(layer, last, name=name)(x, styles[name]))
        return x


def networks(config: Dictionary[str, Any]) -> tuple[Mapping, Styles, Synthesis]:
    """Mapping network, affine maps and synthesis network of a configuration."""
    waves = Waves(**config["input"])
    layers = tuple(Filtered(**{**layer, "padding": tuple(layer["padding"])}) for layer in config["layers"])
    return Mapping(tuple(config["mapping"])), Styles(style_layers(layers)), Synthesis(waves, layers)


def network(config: Dictionary[str, Any]) -> style_spaces.StyleNetwork:
    """The whole network of a configuration, from ``z``."""
    return style_spaces.StyleNetwork(*networks(config))


def template(config: Dictionary[str, Any]) -> dict[str, Any]:
    """All weights as shapes: ``mapping``, ``styles``, ``synthesis``."""
    return style_spaces.template(networks(config), config["latent_dim"], {})


def generator(
    config: Dictionary[str, Any],
    params: Dictionary[str, Any],
    *,
    space: str = "z",
    class_index: int | None = None,
    truncation: Any = 1.0,
    truncation_cutoff: int | None = None,
    mean_latent: Any = None,
    layers: Any = None,
    base: Any = None,
) -> Settings:
    """StyleGAN3 in one of its spaces, of one class.

    ``s`` concatenates the four numbers of the input's transform and the style vectors of the layers.

    Args:
        config: ``latent_dim``, ``mapping``, ``classes``, ``input`` (:class:`Waves`), ``layers`` (:class:`Filtered`).
        params: ``generator`` (:func:`template`); where the checkpoint has them, ``average`` (``latent (w,)``) and
            ``classes`` (see :func:`geomgan.generators.nvidia_stylegan2.of_class`).
        space: ``"z"``, ``"w"``, ``"w+"`` or ``"s"``.
        class_index: the class of ``z``, also of the priors of the other spaces; 0 unless given.
        truncation: ``ψ``, for the first ``truncation_cutoff`` style layers; see
            :func:`geomgan.generators.style_spaces.settings`.
        truncation_cutoff: None for all of them.
        mean_latent: by default the stored one, an average over all classes.
        layers: ``(a, b)``, the style layers that codes drive.
        base: the code of the others; by default the mean latent.

    Raises:
        OptionError: an option is out of range or of another shape.
    """
    modules = networks(config)
    if mean_latent is None and "average" in params:
        mean_latent = params["average"]["latent"]
    return style_spaces.settings(
        modules,
        of_class(params, class_index),
        {},
        config["latent_dim"],
        space=space,
        truncation=truncation_up_to(truncation_cutoff, truncation, modules[1].depth),
        mean_latent=mean_latent,
        layers=layers,
        base=base,
    )
