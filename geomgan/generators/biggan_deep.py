"""BigGAN-deep (Brock, Donahue and Simonyan, 2019), in the layout of the package pytorch-pretrained-biggan.

The noise and the class embedding together are one condition ``c = (z, e)``. It makes the first ``(4, 4)`` map and sets
gain and shift of every batch norm. The mean and variance of the batch norms depend on the truncation: the model comes
with a table of 51 rows, ``truncation = row / 50``.
"""

from __future__ import annotations

import itertools
import math
import numbers
from collections.abc import Mapping
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from geomgan.errors import OptionError, check_choice
from geomgan.generators.class_names import class_number
from geomgan.generators.layers import ConditionalBatchNorm, Conv, Dense, SelfAttention, products, tap, upsample
from geomgan.generators.network import FlaxFunction, PyTree
from geomgan.generators.spaces import InSpace, Settings

Block = tuple[bool, int, int]  # whether it doubles the side, and its input and output channels in units of the width

REDUCTION = 4  # a block's 3 x 3 convolutions have a quarter of its input channels
LAST_NORM = "norm"  # the one that no condition changes; `norm_scale` and `norm_shift` of the network
TRUNCATION = 0.7  # where nothing else is asked for: as in Wang and Ponce, 2021


def configuration(resolution: int) -> dict[str, Any]:
    """The configuration of the published model of 128, 256 or 512 pixels, with the names of its ``config.json``."""
    widths = {128: (16, 16, 8, 4, 2, 1), 256: (16, 16, 8, 8, 4, 2, 1), 512: (16, 16, 8, 8, 4, 2, 1, 1)}
    if resolution not in widths:
        raise OptionError(f"there is no published BigGAN-deep of {resolution!r} pixels; expected 128, 256 or 512.")
    sides = widths[resolution]
    layers = [block for a, b in itertools.pairwise(sides) for block in ([False, a, a], [True, a, b])]
    return {
        "output_dim": resolution,
        "z_dim": 128,
        "class_embed_dim": 128,
        "channel_width": 128,
        "num_classes": 1000,
        "layers": layers,
        "attention_layer_position": 8,
        "eps": 1e-4,
        "n_stats": 51,
    }


class BigGANDeep(nn.Module):
    """``condition (z_dim + class_embed_dim,) -> image (H, W, 3)`` in ``(-1, 1)``, ``H = 4 · 2^(blocks that double)``.

    Or one condition a layer, ``(L, z_dim + class_embed_dim)``: row 0 of the projection to the first map, row ``i`` of
    block ``i``.

    Activations: ``project`` (the first map), ``block{i}`` from 1, ``block{i}.preactivation{k}`` and
    ``block{i}.activation{k}`` (before and after the ReLU in front of convolution ``k`` of 0 to 3), ``attention`` in
    front of block ``attention_position + 1``, ``norm.preactivation``, ``norm.activation``, ``output.preactivation``.

    Attributes:
        blocks: see :data:`Block`.
        width: the unit of the numbers of channels.
        attention_position: how many blocks come before the self-attention; none where it is not below their number.
    """

    blocks: tuple[Block, ...]
    width: int
    attention_position: int

    @nn.compact
    def __call__(self, condition):
        channels, of = self.blocks[0][1] * self.width, partial(_row, condition)
        x = tap(self, "project", Dense(4 * 4 * channels, name="project")(of(0)).reshape(4, 4, channels))
        for i, (up, _, features) in enumerate(self.blocks):
            if i == self.attention_position:
                x = tap(self, "attention", SelfAttention(name="attention")(x))
            x = _block(self, f"block{i + 1}", x, of(i + 1), features * self.width, up)
        scale = self.param("norm_scale", nn.initializers.ones, (x.shape[-1],))
        shift = self.param("norm_shift", nn.initializers.zeros, (x.shape[-1],))
        x = tap(self, "norm.activation", nn.relu(tap(self, "norm.preactivation", x * scale + shift)))
        x = Conv(3, kernel=3, padding=1, name="output")(x)
        return jnp.tanh(tap(self, "output.preactivation", x))

    def first_layers(self, condition):
        """The projection to the first map, and what each block's norms take: gains and shifts."""
        layers = {"project": products(self, ["project"], _row(condition, 0))}
        for i in range(1, len(self.blocks) + 1):
            norms = [f"block{i}_norm{k}" for k in range(4)]
            layers[f"block{i}"] = products(self, norms, _row(condition, i), ("gain", "shift"))
        return layers

    @property
    def rows(self) -> tuple[int, int]:
        """First and last (exclusive) layer that takes a condition."""
        return 0, len(self.blocks) + 1


