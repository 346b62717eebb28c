"""StyleGAN3, configurations T and R (Karras, Aittala, Laine, Härkönen, Hellsten, Lehtinen and Aila, 2021).

Feature maps are samples of band-limited signals: the first is a field of plane waves, and every non-linearity acts
on an upsampled signal that is low-pass filtered afterwards. Constants of training are folded into the weights:
equalised learning rates, gains of ``√2``, running magnitudes, the unit norm of the kernels, the output's scale. The
original's clamp of activations to ±256 (``conv_clamp``) serves half precision and is left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping as Dictionary
from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from geomgan.errors import check_count
from geomgan.generators import style_spaces
from geomgan.generators.class_names import class_number
from geomgan.generators.layers import convolve, leaky_relu, tap
from geomgan.generators.nvidia_stylegan2 import of_class, truncation_up_to
from geomgan.generators.spaces import Settings
from geomgan.generators.style_layers import Mapping, Style, Styles, demodulation, split_styles, upfirdn
from geomgan.generators.stylegan3_sampling import Filtered, Sampling, Waves


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
        squares = jnp.maximum(jnp.sum(frequencies**2, axis=1), 1e-12)  # the root of zero has no derivative
        excess = jnp.sqrt(squares) - self.waves.bandwidth
        amplitudes = jnp.clip(1 - excess / (self.waves.rate / 2 - self.waves.bandwidth), 0, 1)
        at = jnp.asarray((np.arange(size) + 0.5 - size / 2) / self.waves.rate, style.dtype)
        columns, rows = at[:, None] * frequencies[:, 0], at[:, None] * frequencies[:, 1]
        angles = columns[None] + rows[:, None] + phases
        return (jnp.sin(2 * math.pi * angles) * amplitudes) @ kernel


class FilteredLayer(nn.Module):
    """``down(leaky_relu(up(g d ⊙ conv(s ⊙ x) + bias)))``; the last layer is ``conv(s ⊙ x) + bias``.

    ``s`` is the style divided by its root mean square, ``d`` the demodulation and ``g`` a trained gain. Returns what
    the non-linearity takes, an upsampled map, and what the layer makes.
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
            x = convolve(x * style, kernel, padding=layer.kernel - 1) + bias
            return x, x
        style = style * lax.rsqrt(jnp.mean(style**2))
        gain = self.param("gain", nn.initializers.ones, ()) * demodulation(style, kernel)
        x = convolve(x * style, kernel, padding=layer.kernel - 1) * gain + bias
        up = self.param("up", nn.initializers.ones, (layer.up_taps,))
        down = self.param("down", nn.initializers.ones, (layer.down_taps,) * (2 if layer.radial else 1))
        x = _upsampled(x, up, layer)
        return x, decimate(leaky_relu(x), down, layer.down)


def _upsampled(x: jax.Array, taps: jax.Array, layer: Filtered) -> jax.Array:
    """The map with zeros between its pixels and around it, filtered; ``upfirdn`` makes a multiple of ``up`` pixels."""
    check_count(layer.up, layer.up_taps, "up")  # its zeros would take all memory
    before, after = layer.padding
    side = len(x) * layer.up + before + after - layer.up_taps + 1
    return upfirdn(x, tuple(taps), layer.up, (before, after + -side % layer.up))[:side, :side]


def decimate(x: jax.Array, taps: jax.Array, factor: int) -> jax.Array:
    """``y[i, j] = Σ_kl taps[k, l] x[f i + k, f j + l]`` on ``x (H, W, C)``, windows inside ``x`` only.

    ``taps`` ``(n, n)``, or ``(n,)`` for the separable filter ``taps ⊗ taps``.
    """
    if taps.ndim == 2:
        return _windows(x, taps, (factor, factor))
    return _windows(_windows(x, taps[:, None], (factor, 1)), taps[None], (1, factor))


def _windows(x: jax.Array, taps: jax.Array, strides: tuple[int, int]) -> jax.Array:
    """One pass of :func:`decimate`: a sum of slices, which XLA fuses; convolutions of one channel are much slower."""
    reach = [(side - n) // stride * stride + 1 for side, n, stride in zip(x.shape, taps.shape, strides, strict=False)]
    terms = [
        taps[k, l] * lax.slice(x, (k, l, 0), (k + reach[0], l + reach[1], x.shape[2]), (*strides, 1))
        for k, l in np.ndindex(*taps.shape)
    ]
    return sum(terms[1:], start=terms[0])


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
            wide, x = FilteredLayer(layer, last, name=name)(x, styles[name])
            if not last:
                tap(self, f"{name}.preactivation", wide)
            x = tap(self, name, x)
        return x


def configuration(
    resolution: int, channel_base: float = 16384, channel_max: int = 512, kernel: int = 3, radial: bool = False
) -> dict[str, Any]:
    """Configuration T with 14 layers, without classes; R has ``32768, 1024, kernel=1, radial=True``.

    Layers have ``channel_base / 2`` channels over their cutoff frequency, at most ``channel_max``; filters have 6 taps
    per sample of the lower rate, and are radial where layers are oversampled.
    """
    sampling = Sampling(resolution, 15)
    features = [*(int(n) for n in np.rint(np.minimum(channel_base / 2 / sampling.cutoffs[:-1], channel_max))), 3]
    layers = []
    for k, (before, after) in enumerate(zip([features[0], *features], features, strict=False)):
        last, oversampled = k == 14, k < 14 - sampling.num_critical
        up, down = (1 if factor == 1 else 6 * factor for factor in sampling.factors(k))
        layers.append(sampling.layer(k, before, after, 1 if last else kernel, up, down, radial and oversampled))
    return {
        "resolution": resolution,
        "latent_dim": 512,
        "mapping": [512, 512],
        "classes": 0,
        "input": sampling.waves(features[0]),
        "layers": layers,
    }


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
        params: ``generator`` (:func:`template`); where the checkpoint has them, ``average`` (``latent (w,)``; in
            StyleGAN-XL a row for each class) and ``classes`` (see
            :func:`geomgan.generators.nvidia_stylegan2.of_class`).
        space: ``"z"``, ``"w"``, ``"w+"`` or ``"s"``.
        class_index: the class of ``z``, also of the priors of the other spaces; 0 unless given.
        truncation: ``ψ``, for the first ``truncation_cutoff`` style layers; see
            :func:`geomgan.generators.style_spaces.settings`.
        truncation_cutoff: None for all of them.
        mean_latent: by default the stored one, an average over all classes; in StyleGAN-XL that of the class.
        layers: ``(a, b)``, the style layers that codes drive.
        base: the code of the others; by default the mean latent.

    Raises:
        OptionError: an option is out of range or of another shape.
    """
    modules = networks(config)
    if mean_latent is None and "average" in params:
        mean_latent = params["average"]["latent"]
        if np.ndim(mean_latent) == 2:
            mean_latent = mean_latent[class_number(0 if class_index is None else class_index, len(mean_latent))]
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
