"""Metrics that methods are given: a matrix, or its eigenpairs."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from geomgan.eigen.dense import eigh
from geomgan.eigen.lapack import factorisation
from geomgan.eigen.pairs import eigenpairs
from geomgan.errors import as_array, check_finite
from geomgan.optimize.eigenbasis import checked_pairs


@factorisation
def eigenpairs_of(metric: jax.Array) -> tuple[jax.Array, jax.Array]:
    """:func:`geomgan.eigh` of a matrix, for programs of many."""
    return eigh(metric)


def pairs_at(pairs: Any, z: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Given eigenpairs in the type of the unknowns ``z``; ``ValueError`` where their dimensions differ."""
    values, vectors = (jnp.asarray(x, z.dtype) for x in pairs)
    if vectors.shape[0] != z.size:
        raise ValueError(
            f"the given metric has {vectors.shape[0]} components; expected {z.size}, as the unknowns have. Take the "
            "metric of this generator."
        )
    return values, vectors


def given_pairs(metric: Any) -> tuple[jax.Array, jax.Array]:
    """Values ``(k,)`` and vectors ``(d, k)`` of a matrix ``(d, d)``, of Eigenpairs, or of a pair of arrays.

    Raises:
        ValueError: they do not fit each other, are not finite or not symmetric, or all zero.
    """
    if not (hasattr(metric, "vectors") or isinstance(metric, tuple)):
        metric = as_array(metric, "metric")
        check_finite(metric, "the metric")
        metric = eigenpairs(metric)
    values, vectors = checked_pairs(metric)
    return jnp.asarray(values), jnp.asarray(vectors)
