"""GEORCE: shortest paths as a control problem, on the metric at the left end of each chord.

The discrete energy is ``E = T Σ_{s=0}^{T-1} u_sᵀ g(z_s) u_s`` with controls ``u_s = z_{s+1} - z_s``. With
``ν_s = ∇_z u_sᵀ g(z) u_s`` at ``z_s`` and ``μ_s = μ + Σ_{j>s} ν_j`` an iteration solves the optimality conditions with
``g`` and ``ν`` held: ``ũ_s = -½ g(z_s)⁻¹ μ_s``, where ``μ`` is such that ``Σ ũ_s`` leads from the start to the end. It
then goes from ``u`` towards ``ũ`` by a backtracking line search. Convergence is quadratic near a solution.

The iteration is as published. The line search is ours in two things: its energies are sums of ``‖J u‖²``, one JVP a
node, where the original forms every metric; its slope is that of the step it takes, not of the gradient.

Source: Rygaard and Hauberg, GEORCE (arXiv 2505.05961), algorithm 1.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import cho_solve

from geomgan.errors import NotFiniteError
from geomgan.geodesics.batches import Chain, until_done
from geomgan.geodesics.descent import ROUNDING
from geomgan.geodesics.local import squared_speed
from geomgan.metric.chunks import map_chunks, tangent_chunk
from geomgan.metric.gram import gram, tensor_of
from geomgan.metric.maps import map_of
from geomgan.metric.pair import Pair

HALVINGS = 20
SLOPE = 1e-4  # of the promised fall that a step must reach


def left_energy(pair: Pair, chain: jax.Array) -> jax.Array:
    """``T Σ u_sᵀ g(z_s) u_s`` of a chain ``(T + 1, d)``."""
    return (len(chain) - 1) * jax.vmap(partial(squared_speed, pair))(chain[:-1], jnp.diff(chain, axis=0)).sum()


def run(pair: Pair, chains: np.ndarray, basis: Any, tolerance: float, iterations: int, *, together: int) -> Chain:
    """Chains ``(n, T + 1, d)`` after the iteration; of a basis it knows nothing. ``together`` codes are linearised."""
    del basis
    state = _begin(pair, jnp.asarray(chains, pair.G.dtype))
    if not np.isfinite(np.asarray(state.energy)).all():
        raise NotFiniteError("samples along the guesses are not finite; expected numbers. Take nearer codes.")
    return until_done(lambda state: _advance(pair, state, tolerance, together), state, lambda state: state, iterations)


@jax.jit
def _begin(pair: Pair, codes: jax.Array) -> Chain:
    with jax.default_matmul_precision("highest"):
        n, no = len(codes), jnp.zeros(len(codes), bool)
        found = jax.vmap(partial(left_energy, pair))(codes)
        return Chain(codes, found, jnp.zeros(n, jnp.int32), no, no, jnp.ones(n, codes.dtype))


@partial(jax.jit, static_argnames="together")
def _advance(pair: Pair, chains: Chain, tolerance: Any, together: int) -> Chain:
    def chosen(old: jax.Array, new: jax.Array) -> jax.Array:
        return jnp.where(chains.done.reshape(-1, *[1] * (old.ndim - 1)), old, new)

    with jax.default_matmul_precision("highest"):
        starts = chains.codes[:, :-1]
        g = map_chunks(partial(_tensor, pair), starts.reshape(-1, starts.shape[-1]), together)
        moved = jax.vmap(lambda chain, g: _step(pair, chain, g, tolerance))(chains, g.reshape(*starts.shape, -1))
        return jax.tree.map(chosen, chains, moved)


def _step(pair: Pair, chain: Chain, g: jax.Array, tolerance: Any) -> Chain:
    codes, u = chain.codes, jnp.diff(chain.codes, axis=0)
    towards = _controls(g, _slopes(pair, codes, u), codes[-1] - codes[0])
    step = jnp.pad(jnp.cumsum(towards - u, axis=0)[:-1], ((1, 1), (0, 0)))
    slope = jax.jvp(partial(left_energy, pair), (codes,), (step,))[1]

    def tried(share: jax.Array) -> tuple[jax.Array, jax.Array]:
        moved = codes + share * step
        return moved, left_energy(pair, moved)

    def worse(state: tuple[Any, ...]) -> jax.Array:
        share, _, found = state
        return ~(found <= chain.energy + SLOPE * share * slope) & (share > 0.5**HALVINGS)

    one = jnp.ones((), codes.dtype)
    _, moved, found = jax.lax.while_loop(worse, lambda state: (state[0] / 2, *tried(state[0] / 2)), (one, *tried(one)))
    better = found < chain.energy
    least = jnp.maximum(tolerance, ROUNDING * jnp.finfo(codes.dtype).eps)
    return replace(
        chain,
        codes=jnp.where(better, moved, codes),
        energy=jnp.where(better, found, chain.energy),
        steps=chain.steps + better,
        done=~better | (chain.energy - found <= tolerance * chain.energy),
        stuck=~better & ~(jnp.abs(slope) <= least * chain.energy),
        condition=condition_of(g),
    )


def _tensor(pair: Pair, z: jax.Array) -> jax.Array:
    kind, chunk = map_of(pair.D, "exact"), tangent_chunk(z.size)
    rows = kind.at(pair, z, chunk).rows(jnp.eye(z.size, dtype=z.dtype), chunk)
    return tensor_of(rows, kind.jacobian, gram)


def _slopes(pair: Pair, codes: jax.Array, u: jax.Array) -> jax.Array:
    """``ν_s`` at the inner codes ``(T - 1, d)``."""
    return jax.vmap(jax.grad(partial(squared_speed, pair)))(codes[1:-1], u[1:])


def _controls(g: jax.Array, slopes: jax.Array, whole: jax.Array) -> jax.Array:
    """``ũ (T, d)``."""
    later = jnp.pad(jnp.cumsum(slopes[::-1], axis=0)[::-1], ((0, 1), (0, 0)))  # Σ_{j>s} ν_j
    factors = jnp.linalg.cholesky(g)
    inverse = jax.vmap(lambda L, b: cho_solve((L, True), b))
    inverses = inverse(factors, jnp.broadcast_to(jnp.eye(len(whole), dtype=g.dtype), g.shape))
    right = 2 * whole + inverse(factors, later).sum(axis=0)
    last = -jnp.linalg.solve(inverses.sum(axis=0), right)
    return -0.5 * inverse(factors, last + later)


def condition_of(metrics: jax.Array) -> jax.Array:
    """The least pivot of Cholesky factors over the largest, zero where there is none: cheaper than eigenvalues."""
    pivots = jnp.diagonal(jnp.linalg.cholesky(metrics), axis1=1, axis2=2) ** 2
    return jnp.nan_to_num(pivots.min() / pivots.max(), nan=0.0)
