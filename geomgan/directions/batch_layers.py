"""Layers of networks that train: they act on a batch, channels last, and batch norms follow its statistics.

Weights are trees ``{layer: {"kernel", "bias"}}`` and ``{norm: {"scale", "bias"}}``, statistics of batch norms
``{norm: {"mean", "var"}}``. Initial weights are drawn by the laws of PyTorch's layers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

EPSILON, MOMENTUM = 1e-5, 0.1  # PyTorch's
Weights = Mapping[str, Mapping[str, Any]]


class Norms:
    """The batch norms of one pass through a network: what normalises, and the running statistics that come of it.

    In training a batch is normalised by its own mean and (biased) variance, and the running ones move a tenth of the
    way to its mean and unbiased variance; otherwise the running ones normalise.
    """

    def __init__(self, weights: Weights, running: Weights, training: bool) -> None:
        self.weights, self.running, self.training = weights, dict(running), training

    def __call__(self, name: str, x: jax.Array) -> jax.Array:
        """``scale (x - mean) / √(var + ε) + bias``, of every channel, the last axis."""
        used: Mapping[str, Any] = self.running[name]
        if self.training:
            axes = tuple(range(x.ndim - 1))
            mean = x.mean(axes)
            used = {"mean": mean, "var": jnp.square(x - mean).mean(axes)}
            count = x.size // x.shape[-1]
            unbiased = {"mean": mean, "var": used["var"] * (count / max(count - 1, 1))}
            moved = lambda old, new: (1 - MOMENTUM) * old + MOMENTUM * lax.stop_gradient(new)
            self.running[name] = jax.tree.map(moved, dict(self.running[name]), unbiased)
        slope = self.weights[name]["scale"] * lax.rsqrt(used["var"] + EPSILON)
        return (x - used["mean"]) * slope + self.weights[name]["bias"]


def linear(weights: Mapping[str, Any], x: jax.Array) -> jax.Array:
    """``x @ kernel + bias``, kernel ``(in, out)``."""
    return x @ weights["kernel"] + weights["bias"]


def convolution(weights: Mapping[str, Any], x: jax.Array, stride: int = 1, padding: int = 0) -> jax.Array:
    """PyTorch's ``Conv2d`` of ``(n, H, W, C)``, kernel ``(h, w, in, out)``, with a bias where there is one."""
    numbers = ("NHWC", "HWIO", "NHWC")
    ends = [(padding, padding)] * 2
    x = lax.conv_general_dilated(x, weights["kernel"], (stride, stride), ends, dimension_numbers=numbers)
    return x + weights["bias"] if "bias" in weights else x


def max_pool(x: jax.Array, size: int, stride: int, padding: int = 0) -> jax.Array:
    """The largest of every window of ``size x size`` pixels."""
    ends = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, size, size, 1), (1, stride, stride, 1), ends)


def pool_halves(x: jax.Array) -> jax.Array:
    """The largest of every block of 2 x 2 pixels; an odd last row or column is left out."""
    n, height, width, channels = x.shape
    even = x[:, : height // 2 * 2, : width // 2 * 2]
    return even.reshape(n, height // 2, 2, width // 2, 2, channels).max((2, 4))


def initial_layers(key: jax.Array, shapes: Mapping[str, Sequence[int]]) -> dict[str, dict[str, jax.Array]]:
    """Linear layers and convolutions as PyTorch begins: kernels of these shapes, and biases, from ``U(±1/√fan_in)``."""
    counts = [int(np.prod(shape)) for shape in shapes.values()]
    biases = sum(shape[-1] for shape in shapes.values())
    drawn = np.asarray(jax.random.uniform(key, (sum(counts) + biases,), minval=-1.0))  # one program for all
    layers, at = {}, 0
    for (name, shape), count in zip(shapes.items(), counts, strict=True):
        values = drawn[at : at + count + shape[-1]] / np.float32(np.sqrt(np.prod(shape[:-1])))
        layers[name] = {"kernel": jnp.asarray(values[:count].reshape(shape)), "bias": jnp.asarray(values[count:])}
        at += len(values)
    return layers


def initial_norms(channels: Mapping[str, int]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Weights and running statistics of batch norms as PyTorch begins: of mean 0 and variance 1."""
    weights = {name: {"scale": jnp.ones(n), "bias": jnp.zeros(n)} for name, n in channels.items()}
    return weights, {name: {"mean": jnp.zeros(n), "var": jnp.ones(n)} for name, n in channels.items()}
