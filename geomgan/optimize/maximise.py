"""Activation maximisation: the sample that a unit, or any objective, likes best."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.errors import as_array, check_codes, check_count, check_key
from geomgan.generators.generator import Generator
from geomgan.metric.pair import check_types
from geomgan.optimize.ask_tell import AskTell
from geomgan.optimize.downhill import Activation, advance, begin, end, values
from geomgan.optimize.local import Method
from geomgan.optimize.prior import prior_of
from geomgan.optimize.record import Status
from geomgan.optimize.search import search

Objective = Callable[[Any, jax.Array], jax.Array]


@dataclass(frozen=True)
class Maximum:
    """What activation maximisation has found; scores are activations, without the penalty.

    Attributes:
        code: ``(d,)``, the best of all starts.
        sample: of that code.
        score: of that sample.
        codes: ``(R, d)``, the best of each start.
        scores: ``(R,)``.
        history: ``(R, n)``, the best of each start so far, penalty included: after each step, or each generation; NaN
            after a search had stopped.
        passes: forward passes spent by all; one with its gradient counts 3.
        status: ``(R,)``, why each ended.
    """

    code: np.ndarray
    sample: np.ndarray
    score: float
    codes: np.ndarray
    scores: np.ndarray
    history: np.ndarray
    passes: int
    status: tuple[Status, ...] = field(compare=False)


def maximise(
    generator: Generator,
    objective: tuple[Objective, Any] | Objective,
    method: AskTell | Method,
    starts: Any,
    key: jax.Array,
    *,
    budget: int,
    penalty: float = 0.0,
    progress: bool = True,
) -> Maximum:
    """Maximise ``φ(G(z)) - p mean(((z - μ)/σ)²)`` from several starts, with gradients or by scores alone.

    Args:
        generator: ``G``; one cut at a layer, ``G.at("block2")``, maximises a unit of its own.
        objective: ``(function, params)`` with ``function(params, sample) -> ()``, such as
            ``geomgan.distances.activation("alex", "relu3", 7)`` or ``unit(...)``; or ``sample -> ()`` alone. What is
            not written in JAX goes to :func:`search`.
        method: a local method, such as ``adam(0.05)`` or ``adam(0.05, metric=eigenpairs)``, all starts together; or one
            that asks for scores, such as ``hess_cma(...)``, a search from each.
        starts: ``(R, d)``, or one ``(d,)``.
        key: of the searches.
        budget: forward passes for each start.
        penalty: ``p``; without it activations of ReLU networks grow with the code for ever.
        progress: whether to show a bar.

    Returns:
        :class:`Maximum`.

    Raises:
        TypeError, ValueError: an argument does not fit.
    """
    if not isinstance(generator, Generator):
        check_types(generator, None)
    check_key(key)
    starts = as_array(starts, "starts")
    starts = np.asarray(check_codes(starts[None] if np.ndim(starts) == 1 else starts, generator.latent_dim))
    budget = check_count(budget, np.inf, "budget")
    if not (np.isfinite(penalty) and penalty >= 0):
        raise ValueError(f"penalty is {penalty!r}; expected a number from 0.")
    function, params = objective if isinstance(objective, tuple) else (_without_params, _Call(objective))
    loss = Activation(generator, params, prior_of(generator, key), jnp.asarray(penalty, jnp.float32), function)
    if isinstance(method, AskTell):
        codes, history, passes, status = _searched(loss, method, starts, key, budget, progress)
    else:
        codes, history, passes, status = _climbed(loss, method, starts, budget, progress)
    unpenalised = Activation(generator, params, loss.prior, jnp.zeros((), jnp.float32), function)
    scores = -np.asarray(values(unpenalised, jnp.asarray(codes, generator.dtype)))
    best = int(np.nanargmax(scores)) if np.isfinite(scores).any() else 0
    sample = np.asarray(generator(codes[best]))
    return Maximum(codes[best], sample, float(scores[best]), codes, scores, -history, passes, status)


def unit(*index: int) -> tuple[Objective, Any]:
    """The objective of a unit of a sample: a channel's mean ``unit(c)``, or one number ``unit(i, j, c)``."""
    return _unit, jnp.asarray(index, jnp.int32)


def _unit(index: jax.Array, sample: jax.Array) -> jax.Array:
    if index.shape[0] == 1:
        return jnp.mean(sample[..., index[0]])
    return sample[tuple(index)]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class _Call:
    """A user's function of a sample as params: static."""

    function: Callable[..., jax.Array] = field(metadata={"static": True})


def _without_params(params: _Call, sample: jax.Array) -> jax.Array:
    return params.function(sample)


def _climbed(
    loss: Activation, method: Method, starts: np.ndarray, budget: int, progress: bool
) -> tuple[np.ndarray, np.ndarray, int, tuple[Status, ...]]:
    """All starts together, by gradients, until each has spent its budget."""
    from tqdm import tqdm

    state, history = begin(method, loss, jnp.asarray(starts, loss.G.dtype)), list[np.ndarray]()
    with tqdm(total=budget, desc="maximise", unit="pass", disable=not progress) as bar:
        while (spent := int(np.max(state.passes))) + 4 <= budget:
            state = advance(method, loss, state, len(history))
            history.append(np.asarray(state.best_value))
            bar.update(int(np.max(state.passes)) - spent)
    state = end(loss, state)
    history.append(np.asarray(state.best_value))
    ended = tuple(Status.BUDGET if np.isfinite(v) else Status.NO_SCORES for v in np.asarray(state.best_value))
    return np.asarray(state.best, np.float64), np.stack(history, axis=1), int(np.sum(state.passes)), ended


def _searched(
    loss: Activation, method: AskTell, starts: np.ndarray, key: jax.Array, budget: int, progress: bool
) -> tuple[np.ndarray, np.ndarray, int, tuple[Status, ...]]:
    """A search from each start, by scores."""
    score = lambda codes: np.asarray(values(loss, jnp.asarray(codes, loss.G.dtype)))
    keys = jax.random.split(key, len(starts))
    found = [
        search(score, method, start, k, budget=budget, progress=progress) for start, k in zip(starts, keys, strict=True)
    ]
    history = np.full((len(found), max(len(result.best) for result in found)), np.nan)
    for row, result in zip(history, found, strict=True):
        row[: len(result.best)] = np.minimum.accumulate(result.best)
    codes = np.stack([result.code for result in found])
    return codes, history, sum(result.evaluations for result in found), tuple(result.status for result in found)
