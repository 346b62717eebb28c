"""The generator of progressive growing of GANs (Karras, Aila, Laine and Lehtinen, 2018).

A projection to ``(4, 4)``, then two 3 x 3 convolutions a scale, each scale of twice the side; leaky ReLU and pixel norm
after every one, no ``tanh``. Equalised learning rates are folded into the kernels. Published ports that normalise
before each layer (Theano's, and those made from it) are this same network: the norm of one layer is in front of the
next, and that of the code in front of the first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from geomgan.errors import OptionError
from geomgan.generators.layers import Conv, Dense, leaky_relu, pixel_norm, products, tap, upsample
from geomgan.generators.network import FlaxFunction, PyTree
from geomgan.generators.spaces import InSpace, Settings


class Scale(nn.Module):
    """``upsample``, then ``convolutions`` times a 3 x 3 convolution, leaky ReLU and pixel norm, on ``(H, W, C)``.

    Activations: ``conv{i}.preactivation``, ``conv{i}`` (after the leaky ReLU), ``normalised`` (the last one).
    """

    features: int
    convolutions: int
    slope: float
    upsample: int = 1

    @nn.compact
    def __call__(self, x):
        for i in range(1, self.convolutions + 1):
            factor = self.upsample if i == 1 else 1
            x = Conv(self.features, kernel=3, padding=1, upsample=factor, name=f"conv{i}")(x)
            x = _activated(self, f"conv{i}", x, self.slope)
        return tap(self, "normalised", x)


class PGGAN(nn.Module):
    """``z (d,) -> image (H, W, C)``, ``H = W = 4 · 2^(scales - 1)``, nominally in ``(-1, 1)``; linear output.

    ``features`` are the channels of each scale, the ``(4, 4)`` one first. With ``alpha``, a number, the output is that
    of a network while it grows: ``alpha · upsample(rgb_before) + (1 - alpha) · rgb``, where ``rgb_before`` reads the
    features before the last scale: ``alpha`` weighs the old branch.

    Activations: ``project`` (after the leaky ReLU, and ``.preactivation``), those of ``scale1``, ``scale2``, ...,
    ``rgb_before`` where there is one, and ``rgb``.
    """

    features: tuple[int, ...]
    channels: int = 3
    slope: float = 0.2
    tanh: bool = False

    @nn.compact
    def __call__(self, z, alpha=None):
        first, *larger = self.features
        x = Dense(16 * first, name="project")(pixel_norm(z)).reshape(4, 4, first)
        x = _activated(self, "project", x, self.slope)
        before = x = Scale(first, 1, self.slope, name="scale1")(x)
        for s, features in enumerate(larger, start=2):
            before, x = x, Scale(features, 2, self.slope, upsample=2, name=f"scale{s}")(x)
        x = tap(self, "rgb", Conv(self.channels, kernel=1, name="output")(x))
        if larger and alpha is not None:
            old = tap(self, "rgb_before", Conv(self.channels, kernel=1, name="output_before")(before))
            x = alpha * upsample(old) + (1 - alpha) * x
        return jnp.tanh(x) if self.tanh else x

    def first_layers(self, z, alpha=None):
        """The projection to the first map, of the code before its norm."""
        del alpha
        return {"project": products(self, ["project"], z)}


def _activated(module: nn.Module, name: str, x: jax.Array, slope: float) -> jax.Array:
    x = tap(module, f"{name}.preactivation", x)
    return pixel_norm(tap(module, name, leaky_relu(x, slope)))


def network(config: Mapping[str, Any]) -> PGGAN:
    """The module of a configuration in ``model.json``."""
    return PGGAN(tuple(config["features"]), config["channels"], config["slope"], config["tanh"])


def with_alpha(context: PyTree, z: jax.Array) -> tuple[jax.Array, jax.Array]:
    """What the network takes: the code, and the weight of the old branch."""
    return z, context["alpha"]


def growing(config: Mapping[str, Any], params: Mapping[str, Any], *, alpha: float | None = None) -> Settings:
    """A network while it grows; ``alpha``, the weight of the old branch, is an array in ``params``.

    Args:
        config: of ``model.json``.
        params: part -> weights.
        alpha: in ``[0, 1]``; 0 is the last scale alone. By default what the checkpoint says, else 0.

    Raises:
        OptionError: ``alpha`` is no number in ``[0, 1]``, or not 0 and the model has one scale.
    """
    weight = checked_alpha(config["alpha"] if alpha is None else alpha)
    if weight and len(config["features"]) == 1:
        raise OptionError(f"alpha is {weight:g}, but the model has one scale: there is no old branch. Leave alpha out.")
    arrays = {"network": params["generator"], "context": {"alpha": np.float32(weight)}}
    return Settings(InSpace(FlaxFunction(network(config)), with_alpha), arrays, config["latent_dim"])


def checked_alpha(alpha: Any) -> float:
    """``alpha`` as a number in ``[0, 1]``, or an ``OptionError``."""
    try:
        weight = float(alpha)
    except (TypeError, ValueError):
        weight = math.nan
    if not 0 <= weight <= 1:
        raise OptionError(
            f"alpha is {alpha!r}; expected a number from 0 (the last scale alone) to 1 (the scale before it alone)."
        )
    return weight
