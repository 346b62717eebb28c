"""Damped Gauss-Newton steps for chains of codes: many pairs at once, each with its own damping.

A step solves ``(H + μ S) x = -b`` with ``S = s I``, ``s`` the mean eigenvalue of the chain's metrics, and raises ``μ``
until the energy falls (Levenberg and Marquardt). ``μ`` has a floor, so that a metric that is singular somewhere still
gives a step: there codes move along the directions that the samples feel.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from geomgan.brief import brief
from geomgan.geodesics.chords import energy, model
from geomgan.geodesics.tridiagonal import solve
from geomgan.metric.pair import Pair

TRIES = 8  # dampings in a step
ROUNDING = 100  # spacings of floating-point numbers: relative gains in energy below are none
RAISED, LOWERED = 8.0, 0.2


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Chain:
    """Where the search for one shortest path is.

    Attributes:
        codes: ``(T + 1, d)``, with both ends.
        energy: of the chords.
        damping: ``μ``.
        steps: that lowered the energy.
        done: whether the last step gained less than the tolerance.
        stuck: whether no damping lowered the energy, though the model promised more than the tolerance.
        condition: about the least eigenvalue of the chain's metrics over the largest.
    """

    codes: Any
    energy: Any
    damping: Any
    steps: Any
    done: Any
    stuck: Any
    condition: Any


def floor_of(dtype: Any) -> float:
    """The least damping: what rounding does to the blocks."""
    return 4 * float(jnp.finfo(dtype).eps)


@partial(jax.jit, static_argnames="together")
def begin(pair: Pair, codes: jax.Array, together: int) -> Chain:
    """Chains ``(n, T + 1, d)`` before their first step."""
    with jax.default_matmul_precision("highest"):
        n, dtype = len(codes), codes.dtype
        no = jnp.zeros(n, bool)
        found = jax.vmap(lambda chain: energy(pair, chain, together))(codes)
        return Chain(codes, found, jnp.full(n, 1e-4, dtype), jnp.zeros(n, jnp.int32), no, no, jnp.ones(n, dtype))


@partial(jax.jit, static_argnames="together")
def advance(pair: Pair, chains: Chain, basis: jax.Array, tolerance: Any, together: int) -> Chain:
    """One step of every chain that is not done."""

    def step(chain: Chain) -> Chain:
        return _step(pair, chain, basis, tolerance, together)

    with jax.default_matmul_precision("highest"):
        moved = jax.vmap(step)(chains)

        def chosen(old: jax.Array, new: jax.Array) -> jax.Array:
            return jnp.where(chains.done.reshape(-1, *[1] * (old.ndim - 1)), old, new)

        return jax.tree.map(chosen, chains, moved)


def _step(pair: Pair, chain: Chain, basis: jax.Array, tolerance: Any, together: int) -> Chain:
    local = model(pair, chain.codes, basis, together)
    k = basis.shape[1]
    scale = jnp.trace(local.metrics, axis1=1, axis2=2).mean() / k
    eye = scale * jnp.eye(k, dtype=chain.codes.dtype)

    def tried(damping: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        x = solve(local.diagonal + damping * eye, local.upper, -local.gradient)
        codes = chain.codes.at[1:-1].add(x @ basis.T)
        promised = -(len(codes) - 1) * jnp.sum(x * local.gradient)
        return codes, energy(pair, codes, together), promised

    def worse(state: tuple[Any, ...]) -> jax.Array:
        return ~(state[2] < chain.energy) & (state[4] < TRIES)

    def again(state: tuple[Any, ...]) -> tuple[Any, ...]:
        damping = jnp.maximum(RAISED * state[0], 1e-6)
        return damping, *tried(damping), state[4] + 1

    first = tried(chain.damping)
    damping, codes, found, _, _ = jax.lax.while_loop(worse, again, (chain.damping, *first, 1))
    better = found < chain.energy
    rounding = ROUNDING * jnp.finfo(codes.dtype).eps
    return replace(
        chain,
        codes=jnp.where(better, codes, chain.codes),
        energy=jnp.where(better, found, chain.energy),
        damping=jnp.maximum(LOWERED * damping, floor_of(codes.dtype)),
        steps=chain.steps + better,
        done=~better | (chain.energy - found <= tolerance * chain.energy),
        stuck=~better & ~(first[2] <= jnp.maximum(tolerance, rounding) * chain.energy),
        condition=condition_of(local.metrics),
    )


def condition_of(metrics: jax.Array) -> jax.Array:
    """The least pivot of Cholesky factors over the largest, zero where there is none: cheaper than eigenvalues."""
    pivots = jnp.diagonal(jnp.linalg.cholesky(metrics), axis1=1, axis2=2) ** 2
    return jnp.nan_to_num(pivots.min() / pivots.max(), nan=0.0)
