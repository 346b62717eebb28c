"""CMA-ES with all that makes it fast: two evolution paths, rank-µ and active updates, lazy eigendecomposition."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.errors import check_count
from geomgan.optimize.ask_tell import (
    AskTell,
    Health,
    check_positive,
    expected_norm,
    in_double,
    kept_unless_told,
    normals,
    ranked,
    start,
    told,
)


class Parameters(NamedTuple):
    """Numbers that dimension and population decide; static."""

    dim: int
    population: int
    sigma: float
    weights: tuple[float, ...]
    negative: tuple[float, ...]
    effective: float
    path_rate: float
    step_rate: float
    rank_one: float
    rank_mu: float
    damping: float
    gap: int


class CmaState(NamedTuple):
    """``N(mean, sigma² covariance)``, its paths, and the eigendecomposition that samples are drawn by."""

    mean: jax.Array
    sigma: jax.Array
    covariance: jax.Array
    path: jax.Array
    step_path: jax.Array
    vectors: jax.Array
    scales: jax.Array
    generation: jax.Array
    key: jax.Array


def cma(dim: int, sigma: float, *, population: int | None = None, active: bool = True, adapt: bool = True) -> AskTell:
    """CMA-ES (Hansen), ``x_i = m + σ C^½ z_i`` with ``C = B D² Bᵀ``, ``C^½ = B D Bᵀ``.

    Every generation moves the mean to the weighted mean of the better half, adapts ``σ`` by the length of the
    conjugate path (cumulation), and ``C`` by the rank-one path, the better half's steps (rank-µ) and, with ``active``,
    negatively by the worse half's. ``C`` is decomposed in float64, every ``1 / (2 d (c_1 + c_µ))`` generations; its
    symmetric root does not depend on the signs and the order in which a device gives eigenvectors, so neither does the
    search. Codes that are told but were not asked for (moved by a descent) count with a Mahalanobis length of at most
    ``√d + 2d/(d+2)``, so that one far step does not blow up ``C``.

    Args:
        dim: ``d``.
        sigma: the first standard deviation, about a third of the range in which the optimum is expected.
        population: ``λ``; by default ``4 + ⌊3 ln d⌋``.
        active: whether worse steps shrink the covariance.
        adapt: whether the covariance adapts at all; False leaves it at the identity, and ``σ`` and mean adapt.

    Returns:
        A :class:`AskTell`; one generation takes ``O(λ d²)``, and ``O(d³)`` where it decomposes.

    Raises:
        ValueError: a size is no positive number, or ``population`` is below 4.

    Source: Hansen, "The CMA Evolution Strategy: A Tutorial" (arXiv 1604.00772v2), its default parameters, and
    "Injecting External Solutions Into CMA-ES" (arXiv 1110.4181).
    """
    dim = check_count(dim, np.inf, "dim")
    population = check_population(population, 4 + int(3 * math.log(dim)))
    p = _parameters(dim, population, check_positive(sigma, "sigma"), active, adapt)
    options = {"method": "cma", "dim": dim, "population": population, "sigma": p.sigma}
    return AskTell(
        partial(_init, p),
        partial(_ask, p),
        partial(_tell, p),
        lambda state: state.mean,
        partial(_health, p),
        dim,
        population,
        options | {"active": active, "adapt": adapt},
    )


def check_population(population: int | None, default: int) -> int:
    """``population``, or its default; raises ``ValueError`` where the better half would be less than two."""
    if population is None:
        return max(4, default)
    if check_count(population, np.inf, "population") < 4:
        raise ValueError(f"population is {population}; expected at least 4, whose better half are two.")
    return population


def _parameters(dim: int, population: int, sigma: float, active: bool, adapt: bool) -> Parameters:
    raw = math.log((population + 1) / 2) - np.log(np.arange(1, population + 1))
    parents = population // 2
    better, worse = raw[:parents], raw[parents:]
    effective = better.sum() ** 2 / (better**2).sum()
    step_rate = (effective + 2) / (dim + effective + 3)
    rank_one = 2 / ((dim + 1.3) ** 2 + effective)
    rank_mu = min(1 - rank_one, 2 * (0.25 + effective - 2 + 1 / effective) / ((dim + 2) ** 2 + effective))
    worse = np.minimum(worse, 0)
    effective_worse = worse.sum() ** 2 / max((worse**2).sum(), 1e-300)
    bounds = (
        1 + rank_one / rank_mu,
        1 + 2 * effective_worse / (effective + 2),
        (1 - rank_one - rank_mu) / (dim * rank_mu),
    )
    negative = min(bounds) * worse / max(-worse.sum(), 1e-300) * active
    return Parameters(
        dim,
        population,
        sigma,
        tuple(map(float, better / better.sum())),
        tuple(map(float, negative)),
        float(effective),
        (4 + effective / dim) / (dim + 4 + 2 * effective / dim),
        step_rate,
        rank_one * adapt,
        rank_mu * adapt,
        1 + 2 * max(0.0, ((effective - 1) / (dim + 1)) ** 0.5 - 1) + step_rate,
        max(1, int(1 / (2 * dim * (rank_one + rank_mu)))) if adapt else 0,
    )


@in_double
def _init(p: Parameters, mean: jax.Array, key: jax.Array) -> CmaState:
    mean = start(mean, key, p.dim)
    zero, one = jnp.zeros_like(mean), jnp.eye(p.dim)
    sigma = jnp.asarray(p.sigma, jnp.float64)
    return CmaState(mean, sigma, one, zero, zero, one, jnp.ones_like(mean), jnp.asarray(0, jnp.int32), key)


@in_double
@partial(jax.jit, static_argnums=0)
def _ask(p: Parameters, state: CmaState) -> jax.Array:
    z = normals(state.key, state.generation, (p.population, p.dim))
    return state.mean + state.sigma * (((z @ state.vectors) * state.scales) @ state.vectors.T)


@in_double
def _tell(p: Parameters, state: CmaState, codes: Any, scores: Any) -> CmaState:
    return _after(p, state, *told(state.mean, codes, scores, p.population))


@partial(jax.jit, static_argnums=0)
def _after(p: Parameters, state: CmaState, codes: jax.Array, scores: jax.Array) -> CmaState:
    order, weights = ranked(scores, jnp.asarray(p.weights))
    steps = (codes - state.mean) / state.sigma
    white = (steps @ state.vectors) / state.scales
    lengths = jnp.linalg.norm(white, axis=1)
    injected = (codes != _ask(p, state)).any(axis=1)
    longest = p.dim**0.5 + 2 * p.dim / (p.dim + 2)
    shrink = jnp.where(injected & (lengths > longest), longest / jnp.maximum(lengths, longest), 1.0)
    steps, white, lengths = steps * shrink[:, None], white * shrink[:, None], lengths * shrink

    parents = order[: len(p.weights)]
    mean_step = weights @ steps[parents]
    mean_white = (weights @ white[parents]) @ state.vectors.T
    generation = state.generation + 1
    cs, cc = p.step_rate, p.path_rate
    step_path = (1 - cs) * state.step_path + (cs * (2 - cs) * p.effective) ** 0.5 * mean_white
    length = jnp.linalg.norm(step_path)
    norm = expected_norm(p.dim)
    sigma = state.sigma * jnp.exp(jnp.minimum(1.0, cs / p.damping * (length / norm - 1)))
    unbiased = length / jnp.sqrt(1 - (1 - cs) ** (2.0 * generation))
    steady = (unbiased < (1.4 + 2 / (p.dim + 1)) * norm).astype(jnp.float64)  # else σ grows: the path must not
    path = (1 - cc) * state.path + steady * (cc * (2 - cc) * p.effective) ** 0.5 * mean_step

    new = state._replace(
        mean=state.mean + state.sigma * mean_step, sigma=sigma, path=path, step_path=step_path, generation=generation
    )
    if p.gap:
        worst = order[len(p.weights) :]
        negative = jnp.asarray(p.negative) * p.dim / jnp.maximum(lengths[worst] ** 2, 1e-300)
        negative = jnp.where(jnp.isnan(scores).any() & (weights == 0).any(), 0.0, negative)
        rank_mu = (weights * steps[parents].T) @ steps[parents] + (negative * steps[worst].T) @ steps[worst]
        forgotten = p.rank_one * (1 - (1 - steady) * cc * (2 - cc)) + p.rank_mu * (1 + sum(p.negative))
        covariance = (1 - forgotten) * state.covariance + p.rank_one * jnp.outer(path, path) + p.rank_mu * rank_mu
        covariance = 0.5 * (covariance + covariance.T)
        due = generation % p.gap == 0
        vectors, scales = jax.lax.cond(due, decomposed, lambda _: (state.vectors, state.scales), covariance)
        new = new._replace(covariance=covariance, vectors=vectors, scales=scales)
    return kept_unless_told(scores, new, state)


def decomposed(covariance: jax.Array) -> tuple[jax.Array, jax.Array]:
    """``B (d, d)`` and ``D (d,)`` with ``C = B D² Bᵀ``; values that rounding made negative are at its size."""
    values, vectors = jnp.linalg.eigh(covariance)
    return vectors, jnp.sqrt(jnp.maximum(values, values[-1] * 1e-16))


@in_double
@partial(jax.jit, static_argnums=0)
def _health(p: Parameters, state: CmaState) -> Health:
    largest = state.scales.max()
    spread = 0.2 * state.sigma * jnp.sqrt(jnp.diagonal(state.covariance))
    return Health(
        (largest / state.scales.min()) ** 2, state.sigma * largest / p.sigma, (state.mean + spread == state.mean).any()
    )
