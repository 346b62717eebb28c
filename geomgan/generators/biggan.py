"""BigGAN with hierarchical codes (Brock, Donahue and Simonyan, 2019); BigBiGAN's generator (2019) is the same network.

The code is cut into equal chunks: the first is projected to a small map, each other one conditions a residual block
together with an embedding of the class. Spectral norms are folded into the weights, batch statistics into a scale and
a shift per channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from geomgan.errors import OptionError, check_choice
from geomgan.generators.class_names import class_number
from geomgan.generators.generator import standard_normal
from geomgan.generators.layers import ConditionalBatchNorm, Conv, Dense, SelfAttention, products, tap
from geomgan.generators.network import FlaxFunction, PyTree
from geomgan.generators.spaces import InSpace, Settings


class BigGAN(nn.Module):
    """``(z (d,), class embedding (e,)) -> image (H, W, C)`` in ``(-1, 1)``.

    With ``n`` blocks ``z`` is ``n + 1`` chunks of ``d / (n + 1)``. Chunk 0 makes the first map, of ``bottom`` pixels a
    side; block ``k`` doubles the side under the condition ``[class embedding, chunk k]``.
    Activations: ``project`` (the first map); of block ``k`` from 1 ``block{k}.preactivation{i}`` and
    ``block{k}.activation{i}`` (before and after the ReLU in front of convolution ``i`` of 1 and 2), ``block{k}`` and,
    where there is one, ``block{k}.attention``; ``norm.preactivation``, ``norm.activation``, ``output.preactivation``.

    Attributes:
        features: channels of the first map and after each block.
        attention: numbers of the blocks that self-attention follows.
        channels: of the image.
        bottom: side of the first map.
    """

    features: tuple[int, ...] = (1536, 1536, 768, 384, 192, 96)
    attention: tuple[int, ...] = (4,)
    channels: int = 3
    bottom: int = 4

    @nn.compact
    def __call__(self, z, embedding):
        first, *chunks = jnp.split(z, len(self.features))
        x = Dense(self.bottom**2 * self.features[0], name="project")(first)
        x = tap(self, "project", x.reshape(self.bottom, self.bottom, -1))
        for k, (chunk, features) in enumerate(zip(chunks, self.features[1:], strict=True), start=1):
            x = _block(self, f"block{k}", x, jnp.concatenate([embedding, chunk]), features)
            if k in self.attention:
                x = tap(self, f"block{k}.attention", SelfAttention(name=f"block{k}_attention")(x))
        scale = self.param("norm_scale", nn.initializers.ones, x.shape[-1:])
        shift = self.param("norm_shift", nn.initializers.zeros, x.shape[-1:])
        x = tap(self, "norm.preactivation", x * scale + shift)
        x = tap(self, "norm.activation", nn.relu(x))
        x = Conv(self.channels, kernel=3, padding=1, name="output")(x)
        return jnp.tanh(tap(self, "output.preactivation", x))

    def first_layers(self, z, embedding):
        """The projection of the first chunk, and what each block's norms take: gains and shifts."""
        first, *chunks = jnp.split(z, len(self.features))
        layers = {"project": products(self, ["project"], first)}
        for k, chunk in enumerate(chunks, start=1):
            norms = [f"block{k}_norm{i}" for i in (1, 2)]
            layers[f"block{k}"] = products(self, norms, jnp.concatenate([embedding, chunk]), ("gain", "shift"))
        return layers


def _block(module: nn.Module, name: str, x: jax.Array, condition: jax.Array, features: int) -> jax.Array:
    """A residual block ``(H, W, C) -> (2H, 2W, features)`` under a condition.

    Twice conditional batch norm, ReLU and a 3 x 3 convolution, the first after nearest upsampling. The bias of the
    first convolution is in the mean of the norm behind it.
    """
    h = x
    for i in (1, 2):
        h = tap(module, f"{name}.preactivation{i}", ConditionalBatchNorm(name=f"{name}_norm{i}")(h, condition))
        h = tap(module, f"{name}.activation{i}", nn.relu(h))
        h = Conv(features, kernel=3, padding=1, bias=i == 2, upsample=3 - i, name=f"{name}_conv{i}")(h)
    return tap(module, name, h + Conv(features, kernel=1, upsample=2, name=f"{name}_shortcut")(x))


def network(config: Mapping[str, Any]) -> BigGAN:
    """The module of a configuration."""
    return BigGAN(tuple(config["features"]), tuple(config["attention"]), config["channels"], config["bottom"])


def inputs(config: Mapping[str, Any]) -> tuple[tuple[int, ...], ...]:
    """The shapes of what the module takes."""
    return (config["latent_dim"],), (config["embedding"],)


