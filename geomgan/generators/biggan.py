"""BigGAN (Brock, Donahue and Simonyan, 2019) and its relatives: residual blocks under a condition.

BigBiGAN's generator (2019) is the same network; SAGAN (Zhang et al., 2019) and SNGAN with classes (Miyato et al., 2018)
give all of the code to the projection. With hierarchical codes the code is cut into equal chunks: the first is
projected to a small map, each other one conditions a residual block together with an embedding of the class. Spectral
norms are folded into the weights, batch statistics into a scale and a shift per channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from geomgan.errors import OptionError, check_choice
from geomgan.generators.activations import activate
from geomgan.generators.class_names import class_number
from geomgan.generators.convolutions import upsample_bilinear
from geomgan.generators.generator import standard_normal
from geomgan.generators.layers import ConditionalBatchNorm, Conv, Dense, SelfAttention, products, tap
from geomgan.generators.network import FlaxFunction, PyTree
from geomgan.generators.spaces import InSpace, Settings


class BigGAN(nn.Module):
    """``(z (d,), class embedding (e,)) -> image (H, W, C)`` in ``(-1, 1)``, after a sigmoid in ``(0, 1)``.

    With ``n`` blocks ``z`` is ``n + 1`` chunks of ``d / (n + 1)``. Chunk 0 makes the first map, of ``bottom`` pixels a
    side; block ``k`` doubles the side under the condition ``[class embedding, chunk k]``. Without ``hierarchical`` all
    of ``z`` makes the first map, and the condition is the class embedding.
    Activations: ``project`` (the first map); of block ``k`` from 1 ``block{k}.preactivation{i}`` and
    ``block{k}.activation{i}`` (before and after the ReLU in front of convolution ``i`` of 1 and 2), ``block{k}`` and,
    where there is one, ``block{k}.attention``; ``norm.preactivation``, ``norm.activation``, ``output.preactivation``.

    Attributes:
        features: channels of the first map and after each block.
        attention: numbers of the blocks that self-attention follows.
        channels: of the image.
        bottom: side of the first map.
        hierarchical: whether the code is cut into chunks.
        bilinear: how blocks upsample; nearest unless said.
        output: the last activation, ``"tanh"`` or ``"sigmoid"``.
    """

    features: tuple[int, ...] = (1536, 1536, 768, 384, 192, 96)
    attention: tuple[int, ...] = (4,)
    channels: int = 3
    bottom: int = 4
    hierarchical: bool = True
    bilinear: bool = False
    output: str = "tanh"

    @nn.compact
    def __call__(self, z, embedding):
        first, *chunks = self._chunks(z)
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
        return activate(self.output, tap(self, "output.preactivation", x))

    def first_layers(self, z, embedding):
        """The projection of the first chunk, and what each block's norms take: gains and shifts."""
        first, *chunks = self._chunks(z)
        layers = {"project": products(self, ["project"], first)}
        for k, chunk in enumerate(chunks if self.hierarchical else (), start=1):
            norms = [f"block{k}_norm{i}" for i in (1, 2)]
            layers[f"block{k}"] = products(self, norms, jnp.concatenate([embedding, chunk]), ("gain", "shift"))
        return layers

    def _chunks(self, z: jax.Array) -> list[jax.Array]:
        """What the projection takes, and each block besides the class."""
        return jnp.split(z, len(self.features)) if self.hierarchical else [z, *[z[:0]] * (len(self.features) - 1)]


def _block(module: BigGAN, name: str, x: jax.Array, condition: jax.Array, features: int) -> jax.Array:
    """A residual block ``(H, W, C) -> (2H, 2W, features)`` under a condition.

    Twice conditional batch norm, ReLU and a 3 x 3 convolution, the first after upsampling. The bias of the first
    convolution is in the mean of the norm behind it. In the shortcut upsampling follows the 1 x 1 convolution, with
    which it commutes.
    """
    nearest = 1 if module.bilinear else 2
    resize = upsample_bilinear if module.bilinear else lambda y: y
    h = x
    for i in (1, 2):
        h = tap(module, f"{name}.preactivation{i}", ConditionalBatchNorm(name=f"{name}_norm{i}")(h, condition))
        h = tap(module, f"{name}.activation{i}", nn.relu(h))
        h, factor = (resize(h), nearest) if i == 1 else (h, 1)
        h = Conv(features, kernel=3, padding=1, bias=i == 2, upsample=factor, name=f"{name}_conv{i}")(h)
    return tap(module, name, h + resize(Conv(features, kernel=1, upsample=nearest, name=f"{name}_shortcut")(x)))


def network(config: Mapping[str, Any]) -> BigGAN:
    """The module of a configuration."""
    return BigGAN(
        tuple(config["features"]),
        tuple(config["attention"]),
        config["channels"],
        config["bottom"],
        config.get("hierarchical", True),
        config.get("bilinear", False),
        config.get("output", "tanh"),
    )


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
    """BigGAN's generator in one of its latent spaces.

    Args:
        config: of ``model.json``; without ``"conditional"`` there are classes, and a space of them.
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
    weights, classes = params["generator"]["network"], params["generator"]["classes"]
    spaces = ("z", "class") if config.get("conditional", True) else ("z",)
    return in_spaces(
        network(config),
        weights,
        classes,
        config["latent_dim"],
        spaces,
        space=space,
        class_index=class_index,
        truncation=truncation,
        base=base,
    )


def in_spaces(
    module: nn.Module,
    weights: PyTree,
    classes: Any,
    latent_dim: int,
    spaces: tuple[str, ...] = ("z", "class"),
    *,
    space: str,
    class_index: int | str | None,
    truncation: float | None,
    base: Any,
) -> Settings:
    """A network ``(z, class embedding) -> sample`` in the noise or in the space of classes; see :func:`biggan`.

    Raises:
        OptionError: an option has a value that it cannot take, or belongs to the other space.
    """
    check_choice(space, spaces, "space")
    number = None if class_index is None else class_number(class_index, len(classes))
    if space == "z":
        if base is not None:
            raise OptionError("base is the noise of space='class'; in space='z' it is the code. Leave base out.")
        return _in_noise(module, latent_dim, weights, classes[number or 0], truncation)
    if truncation is not None:
        raise OptionError("truncation is of the prior of space='z'; in space='class' the noise is base. Leave it out.")
    classes = classes if number is None else classes[number : number + 1]
    context = {"noise": _noise(base, latent_dim), "classes": classes}
    function = InSpace(FlaxFunction(module), _enter_class, space)
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
    return _in_noise(network(config), config["latent_dim"], weights, classes[0], truncation)


def _in_noise(
    module: nn.Module, latent_dim: int, weights: PyTree, embedding: Any, truncation: float | None
) -> Settings:
    context, prior = {"embedding": embedding}, standard_normal
    if truncation is not None:
        context["truncation"], prior = _bound(truncation), truncated_normal
    function = InSpace(FlaxFunction(module), _enter_noise)
    return Settings(function, {"network": weights, "context": context}, latent_dim, prior)


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
