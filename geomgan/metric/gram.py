"""From rows of a Jacobian (or of the matrix itself) to the metric tensor: the one dense path.

Whoever has pushed unit vectors calls :func:`tensor_of` with the Gram matrix that suits the place: :func:`gram` inside
``jit`` in the rows' precision, :func:`gram64` inside ``jit`` in double precision, :func:`gram_on_host` for arrays that
lie on the host's processors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.backend import backend
from geomgan.eigen.threads import one_blas_thread
from geomgan.metric.split import split_gram

_HOST_COLUMNS = 1024  # of a block for BLAS: fewer cost as much in sums of whole matrices as in products (d = 2,048)


def tensor_of(leaves: Sequence[Any], jacobian: bool, gram: Callable[[Sequence[Any]], Any]) -> Any:
    """``g (..., d, d)``, symmetric, from the rows ``(..., d, ...)`` of all unit vectors.

    Args:
        leaves: those of ``J``, or one leaf ``g``.
        jacobian: which of the two.
        gram: ``Σ_l J_l J_lᵀ`` of the leaves of ``J``.
    """
    g = gram(leaves) if jacobian else leaves[0]
    return 0.5 * (g + g.swapaxes(-1, -2))


def gram(leaves: Sequence[jax.Array]) -> jax.Array:
    """``Σ_l J_l J_lᵀ (d, d)`` of tangent-major leaves ``(d, ...)`` in their own precision; inside ``jit``."""
    dim = leaves[0].shape[0]
    products = (jnp.matmul(J, J.T, precision="highest") for J in map(as_rows, leaves))
    return sum(products, start=jnp.zeros((dim, dim), leaves[0].dtype))


def gram64(leaves: Sequence[jax.Array], together: int = 1) -> jax.Array:
    """:func:`gram` in float64, inside ``jit`` with 64-bit types on; of ``together`` codes under ``vmap``.

    Single-precision entries, double-precision sums: products of two floats are exact in double precision, so only
    the network's own rounding is left, and eigenvalues keep ten decades (the square of ``J``'s precision). Where the
    device is poor in float64, :func:`geomgan.metric.split.split_gram` keeps as many.
    """
    dim = leaves[0].shape[0]
    total = jnp.zeros((dim, dim), jnp.float64)
    for J in map(as_rows, leaves):
        split = backend().gram_split and J.dtype != jnp.float64
        total += split_gram(J, backend().gram_block // together) if split else _gram64_of(J, together)
    return total


def gram_on_host(leaves: Sequence[np.ndarray]) -> np.ndarray:
    """:func:`gram64` of several codes, leaves ``(n, d, ...)``, by BLAS's ``syrk``.

    That computes one half, in half the processor time of XLA's whole product. Columns of zeros are left out: behind
    ReLUs, units that are off at the code have them, often half of all.
    """
    codes, dim = leaves[0].shape[:2]
    total = np.zeros((codes, dim, dim))
    width = max(_HOST_COLUMNS, _block_width(dim))
    with one_blas_thread(dim):
        for rows in (as_rows(leaf, 2) for leaf in leaves):
            for i in range(codes):
                used = np.flatnonzero(np.bitwise_or.reduce(rows[i].view(f"u{rows.itemsize}"), axis=0))
                for start in range(0, len(used), width):
                    block = rows[i][:, used[start : start + width]].astype(np.float64)
                    total[i] += block @ block.T  # numpy calls syrk
    return total


def gram_where_it_lies(leaves: Sequence[jax.Array | np.ndarray]) -> np.ndarray:
    """:func:`gram64` of one code's Jacobian, on the host's processors or on the device that holds it."""
    devices = [device for leaf in leaves if isinstance(leaf, jax.Array) for device in leaf.devices()]
    if all(backend(device).gram_on_host for device in devices):
        return gram_on_host([np.asarray(leaf)[None] for leaf in leaves])[0]
    with jax.enable_x64(True):
        return np.asarray(_on_device(list(leaves)))


def as_rows(leaf: Any, axes: int = 1) -> Any:
    """Rows ``(..., m_l)`` of a leaf of the Jacobian, whose first ``axes`` stay."""
    return leaf.reshape(*leaf.shape[:axes], math.prod(leaf.shape[axes:]))


@jax.jit
def _on_device(leaves: list[jax.Array]) -> jax.Array:
    return gram64(leaves)


def _gram64_of(J: jax.Array, together: int) -> jax.Array:
    rows, columns = J.shape
    width = _block_width(rows * together)
    whole = columns // width

    def block(start: jax.Array | int, size: int) -> jax.Array:
        part = jax.lax.dynamic_slice_in_dim(J, start, size, axis=1).astype(jnp.float64)
        return part @ part.T

    total = jnp.zeros((rows, rows), jnp.float64)
    if whole:
        total = jax.lax.fori_loop(0, whole, lambda i, total: total + block(i * width, width), total)
    return total + block(whole * width, columns - whole * width) if columns % width else total


def _block_width(rows: int) -> int:
    """Columns that are widened to float64 at a time."""
    return max(256, backend().gram_block // (8 * rows))
