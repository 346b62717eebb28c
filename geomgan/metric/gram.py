"""Gram matrices of Jacobians, summed in float64 where the Jacobian lies."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.metric.threads import one_blas_thread

BLOCK_BYTES = 2**21  # columns are widened to float64 in blocks of this size, which stay in a processor's cache


def gram64(jacobian: Sequence[jax.Array]) -> jax.Array:
    """``Σ_l J_l J_lᵀ`` in float64, ``(..., d, d)``, of tangent-major leaves ``(..., d, m_l)``.

    Single-precision entries, double-precision sums: products of two floats are exact in double precision, so only
    the network's own rounding is left, and eigenvalues keep ten decades (the square of ``J``'s precision).
    """
    leaves = list(jacobian)
    with jax.enable_x64(True):
        if all(device.platform == "cpu" for leaf in leaves for device in leaf.devices()):
            return jnp.asarray(gram_on_host([np.asarray(leaf) for leaf in leaves]))
        return _gram(leaves)


def gram_on_host(leaves: Sequence[np.ndarray]) -> np.ndarray:
    """:func:`gram64` by BLAS's ``syrk``, which computes one half: half the processor time of XLA's whole product.

    Columns of zeros are left out: behind ReLUs, units that are off at the code have them, often half of all.
    """
    *stack, rows, _ = leaves[0].shape
    total = np.zeros((*stack, rows, rows))
    width = _block_width(rows)
    with one_blas_thread(rows):
        for leaf in leaves:
            for at in np.ndindex(*stack):
                for start in range(0, leaf.shape[-1], width):
                    part = leaf[at][:, start : start + width]
                    bits = np.bitwise_or.reduce(part.view(f"u{part.itemsize}"), axis=0)
                    block = part[:, np.flatnonzero(bits != 0)].astype(np.float64)
                    total[at] += block @ block.T  # numpy calls syrk
    return total


@jax.jit
def _gram(leaves: list[jax.Array]) -> jax.Array:
    return sum_of_grams(leaves)


def sum_of_grams(leaves: Sequence[jax.Array]) -> jax.Array:
    """:func:`gram64`, to be called inside ``jit`` with 64-bit types on."""
    shape = leaves[0].shape[:-1]
    return sum((_gram_of(leaf) for leaf in leaves), start=jnp.zeros((*shape, shape[-1]), jnp.float64))


def _gram_of(J: jax.Array) -> jax.Array:
    if J.ndim > 2:
        return jax.vmap(_gram_of)(J)
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
