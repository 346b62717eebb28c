"""Gram matrices with twice the digits of float32, from products in float32 that are exact."""

from __future__ import annotations

import jax
import jax.numpy as jnp

PARTS, BITS = 3, 9
COLUMNS = 256  # products of two integers up to 2^8: so many sum to 2^24 at most, which float32 holds exactly


def split_gram(J: jax.Array, most: int) -> jax.Array:
    """``J Jᵀ (d, d)`` in float64 of ``J (d, m)`` in float32 or less, inside ``jit`` with 64-bit types on.

    In each block of ``COLUMNS`` columns, a row is ``2^e (S1 2^-8 + S2 2^-17 + S3 2^-26)`` with integers of at most
    ``2^8`` and an error of at most ``2^-27`` of its largest entry there: about what rounded it before. Products of
    such integers are exact in TF32 and bf16 too, and their sums in float32; float64 adds one number for each block.
    All six products are summed, so that the result is the Gram matrix of a neighbour of ``J``: its eigenvalues are
    squares, and keep ten decades as those of a sum in float64 do.

    Args:
        J: the rows.
        most: bytes of blocks and their products at a time.

    Source: Ozaki, Ogita, Oishi and Rump (2012), Numerical Algorithms 59; for tensor cores Mukunoki et al. (2020).
    """
    rows, columns = J.shape
    blocks = -(-columns // COLUMNS)
    each = 4 * rows * (PARTS * COLUMNS + (PARTS * (PARTS + 1) // 2 + 2) * rows)
    step = max(1, min(blocks, most // each))
    steps = -(-blocks // step)
    J = jnp.pad(J.astype(jnp.float32), ((0, 0), (0, steps * step * COLUMNS - columns)))
    size = step * COLUMNS

    def add(i: jax.Array, total: jax.Array) -> jax.Array:
        part = jax.lax.dynamic_slice_in_dim(J, i * size, size, axis=1)
        return total + _of_blocks(part.reshape(rows, step, COLUMNS))

    half = jax.lax.fori_loop(0, steps, add, jnp.zeros((rows, rows), jnp.float64))
    return half + half.T


def _of_blocks(J: jax.Array) -> jax.Array:
    """Half of the sum of the Gram matrices of blocks ``(d, n, COLUMNS)``: with its transpose, the whole."""
    exponents = jnp.maximum(jnp.frexp(jnp.abs(J).max(axis=2))[1], -100)
    left = J * jnp.ldexp(jnp.float32(1), BITS - 1 - exponents)[..., None]
    parts: list[jax.Array] = []
    for _ in range(PARTS):
        parts.append(jnp.round(left))
        left = (left - parts[-1]) * 2.0**BITS

    def product(i: int, j: int) -> jax.Array:
        exact = jnp.einsum("rbk,sbk->brs", parts[i], parts[j], precision="high")
        return exact.astype(jnp.float64) * 2.0 ** (-BITS * (i + j) - (i == j))

    total = sum((product(i, j) for i in range(PARTS) for j in range(i + 1)), start=jnp.float64(0))
    scale = jnp.ldexp(jnp.float64(1), exponents - (BITS - 1))
    return jnp.einsum("brs,rb,sb->rs", total, scale, scale)
