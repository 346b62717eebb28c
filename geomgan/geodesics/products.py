"""Gauss-Newton steps without a Jacobian: for embeddings of so many features that those of a chain do not fit.

The same chords and the same model as in :mod:`geomgan.geodesics.chords`, known by products ``Rᵀ(R x)``, one JVP and one
VJP of the whole chain. Conjugate gradients solve for a step, preconditioned by the chain's Laplacian, which a constant
metric would leave of the equations; they stop early, which damps the step along directions that no sample feels. The
loops are Python's: reverse passes of convolutions inside compiled ones are slow on CPU.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.geodesics.batches import Chain
from geomgan.geodesics.descent import ROUNDING
from geomgan.geodesics.local import embedded
from geomgan.metric.derivatives import needs_derivatives
from geomgan.metric.pair import Pair

PRODUCTS = 40  # for a step, at most
FORCING = 0.1  # of the gradient's norm, which conjugate gradients leave
HALVINGS = 10


def descended(pair: Pair, chains: np.ndarray, basis: jax.Array, tolerance: float, iterations: int) -> Chain:
    """Chains ``(n, T + 1, d)`` after their steps, one after another."""
    found = [_one(pair, jnp.asarray(chain, pair.G.dtype), basis, tolerance, iterations) for chain in chains]
    return jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *found)


def _one(pair: Pair, codes: jax.Array, basis: jax.Array, tolerance: float, iterations: int) -> Chain:
    value = float(_energy(pair, codes))
    least = max(tolerance, ROUNDING * float(np.finfo(np.dtype(pair.G.dtype)).eps))
    steps, done, stuck = 0, not np.isfinite(value), False
    while not done and steps < iterations:
        gradient, push = _linearised(pair, codes, basis)
        x = _conjugate_gradients(push, gradient)
        promised = -(len(codes) - 1) * float(jnp.sum(x * gradient))
        for halving in range(HALVINGS):
            moved = codes.at[1:-1].add(0.5**halving * x @ basis.T)
            found = float(_energy(pair, moved))
            if found < value:
                break
        if not found < value:
            done, stuck = True, not promised <= least * value
            break
        done, steps, codes, value = value - found <= tolerance * value, steps + 1, moved, found
    return Chain(codes, value, np.int32(steps), done, stuck, 1.0)


def _conjugate_gradients(push: Any, gradient: jax.Array) -> jax.Array:
    """``x (N, k)`` with ``RᵀR x ≈ -gradient``."""
    smooth = _inverse_laplacian(len(gradient), gradient.dtype)
    x, rest = jnp.zeros_like(gradient), -gradient
    z = smooth @ rest
    direction, size = z, float(jnp.sum(rest * z))
    goal = FORCING**2 * size
    for _ in range(PRODUCTS):
        image = _product(push, direction)
        bend = float(jnp.sum(direction * image))
        if not bend > 0 or not size > goal:
            break
        x, rest = x + size / bend * direction, rest - size / bend * image
        z = smooth @ rest
        before, size = size, float(jnp.sum(rest * z))
        direction = z + size / before * direction
    return x


def _inverse_laplacian(n: int, dtype: Any) -> jax.Array:
    """The inverse ``(n, n)`` of the matrix with 2 on its diagonal and -1 beside it."""
    i = np.arange(1, n + 1)
    low, high = np.minimum.outer(i, i), np.maximum.outer(i, i)
    return jnp.asarray(low * (n + 1 - high) / (n + 1), dtype)


@jax.jit
def _energy(pair: Pair, codes: jax.Array) -> jax.Array:
    with jax.default_matmul_precision("highest"):
        return (len(codes) - 1) * jnp.sum(_chords(pair, codes) ** 2)


def _chords(pair: Pair, codes: jax.Array) -> jax.Array:
    return jnp.diff(jax.vmap(partial(embedded, pair))(codes), axis=0)


@jax.jit
def _linearised(pair: Pair, codes: jax.Array, basis: jax.Array) -> tuple[jax.Array, Any]:
    """Half the gradient of ``E / T (N, k)``, and the residuals' linear map of steps."""
    nothing = jnp.zeros((len(codes) - 2, basis.shape[1]), codes.dtype)
    with jax.default_matmul_precision("highest"), needs_derivatives():
        chords, push = jax.linearize(lambda x: _chords(pair, codes.at[1:-1].add(x @ basis.T)), nothing)
        return jax.linear_transpose(push, nothing)(chords)[0], push


@jax.jit
def _product(push: Any, x: jax.Array) -> jax.Array:
    with jax.default_matmul_precision("highest"):
        return jax.linear_transpose(push, x)(push(x))[0]
