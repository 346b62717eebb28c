"""What a search has found and why it stops: the best code of all generations, counts, and a status with a reason."""

from __future__ import annotations

import enum
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from geomgan.optimize.ask_tell import MOST_CONDITION, Health, in_double

_FLAT = 3  # generations
_RUNS_AWAY = 1e8  # times the first standard deviation


class Status(enum.IntEnum):
    """Why a search stopped; ``str(status)`` says it in a sentence."""

    RUNNING = 0
    TARGET = 1
    CONVERGED = 2
    PLATEAU = 3
    NO_SCORES = 4
    CONDITION = 5
    STEPS_LOST = 6
    RUNS_AWAY = 7
    BUDGET = 8
    INTERRUPTED = 9

    def __str__(self) -> str:
        return _REASONS[self]


_REASONS = {
    Status.RUNNING: "it has not stopped",
    Status.TARGET: "the target was reached",
    Status.CONVERGED: "the scores no longer differ by more than the tolerance",
    Status.PLATEAU: (
        f"all scores of {_FLAT} generations in a row were equal: the objective is constant there, or coarser than the "
        "steps. Start elsewhere, or with a larger sigma"
    ),
    Status.NO_SCORES: "every score of a generation was NaN",
    Status.CONDITION: (
        f"the covariance's condition passed {MOST_CONDITION:.0e}, beyond what float64 holds. Search in a metric's "
        "coordinates (hess_cma), which carry the conditioning"
    ),
    Status.STEPS_LOST: "steps are below the rounding of the code's numbers: it cannot become more exact",
    Status.RUNS_AWAY: f"steps grew to {_RUNS_AWAY:.0e} times the first ones: the objective has no optimum",
    Status.BUDGET: "the budget is spent",
    Status.INTERRUPTED: "it was interrupted",
}


class Record(NamedTuple):
    """What a search has found; a pytree of arrays.

    Attributes:
        code: ``(d,)``, the best of all generations.
        score: ``()``, its score; infinite before the first.
        evaluations: ``()``, codes that were scored.
        unusable: ``()``, how many of their scores were NaN.
        generations: ``()``.
        recent: ``(window,)``, the best scores of the last generations.
        flat: ``()``, generations in a row, up to the last, whose scores were all equal.
        status: ``()``, a :class:`Status`.
    """

    code: jax.Array
    score: jax.Array
    evaluations: jax.Array
    unusable: jax.Array
    generations: jax.Array
    recent: jax.Array
    flat: jax.Array
    status: jax.Array


@in_double
def new_record(dim: int, population: int) -> Record:
    """The record before the first generation, of searches in ``dim`` dimensions with this population."""
    count = jnp.asarray(0, jnp.int32)
    recent = jnp.full(10 + math.ceil(30 * dim / population), jnp.inf)
    return Record(jnp.zeros(dim), jnp.full((), jnp.inf), count, count, count, recent, count, count)


@in_double
def observe(
    record: Record, codes: Any, scores: Any, health: Health, *, target: Any = -math.inf, tol: float = 1e-12
) -> Record:
    """The record after one more generation, with its status.

    Args:
        record: so far.
        codes: ``(population, d)``, as they were scored.
        scores: ``(population,)``; their type says how exact they can be.
        health: of the method's state after it was told.
        target: a score that is good enough.
        tol: the search has converged where the best scores of the last ``10 + 30 d/λ`` generations, and all of this
            one, lie within ``tol``, or within rounding.
    """
    given = jnp.result_type(scores)
    rounding = 4 * float(jnp.finfo(given).eps) if jnp.issubdtype(given, jnp.floating) else 0.0
    wide = (jnp.asarray(x, jnp.float64) for x in (codes, scores))
    return _observed(record, *wide, health, jnp.asarray(target, jnp.float64), tol, rounding)


@jax.jit
def _observed(
    record: Record, codes: jax.Array, scores: jax.Array, health: Health, target: jax.Array, tol: Any, rounding: Any
) -> Record:
    bad = jnp.isnan(scores)
    usable = jnp.where(bad, jnp.inf, scores)
    best, lowest = jnp.argmin(usable), usable.min()
    highest = jnp.where(jnp.isfinite(scores), scores, -jnp.inf).max()
    better = lowest < record.score
    recent = jnp.roll(record.recent, 1).at[0].set(lowest)
    flat = jnp.where(~bad.any() & (scores == scores[0]).all(), record.flat + 1, 0)
    generations = record.generations + 1
    low, high = jnp.minimum(recent.min(), lowest), jnp.maximum(recent.max(), highest)
    settled = (high - low <= jnp.maximum(tol, rounding * jnp.abs(low))) & ~bad.any()
    score = jnp.where(better, lowest, record.score)
    reasons = (
        (Status.TARGET, score <= target),
        (Status.NO_SCORES, bad.all()),
        (Status.PLATEAU, flat >= _FLAT),
        (Status.CONVERGED, settled),
        (Status.CONDITION, ~(health.condition <= MOST_CONDITION)),
        (Status.STEPS_LOST, health.lost),
        (Status.RUNS_AWAY, ~(health.growth <= _RUNS_AWAY)),
    )
    status = jnp.select([when for _, when in reasons], [jnp.asarray(int(why), jnp.int32) for why, _ in reasons], 0)
    return Record(
        jnp.where(better, codes[best], record.code),
        score,
        record.evaluations + scores.shape[0],
        record.unusable + bad.sum().astype(jnp.int32),
        generations,
        recent,
        flat.astype(jnp.int32),
        jnp.asarray(status, jnp.int32),
    )
