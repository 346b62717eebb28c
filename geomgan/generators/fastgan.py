"""FastGAN (Liu, Zhu, Song and Elgammal, 2021), as in its own repository and in Projected GAN's (Sauer et al., 2021).

Blocks of gated linear units, and gates that carry what an early map says of the whole to a map sixteen times the side.
Spectral norms are folded; batch norms too, and the fixed noise of a layer passes through its norm. With classes the
norms are conditional.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from geomgan.generators.biggan import in_spaces
from geomgan.generators.layers import ConditionalBatchNorm, Conv, Dense, pixel_norm, products, tap
from geomgan.generators.lightweight_gan import glu
from geomgan.generators.network import PyTree
from geomgan.generators.spaces import InSpace, Settings
from geomgan.generators.style_options import noise_maps

GATES = {64: 4, 128: 8, 256: 16, 512: 32}  # side of a map -> side of the one that gates it


class FastGAN(nn.Module):
    """``(z (d,), condition (e,), noise maps) -> image (H, W, C)``, nominally in ``(-1, 1)``.

    Activations: ``initial`` (4 x 4); for each side ``block8.1`` and, in a large block, ``block8.2`` (behind the gated
    linear units), ``gate64`` and ``gated64`` where there is a gate; ``output.preactivation``.

    Attributes:
        features: channels of the maps of 4, 8, 16, ... pixels.
        large: sides of the maps whose block has two convolutions, and noise.
        channels: of the image.
        conditional: whether the norms see the condition.
        normalised: whether the code is brought to unit mean square first.
        tanh: whether the output is.
    """

    features: tuple[int, ...]
    large: tuple[int, ...]
    channels: int
    conditional: bool
    normalised: bool
    tanh: bool

    @nn.compact
    def __call__(self, z, condition, noise):
        z, maps = pixel_norm(z) if self.normalised else z, iter(noise)
        x = Dense(32 * self.features[0], name="initial")(z).reshape(4, 4, -1)
        x = glu(tap(self, "initial.preactivation", x))
        seen = {4: tap(self, "initial", x)}
        for i, features in enumerate(self.features[1:], start=1):
            side = 4 * 2**i
            for k in (1, 2) if side in self.large else (1,):
                noisy = next(maps) if side in self.large else None
                x = self._layer(f"block{side}_{k}", x, features, condition, noisy, 3 - k)
                x = tap(self, f"block{side}.{k}", x)
            if side in GATES:
                gate = Gate(features, name=f"gate{side}")(seen[GATES[side]])
                x = tap(self, f"gated{side}", x * tap(self, f"gate{side}", gate))
            seen[side] = x
        x = tap(self, "output.preactivation", Conv(self.channels, kernel=3, padding=1, name="output")(x))
        return jnp.tanh(x) if self.tanh else x

    def _layer(self, name: str, x: jax.Array, features: int, condition: jax.Array, noise: Any, factor: int) -> Any:
        """Upsampling, a convolution, noise, a norm, and a gated linear unit; a plain norm is folded."""
        wide = 2 * features
        y = Conv(wide, kernel=3, padding=1, bias=not self.conditional, upsample=factor, name=name)(x)
        if noise is not None:
            y = y + self.param(f"{name}_noise", nn.initializers.zeros, (wide,)) * noise[:, :, None]
        if self.conditional:  # the maps of the condition have a bias
            y = ConditionalBatchNorm(name=f"{name}_norm")(y, jnp.append(condition, 1))
        return glu(y)

    def first_layers(self, z, condition, noise):
        """The first map, before its gated linear unit."""
        del condition, noise
        return {"initial": products(self, ["initial"], pixel_norm(z) if self.normalised else z)}


class Gate(nn.Module):
    """``(H, W, in) -> (features,)`` in (0, 1): averages over 4 x 4 cells, a dense layer, SiLU, another one."""

    features: int

    @nn.compact
    def __call__(self, x):
        cell = x.shape[0] // 4
        x = x.reshape(4, cell, 4, cell, -1).mean(axis=(1, 3)).reshape(-1)
        hidden = nn.silu(x @ self.param("look", nn.initializers.lecun_normal(), (x.size, self.features)))
        return jax.nn.sigmoid(hidden @ self.param("open", nn.initializers.lecun_normal(), (self.features,) * 2))


def network(config: Mapping[str, Any]) -> FastGAN:
    """The module of a configuration."""
    return FastGAN(
        tuple(config["features"]),
        tuple(config["large"]),
        config["channels"],
        bool(config["classes"]),
        config["normalised"],
        config["tanh"],
    )


def sides(config: Mapping[str, Any]) -> tuple[int, ...]:
    """Of the noise maps: two for each large block."""
    return tuple(side for side in config["large"] for _ in (1, 2))


def inputs(config: Mapping[str, Any]) -> tuple[Any, ...]:
    """What the module takes, as shapes: the code, the class's condition, and the noise maps."""
    shape = lambda *sides: jax.ShapeDtypeStruct(sides, jnp.float32)
    return shape(config["latent_dim"]), shape(config["embedding"]), [shape(side, side) for side in sides(config)]


def generator(
    config: Mapping[str, Any],
    params: PyTree,
    *,
    space: str = "z",
    class_index: int | str | None = None,
    base: Any = None,
    noise: Any = None,
) -> Settings:
    """FastGAN with fixed noise, in one of its latent spaces.

    Args:
        config: of ``model.json``.
        params: ``{"generator": {"network": weights, "classes": (number of classes, e)}}``; without classes the weights.
        space: ``"z"``; with classes also ``"class"``, the class embedding with the code fixed.
        class_index: see :func:`geomgan.generators.biggan.biggan`.
        base: for ``"class"``: the code ``(d,)``; zeros unless given.
        noise: see :func:`geomgan.generators.style_options.noise_maps`; the published network draws it for every image.

    Raises:
        OptionError: an option has a value that it cannot take, or belongs to the other space.
    """
    classes = params["generator"].get("classes", np.zeros((1, 0), np.float32))
    made = in_spaces(
        network(config),
        params["generator"]["network"],
        classes,
        config["latent_dim"],
        ("z", "class") if classes.size else ("z",),
        space=space,
        class_index=class_index,
        truncation=None,
        base=base,
    )
    context = {**made.params["context"], "noise_maps": noise_maps(noise, sides(config))}
    function = cast(InSpace, made.function)
    return replace(
        made,
        function=replace(function, enter=WithNoise(function.enter)),
        params={**made.params, "context": context},
    )


@dataclass(frozen=True)
class WithNoise:
    """What ``enter`` makes of a code, and the noise maps behind it."""

    enter: Callable[[PyTree, jax.Array], tuple[jax.Array, ...]]

    def __call__(self, context: PyTree, code: jax.Array) -> tuple[Any, ...]:
        return (*self.enter(context, code), context["noise_maps"])
