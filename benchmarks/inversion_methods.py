"""The methods that `benchmarks.inversion` compares, each as ``run(rate, losses, codes, passes, group)``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from geomgan import optimize as go
from geomgan.optimize.local import advance, begin, suited
from geomgan.optimize.loss import Loss, over
from geomgan.optimize.metrics import given_pairs

RATES = (0.03, 0.1, 0.3)
SIGMAS = (0.3, 0.6, 1.2)
POPULATION = 12
BASIN_GENERATIONS, BASIN_CODES, BASIN_KEPT = 3, 6, 2


class Ran(NamedTuple):
    """What ``n`` runs have done, at ``T`` moments.

    Attributes:
        best: ``(n, T)``, the best losses so far.
        passes: ``(T,)``, forward passes of a run, the mean.
        seconds: ``(T,)``, processor seconds of all runs, without compilation.
        codes: ``(n, d)``, the best.
        steps: of a run.
    """

    best: np.ndarray
    passes: np.ndarray
    seconds: np.ndarray
    codes: np.ndarray
    steps: int


class Entry(NamedTuple):
    """A method of the table, and the rates (or first deviations) that it may be run with; one for none."""

    run: Callable[..., Ran]
    rates: tuple[float, ...] = (1.0,)


def entries(d: int, mean: Any) -> dict[str, Entry]:
    """The methods."""
    lm, own = go.levenberg_marquardt, d + 1
    by = lambda make, first, step, rates=(1.0,): Entry(partial(local, make, first, step), rates)
    values, vectors = given_pairs(mean)
    relative = (np.maximum(np.asarray(values), 0) / float(values[0]), np.asarray(vectors))
    outer = go.hess_cma(relative, 1.0, exponent=0.25, floor=1e-3, population=POPULATION)
    return {
        "Adam": by(lambda r: go.adam(r), 0, 3, RATES),
        "Adam, rotated (own metric)": by(lambda r: go.adam(r, metric="own"), own, 3, RATES),
        "Adam, rotated (mean metric)": by(lambda r: go.adam(r, metric=mean), 0, 3, RATES),
        "Adam, half whitened (own)": by(lambda r: go.adam(r, metric="own", scale=0.5), own, 3, RATES),
        "Adam, half whitened (mean)": by(lambda r: go.adam(r, metric=mean, scale=0.5), 0, 3, RATES),
        "Adam, whitened (own)": by(lambda r: go.adam(r, metric="own", scale=1.0), own, 3, RATES),
        "gradient descent": by(lambda r: go.sgd(r), 0, 3, (1.0, 3.0, 10.0)),
        "natural gradient": by(lambda r: go.sgd(r, metric="own", scale=1.0, floor=0.01), own, 3, (0.3, 1.0, 3.0)),
        "L-BFGS": by(lambda _: go.lbfgs(), 0, 5.0),
        "Levenberg-Marquardt": by(lambda _: lm(), 0, d + 5),
        "the same, metric each 10 steps": by(lambda _: lm("metric", every=10), own, 7 + own / 10),
        "the same, conjugate gradients": by(lambda _: lm("cg", k=8), 0, 31),
        "Cholesky CMA-ES": Entry(partial(search, go.cholesky_cma(d, 1.0, population=POPULATION)), SIGMAS),
        "CMA-ES": Entry(partial(search, go.cma(d, 1.0, population=POPULATION)), SIGMAS),
        "Hess-CMA (mean metric)": Entry(partial(search, outer), SIGMAS),
        "BasinCMA, Adam within": Entry(partial(basin, d, None), SIGMAS),
        "BasinCMA, rotated Adam": Entry(partial(basin, d, mean), SIGMAS),
    }


def local(make: Callable[[float], Any], first: int, step: float, rate: float, *runs: Any) -> Ran:
    """A local method, which takes ``first`` passes before and ``step`` at each step, on average."""
    losses, codes, passes, group = runs
    method, steps = make(rate), max(1, int((passes - first) / step))

    def one(stack: Loss, z: jax.Array, _: int) -> Iterator[tuple[Any, float, Any]]:
        stack = suited(method, stack)
        state = begin(method, stack, z)
        for i in range(steps):
            state = advance(method, stack, state, i)
            yield np.asarray(state.best_value), float(state.passes.mean()), state.best

    return in_groups(one, losses, codes, group, steps, steps)


def search(method: go.AskTell, rate: float, *runs: Any) -> Ran:
    """A search by losses alone, of the first deviation ``rate``."""
    losses, codes, passes, group = runs
    generations = passes // POPULATION

    def one(stack: Loss, z: jax.Array, seed: int) -> Iterator[tuple[Any, float, Any]]:
        with jax.enable_x64(True):
            keys = jax.random.split(jax.random.key(seed), len(z))
            state = sized(jax.vmap(method.init)(jnp.asarray(z, jnp.float64), keys), rate)
        best, kept = np.full(len(z), np.inf), np.asarray(z)
        for i in range(generations):
            with jax.enable_x64(True):
                asked = np.asarray(ask(method, state))
            found = np.asarray(losses_of(stack, jnp.asarray(asked, jnp.float32)))
            with jax.enable_x64(True):
                state = tell(method, state, jnp.asarray(asked), jnp.asarray(found, jnp.float64))
            lowest = found.argmin(axis=1)
            rows = np.arange(len(z))
            better = found[rows, lowest] < best
            best = np.where(better, found[rows, lowest], best)
            kept = np.where(better[:, None], asked[rows, lowest], kept)
            yield best, (i + 1) * POPULATION, kept

    return in_groups(one, losses, codes, group, generations, generations)


def basin(d: int, metric: Any, rate: float, *runs: Any) -> Ran:
    """BasinCMA with small generations, each run by itself; only its end is known."""
    losses, codes, passes, group = runs
    outer = go.cma(d, rate, population=BASIN_CODES)
    steps = max(1, int((passes / 2 / (BASIN_GENERATIONS * BASIN_CODES) - 2) / 3))  # half of the passes, then the rest
    recipe = go.Recipe(BASIN_GENERATIONS, steps, int(passes / 2 / BASIN_KEPT / 3))
    within = go.adam(0.1) if metric is None else go.adam(0.1, metric=metric)

    def one(stack: Loss, z: jax.Array, seed: int) -> Iterator[tuple[Any, float, Any]]:
        common: dict[str, Any] = {"descent": within, "last": within, "keep": BASIN_KEPT, "progress": False}
        keys = jax.random.split(jax.random.key(seed), len(z))
        ended = [go.basin_cma(stack[i], outer, z[i], keys[i], recipe, **common) for i in range(len(z))]
        best = np.stack([run.losses[0] for run in ended])
        yield best, np.mean([run.passes for run in ended]), np.stack([run.codes[0] for run in ended])

    return in_groups(one, losses, codes, group, 1, recipe.generations * recipe.steps + recipe.final)


def in_groups(one: Callable[..., Any], losses: Loss, codes: np.ndarray, group: int, moments: int, steps: int) -> Ran:
    """So many runs together as rates are chosen on, so that one program serves both; the first is run to compile."""
    groups = len(codes) // group
    best, passes, seconds, ends = [], np.zeros((groups, moments)), np.zeros((groups, moments)), []
    for g in range(groups):
        rows = np.arange(g * group, (g + 1) * group)
        stack, z = losses[rows], jnp.asarray(codes[rows])
        if g == 0:
            warm = one(stack, z, g)
            for _ in zip(range(12), warm, strict=False):  # past the first renewal of a metric
                pass
        start, history, kept = time.process_time(), [], z
        for i, (value, spent, code) in enumerate(one(stack, z, g)):
            history.append(value)
            passes[g, i], seconds[g, i], kept = spent, time.process_time() - start, code
        best.append(np.stack(history, axis=1))
        ends.append(np.asarray(kept))
    return Ran(np.concatenate(best), passes.mean(axis=0), seconds.sum(axis=0), np.concatenate(ends), steps)


def sized(state: Any, sigma: float) -> Any:
    """States of a search with another first standard deviation."""
    if hasattr(state, "inner"):
        return state._replace(inner=sized(state.inner, sigma))
    return state._replace(sigma=jnp.full_like(state.sigma, sigma))


@jax.jit
def losses_of(stack: Loss, codes: jax.Array) -> jax.Array:
    """The losses of ``(n, population, d)``."""
    with jax.default_matmul_precision("highest"):
        each = lambda loss, z: jax.vmap(loss.value)(z)
        return jax.vmap(each, (over(stack), 0))(stack, codes)


_COMPILED: dict[tuple[int, str], Any] = {}


def ask(method: go.AskTell, state: Any) -> jax.Array:
    """The codes of a stack of searches."""
    return _compiled(method, "ask")(state)


def tell(method: go.AskTell, state: Any, codes: Any, scores: Any) -> Any:
    """The states of a stack of searches that were told."""
    return _compiled(method, "tell")(state, codes, scores)


def _compiled(method: go.AskTell, name: str) -> Any:
    return _COMPILED.setdefault((id(method), name), jax.jit(jax.vmap(getattr(method, name))))
