"""The generator of `geomgan.generators.dcgan` with batch norms: how it trains, and how it folds.

Parameters: ``{"block1": {"kernel", "scale", "bias"}, ..., "output": {"kernel", "bias"}}``. A block is
``relu(scale · (u - mean) / sqrt(var + eps) + bias)`` with ``u`` the transposed convolution by ``kernel``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

EPSILON = 1e-5


def generate(params: Any, codes: jax.Array, statistics: Any = None) -> tuple[jax.Array, Any]:
    """Images ``(n, H, W, C)`` of codes ``(n, d)``, and the statistics that normalised them.

    Args:
        params: As in the module's description.
        codes: A stack of latent codes.
        statistics: ``{"block1": {"mean", "var"}, ...}``, each ``(channels,)``; None takes the batch's own.

    Returns:
        The images and ``statistics``.
    """
    used = {}
    x = codes[:, None, None, :]
    for name in sorted(name for name in params if name != "output"):
        block = params[name]
        x = transposed_convolution(x, block["kernel"])
        used[name] = _moments(x) if statistics is None else statistics[name]
        slope = block["scale"] * lax.rsqrt(used[name]["var"] + EPSILON)
        x = jax.nn.relu((x - used[name]["mean"]) * slope + block["bias"])
    x = transposed_convolution(x, params["output"]["kernel"]) + params["output"]["bias"]
    return jnp.tanh(x), used


def population_statistics(params: Any, batches: Iterable[jax.Array]) -> Any:
    """The mean over ``batches`` of codes of each batch norm's mean and variance, for the final weights."""
    statistics = jax.jit(lambda params, codes: generate(params, codes)[1])
    every = [statistics(params, codes) for codes in batches]
    return jax.tree.map(lambda *values: jnp.stack(values).mean(0), *every)


def fold(params: Any, statistics: Any) -> Any:
    """``params`` of the network without batch norms that equals ``generate(params, ·, statistics)``.

    With ``a = scale / sqrt(var + eps)``: ``kernel' = a · kernel`` and ``bias' = bias - a · mean``.
    """

    def folded(name):
        block, moments = params[name], statistics[name]
        a = block["scale"] * lax.rsqrt(moments["var"] + EPSILON)
        return {"kernel": block["kernel"] * a, "bias": block["bias"] - a * moments["mean"]}

    return {name: folded(name) if name in statistics else dict(block) for name, block in params.items()}


def transposed_convolution(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """What the layer `ConvTranspose` of a DCGAN does to a batch, as a matrix product.

    Its gradient is about 3 times as fast on CPU as that of the convolution over a dilated input. A kernel
    ``(4, 4, in, out)`` turns ``(n, 1, 1, in)`` into ``(n, 4, 4, out)`` (stride 1, no padding) and any other
    ``(n, H, W, in)`` into ``(n, 2H, 2W, out)`` (stride 2, padding 1): row ``i`` adds tap ``a`` to ``2i + a - 1``.
    """
    n, height, width, channels = x.shape
    taps = kernel[::-1, ::-1].transpose(2, 0, 1, 3)  # the stored kernel is flipped
    products = x.reshape(-1, channels) @ taps.reshape(channels, -1)
    if (height, width) == (1, 1):
        return products.reshape(n, *taps.shape[1:])
    products = products.reshape(n, height, width, *taps.shape[1:])
    return _overlap_add(_overlap_add(products, axis=1), axis=2)


def _overlap_add(products: jax.Array, axis: int) -> jax.Array:
    """Spread the 4 taps of dimension 3 over twice the places along ``axis``; the taps' dimension goes."""
    first, second, third, fourth = jnp.moveaxis(products, 3, 0)
    rows = second + _moved(fourth, 1, axis), third + _moved(first, -1, axis)
    both = jnp.stack(rows, axis + 1)
    return both.reshape(*both.shape[:axis], -1, *both.shape[axis + 2 :])


def _moved(x: jax.Array, by: int, axis: int) -> jax.Array:
    """``x`` moved by one place along ``axis``, zeros moving in."""
    zero = jnp.zeros_like(lax.slice_in_dim(x, 0, 1, axis=axis))
    if by > 0:
        return jnp.concatenate([zero, lax.slice_in_dim(x, 0, x.shape[axis] - 1, axis=axis)], axis)
    return jnp.concatenate([lax.slice_in_dim(x, 1, x.shape[axis], axis=axis), zero], axis)


def _moments(x: jax.Array) -> dict[str, jax.Array]:
    mean = x.mean((0, 1, 2))
    return {"mean": mean, "var": jnp.square(x - mean).mean((0, 1, 2))}