def _row(condition: jax.Array, i: int) -> jax.Array:
    """The condition of one layer."""
    return condition if condition.ndim == 1 else condition[i]


def _block(module: nn.Module, name: str, x: jax.Array, condition: jax.Array, features: int, up: bool) -> jax.Array:
    """A residual bottleneck ``(H, W, C) -> (H, W, features)``, or ``(2H, 2W, features)`` with ``up``.

    Four times conditional batch norm, ReLU and a convolution (1 x 1, 3 x 3, 3 x 3, 1 x 1); upsampling before the first
    3 x 3. The skip keeps the first half of the channels where their number changes. The biases of the first three
    convolutions are in the means of the norms behind them.
    """
    middle, h = x.shape[-1] // REDUCTION, x
    for k, (size, kernel) in enumerate(((middle, 1), (middle, 3), (middle, 3), (features, 1))):
        h = tap(module, f"{name}.preactivation{k}", ConditionalBatchNorm(name=f"{name}_norm{k}")(h, condition))
        h = tap(module, f"{name}.activation{k}", nn.relu(h))
        factor = 2 if up and k == 1 else 1
        h = Conv(size, kernel, padding=kernel // 2, bias=k == 3, upsample=factor, name=f"{name}_conv{k}")(h)
    skip = x if x.shape[-1] == features else x[..., : x.shape[-1] // 2]
    return tap(module, name, h + (upsample(skip) if up else skip))


def network(config: Mapping[str, Any]) -> BigGANDeep:
    """The network of a configuration in the form of the published ``config.json``."""
    blocks = tuple((bool(up), int(a), int(b)) for up, a, b in config["layers"])
    return BigGANDeep(blocks, config["channel_width"], config["attention_layer_position"])


def inputs(config: Mapping[str, Any]) -> tuple[tuple[int, ...], ...]:
    """Shape of what the network takes."""
    return ((config["z_dim"] + config["class_embed_dim"],),)


def statistics(table: np.ndarray, truncation: float) -> np.ndarray:
    """The row of a statistics table ``(rows, C)`` for a truncation in ``(0, 1]``, as the published model reads it.

    ``truncation · (rows - 1) = i + f`` is evaluated as a division in float64. The row is ``i`` where ``f = 0``, and
    ``f · table[i] + (1 - f) · table[i + 1]`` elsewhere: the weights are swapped with respect to linear interpolation.
    Rounding of the division is kept too, so that 0.14 (``i = 7``, tiny ``f``) reads row 8, and 0.58 row 28.
    """
    last = len(table) - 1
    fraction, row = math.modf(truncation / (1.0 / last))
    i = int(row)
    if fraction == 0 or i >= last:
        return np.asarray(table[i], np.float64)
    return table[i] * fraction + table[i + 1] * (1 - fraction)


def _noise(params: PyTree, key: jax.Array, shape: tuple[int, int]) -> jax.Array:
    """``truncation`` times the standard normal on ``[-2, 2]``, the published sampling."""
    return params["context"]["truncation"] * jax.random.truncated_normal(key, -2.0, 2.0, shape)


def _classes(params: PyTree, key: jax.Array, shape: tuple[int, int]) -> jax.Array:
    """Embeddings of classes drawn uniformly."""
    classes = params["context"]["classes"]
    return classes[jax.random.randint(key, shape[:1], 0, len(classes))]


def _noise_and_class(params: PyTree, key: jax.Array, shape: tuple[int, int]) -> jax.Array:
    """The noise, then the class embedding."""
    noise, label = jax.random.split(key)
    embed = _classes(params, label, shape)
    return jnp.concatenate([_noise(params, noise, (shape[0], shape[1] - embed.shape[1])), embed], axis=1)


def _with_class(context: PyTree, z: jax.Array) -> tuple[jax.Array]:
    return (jnp.concatenate([z, context["classes"][0]]),)


def _with_noise(context: PyTree, z: jax.Array) -> tuple[jax.Array]:
    return (jnp.concatenate([context["base"], z]),)


def _rows_with_class(context: PyTree, z: jax.Array) -> tuple[jax.Array]:
    rows = z.reshape(-1, len(context["base"]))
    return (jnp.concatenate([rows, jnp.broadcast_to(context["classes"], (len(rows), context["classes"].shape[1]))], 1),)


def _same_noise(params: PyTree, key: jax.Array, shape: tuple[int, int]) -> jax.Array:
    """One noise for all layers of a code, as the model draws it."""
    size = len(params["context"]["base"])
    return jnp.tile(_noise(params, key, (shape[0], size)), (1, shape[1] // size))


def _joint(context: PyTree, z: jax.Array) -> tuple[jax.Array]:
    del context
    return (z,)


SPACES = {
    "z": (_with_class, _noise),
    "z+": (_rows_with_class, _same_noise),
    "class": (_with_noise, _classes),
    "joint": (_joint, _noise_and_class),
}


def generator(
    config: Mapping[str, Any],
    params: Mapping[str, Any],
    *,
    space: str = "z",
    class_index: int | str | None = None,
    truncation: float = TRUNCATION,
    base: Any = None,
) -> Settings:
    """BigGAN-deep in one of its spaces.

    Args:
        config: the published configuration.
        params: ``generator`` (all weights but the statistics), ``statistics`` (tables), ``classes`` (embeddings).
        space: ``"z"``: the noise, for one class. ``"z+"``: a noise for each layer that takes one, the projection to the
            first map and the blocks, row by row, for one class. ``"class"``: the class embedding, for one noise.
            ``"joint"``: the noise, then the class embedding.
        class_index: number of a class or its ImageNet name. The class of the spaces ``"z"`` and ``"z+"``, by default
            0; in the others the only class that the prior draws, by default all.
        truncation: in ``(0, 1]``: picks the statistics (see :func:`statistics`) and scales the noise of the prior.
            Codes are taken as they are. The published code has no default; 0.7 here.
        base: the noise of space ``"class"``, ``(z_dim,)``; by default zero, the centre of its prior.

    Raises:
        OptionError: an option is out of range, or belongs to another space.
    """
    check_choice(space, SPACES, "space")
    truncation = _truncation(truncation)
    classes = np.asarray(params["classes"]["embedding"])
    if class_index is None:
        classes = classes[:1] if space in ("z", "z+") else classes
    else:
        classes = classes[class_number(class_index, len(classes))][None]
    if base is not None and space != "class":
        raise OptionError(f"base is the noise of space='class'; this is space={space!r}. Leave base out.")
    context = {"truncation": np.float32(truncation), "classes": classes, "base": _base(base, config["z_dim"])}
    weights = _with_statistics(params["generator"], params["statistics"], truncation, config["eps"])
    enter, prior = SPACES[space]
    noise, label, module = config["z_dim"], config["class_embed_dim"], network(config)
    dim = {"z": noise, "z+": module.rows[1] * noise, "class": label, "joint": noise + label}
    function = InSpace(FlaxFunction(module), enter, space)
    return Settings(function, {"network": weights, "context": context}, dim[space], prior)


def _with_statistics(weights: PyTree, tables: PyTree, truncation: float, eps: float) -> PyTree:
    """All parameters of the network, from the stored ones and the rows of the tables."""
    params = dict(weights)
    for norm, table in tables.items():
        mean = statistics(table["mean"], truncation)
        inverse_std = 1 / np.sqrt(statistics(table["variance"], truncation) + eps)
        if norm == LAST_NORM:
            scale = weights["norm_scale"] * inverse_std
            params |= {"norm_scale": scale, "norm_shift": weights["norm_shift"] - mean * scale}
        else:
            params[norm] = {**weights[norm], "mean": mean, "inverse_std": inverse_std}
    return jax.tree.map(lambda x: np.asarray(x, np.float32), params)


def _truncation(value: Any) -> float:
    """A real number in ``(0, 1]``, or ``OptionError``."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real) or not 0 < float(value) <= 1:
        raise OptionError(
            f"truncation={value!r} is outside the tables of statistics; expected a number above 0 and up to 1."
        )
    return float(value)


def _base(value: Any, size: int) -> np.ndarray:
    """The given noise, or zero."""
    if value is None:
        return np.zeros(size, np.float32)
    try:
        noise = np.asarray(value, np.float32)
    except (TypeError, ValueError) as error:
        raise OptionError(f"base is {type(value).__name__}; expected {size} numbers: one noise vector.") from error
    if noise.shape != (size,) or not np.isfinite(noise).all():
        raise OptionError(f"base has shape {noise.shape}; expected ({size},), finite: one noise vector.")
    return noise
