"""The DeePSim generators (Dosovitskiy and Brox, 2016), which invert layers of CaffeNet: fc6, pool5, conv4 and others.

Up-convolutional networks with leaky ReLUs of slope 0.3. The published networks return BGR minus the mean of the
training images; here the images are RGB with the mean added, nominally in ``(0, 255)``.
"""

from __future__ import annotations

from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp

from geomgan.generators.layers import Conv, ConvTranspose, Dense, leaky_relu, tap

MEAN = (123.0, 117.0, 104.0)  # RGB, of the training images
SLOPE = 0.3
SIDE = 4  # of the map that the last dense layer makes


class Stage(NamedTuple):
    """One published layer and its activation.

    Attributes:
        name: published name, also that of our layer.
        kind: ``"dense"``, ``"conv"`` or ``"conv_transpose"``.
        kernel, stride, padding: of a convolution.
        activation: ``"leaky_relu"``, ``"tanh"`` or ``""``.
    """

    name: str
    kind: str
    kernel: int = 0
    stride: int = 1
    padding: int = 0
    activation: str = "leaky_relu"


class Layout(NamedTuple):
    """One arrangement of layers.

    Attributes:
        side: of the latent map; 0 where the code is a vector.
        resolution: of the images.
        stages: the layers, first to last.
    """

    side: int
    resolution: int
    stages: tuple[Stage, ...]

    @property
    def has_tanh(self) -> bool:
        """Whether the network ends in ``tanh``."""
        return self.stages[-1].activation == "tanh"


def _dense(*names: str) -> tuple[Stage, ...]:
    return tuple(Stage(name, "dense") for name in names)


def _doubling(name: str, activation: str = "leaky_relu") -> Stage:
    return Stage(name, "conv_transpose", 4, 2, 1, activation)


def _same(kind: str, name: str, activation: str = "leaky_relu") -> Stage:
    return Stage(name, kind, 3, 1, 1, activation)


_TO_32 = tuple(  # 4 -> 32, or 8 -> 64: the layers named conv are transposed convolutions
    stage for level in (5, 4, 3) for stage in (_doubling(f"deconv{level}"), _same("conv_transpose", f"conv{level}_1"))
)
_TO_IMAGE = (_doubling("deconv2"), _doubling("deconv1"), _doubling("deconv0", ""))
_TANH = _same("conv", "conv1_1", "tanh")


def _of_a_norm(stride: int) -> tuple[Stage, ...]:
    levels = [stage for level in (4, 3, 2) for stage in (_doubling(f"deconv{level}"), _same("conv", f"conv{level}_1"))]
    first = Stage("Rconv6", "conv", 3, stride, 2)
    return (first, _same("conv", "Rconv7"), _same("conv", "Rconv8"), *levels, _doubling("deconv1", ""), _TANH)


LAYOUTS = {
    "fc": Layout(0, 256, _dense("defc7", "defc6", "defc5") + _TO_32 + _TO_IMAGE),
    "pool5": Layout(
        6, 256, (_same("conv", "Rconv6"), _same("conv", "Rconv7"), Stage("Rconv8", "conv", 3), *_TO_32, *_TO_IMAGE)
    ),
    "conv": Layout(
        13,
        256,
        (
            *(Stage("Rconv6", "conv", 3), Stage("Rconv7", "conv", 3), Stage("Rconv8", "conv", 2)),
            *_TO_32,
            *(_doubling("deconv2"), _same("conv", "conv2_1"), _doubling("deconv1"), _TANH),
        ),
    ),
    "norm2": Layout(13, 240, _of_a_norm(stride=1)),
    "conv1": Layout(27, 240, _of_a_norm(stride=2)),
}


class Upconv(nn.Module):
    """``z (d,) -> image (H, W, 3)``, RGB, nominally in ``(0, 255)``, never clamped.

    A code is a vector, or a map flattened as ``(C, H, W)``. Activations: ``NAME.preactivation`` and ``NAME`` of every
    published layer; layers without an activation have the latter only.

    Attributes:
        layout: a key of ``LAYOUTS``.
        features: of every layer.
        scale: factor on the ``tanh`` in which some layouts end: the image is ``scale tanh(x) + MEAN``.
    """

    layout: str
    features: tuple[int, ...]
    scale: float = 1.0

    @nn.compact
    def __call__(self, z):
        side, _, stages = LAYOUTS[self.layout]
        x = z.reshape(-1, side, side).transpose(1, 2, 0) if side else z
        for stage, features in zip(stages, self.features, strict=True):
            if stage.kind == "dense":
                x = Dense(features, name=stage.name)(x)
            else:
                if x.ndim == 1:
                    x = x.reshape(SIDE, SIDE, -1)
                layer = Conv if stage.kind == "conv" else ConvTranspose
                x = layer(features, stage.kernel, stage.stride, stage.padding, name=stage.name)(x)
            if stage.activation:
                x = tap(self, f"{stage.name}.preactivation", x)
                x = jnp.tanh(x) if stage.activation == "tanh" else leaky_relu(x, SLOPE)
            x = tap(self, stage.name, x)
        return self.scale * x + jnp.asarray(MEAN, x.dtype) if LAYOUTS[self.layout].has_tanh else x
