"""Block-tridiagonal systems, symmetric and positive definite, along a chain of nodes.

``L_{i-1}ᵀ x_{i-1} + A_i x_i + L_i x_{i+1} = b_i`` with ``A (N, k, k)`` and ``L (N - 1, k, k)``, in ``O(N k³)``: forward
elimination, then substitution backwards. Where a block is not positive definite, NaN comes back. No LAPACK: several
batched factorisations in a compiled loop have been seen to wait for one another on CPU (jaxlib 0.10).
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp


def inverse(A: jax.Array) -> jax.Array:
    """That of a positive definite matrix ``(k, k)``, by Gauss and Jordan, which needs no pivoting for such."""

    def eliminated(j: Any, A: jax.Array) -> jax.Array:
        pivot = jnp.where(A[j, j] > 0, A[j, j], jnp.nan)
        row, column = (A[j] / pivot).at[j].set(1 / pivot), A[:, j].at[j].set(0)
        return (A.at[:, j].set(0) - jnp.outer(column, row)).at[j].set(row)

    return jax.lax.fori_loop(0, len(A), eliminated, A)


def eliminate(
    diagonal: jax.Array, upper: jax.Array, right: jax.Array
) -> tuple[tuple[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]:
    """What is left at the last node after all before it are eliminated, and what :func:`substitute` needs.

    Returns:
        The last block ``(k, k)`` and right side ``(k,)``, reduced; and of the nodes before it ``A⁻¹L`` and ``A⁻¹b``.
    """

    def step(carry: Any, node: Any) -> tuple[Any, Any]:
        A, b = carry
        L, next_A, next_b = node
        inverted = inverse(A)
        W, y = inverted @ L, inverted @ b
        return (next_A - L.T @ W, next_b - L.T @ y), (W, y)

    return jax.lax.scan(step, (diagonal[0], right[0]), (upper, diagonal[1:], right[1:]))


def substitute(kept: tuple[jax.Array, jax.Array], last: jax.Array) -> jax.Array:
    """The solution at the nodes before the last ``(N - 1, k)``, from that at the last ``(k,)``."""

    def step(after: jax.Array, node: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        W, y = node
        x = y - W @ after
        return x, x

    return jax.lax.scan(step, last, kept, reverse=True)[1]
