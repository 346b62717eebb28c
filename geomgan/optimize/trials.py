"""Many runs of a local method in one compiled step: their histories, why they end, and checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from geomgan.brief import brief
from geomgan.optimize.local import Method, State, begin, end, renewed, stepped, suited
from geomgan.optimize.loss import Loss
from geomgan.runs.loop import run

LOOK = 10  # steps between two looks at which runs go on, and between checkpoints
CONVERGED, LIMIT, FAILED = "converged", "step limit", "not finite"


class Trials(NamedTuple):
    """Runs under way; the first axis of all but ``step`` and ``history`` is theirs.

    Attributes:
        step: how many steps were taken.
        state: of the method.
        active: which go on.
        failed: which ended because a loss was not finite.
        mark: the best loss when it last became better by more than the tolerance.
        since: steps since then.
        history: ``(n, steps)``, the best loss after each step; NaN behind a run's end.
    """

    step: jax.Array
    state: State
    active: jax.Array
    failed: jax.Array
    mark: jax.Array
    since: jax.Array
    history: jax.Array


@brief
@dataclass(frozen=True)
class Found:
    """What runs ended with, ``n`` of them.

    Attributes:
        unknowns: ``(n, dim)``, those of the least loss.
        losses: ``(n,)``.
        passes: ``(n,)``, forward passes.
        status: ``(n,)``, why each ended.
        history: ``(n, steps)``, the best loss after each step; NaN behind a run's end.
        seconds: that they took, compilation included.
    """

    unknowns: np.ndarray
    losses: np.ndarray
    passes: np.ndarray
    status: np.ndarray
    history: np.ndarray
    seconds: float


@dataclass(frozen=True)
class Stop:
    """When runs end: after ``steps``, or where ``patience`` of them have not lowered the loss by ``tolerance``."""

    steps: int
    patience: int | None
    tolerance: float


def descend_all(
    method: Method,
    loss: Loss,
    codes: Any,
    stop: Stop,
    *,
    passes: int = 0,
    checkpoint: Path | None = None,
    settings: dict[str, Any] | None = None,
    label: str = "invert",
    progress: bool = True,
) -> Found:
    """Run a method from ``codes (n, dim)`` down a stack of ``n`` losses; go on from ``checkpoint`` where there is one.

    Args:
        method: a local method.
        loss: the stack.
        codes: the starts.
        stop: when runs end.
        passes: forward passes that each start has cost.
        checkpoint: the file of the latest state; None keeps nothing.
        settings: what must not differ between the run that wrote the checkpoint and this one.
        label: the text of the progress bar.
        progress: whether to show it.
    """
    loss = suited(method, loss)
    trials = _begin(method, loss, jnp.asarray(codes), stop.steps, jnp.asarray(passes, jnp.int32))
    patience = stop.steps + 1 if stop.patience is None else stop.patience
    limits = jnp.asarray(patience, jnp.int32), jnp.asarray(stop.tolerance, loss.dtype)

    def step(trials: Trials) -> tuple[Trials, dict[str, jax.Array]]:
        if method.every and (taken := int(trials.step)) and taken % method.every == 0:
            trials = trials._replace(state=_renewed(method, loss, trials.state, trials.active))
        return _advance(method, loss, trials, *limits), {}

    seconds, first, until = 0.0, True, 0
    with tqdm(total=stop.steps, desc=label, unit="step", disable=not progress) as bar:
        while first or (until < stop.steps and np.asarray(trials.active).any()):
            until = min(until + LOOK, stop.steps)
            trials, spent = run(
                step, trials, until, checkpoint=checkpoint, every=LOOK, settings=settings, progress=False
            )
            # a checkpoint that was found is read at each call: what it holds is the state that came out of the last
            seconds = spent if checkpoint is not None else seconds + spent
            if first:
                _check_not_constant(loss, codes, trials.state)
            until, first = max(until, int(trials.step)), False
            bar.update(int(trials.step) - bar.n)
    state = end(loss, trials.state)
    whole = np.isfinite(np.asarray(state.best_value))
    active, failed = np.asarray(trials.active), np.asarray(trials.failed)
    status = np.where(~whole | failed, FAILED, np.where(active, LIMIT, CONVERGED))
    best, values, spent_passes, history = map(np.asarray, (state.best, state.best_value, state.passes, trials.history))
    return Found(best, values, spent_passes, status, history, seconds)


def _check_not_constant(loss: Loss, starts: Any, state: State) -> None:
    """Raise ``ValueError`` where no code has moved, and codes elsewhere have the same loss."""
    if not np.array_equal(np.asarray(state.code), np.asarray(starts)):
        return
    deviation = np.ones(loss.dim, starts.dtype)
    deviation[: len(loss.shared.prior.deviation)] = np.asarray(loss.shared.prior.deviation)
    here, there = (np.asarray(end(loss, replace(state, code=code)).value) for code in (starts, starts + deviation))
    if np.array_equal(here, there):
        raise ValueError(
            f"the loss is constant: none of {len(here)} runs moves, and a deviation of the prior away it is the same, "
            f"{here[0]:.4g}; expected one that depends on the code. Look at what the generator makes of two codes, and "
            "at the mask."
        )


@partial(jax.jit, static_argnames="steps")
def _begin(method: Method, loss: Loss, codes: jax.Array, steps: int, passes: jax.Array) -> Trials:
    state = begin(method, loss, codes)
    state = State(state.code, state.value, state.best, state.best_value, state.passes + passes, state.inner)
    n, dtype = len(codes), codes.dtype
    infinite, history = jnp.full(n, jnp.inf, dtype), jnp.full((n, steps), jnp.nan, dtype)
    no, zero = jnp.zeros(n, bool), jnp.zeros((), jnp.int32)
    return Trials(zero, state, ~no, no, infinite, jnp.zeros(n, jnp.int32), history)


@jax.jit
def _advance(method: Method, loss: Loss, trials: Trials, patience: jax.Array, tolerance: jax.Array) -> Trials:
    active = trials.active
    state = _where(active, stepped(method, loss, trials.state), trials.state)
    failed = active & ~jnp.isfinite(state.value)
    lower = state.best_value < trials.mark * (1 - tolerance)
    since = jnp.where(lower, 0, trials.since + 1)
    reached = jnp.where(active, state.best_value, jnp.nan)
    return Trials(
        trials.step + 1,
        state,
        active & ~failed & (since < patience),
        trials.failed | failed,
        jnp.where(lower, state.best_value, trials.mark),
        since,
        jax.lax.dynamic_update_slice_in_dim(trials.history, reached[:, None], trials.step, axis=1),
    )


@jax.jit
def _renewed(method: Method, loss: Loss, state: State, active: jax.Array) -> State:
    return _where(active, renewed(method, loss, state), state)


def _where(active: jax.Array, new: State, old: State) -> State:
    """The new state of runs that go on; the others keep theirs."""
    choose: Callable[..., Any] = lambda a, b: jnp.where(active.reshape(-1, *(1,) * (a.ndim - 1)), a, b)
    return jax.tree.map(choose, new, old)
