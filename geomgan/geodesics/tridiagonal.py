"""Block-tridiagonal systems, symmetric and positive definite, along a chain of nodes.

``L_{i-1}ᵀ x_{i-1} + A_i x_i + L_i x_{i+1} = b_i`` with ``A (N, k, k)`` and ``L (N - 1, k, k)``, in ``O(N k³)``: forward
elimination by Cholesky factors, then substitution backwards. Where a block is not positive definite, NaN comes back.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_solve


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
        factor = (jnp.linalg.cholesky(A), True)
        W, y = cho_solve(factor, L), cho_solve(factor, b)
        return (next_A - L.T @ W, next_b - L.T @ y), (W, y)

    return jax.lax.scan(step, (diagonal[0], right[0]), (upper, diagonal[1:], right[1:]))


def substitute(kept: tuple[jax.Array, jax.Array], last: jax.Array) -> jax.Array:
    """The solution at the nodes before the last ``(N - 1, k)``, from that at the last ``(k,)``."""

    def step(after: jax.Array, node: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        W, y = node
        x = y - W @ after
        return x, x

    return jax.lax.scan(step, last, kept, reverse=True)[1]


def solve(diagonal: jax.Array, upper: jax.Array, right: jax.Array) -> jax.Array:
    """``x (N, k)``."""
    (A, b), kept = eliminate(diagonal, upper, right)
    last = cho_solve((jnp.linalg.cholesky(A), True), b)
    return jnp.concatenate([substitute(kept, last), last[None]])
