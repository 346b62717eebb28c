"""The generator of lucidrains' lightweight-gan (after Liu et al., 2021, "FastGAN").

Gated linear units, upsampling by rearranged channels and a blur, and gates that carry what an early map has of its
context to a map eight times the side. Batch norms are folded; the fixed noise of a layer passes through its norm and is
part of its bias.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from geomgan.generators.convolutions import convolve
from geomgan.generators.layers import Conv, Dense, leaky_relu, products, tap
from geomgan.generators.linear_attention import ChannelNorm, LinearAttention, blur
from geomgan.generators.network import FlaxFunction, PyTree
from geomgan.generators.phases import interleaved
from geomgan.generators.spaces import InSpace, Settings
from geomgan.generators.style_options import noise_maps

AHEAD = 3  # a gate is of the map that has doubled so many times more
SLOPE = 0.1  # of the leaky ReLU in a gate


def glu(x: jax.Array) -> jax.Array:
    """``a · sigmoid(b)`` of the two halves ``a`` and ``b`` of the channels."""
    a, b = jnp.split(x, 2, axis=-1)
    return a * jax.nn.sigmoid(b)


def gated_sides(layers: int) -> dict[int, int]:
    """Side of the map that a gate looks at -> side of the one that it multiplies, in a network of so many layers."""
    last = 4 * 2**layers
    return {side: side * 2**AHEAD for side in (16, 32, 64, 128) if side * 2**AHEAD <= last}


class Gate(nn.Module):
    """``(H, W, in) -> (features,)`` in (0, 1): a weighted mean over the pixels, then two dense layers.

    The weights of pixels are the softmax of a 1 x 1 convolution; with ``frequencies`` fixed per channel, cosines.
    """

    features: int
    hidden: int
    frequencies: bool

    @nn.compact
    def __call__(self, x):
        if self.frequencies:
            context = jnp.sum(x * self.param("cosines", nn.initializers.ones, x.shape), axis=(0, 1))
        else:
            weights = jax.nn.softmax(Conv(1, kernel=1, name="look")(x), axis=(0, 1))
            context = jnp.sum(x * weights, axis=(0, 1))
        hidden = leaky_relu(Dense(self.hidden, name="hidden")(context), SLOPE)
        return jax.nn.sigmoid(Dense(self.features, name="output")(hidden))


class LightweightGAN(nn.Module):
    """``(z (d,), noise maps) -> image (H, W, C)``, linear output, nominally in ``(0, 1)``.

    Activations: ``initial`` (4 x 4), then for each side ``attention4`` (where there is one), ``up8`` (behind the blur),
    ``layer8`` (behind its gated linear unit), ``layer16`` and so on; ``gate16`` and ``gated128`` where there are such.

    Attributes:
        features: channels behind each layer.
        channels: of the image.
        attention: sides of the maps that attention is added to.
        inner: channels of its heads.
        gates: side of the map that is looked at -> hidden size, as pairs.
        frequencies: whether gates are those of frequencies.
    """

    features: tuple[int, ...]
    channels: int
    attention: tuple[int, ...] = ()
    inner: int = 512
    gates: tuple[tuple[int, int], ...] = ()
    frequencies: bool = False

    @nn.compact
    def __call__(self, z, noise):
        x = Dense(32 * z.size, name="initial")(z).reshape(4, 4, -1)
        x = glu(tap(self, "initial.preactivation", x))
        x = x / jnp.maximum(jnp.sqrt(jnp.sum(x**2, axis=-1, keepdims=True)), 1e-12)
        x = tap(self, "initial", x)
        aims, hidden, waiting = gated_sides(len(self.features)), dict(self.gates), {}
        for i, features in enumerate(self.features):
            before, side = 4 * 2**i, 8 * 2**i
            if before in self.attention:
                name = f"attention{before}"
                attend = LinearAttention(self.inner, local=True, name=name)
                x = tap(self, name, x + attend(ChannelNorm(name=f"{name}_norm")(x)))
            x = nn.silu(Conv(4 * x.shape[-1], kernel=1, name=f"up{side}")(x))
            x = tap(self, f"up{side}", blur(_shuffled(x)))
            kernel = (4, 4, x.shape[-1], 2 * features)
            x = convolve(x, self.param(f"layer{side}", nn.initializers.normal(0.02), kernel), 1, [(2, 1), (2, 1)])
            strength = self.param(f"layer{side}_noise", nn.initializers.zeros, (2 * features,))
            bias = self.param(f"layer{side}_bias", nn.initializers.zeros, (2 * features,))
            x = tap(self, f"layer{side}.preactivation", x + (strength * noise[i][:, :, None] + bias))
            x = tap(self, f"layer{side}", glu(x))
            if side in aims:
                aim = self.features[(aims[side] // 8).bit_length() - 1]
                gate = Gate(aim, hidden[side], self.frequencies, name=f"gate{side}")(x)
                waiting[aims[side]] = tap(self, f"gate{side}", gate)
            if side in waiting:
                x = tap(self, f"gated{side}", x * waiting[side])
        return Conv(self.channels, kernel=3, padding=1, name="output")(x)

    def first_layers(self, z, noise):
        """The first map, before its gated linear unit."""
        del noise
        return {"initial": products(self, ["initial"], z)}


def _shuffled(x: jax.Array) -> jax.Array:
    """``(H, W, 4 C) -> (2H, 2W, C)``: channel ``4 c + 2 r + s`` is pixel ``(r, s)`` of each."""
    height, width, channels = x.shape
    return interleaved(x.reshape(height, width, channels // 4, 2, 2).transpose(0, 1, 3, 4, 2))


def network(config: Mapping[str, Any]) -> LightweightGAN:
    """The module of a configuration."""
    return LightweightGAN(
        tuple(config["features"]),
        config["channels"],
        tuple(config["attention"]),
        config["inner"],
        tuple((side, hidden) for side, hidden in config["gates"]),
        config["frequencies"],
    )


def sides(config: Mapping[str, Any]) -> tuple[int, ...]:
    """Of the noise maps."""
    return tuple(8 * 2**i for i in range(len(config["features"])))


def inputs(config: Mapping[str, Any]) -> tuple[Any, ...]:
    """What the module takes, as shapes: the code and the noise maps."""
    shape = lambda *sides: jax.ShapeDtypeStruct(sides, jnp.float32)
    return shape(config["latent_dim"]), [shape(side, side) for side in sides(config)]


def generator(config: Mapping[str, Any], params: PyTree, *, noise: Any = None) -> Settings:
    """The generator with fixed noise.

    Args:
        config: of ``model.json``.
        params: ``{"generator": weights}``.
        noise: see :func:`geomgan.generators.style_options.noise_maps`; the published network draws it for every image.

    Raises:
        OptionError: ``noise`` is none of those.
    """
    context = {"noise": noise_maps(noise, sides(config))}
    function = InSpace(FlaxFunction(network(config)), with_noise)
    return Settings(function, {"network": params["generator"], "context": context}, config["latent_dim"])


def with_noise(context: PyTree, z: jax.Array) -> tuple[Any, ...]:
    """What the network takes: the code and the noise maps."""
    return z, context["noise"]
