"""The residual generator of SNGAN (Miyato et al., 2018), as in WarpedGANSpace and GANLatentDiscovery.

Despite the name its generator has no spectral norm. The batch norm between the two convolutions of a block is folded
into the first one; those behind a sum stay as one scale and one shift per channel.
"""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from geomgan.generators.layers import Conv, Dense, products, tap, upsample


class Affine(nn.Module):
    """``scale x + shift`` per channel: a trained batch norm that no linear layer can take in."""

    @nn.compact
    def __call__(self, x):
        scale = self.param("scale", nn.initializers.ones, x.shape[-1:])
        return x * scale + self.param("shift", nn.initializers.zeros, x.shape[-1:])


class SNGAN(nn.Module):
    """``z (d,) -> image (H, W, C)`` in ``(-1, 1)``.

    A dense layer makes the map ``(seed, seed, features[0])``; each block doubles its side.
    Activations: ``project`` (the first map); of block ``k`` from 1 ``block{k}.preactivation{i}`` and
    ``block{k}.activation{i}`` (before and after the ReLU in front of convolution ``i`` of 1 and 2) and ``block{k}``;
    ``norm.preactivation``, ``norm.activation``, ``output.preactivation``.

    Attributes:
        features: of the first map and of every block.
        channels: of the image.
        seed: side of the first map.
    """

    features: tuple[int, ...] = (256, 256, 256, 256)
    channels: int = 1
    seed: int = 4

    @nn.compact
    def __call__(self, z):
        x = Dense(self.features[0] * self.seed**2, name="project")(z)
        x = tap(self, "project", x.reshape(self.seed, self.seed, -1))
        for k, features in enumerate(self.features[1:], start=1):
            x = _block(self, f"block{k}", x, features)
        x = tap(self, "norm.preactivation", Affine(name="norm")(x))
        x = tap(self, "norm.activation", nn.relu(x))
        x = Conv(self.channels, kernel=3, padding=1, name="output")(x)
        return jnp.tanh(tap(self, "output.preactivation", x))

    def first_layers(self, z):
        """The projection to the first map."""
        return {"project": products(self, ["project"], z)}


def _block(module: nn.Module, name: str, x: jax.Array, features: int) -> jax.Array:
    """``(H, W, C) -> (2H, 2W, features)``: two 3 x 3 convolutions, each behind a ReLU, and a bypass.

    The first convolution comes after nearest upsampling. The bypass is upsampled too, and convolved where the width
    changes.
    """

    def convolved(layer: str, y: jax.Array, factor: int = 1) -> jax.Array:
        return Conv(features, kernel=3, padding=1, upsample=factor, name=f"{name}_{layer}")(y)

    def activated(i: int, y: jax.Array) -> jax.Array:
        return tap(module, f"{name}.activation{i}", nn.relu(tap(module, f"{name}.preactivation{i}", y)))

    y = convolved("conv1", activated(1, Affine(name=f"{name}_norm")(x)), 2)
    y = convolved("conv2", activated(2, y))
    return tap(module, name, y + (upsample(x) if x.shape[-1] == features else convolved("bypass", x, 2)))
