"""Networks with batch norms: how they train, and how they fold into the layers of `geomgan.generators`.

Parameters: ``{"block1": {"kernel", "scale", "bias"}, ..., "output": {"kernel", "bias"}}``. A block is an activation of
``scale · (u - mean) / sqrt(var + eps) + bias``, with ``u`` what its layer makes by ``kernel``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from geomgan.training.convolutions import transposed_convolution

EPSILON = 1e-5


def normalise(u: jax.Array, block: Any, moments: Any = None) -> tuple[jax.Array, Any]:
    """The batch norm of ``u (..., C)`` and the moments that it took: those given, or the batch's own."""
    moments = _moments(u) if moments is None else moments
    slope = block["scale"] * lax.rsqrt(moments["var"] + EPSILON)
    return (u - moments["mean"]) * slope + block["bias"], moments


def generate(params: Any, codes: jax.Array, statistics: Any = None) -> tuple[jax.Array, Any]:
    """Images ``(n, H, W, C)`` of codes ``(n, d)`` by a DCGAN, and the statistics that normalised them.

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
        x = transposed_convolution(x, params[name]["kernel"])
        x, used[name] = normalise(x, params[name], None if statistics is None else statistics[name])
        x = jax.nn.relu(x)
    x = transposed_convolution(x, params["output"]["kernel"]) + params["output"]["bias"]
    return jnp.tanh(x), used


def population_statistics(network: Callable[..., tuple[Any, Any]], params: Any, batches: Iterable[Any]) -> Any:
    """The mean over ``batches`` of each batch norm's mean and variance.

    Args:
        network: ``(params, batch) -> (output, statistics)``.
        params: the final weights.
        batches: of its inputs.
    """
    statistics = jax.jit(lambda params, batch: network(params, batch)[1])
    every = [statistics(params, batch) for batch in batches]
    return jax.tree.map(lambda *values: jnp.stack(values).mean(0), *every)


def fold(params: Any, statistics: Any) -> Any:
    """``params`` of the network without batch norms that equals the one with them, normalised by ``statistics``.

    With ``a = scale / sqrt(var + eps)``: ``kernel' = a · kernel`` and ``bias' = bias - a · mean``.
    """

    def folded(name):
        block, moments = params[name], statistics[name]
        a = block["scale"] * lax.rsqrt(moments["var"] + EPSILON)
        return {"kernel": block["kernel"] * a, "bias": block["bias"] - a * moments["mean"]}

    return {name: folded(name) if name in statistics else dict(block) for name, block in params.items()}


def _moments(x: jax.Array) -> dict[str, jax.Array]:
    axes = tuple(range(x.ndim - 1))
    mean = x.mean(axes)
    return {"mean": mean, "var": jnp.square(x - mean).mean(axes)}
