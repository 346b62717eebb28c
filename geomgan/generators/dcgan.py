"""DCGAN (Radford, Metz and Chintala, 2016), as in the PyTorch tutorial and in the PyTorch GAN zoo.

A stack of transposed convolutions, batch norm and ReLU, then ``tanh``. The batch norms of a trained network are
affine maps behind a linear layer, so they are folded into it: the network here has one kernel and bias per block.
"""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp

from geomgan.generators.layers import ConvTranspose, tap


class DCGAN(nn.Module):
    """``z (d,) -> image (H, W, C)``, nominally in ``(-1, 1)``.

    Block 1 projects the code to ``(4, 4)``; each further block and the output double the side.
    With ``features=(512, 256, 128, 64)`` the image has 64 pixels a side.
    Activations: ``block{i}.preactivation``, ``block{i}`` (after the ReLU), ``output.preactivation``.

    Attributes:
        features: of every block.
        channels: of the image.
        tanh: whether the network ends in ``tanh``; some of the GAN zoo are linear at their end.
    """

    features: tuple[int, ...] = (512, 256, 128, 64)
    channels: int = 3
    tanh: bool = True

    @nn.compact
    def __call__(self, z):
        x = z[None, None, :]
        for i, features in enumerate(self.features, start=1):
            stride, padding = (1, 0) if i == 1 else (2, 1)
            x = ConvTranspose(features, kernel=4, stride=stride, padding=padding, name=f"block{i}")(x)
            x = tap(self, f"block{i}.preactivation", x)
            x = tap(self, f"block{i}", nn.relu(x))
        x = ConvTranspose(self.channels, kernel=4, stride=2, padding=1, name="output")(x)
        x = tap(self, "output.preactivation", x)
        return jnp.tanh(x) if self.tanh else x
