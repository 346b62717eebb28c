"""Bases with room for more columns than they have, which are zero: arrays of fixed size for compiled loops.

Functions are of one map, inside ``jit`` with 64-bit types on; ``vmap`` them. They do what
:class:`geomgan.eigen.space.Space` does on the host, with matrix products and small eigenproblems only: those are what
accelerators have in batches.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from geomgan.eigen.lapack import symmetric_in_program

LEAST = 1e-10  # of the longest column: a direction that is shorter is rounding
PARALLEL = 1e-6  # of unit columns that were orthonormal before, but for rounding


class Ritz(NamedTuple):
    """The best pairs in a space: the first of all, descending; zeros and infinite errors where it has fewer.

    Attributes:
        theta, vectors, images, residuals, errors: of the first ones, as in ``Space``.
        largest: magnitude of a Ritz value.
        lowest: Ritz value.
    """

    theta: jax.Array
    vectors: jax.Array
    images: jax.Array
    residuals: jax.Array
    errors: jax.Array
    largest: jax.Array
    lowest: jax.Array


def written(columns: jax.Array, block: jax.Array, size: jax.Array, left: jax.Array) -> jax.Array:
    """``columns (..., m)`` with the first ``left`` of ``block (..., w)`` behind the first ``size``."""
    place = jnp.arange(columns.shape[-1]) - size
    there = (place >= 0) & (place < left)
    return jnp.where(there, jnp.take(block, jnp.clip(place, 0, block.shape[-1] - 1), axis=-1), columns)


def projected_with(projected: jax.Array, rows: jax.Array, size: jax.Array, left: jax.Array) -> jax.Array:
    """``Vᵀ A V (m, m)`` with the new columns ``Vᵀ A V_new (m, w)``, and the same as rows."""
    return written(written(projected, rows, size, left).T, rows, size, left).T


def ritz(
    basis: jax.Array, image: jax.Array, projected: jax.Array, first: jax.Array, size: jax.Array, count: int
) -> Ritz:
    """The ``count`` best pairs in the span of the columns from ``first`` to ``size``."""
    index = jnp.arange(projected.shape[0])
    inside = (index >= first) & (index < size)
    projected = jnp.where(inside & inside[:, None], projected, 0.0)
    bound = jnp.sqrt((projected**2).sum())
    below = -3.0 * jnp.where(bound > 0, bound, 1.0)  # no eigenvalue is as low: the columns that are not there are last
    theta, y = symmetric_in_program(projected + jnp.diag(jnp.where(inside, 0.0, below)))
    theta, y = theta[::-1], y[:, ::-1]
    real = index < size - first
    count = min(count, len(index))
    y = jnp.where(inside[:, None] & real[:count], y[:, :count], 0.0)
    vectors, images = basis @ y, image @ y
    residuals = images - vectors * theta[:count]
    errors = jnp.where(real[:count], jnp.linalg.norm(residuals, axis=0), jnp.inf)
    largest = jnp.where(real, abs(theta), 0.0).max()
    lowest = jnp.where(real, theta, jnp.inf).min()
    return Ritz(jnp.where(real, theta, 0.0)[:count], vectors, images, residuals, errors, largest, lowest)


def in_front(columns: jax.Array, chosen: jax.Array) -> jax.Array:
    """The chosen ones of the last axis first, in their order, and zeros behind them."""
    place = jnp.cumsum(chosen) - 1  # a product with zeros and ones: a sort takes a compiler seconds
    return columns @ (chosen[:, None] & (place[:, None] == jnp.arange(len(chosen)))).astype(columns.dtype)


def outside(basis: jax.Array, block: jax.Array, left: jax.Array, fresh: jax.Array) -> jax.Array:
    """``left`` orthonormal directions of ``block (d, w)`` outside the basis; random ones where it has fewer.

    In each round the basis is taken out, and what is left is rotated to its principal directions and scaled to unit
    length. Weak ones are known to few digits after one round, and to all after three.

    Args:
        basis: orthonormal columns ``(d, m)``, and zeros.
        block: what to look at.
        left: how many are wanted.
        fresh: random columns of about unit length for each round ``(rounds, d, w)``.
    """
    there = jnp.arange(block.shape[1]) < left
    block = jnp.where(there, block, 0.0)
    least = LEAST * jnp.linalg.norm(block, axis=0).max()
    block = block - basis @ (basis.T @ block)

    def again(carry: tuple[jax.Array, jax.Array], fresh: jax.Array) -> tuple[tuple[jax.Array, jax.Array], None]:
        block, least = carry
        block = block - basis @ (basis.T @ block)
        block = block @ symmetric_in_program(block.T @ block)[1][:, ::-1]
        length = jnp.linalg.norm(block, axis=0)
        good = length > least
        block = jnp.where(there, jnp.where(good, block / jnp.where(good, length, 1.0), fresh), 0.0)
        return (block, jnp.full_like(least, PARALLEL)), None

    return jax.lax.scan(again, (block, least), fresh)[0][0]