def biggan(
    config: Mapping[str, Any],
    params: PyTree,
    *,
    space: str = "z",
    class_index: int | str | None = None,
    truncation: float | None = None,
    base: Any = None,
) -> Settings:
    """BigGAN-PyTorch's generator in one of its latent spaces.

    Args:
        config: of ``model.json``.
        params: ``{"generator": {"network": weights, "classes": (number of classes, e)}}``.
        space: ``"z"``, the noise with the class fixed, or ``"class"``, the class embedding with the noise fixed.
        class_index: the number of a class or its ImageNet name. The class of ``"z"``, 0 unless given; the only class
            that the prior of ``"class"`` draws, every one with the same probability unless given.
        truncation: for ``"z"``: the prior is N(0, 1) in every coordinate, drawn again until within
            ``[-truncation, truncation]``; unbounded unless given. The generator takes any code as it is.
        base: for ``"class"``: the noise ``(d,)``; the mean of its prior, zeros, unless given.

    Raises:
        OptionError: an option has a value that it cannot take, or belongs to the other space.
    """
    check_choice(space, ("z", "class"), "space")
    weights, classes = params["generator"]["network"], params["generator"]["classes"]
    number = None if class_index is None else class_number(class_index, len(classes))
    if space == "z":
        if base is not None:
            raise OptionError("base is the noise of space='class'; in space='z' it is the code. Leave base out.")
        return _in_noise(config, weights, classes[number or 0], truncation)
    if truncation is not None:
        raise OptionError("truncation is of the prior of space='z'; in space='class' the noise is base. Leave it out.")
    classes = classes if number is None else classes[number : number + 1]
    context = {"noise": _noise(base, config["latent_dim"]), "classes": classes}
    function = InSpace(FlaxFunction(network(config)), _enter_class, space)
    return Settings(function, {"network": weights, "context": context}, classes.shape[1], _any_class)


def bigbigan(
    config: Mapping[str, Any], params: PyTree, *, space: str = "z", truncation: float | None = None
) -> Settings:
    """BigBiGAN's generator: that of :func:`biggan` with one class for everything, and the space ``"z"`` alone.

    Args:
        config: of ``model.json``.
        params: as for :func:`biggan`, with one class.
        space: ``"z"``.
        truncation: as for :func:`biggan`.

    Raises:
        OptionError: an option has a value that it cannot take.
    """
    check_choice(space, ("z",), "space")
    weights, classes = params["generator"]["network"], params["generator"]["classes"]
    return _in_noise(config, weights, classes[0], truncation)


def _in_noise(config: Mapping[str, Any], weights: PyTree, embedding: Any, truncation: float | None) -> Settings:
    context, prior = {"embedding": embedding}, standard_normal
    if truncation is not None:
        context["truncation"], prior = _bound(truncation), truncated_normal
    function = InSpace(FlaxFunction(network(config)), _enter_noise)
    return Settings(function, {"network": weights, "context": context}, config["latent_dim"], prior)


def _enter_noise(context: PyTree, z: jax.Array) -> tuple[jax.Array, ...]:
    return z, context["embedding"]


def _enter_class(context: PyTree, embedding: jax.Array) -> tuple[jax.Array, ...]:
    return context["noise"], embedding


def truncated_normal(params: PyTree, key: jax.Array, shape: tuple[int, int]) -> jax.Array:
    """The prior N(0, 1) in every coordinate, under the condition that it lies within the truncation."""
    bound = params["context"]["truncation"]
    return jax.random.truncated_normal(key, -bound, bound, shape)


def _any_class(params: PyTree, key: jax.Array, shape: tuple[int, int]) -> jax.Array:
    classes = params["context"]["classes"]
    return classes[jax.random.randint(key, shape[:1], 0, len(classes))]


def _bound(truncation: Any) -> np.ndarray:
    number = isinstance(truncation, int | float | np.number) and not isinstance(truncation, bool)
    if not (number and 0 < float(truncation) < np.inf):
        raise OptionError(
            f"truncation={truncation!r}; expected a positive number, the largest magnitude of a coordinate of the "
            "noise, or None for the whole normal distribution."
        )
    return np.asarray(truncation, np.float32)


def _noise(base: Any, latent_dim: int) -> np.ndarray:
    if base is None:
        return np.zeros(latent_dim, np.float32)
    try:
        noise = np.asarray(base, np.float32)
    except (TypeError, ValueError) as error:
        raise OptionError(f"base is {type(base).__name__}; expected an array of shape ({latent_dim},).") from error
    if noise.shape != (latent_dim,) or not np.isfinite(noise).all():
        held = f"has shape {noise.shape}" if noise.shape != (latent_dim,) else "holds NaN or infinite values"
        raise OptionError(f"base {held}; expected {latent_dim} finite numbers: the noise of one sample.")
    return noise
