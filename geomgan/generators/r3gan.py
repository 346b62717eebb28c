"""R3GAN's generator (Huang, Gokaslan, Kuleshov and Tompkin, 2024): residual blocks without norms.

Its files hold stages in bfloat16, whose weights are float32 all the same: everything is computed in float32 here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from geomgan.generators.biggan import in_spaces
from geomgan.generators.layers import Conv, leaky_relu, tap
from geomgan.generators.network import PyTree
from geomgan.generators.spaces import Settings
from geomgan.generators.style_layers import Taps, upfirdn


class R3GAN(nn.Module):
    """``(z (d,), class embedding (e,)) -> image (H, W, C)``, linear output, nominally in ``(-1, 1)``.

    A learned map of 4 x 4 pixels is scaled per channel by a linear map of the code; each further stage doubles it.
    Activations: ``basis``; ``stage{s}`` (behind the blocks of stage ``s`` from 1) and ``stage{s}.block{k}``; of each
    block ``.preactivation{i}`` and ``.activation{i}`` in front of its convolutions 2 and 3.

    Attributes:
        features: of every stage.
        hidden: inside of its blocks.
        groups: of the 3 x 3 convolutions.
        blocks: of every stage.
        channels: of the image.
        taps: of the filter behind the zeros of an upsampling.
    """

    features: tuple[int, ...]
    hidden: tuple[int, ...]
    groups: tuple[int, ...]
    blocks: tuple[int, ...]
    channels: int
    taps: Taps

    @nn.compact
    def __call__(self, z, embedding):
        basis = self.param("basis", nn.initializers.normal(1), (4, 4, self.features[0]))
        code = jnp.concatenate([z, embedding])
        kernel = self.param("project", nn.initializers.lecun_normal(), (code.size, self.features[0]))
        x = tap(self, "basis", basis * (code @ kernel))
        for s, (features, count) in enumerate(zip(self.features, self.blocks, strict=True), start=1):
            if s > 1:
                if features != x.shape[-1]:
                    x = Conv(features, kernel=1, bias=False, name=f"stage{s}_transition")(x)
                x = upfirdn(x, self.taps, up=2, padding=(2, 1))
            for k in range(1, count + 1):
                x = _block(self, f"stage{s}_block{k}", x, self.hidden[s - 1], self.groups[s - 1])
                x = tap(self, f"stage{s}.block{k}", x)
            x = tap(self, f"stage{s}", x)
        return Conv(self.channels, kernel=1, bias=False, name="output")(x)

    def first_layers(self, z, embedding):
        """What scales the channels of the first map."""
        del embedding
        return {"project": z @ self.variables["params"]["project"][: z.size]}


def _block(module: nn.Module, name: str, x: jax.Array, hidden: int, groups: int) -> jax.Array:
    """``x + conv3(σ(conv2(σ(conv1 x + b1)) + b2))``, the middle one 3 x 3 in groups of channels."""

    def activated(i: int, y: jax.Array) -> jax.Array:
        y = y + module.param(f"{name}_bias{i}", nn.initializers.zeros, (hidden,))
        layer = name.replace("_", ".")
        y = tap(module, f"{layer}.preactivation{i}", y)
        return tap(module, f"{layer}.activation{i}", leaky_relu(y))

    y = activated(1, Conv(hidden, kernel=1, bias=False, name=f"{name}_conv1")(x))
    kernel = module.param(f"{name}_conv2", nn.initializers.normal(0.02), (3, 3, hidden // groups, hidden))
    y = lax.conv_general_dilated(
        y[None],
        kernel,
        window_strides=(1, 1),
        padding=((1, 1), (1, 1)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )[0]
    return x + Conv(x.shape[-1], kernel=1, bias=False, name=f"{name}_conv3")(activated(2, y))


def network(config: Mapping[str, Any]) -> R3GAN:
    """The module of a configuration."""
    features, hidden, groups, blocks = (tuple(config[name]) for name in ("features", "hidden", "groups", "blocks"))
    return R3GAN(features, hidden, groups, blocks, config["channels"], tuple(config["taps"]))


def inputs(config: Mapping[str, Any]) -> tuple[tuple[int, ...], ...]:
    """The shapes of what the module takes."""
    return (config["latent_dim"],), (config["embedding"],)


def generator(
    config: Mapping[str, Any],
    params: PyTree,
    *,
    space: str = "z",
    class_index: int | str | None = None,
    base: Any = None,
) -> Settings:
    """R3GAN in one of its latent spaces.

    Args:
        config: of ``model.json``.
        params: ``{"generator": {"network": weights, "classes": (number of classes, e)}}``; without classes the weights.
        space: ``"z"``; with classes also ``"class"``, the class embedding with the noise fixed.
        class_index: see :func:`geomgan.generators.biggan.biggan`.
        base: for ``"class"``: the noise ``(d,)``; zeros unless given.

    Raises:
        OptionError: an option has a value that it cannot take, or belongs to the other space.
    """
    classes = params["generator"].get("classes", np.zeros((1, 0), np.float32))
    spaces = ("z", "class") if classes.size else ("z",)
    weights, dim = params["generator"]["network"], config["latent_dim"]
    return in_spaces(
        network(config), weights, classes, dim, spaces, space=space, class_index=class_index, truncation=None, base=base
    )
