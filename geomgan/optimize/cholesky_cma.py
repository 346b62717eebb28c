"""The Cholesky CMA-ES of the paper: rank-one updates of a factor and of its inverse, every few generations."""

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
from geomgan.optimize.cma import check_population


class Parameters(NamedTuple):
    """Numbers that dimension and population decide; static."""

    dim: int
    population: int
    sigma: float
    weights: tuple[float, ...]
    effective: float
    path_rate: float
    step_rate: float
    rank_one: float
    damping: float
    every: int


class CholeskyState(NamedTuple):
    """``x = mean + sigma z A``, the inverse of ``A``, and the two paths."""

    mean: jax.Array
    sigma: jax.Array
    factor: jax.Array
    inverse: jax.Array
    path: jax.Array
    step_path: jax.Array
    generation: jax.Array
    key: jax.Array


def cholesky_cma(
    dim: int, sigma: float, *, population: int | None = None, every: int = 10, adapt: bool = True
) -> AskTell:
    """The Cholesky CMA-ES that GAN-Geometry searched with, ``x_i = m + σ z_i A``; it never decomposes a matrix.

    With ``λ = 4 + ⌊3 log₂ d⌋``, ``µ = ⌊λ/2⌋``, ``w_i ∝ ln((λ+1)/2) - ln i``, ``c_c = 4/(d+4)``,
    ``c_σ = √µ_w / (√µ_w + √d)``, ``c_1 = 2/(d+√2)²`` and damping ``1 + c_σ + 2 max(0, √((µ_w-1)/(d+1)) - 1)``; every
    ``every`` generations ``A`` takes the path ``p_c`` in with one rank-one update (``v = p_c A⁻¹``)::

        A   <- √(1-c_1) A + √(1-c_1)/‖v‖² (√(1 + ‖v‖² c_1/(1-c_1)) - 1) vᵀ p_c

    and ``A⁻¹`` accordingly.

    Args:
        dim: ``d``.
        sigma: the first standard deviation.
        population: ``λ``.
        every: generations between two updates of ``A``.
        adapt: whether ``A`` adapts at all.

    Raises:
        ValueError: a size is no positive number, or ``population`` is below 4.

    Source: Wang and Ponce (2021), appendix; Suttorp, Hansen and Igel (2009) for the update.
    """
    dim, every = check_count(dim, np.inf, "dim"), check_count(every, np.inf, "every")
    population = check_population(population, 4 + int(3 * math.log2(dim)))
    p = _parameters(dim, population, check_positive(sigma, "sigma"), every if adapt else 0)
    options = {"method": "cholesky_cma", "dim": dim, "population": population, "sigma": p.sigma, "every": p.every}
    return AskTell(
        partial(_init, p),
        partial(_ask, p),
        partial(_tell, p),
        lambda state: state.mean,
        partial(_health, p),
        dim,
        population,
        options,
    )


def _parameters(dim: int, population: int, sigma: float, every: int) -> Parameters:
    parents = population // 2
    weights = math.log(population / 2 + 0.5) - np.log(np.arange(1, parents + 1))
    weights /= weights.sum()
    effective = float(1 / (weights**2).sum())
    step_rate = effective**0.5 / (effective**0.5 + dim**0.5)
    return Parameters(
        dim,
        population,
        sigma,
        tuple(map(float, weights)),
        effective,
        4 / (dim + 4),
        step_rate,
        2 / (dim + 2**0.5) ** 2,
        1 + step_rate + 2 * max(0.0, ((effective - 1) / (dim + 1)) ** 0.5 - 1),
        every,
    )


@in_double
def _init(p: Parameters, mean: jax.Array, key: jax.Array) -> CholeskyState:
    mean = start(mean, key, p.dim)
    zero, one = jnp.zeros_like(mean), jnp.eye(p.dim)
    return CholeskyState(mean, jnp.asarray(p.sigma, jnp.float64), one, one, zero, zero, jnp.asarray(0, jnp.int32), key)


@in_double
@partial(jax.jit, static_argnums=0)
def _ask(p: Parameters, state: CholeskyState) -> jax.Array:
    z = normals(state.key, state.generation, (p.population, p.dim))
    return state.mean + state.sigma * (z @ state.factor)


@in_double
def _tell(p: Parameters, state: CholeskyState, codes: Any, scores: Any) -> CholeskyState:
    return _after(p, state, *told(state.mean, codes, scores, p.population))


@partial(jax.jit, static_argnums=0)
def _after(p: Parameters, state: CholeskyState, codes: jax.Array, scores: jax.Array) -> CholeskyState:
    order, weights = ranked(scores, jnp.asarray(p.weights))
    step = weights @ codes[order[: len(p.weights)]] - state.mean
    white = step @ state.inverse / state.sigma
    cs, cc = p.step_rate, p.path_rate
    step_path = (1 - cs) * state.step_path + (cs * (2 - cs) * p.effective) ** 0.5 * white
    path = (1 - cc) * state.path + (cc * (2 - cc) * p.effective) ** 0.5 * (white @ state.factor)
    longer = cs / p.damping * (jnp.linalg.norm(step_path) / expected_norm(p.dim) - 1)
    generation = state.generation + 1
    new = state._replace(
        mean=state.mean + step,
        sigma=state.sigma * jnp.exp(jnp.minimum(1.0, longer)),
        path=path,
        step_path=step_path,
        generation=generation,
    )
    if p.every:
        unchanged = lambda _: (state.factor, state.inverse)
        factor, inverse = jax.lax.cond(generation % p.every == 0, partial(_updated, p.rank_one), unchanged, new)
        new = new._replace(factor=factor, inverse=inverse)
    return kept_unless_told(scores, new, state)


def _updated(rate: float, state: CholeskyState) -> tuple[jax.Array, jax.Array]:
    """``A`` and ``A⁻¹`` with ``AᵀA <- (1-c) AᵀA + c pᵀp``."""
    v = state.path @ state.inverse
    square = jnp.maximum(v @ v, 1e-300)
    keep, stretch = (1 - rate) ** 0.5, jnp.sqrt(1 + square * rate / (1 - rate))
    factor = keep * (state.factor + (stretch - 1) / square * jnp.outer(v, state.path))
    inverse = (state.inverse - (1 - 1 / stretch) / square * jnp.outer(state.inverse @ v, v)) / keep
    return factor, inverse


@in_double
@partial(jax.jit, static_argnums=0)
def _health(p: Parameters, state: CholeskyState) -> Health:
    deviations = jnp.linalg.norm(state.factor, axis=0)
    condition = (jnp.linalg.norm(state.factor) * jnp.linalg.norm(state.inverse) / p.dim) ** 2
    lost = (state.mean + 0.2 * state.sigma * deviations == state.mean).any()
    return Health(condition, state.sigma * deviations.max() / p.sigma, lost)
