"""The networks of `geomgan.generators.generative_latent_space` as they train: on batches, with their norms.

Parameters are one dictionary of layers, ``{"features/block1": {"kernel", "scale", "bias"}, ..., "code": {"kernel",
"bias"}}``. A layer of ``NORMED`` is ``elu(batch_norm(u))``, with ``u`` what it makes by its spectrally normalised
kernel, as published; the bias of its convolution is left out, because the batch norm takes it away.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from geomgan.training.batch_norm import fold, normalise
from geomgan.training.convolutions import convolution, transposed_convolution
from geomgan.training.spectral_norm import power_iteration, spectral_normalise

SIDE = 28
NORMED = ("block1", "block2", "code1", "code2", "joint")  # last part of a layer's name


def initial_network(module: nn.Module, key: jax.Array, *input_shapes: tuple[int, ...]) -> tuple[Any, Any]:
    """Parameters as PyTorch draws them, and the first vectors of the spectral norms.

    Kernels and biases come from ``U(±1/√fan_in)``, scales of batch norms are one and their biases zero.
    """
    init = partial(module.init, mutable=["params"])
    shapes = jax.eval_shape(init, jax.random.key(0), *map(jnp.zeros, input_shapes))["params"]
    layers = sorted({name.rpartition("/")[0] for name in traverse_util.flatten_dict(shapes, sep="/")})
    flat = traverse_util.flatten_dict(shapes, sep="/")
    params, vectors = {}, {}
    for name, of_layer in zip(layers, jax.random.split(key, len(layers)), strict=True):
        key_kernel, key_other = jax.random.split(of_layer)
        shape, features = flat[f"{name}/kernel"].shape, flat[f"{name}/bias"].shape
        bound = 1 / float(np.sqrt(np.prod(shape[:-1])))
        params[name] = {"kernel": jax.random.uniform(key_kernel, shape, minval=-bound, maxval=bound)}
        if _is_normed(name):
            params[name] |= {"scale": jnp.ones(features), "bias": jnp.zeros(features)}
            vectors[name] = jax.random.normal(key_other, features)
        else:
            params[name] |= {"bias": jax.random.uniform(key_other, features, minval=-bound, maxval=bound)}
    return params, vectors


def spectral(params: Any, vectors: Any) -> Any:
    """``params`` with the kernels of normed layers divided by their spectral norms."""
    return spectral_normalise(params, vectors, gain=1.0)


def decode(params: Any, codes: jax.Array, statistics: Any = None) -> tuple[jax.Array, Any]:
    """`Decoder` on codes ``(n, d)``: images ``(n, 28, 28, 1)``, and the moments that its batch norms took."""
    take = _Norms(params, statistics)
    x = _dense(params["project"], codes).reshape(len(codes), 6, 6, 32)
    x = take("block1", partial(transposed_convolution, padding=0), x)
    x = take("block2", partial(transposed_convolution, padding=0), x)
    output = params["output"]
    return jnp.tanh(x @ output["kernel"][0, 0] + output["bias"]), take.used


@jax.jit
def decode_spectral(params: Any, vectors: Any, codes: jax.Array) -> jax.Array:
    """The images of :func:`decode` by spectrally normalised kernels and the batch's own moments."""
    return decode(spectral(params, vectors), codes)[0]


def encode(params: Any, images: jax.Array, statistics: Any = None) -> tuple[dict[str, jax.Array], Any]:
    """`VAEEncoder` or `BiGANEncoder` on images: ``{"mean", "log_variance"}`` or ``{"code"}``, each ``(n, d)``."""
    take = _Norms(params, statistics)
    x = _features(take, images)
    heads = [name for name in params if name in ("mean", "log_variance", "code")]
    return {name: _dense(params[name], x) for name in heads}, take.used


def discriminate(params: Any, pairs: tuple[jax.Array, jax.Array], statistics: Any = None) -> tuple[jax.Array, Any]:
    """`BiGANDiscriminator` on images and codes: the logits ``(n,)`` of being an encoded real image."""
    images, codes = pairs
    take = _Norms(params, statistics)
    x = _features(take, images)
    z = take("code2", jnp.matmul, take("code1", jnp.matmul, codes))
    joint = take("joint", jnp.matmul, jnp.concatenate([x, z], -1))
    return _dense(params["score"], joint)[:, 0], take.used


def folded(params: Any, vectors: Any, statistics: Any) -> Any:
    """Parameters of the module in `geomgan.generators`: both norms folded into the kernels, as nested dictionaries."""
    return traverse_util.unflatten_dict(fold(spectral(params, vectors), statistics), sep="/")


def settled(params: Any, vectors: Any, steps: int = 100) -> Any:
    """The vectors for weights that no longer change."""
    for _ in range(steps):
        vectors = _settle(params, vectors)
    return vectors


_settle = jax.jit(power_iteration)


def scaled(images: jax.Array) -> jax.Array:
    """Bytes ``(n, 28, 28, 1)`` as the networks take them, in ``(-1, 1)``."""
    return images.astype(jnp.float32) / 127.5 - 1


class _Norms:
    """Applies normed layers by name, and keeps the moments that they took."""

    def __init__(self, params: Any, statistics: Any) -> None:
        self.params, self.statistics = params, statistics
        self.used: dict[str, Any] = {}

    def __call__(self, name: str, layer: Any, x: jax.Array) -> jax.Array:
        block = self.params[name]
        u = layer(x, block["kernel"])
        moments = None if self.statistics is None else self.statistics[name]
        u, self.used[name] = normalise(u, block, moments)
        return nn.elu(u)


def _features(take: _Norms, images: jax.Array) -> jax.Array:
    x = take("features/block1", convolution, images)
    x = take("features/block2", convolution, x)
    return x.reshape(len(images), -1)


def _dense(layer: Any, x: jax.Array) -> jax.Array:
    return x @ layer["kernel"] + layer["bias"]


def _is_normed(name: str) -> bool:
    return name.rpartition("/")[2] in NORMED
