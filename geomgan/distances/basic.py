"""Pixel distances, and distances from any function of one's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.distances.distance import Distance, PyTree, from_embedding
from geomgan.errors import check_arguments


def euclidean(mask: Any = None, channel_weights: Any = None) -> Distance:
    """Sum of squared differences, ``d²(x, y) = Σᵢ mᵢ wᵢ (xᵢ - yᵢ)²``, of samples as they are.

    Args:
        mask: ``m`` in ``[0, 1]``, of the sample's shape, or of that without its channel axis, which it then covers
            (``(H, W)`` for images); sides of length one are repeated. None: all ones.
        channel_weights: ``w >= 0``, one for each channel ``(C,)``. None: all ones.

    Both are weights of the distance, leaves of its pytree: another mask does not recompile.

    Raises:
        ValueError: a value out of its bounds, nothing left to compare, or weights that are not ``(C,)``. The distance
            raises for samples that the mask or the weights do not fit.
    """
    if mask is None and channel_weights is None:
        return from_embedding(_identity, (), "euclidean")
    return _weighted(_times_roots, "euclidean-weighted", mask, channel_weights)


def mse(mask: Any = None, channel_weights: Any = None) -> Distance:
    """Mean squared difference, ``d²(x, y) = Σᵢ mᵢ wᵢ (xᵢ - yᵢ)² / Σᵢ mᵢ wᵢ``, of samples as they are.

    Both sums run over all values of a sample; without arguments it is ``1/N Σᵢ (xᵢ - yᵢ)²``.

    Args:
        mask: as in :func:`euclidean`.
        channel_weights: as in :func:`euclidean`.

    Raises:
        ValueError: as in :func:`euclidean`.
    """
    if mask is None and channel_weights is None:
        return from_embedding(_scaled, (), "mse")
    return _weighted(_times_scaled_roots, "mse-weighted", mask, channel_weights)


def features(fn: Callable[..., PyTree], params: PyTree = ()) -> Distance:
    """Squared distance of features, ``d²(x, y) = ‖fn(params, x) - fn(params, y)‖²``.

    Args:
        fn: pure ``(params, x) -> features`` of one sample: an array or a pytree of arrays, real or complex (then
            ``‖a - b‖² = Σ|a - b|²``). It is static in compiled programs: pass the same function object each time.
        params: its weights, a pytree of arrays.

    Raises:
        TypeError: ``fn`` is no function of two arguments.
    """
    return from_embedding(_callable(fn, "params, x", "features"), jax.tree.map(jnp.asarray, params), _name(fn))


def from_function(fn: Callable[..., jax.Array], params: PyTree = ()) -> Distance:
    """A squared distance of one's own, ``d²(x, y) = fn(params, x, y)``.

    It has no embedding, so its metric takes second derivatives: where the distance is a sum of squares, ``features``
    is exact at a fraction of the cost.

    Args:
        fn: pure ``(params, x, y) -> ()`` of two samples, real: zero with zero derivative at ``x = y``.
        params: its weights, a pytree of arrays.

    Raises:
        TypeError: ``fn`` is no function of three arguments. The distance raises it where ``fn`` returns no real scalar.
    """
    fn = _callable(fn, "params, x, y", "scalar")
    return Distance(jax.tree.map(jnp.asarray, params), None, fn, _name(fn))


def _identity(params: PyTree, x: jax.Array) -> jax.Array:
    del params
    return x


def _scaled(params: PyTree, x: jax.Array) -> jax.Array:
    del params
    return x * x.size**-0.5


def _times_roots(params: PyTree, x: jax.Array) -> jax.Array:
    return x * _roots(params, x)


def _times_scaled_roots(params: PyTree, x: jax.Array) -> jax.Array:
    roots = _roots(params, x)
    return x * (roots * jnp.sum(roots**2) ** -0.5)


def _roots(params: PyTree, x: jax.Array) -> jax.Array:
    """``√(m w)`` in the shape of the sample."""
    mask = params["mask"]
    if 0 < mask.ndim < x.ndim:
        mask = mask[..., None]
    return jnp.broadcast_to(mask * params["channels"], x.shape)


def _weighted(embedding: Callable[..., PyTree], name: str, mask: Any, channel_weights: Any) -> Distance:
    m = _weights(mask, f"the mask of {name}", 1.0)
    w = _weights(channel_weights, f"the channel_weights of {name}", np.inf)
    if channel_weights is not None and w.ndim != 1:
        raise ValueError(f"the channel_weights of {name} have shape {w.shape}; expected (C,), one for each channel.")
    disjoint = bool(m.ndim and w.ndim and m.shape[-1] == w.size and not (m * w).any())
    # The leaves are square roots: the embedding needs those, and unlike a square root they are smooth at zero.
    params = {"mask": jnp.asarray(np.sqrt(m)), "channels": jnp.asarray(np.sqrt(w))}
    return from_embedding(embedding, params, name, check_shape=WeightsCheck(name, m.shape, w.shape, disjoint))


@dataclass(frozen=True)
class WeightsCheck:
    """Raises for samples that a mask or channel weights do not fit."""

    name: str
    mask: tuple[int, ...]
    channels: tuple[int, ...]
    disjoint: bool  # a mask of the sample's rank is zero wherever a channel has weight

    def __call__(self, shape: tuple[int, ...]) -> None:
        if self.channels and self.channels != shape[-1:]:
            raise ValueError(
                f"{self.name} got a sample of shape {shape}; expected {self.channels[0]} channels, last, for its "
                f"{self.channels[0]} channel_weights. Give one weight for each channel."
            )
        mask = (*self.mask, 1) if len(self.mask) == len(shape) - 1 else self.mask
        fits = len(mask) == len(shape) and all(m in (1, side) for m, side in zip(mask, shape, strict=True))
        if self.mask and not fits:
            raise ValueError(
                f"{self.name} got a sample of shape {shape}; its mask {self.mask} expected that shape, or the shape "
                "without the channel axis. Resize or transpose the mask."
            )
        if self.disjoint and len(self.mask) == len(shape):
            raise ValueError(
                f"{self.name} has nothing to compare: its mask is zero in every channel that has a weight. "
                "Expected some value with both above zero."
            )


def _weights(values: Any, what: str, largest: float) -> np.ndarray:
    """Non-negative weights as an array, ``()`` of one where there are none."""
    weights = np.asarray(1.0 if values is None else values, float)
    smallest, greatest = float(np.min(weights, initial=np.inf)), float(np.max(weights, initial=0.0))
    bounds = f"0 to {largest:g}" if np.isfinite(largest) else "0 or more"
    if not (np.isfinite(weights).all() and smallest >= 0 and greatest <= largest):
        raise ValueError(f"{what} has values from {smallest:g} to {greatest:g}; expected {bounds}. Clip or rescale it.")
    if not greatest > 0:
        raise ValueError(f"{what} has no value above zero; expected some: nothing is left to compare.")
    return weights


def _callable(fn: Callable[..., Any], names: str, returns: str) -> Callable[..., Any]:
    if not callable(fn):
        raise TypeError(f"fn is {type(fn).__name__}; expected a function ({names}) -> {returns}.")
    own = names.removeprefix("params, ")
    check_arguments(fn, names, returns, f"One without weights is lambda {names}: fn({own})")
    return fn


def _name(fn: Callable[..., Any]) -> str:
    return getattr(fn, "__name__", type(fn).__name__)
