"""Derivatives of values that are not finite are not finite either."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from geomgan.metric.derivatives import needs_derivatives


def finite_or_nan(value: Any, push: Callable[..., Any]) -> Callable[..., Any]:
    """``push``, or NaN for every tangent where ``value`` is not finite: derivatives there may look as if all were well.

    ``log`` of a negative number is NaN, for example, but its derivative is not. One leaf of the image is marked, the
    smallest: that is enough for a metric, and what the linear layers at a network's beginning make of the tangents
    stays the same at all codes, so that several together compute it once.
    """
    return jax.tree_util.Partial(_push_marked, push, one_or_nan(value))


def one_or_nan(value: Any) -> jax.Array:
    """One, or NaN where anything in the tree ``value`` is not finite."""
    leaves = jax.tree.leaves(value)
    finite = jnp.all(jnp.stack([jnp.isfinite(leaf).all() for leaf in leaves]))
    return jnp.where(finite, 1, jnp.nan).astype(leaves[0].dtype)


def _push_marked(push: Callable[..., Any], mark: jax.Array, v: jax.Array) -> Any:
    with needs_derivatives():  # some functions say so as late as here
        leaves, tree = jax.tree.flatten(push(v))
    smallest = min(range(len(leaves)), key=lambda i: leaves[i].size or math.inf)
    leaves[smallest] = leaves[smallest] * mark.astype(leaves[smallest].dtype)
    return jax.tree.unflatten(tree, leaves)
