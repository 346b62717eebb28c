"""Pixel distances, and distances from any function of one's own."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from geomgan.distances.distance import Distance, PyTree, from_embedding


def euclidean() -> Distance:
    """Sum of squared differences, ``d²(x, y) = Σᵢ (xᵢ - yᵢ)²``, of samples as they are."""
    return from_embedding(_identity, (), "euclidean")


def mse() -> Distance:
    """Mean squared difference, ``d²(x, y) = 1/N Σᵢ (xᵢ - yᵢ)²``, of samples as they are."""
    return from_embedding(_scaled, (), "mse")


def features(fn: Callable[..., PyTree], params: PyTree = ()) -> Distance:
    """Squared distance of features, ``d²(x, y) = ‖fn(params, x) - fn(params, y)‖²``.

    Args:
        fn: pure ``(params, x) -> features`` of one sample: an array or a pytree of arrays. It is static in compiled
            programs: pass the same function object each time.
        params: its weights, a pytree of arrays.

    Raises:
        TypeError: ``fn`` is not callable.
    """
    return from_embedding(_callable(fn, "(params, x) -> features"), jax.tree.map(jnp.asarray, params), _name(fn))


def from_function(fn: Callable[..., jax.Array], params: PyTree = ()) -> Distance:
    """A squared distance of one's own, ``d²(x, y) = fn(params, x, y)``.

    It has no embedding, so its metric takes second derivatives: where the distance is a sum of squares, ``features``
    is exact at a fraction of the cost.

    Args:
        fn: pure ``(params, x, y) -> ()`` of two samples: zero with zero derivative at ``x = y``.
        params: its weights, a pytree of arrays.

    Raises:
        TypeError: ``fn`` is not callable.
    """
    fn = _callable(fn, "(params, x, y) -> scalar")
    return Distance(jax.tree.map(jnp.asarray, params), None, fn, _name(fn))


def _identity(params: PyTree, x: jax.Array) -> jax.Array:
    del params
    return x


def _scaled(params: PyTree, x: jax.Array) -> jax.Array:
    del params
    return x * x.size**-0.5


def _callable(fn: Callable, signature: str) -> Callable:
    if not callable(fn):
        raise TypeError(f"fn is {type(fn).__name__}; expected a function {signature}.")
    return fn


def _name(fn: Callable) -> str:
    return getattr(fn, "__name__", type(fn).__name__)
