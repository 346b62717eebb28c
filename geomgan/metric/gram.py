"""Gram matrices of Jacobians, summed in float64 where the Jacobian lies."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.eigen.threads import one_blas_thread
from geomgan.metric.linear import as_rows

BLOCK_BYTES = 2**21  # columns are widened to float64 in blocks of this size, which stay in a processor's cache


def gram64(jacobian: Sequence[jax.Array]) -> jax.Array:
    """``Σ_l J_l J_lᵀ (d, d)`` in float64, of tangent-major leaves ``(d, ...)``.

    Single-precision entries, double-precision sums: products of two floats are exact in double precision, so only
    the network's own rounding is left, and eigenvalues keep ten decades (the square of ``J``'s precision).
    """
    leaves = list(jacobian)
    with jax.enable_x64(True):
        if all(device.platform == "cpu" for leaf in leaves for device in leaf.devices()):
            return jnp.asarray(gram_on_host([np.asarray(leaf)[None] for leaf in leaves])[0])
        return _gram(leaves)


def gram_on_host(leaves: Sequence[np.ndarray]) -> np.ndarray:
    """:func:`gram64` of several codes, leaves ``(n, d, ...)``, by BLAS's ``syrk``.

    That computes one half, in half the processor time of XLA's whole product. Columns of zeros are left out: behind
    ReLUs, units that are off at the code have them, often half of all.
    """
    codes, dim = leaves[0].shape[:2]
    total = np.zeros((codes, dim, dim))
    width = _block_width(dim)
    with one_blas_thread(dim):
        for rows in (as_rows(leaf, 2) for leaf in leaves):
            for i in range(codes):
                for start in range(0, rows.shape[-1], width):
                    part = rows[i, :, start : start + width]
                    bits = np.bitwise_or.reduce(part.view(f"u{part.itemsize}"), axis=0)
                    block = part[:, np.flatnonzero(bits != 0)].astype(np.float64)
                    total[i] += block @ block.T  # numpy calls syrk
    return total


@jax.jit
def _gram(leaves: list[jax.Array]) -> jax.Array:
    return sum_of_grams(leaves)


def sum_of_grams(leaves: Sequence[jax.Array]) -> jax.Array:
    """:func:`gram64`, to be called inside ``jit`` with 64-bit types on."""
    dim = leaves[0].shape[0]
    return sum((_gram_of(as_rows(leaf)) for leaf in leaves), start=jnp.zeros((dim, dim), jnp.float64))


def _gram_of(J: jax.Array) -> jax.Array:
    rows, columns = J.shape
    width = _block_width(rows)
    whole = columns // width

    def block(start: jax.Array | int, size: int) -> jax.Array:
        part = jax.lax.dynamic_slice_in_dim(J, start, size, axis=1).astype(jnp.float64)
        return part @ part.T

    total = jnp.zeros((rows, rows), jnp.float64)
    if whole:
        total = jax.lax.fori_loop(0, whole, lambda i, total: total + block(i * width, width), total)
    return total + block(whole * width, columns - whole * width) if columns % width else total


def _block_width(rows: int) -> int:
    return max(256, BLOCK_BYTES // (8 * rows))
