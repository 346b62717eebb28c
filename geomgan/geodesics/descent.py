"""Quasi-Newton steps for chains of codes: many pairs at once, each with a step length of its own.

A step is that of the springs (:mod:`geomgan.geodesics.springs`), the Gauss-Newton matrix of the chords with metrics
that are renewed now and then, corrected by the last few changes of the gradient (L-BFGS). Between renewals a step costs
one sample and one pull-back a node, where a Jacobian costs as many as the latent space has dimensions; the corrections
learn what Gauss-Newton leaves out, the curvature of the samples along the path. A step that does not lower the energy
is shortened; where none does, the springs get stiffer (Levenberg and Marquardt).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.brief import brief
from geomgan.geodesics.batches import Chain, until_done
from geomgan.geodesics.chords import Rows, at, evaluate
from geomgan.geodesics.springs import Springs, knots_of, metrics_at, relaxed, springs_of
from geomgan.metric.pair import Pair

MEMORY = 8  # changes of the gradient that are remembered
RENEWED = 10  # evaluations between renewals of the metrics
DAMPING, RAISED, LOWERED, MOST = 1e-4, 100.0, 0.1, 1.0  # in mean eigenvalues
SHORTEST = 1e-2  # share of a step below which another is looked for
SLOPE = 1e-4  # of the promised fall that a step must reach
ROUNDING = 100  # spacings of floating-point numbers: relative gains in energy below are none
SCALES = (0.1, 1.0)  # of the springs' step, as the last change of the gradient has it


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Search:
    """Where the search for one shortest path is.

    Attributes:
        chain: the best so far.
        gradient: there, ``(N, k)``, of half the energy over ``T``.
        direction: of the step ``(N, k)``.
        share: of it that is tried.
        fresh: whether the next step has to be looked for.
        failed: whether no share of the last one lowered the energy.
        moves: the last steps ``(M, N, k)``.
        changes: of the gradient in them ``(M, N, k)``.
        weights: ``1 / Σ moves · changes (M,)``, zero where there is none.
        springs: at the last renewal.
        damping: of them.
    """

    chain: Chain
    gradient: Any
    direction: Any
    share: Any
    fresh: Any
    failed: Any
    moves: Any
    changes: Any
    weights: Any
    springs: Springs
    damping: Any


def descended(
    pair: Pair,
    chains: np.ndarray,
    basis: jax.Array,
    tolerance: float,
    iterations: int,
    *,
    rows: Rows,
    together: int,
    check: Callable[[Any], None],
) -> Chain:
    """Chains ``(n, T + 1, d)`` after their steps in the columns of ``basis (d, k)``.

    So many ``rows`` are evaluated together, ``together`` codes linearised; ``check`` is told the first energies.
    """
    evaluations = 0

    def step(search: Search) -> Search:
        nonlocal evaluations
        if evaluations % RENEWED == 0 or np.asarray(search.failed).any():
            search = _renewed(pair, search, basis, together)
            evaluations = 0
        evaluations += 1
        search, trial = _aimed(search, basis, tolerance)
        return _weighed(search, trial, *evaluate(pair, trial, rows, ~np.asarray(search.chain.done)), basis)

    codes = jnp.asarray(chains, pair.G.dtype)
    first = evaluate(pair, codes, rows)
    check(first[0])
    return until_done(step, _begun(codes, *first, basis), lambda search: search.chain, iterations)


@jax.jit
def _begun(codes: jax.Array, energies: jax.Array, slopes: jax.Array, basis: jax.Array) -> Search:
    n, T, (d, k), dtype = len(codes), codes.shape[1] - 1, basis.shape, codes.dtype
    del d
    no, one = jnp.zeros(n, bool), jnp.ones(n, dtype)
    zeros = jnp.zeros((n, T - 1, k), dtype)
    memory = jnp.zeros((n, MEMORY, T - 1, k), dtype)
    knots = len(knots_of(T))
    springs = Springs(jnp.zeros((n, knots, k, k), dtype), jnp.zeros((n, k, k), dtype))
    return Search(
        chain=Chain(codes, energies, jnp.zeros(n, jnp.int32), no, no, one),
        gradient=slopes @ basis,
        direction=zeros,
        share=one,
        fresh=~no,
        failed=no,
        moves=memory,
        changes=memory,
        weights=jnp.zeros((n, MEMORY), dtype),
        springs=springs,
        damping=jnp.full(n, DAMPING, dtype),
    )


def _renewed(pair: Pair, search: Search, basis: jax.Array, together: int) -> Search:
    """The search with the metrics at its present codes; of those that failed, with stiffer springs and no memory."""
    codes = np.asarray(search.chain.codes)
    T, dtype, failed = codes.shape[1] - 1, codes.dtype, np.asarray(search.failed)
    damping = np.asarray(search.damping, np.float64)
    damping = np.where(failed, RAISED * damping, np.maximum(LOWERED * damping, DAMPING))
    metrics = metrics_at(pair, at(codes, knots_of(T)), basis, together)
    springs, condition = springs_of(metrics, damping, T, dtype)
    condition = np.asarray(condition, dtype)
    return replace(
        search,
        chain=replace(search.chain, condition=jnp.where(search.chain.done, search.chain.condition, condition)),
        weights=jnp.where(failed[:, None], 0, search.weights),
        springs=springs,
        damping=jnp.asarray(damping, dtype),
        fresh=jnp.ones_like(search.fresh),
        failed=jnp.zeros_like(search.failed),
    )


@jax.jit
def _aimed(searches: Search, basis: jax.Array, tolerance: Any) -> tuple[Search, jax.Array]:
    """Where each search looks next: codes ``(n, T + 1, d)``."""

    def aim(search: Search) -> tuple[Search, jax.Array]:
        chain, T = search.chain, len(search.chain.codes) - 1
        step = -_corrected(search)
        downhill = jnp.vdot(step, search.gradient) < 0
        step = jnp.where(downhill, step, -relaxed(search.springs, search.gradient))
        promised = -T * jnp.vdot(step, search.gradient)
        least = jnp.maximum(tolerance, ROUNDING * jnp.finfo(chain.codes.dtype).eps)
        done = chain.done | (search.fresh & (promised <= least * chain.energy))
        share = jnp.where(search.fresh, 1, search.share)
        direction = jnp.where(search.fresh, step, search.direction)
        trial = chain.codes.at[1:-1].add(jnp.where(done, 0, share) * (direction @ basis.T))
        moved = replace(search, chain=replace(chain, done=done), direction=direction, share=share)
        return moved, trial

    with jax.default_matmul_precision("highest"):
        return jax.vmap(aim)(searches)


@jax.jit
def _weighed(searches: Search, trials: jax.Array, energies: jax.Array, slopes: jax.Array, basis: jax.Array) -> Search:
    """The searches after what was found where they looked."""

    def weigh(search: Search, trial: jax.Array, energy: jax.Array, gradient: jax.Array) -> Search:
        chain, share = search.chain, search.share
        slope = 2 * (len(chain.codes) - 1) * jnp.vdot(search.gradient, search.direction)  # of the energy
        expected = chain.energy + share * slope
        better = (energy <= chain.energy + SLOPE * share * slope) & (energy < chain.energy) & ~chain.done
        move, change = share * search.direction, gradient - search.gradient
        product = jnp.vdot(move, change)
        sizes = jnp.vdot(move, move) * jnp.vdot(change, change)
        told = better & (product > 1e-6 * jnp.sqrt(sizes))

        def remembered(old: jax.Array, new: jax.Array) -> jax.Array:
            return jnp.where(told, jnp.concatenate([old[1:], new[None]]), old)

        parabola = -share * (share * slope) / (2 * (energy - expected))  # its minimum, through what is known
        shorter = jnp.clip(jnp.nan_to_num(parabola, nan=0.0, posinf=0.0, neginf=0.0), 0.1 * share, 0.5 * share)
        failed = ~better & ~chain.done & (shorter < SHORTEST)
        lost = failed & (search.damping * RAISED > MOST)
        return replace(
            search,
            chain=replace(
                chain,
                codes=jnp.where(better, trial, chain.codes),
                energy=jnp.where(better, energy, chain.energy),
                steps=chain.steps + better,
                done=chain.done | lost,
                stuck=chain.stuck | lost,
            ),
            gradient=jnp.where(better, gradient, search.gradient),
            share=jnp.where(better, 1, shorter),
            fresh=better,
            failed=failed & ~lost,
            moves=remembered(search.moves, move),
            changes=remembered(search.changes, change),
            weights=remembered(search.weights, 1 / jnp.where(told, product, 1)),
        )

    with jax.default_matmul_precision("highest"):
        return jax.vmap(weigh)(searches, trials, energies, slopes @ basis)


def _corrected(search: Search) -> jax.Array:
    """The springs' step for the gradient, corrected by what is remembered: L-BFGS in two loops."""
    q, shares = search.gradient, []
    for i in reversed(range(MEMORY)):
        share = search.weights[i] * jnp.vdot(search.moves[i], q)
        q = q - share * search.changes[i]
        shares.append(share)
    last = search.changes[-1]
    size = search.weights[-1] * jnp.vdot(last, relaxed(search.springs, last))
    x = jnp.where(size > 0, jnp.clip(1 / size, *SCALES), 1) * relaxed(search.springs, q)
    for i, share in enumerate(reversed(shares)):
        x = x + (share - search.weights[i] * jnp.vdot(search.changes[i], x)) * search.moves[i]
    return x
