"""The networks of a progressive GAN while they train: weights of all scales, equalised, and those that take part.

Layers are those of Karras et al. (2018): two 3 x 3 convolutions a scale, pixel norm in the generator, the deviation of
groups of images as the discriminator's last feature. Channels of every scale, that of 4 pixels first, say the sizes.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.generators.convolutions import convolve, upsample
from geomgan.generators.layers import leaky_relu
from geomgan.generators.pggan import PGGAN

GROUP = 4  # images whose deviation the discriminator sees
EPSILON = 1e-8


def equalised(weights: Any) -> Any:
    """Kernels times ``√(2 / fan_in)``, as He's initial deviation: Adam's steps are the same share of each.

    Layers without a non-linearity behind them have ``√(1 / fan_in)``; the first, of 16 pixels, a quarter of the usual.
    """

    def layer(name: str, values: dict[str, Any]) -> dict[str, Any]:
        if "kernel" not in values:
            return {inner: layer(inner, part) for inner, part in values.items()}
        kernel = values["kernel"]
        gain = 1.0 if name.startswith(("rgb", "judge")) else 2.0**0.5 / (4 if name == "project" else 1)
        return {**values, "kernel": kernel * (gain / np.prod(kernel.shape[:-1]) ** 0.5)}

    return {name: layer(name, values) for name, values in weights.items()}


def pggan_of(weights: Any, scale: int, features: tuple[int, ...]) -> tuple[PGGAN, Any]:
    """The module of the first ``scale`` scales, and its parameters from the weights of all of them."""
    params = equalised({name: part for name, part in weights.items() if name[:3] != "rgb"})
    wanted = {name: part for name, part in params.items() if name == "project" or int(name[5:]) <= scale}
    heads = equalised({name: part for name, part in weights.items() if name[:3] == "rgb"})
    wanted["output"] = heads[f"rgb{scale}"]
    if scale > 1:
        wanted["output_before"] = heads[f"rgb{scale - 1}"]
    channels = wanted["output"]["kernel"].shape[-1]
    return PGGAN(features[:scale], channels), wanted


def discriminate(weights: Any, images: jax.Array, alpha: Any) -> jax.Array:
    """How real images ``(n, H, W, C)`` are, ``(n,)``; the side says how many scales look at them."""
    params, scale = equalised(weights), images.shape[1].bit_length() - 2

    def conv(name: str, x: jax.Array) -> jax.Array:
        kernel, bias = params[name]["kernel"], params[name]["bias"]
        return leaky_relu(jax.vmap(lambda x: convolve(x, kernel, 1, kernel.shape[0] // 2))(x) + bias)

    x = conv(f"from{scale}", images)
    for s in range(scale, 1, -1):
        x = halved(conv(f"down{s}", conv(f"same{s}", x)))
        if s == scale:
            x = (1 - alpha) * x + alpha * conv(f"from{s - 1}", halved(images))
    groups = x.reshape(-1, GROUP, *x.shape[1:])
    spread = jnp.sqrt(groups.var(1) + EPSILON).mean((1, 2, 3))
    spread = jnp.broadcast_to(jnp.repeat(spread, GROUP)[:, None, None, None], (*x.shape[:3], 1))
    x = conv("same1", jnp.concatenate([x, spread], -1)).reshape(len(x), -1)
    x = leaky_relu(x @ params["dense"]["kernel"] + params["dense"]["bias"])
    return (x @ params["judge"]["kernel"] + params["judge"]["bias"])[:, 0]


def reals(images: jax.Array, scale: int, alpha: Any) -> jax.Array:
    """Real images at the side of ``scale`` scales, blended with their halves while the last scale is faded in."""
    while images.shape[1] > 4 * 2 ** (scale - 1):
        images = halved(images)
    if scale == 1:
        return images
    return (1 - alpha) * images + alpha * jax.vmap(upsample)(halved(images))


def halved(images: jax.Array) -> jax.Array:
    """Means of two by two pixels of ``(n, H, W, C)``."""
    n, height, width, channels = images.shape
    return images.reshape(n, height // 2, 2, width // 2, 2, channels).mean((2, 4))


def generator_shapes(channels: int, latent: int, features: tuple[int, ...]) -> dict[str, Any]:
    """Shapes of the generator's weights: ``project``, ``scale{s}`` and the heads ``rgb{s}``."""
    shapes: dict[str, Any] = {"project": {"kernel": (latent, 16 * features[0]), "bias": (16 * features[0],)}}
    shapes["scale1"] = {"conv1": _conv(3, features[0], features[0])}
    for s, (before, now) in enumerate(pairwise(features), start=2):
        shapes[f"scale{s}"] = {"conv1": _conv(3, before, now), "conv2": _conv(3, now, now)}
    return shapes | {f"rgb{s}": _conv(1, now, channels) for s, now in enumerate(features, start=1)}


def discriminator_shapes(channels: int, features: tuple[int, ...]) -> dict[str, Any]:
    """Shapes of the discriminator's weights: ``from{s}``, ``same{s}``, ``down{s}``, ``dense`` and ``judge``."""
    shapes: dict[str, Any] = {f"from{s}": _conv(1, channels, now) for s, now in enumerate(features, start=1)}
    for s, (after, now) in enumerate(pairwise(features), start=2):
        shapes |= {f"same{s}": _conv(3, now, now), f"down{s}": _conv(3, now, after)}
    shapes["same1"] = _conv(3, features[0] + 1, features[0])
    shapes["dense"] = {"kernel": (16 * features[0], features[0]), "bias": (features[0],)}
    return shapes | {"judge": {"kernel": (features[0], 1), "bias": (1,)}}


def _conv(size: int, before: int, after: int) -> dict[str, tuple[int, ...]]:
    return {"kernel": (size, size, before, after), "bias": (after,)}


def normal_weights(key: jax.Array, shapes: dict[str, Any]) -> Any:
    """Kernels from N(0, 1), which :func:`equalised` scales; biases zero."""
    leaves, tree = jax.tree.flatten(shapes, is_leaf=lambda x: isinstance(x, tuple))
    keys = jax.random.split(key, len(leaves))
    values = [jax.random.normal(k, s) if len(s) > 1 else jnp.zeros(s) for k, s in zip(keys, leaves, strict=True)]
    return jax.tree.unflatten(tree, values)
