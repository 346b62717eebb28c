"""DCGAN (Radford, Metz and Chintala, 2016), as in the PyTorch tutorial and in the PyTorch GAN zoo.

A stack of transposed convolutions, batch norm and ReLU, then ``tanh``. The batch norms of a trained network are
affine maps behind a linear layer, so they are folded into it: the network here has one kernel and bias per block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn

from geomgan.generators.activations import SLOPE, activate
from geomgan.generators.convolutions import transposed_convolve
from geomgan.generators.layers import ConvTranspose, tap


class Stage(NamedTuple):
    """Side of a kernel, stride, padding and output padding of one transposed convolution, as PyTorch has them."""

    kernel: int
    stride: int
    padding: int
    output_padding: int = 0

    def side(self, before: int) -> int:
        """Side of the map that it makes of one of side ``before``."""
        return (before - 1) * self.stride - 2 * self.padding + self.kernel + self.output_padding


def tutorial_stages(layers: int) -> tuple[Stage, ...]:
    """The stages of the paper: a projection to 4 x 4 pixels, then each doubles the side."""
    return (Stage(4, 1, 0), *[Stage(4, 2, 1)] * (layers - 1))


class DCGAN(nn.Module):
    """``z (d,) -> image (H, W, C)``, nominally in ``(-1, 1)``.

    Block 1 projects the code to ``(4, 4)``; each further block and the output double the side.
    With ``features=(512, 256, 128, 64)`` the image has 64 pixels a side.
    Activations: ``block{i}.preactivation``, ``block{i}`` (after the ReLU), ``output.preactivation``.

    Attributes:
        features: of every block.
        channels: of the image.
        output: the last activation: ``"tanh"``, ``"sigmoid"``, or ``"linear"`` as in some of the GAN zoo.
        activation: between the layers, one of ``geomgan.generators.activations``.
        slope: of a leaky ReLU.
        stages: of every layer, where they are others than those above.
    """

    features: tuple[int, ...] = (512, 256, 128, 64)
    channels: int = 3
    output: str = "tanh"
    activation: str = "relu"
    slope: float = SLOPE
    stages: Sequence[Stage] = ()

    @nn.compact
    def __call__(self, z):
        x = z[None, None, :]
        *hidden, last = self._stages
        for i, (features, stage) in enumerate(zip(self.features, hidden, strict=True), start=1):
            x = ConvTranspose(features, *stage, name=f"block{i}")(x)
            x = tap(self, f"block{i}.preactivation", x)
            x = tap(self, f"block{i}", activate(self.activation, x, self.slope))
        x = ConvTranspose(self.channels, *last, name="output")(x)
        x = tap(self, "output.preactivation", x)
        return activate(self.output, x)

    def first_layers(self, z):
        """The first block's map: with a kernel as large as that, of one matrix."""
        name, (_, stride, padding, output_padding) = "block1" if self.features else "output", self._stages[0]
        kernel = self.variables["params"][name]["kernel"]
        return {name: transposed_convolve(z[None, None, :], kernel, stride, padding, output_padding)}

    @property
    def _stages(self):
        return [Stage(*s) for s in self.stages] or tutorial_stages(len(self.features) + 1)


def network(config: Mapping[str, Any]) -> DCGAN:
    """The module of a configuration in ``model.json``; ``tanh`` is what those of the GAN zoo say of their end."""
    return DCGAN(
        tuple(config["features"]),
        config["channels"],
        config.get("output", "tanh" if config.get("tanh", True) else "linear"),
        config.get("activation", "relu"),
        config.get("slope", SLOPE),
        tuple(Stage(*stage) for stage in config.get("stages", ())),
    )
