"""BasinCMA: CMA-ES over the basins of a loss, of which each code is first taken to the bottom, or on its way there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from geomgan.errors import check_choice, check_count, check_key
from geomgan.generators.program_hash import constant_hash, joined_hash, program_hash
from geomgan.optimize.ask_tell import AskTell, is_wide
from geomgan.optimize.blocks import in_blocks
from geomgan.optimize.cma import cma
from geomgan.optimize.downhill import Penalised, Penalty, advance, begin, downhill, end, values
from geomgan.optimize.gradient import adam
from geomgan.optimize.local import Method
from geomgan.optimize.search import kept
from geomgan.runs.loop import run

HALVES = optax.exponential_decay(1.0, 200, 0.5, staircase=True)  # the published last descent's learning rate


class Recipe(NamedTuple):
    """Numbers of a published run.

    Attributes:
        generations: of the outer search; 0 draws one, which is not told.
        steps: of the descent of every code of a generation.
        final: steps of the last descent, from the best codes.
        anchored: whether it penalises a class code for its distance from where it starts.
    """

    generations: int
    steps: int
    final: int
    anchored: bool = False


RECIPES = {
    "default": Recipe(30, 40, 500),
    "adam": Recipe(0, 0, 600),
    "cma": Recipe(100, 0, 0),
    "cma-adam": Recipe(80, 0, 400),
    "basin-cma": Recipe(10, 10, 600),
    "basin-cma-anchored": Recipe(10, 10, 600, anchored=True),
}
"""Schedules of :func:`basin_cma` by name."""


@dataclass(frozen=True)
class BasinResult:
    """What BasinCMA has found.

    Attributes:
        codes: ``(keep, d)``, the best, in the order of their losses.
        losses: ``(keep,)``, with penalties.
        history: ``(generations,)``, the best loss of all so far, after each generation.
        before: ``(generations, population)``, losses of the codes as they were asked for.
        after: ``(generations, population)``, after their descent.
        final: ``(final, keep)``, losses along the last descent.
        passes: forward passes spent; one with its gradient counts 3.
    """

    codes: np.ndarray
    losses: np.ndarray
    history: np.ndarray
    before: np.ndarray
    after: np.ndarray
    final: np.ndarray
    passes: int


def basin_cma(
    loss: Any,
    method: AskTell,
    mean: Any,
    key: jax.Array,
    recipe: str | Recipe = "default",
    *,
    descent: Method | None = None,
    last: Method | None = None,
    moved: bool = False,
    keep: int = 4,
    penalties: Sequence[Penalty] = (),
    batch: int | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> BasinResult:
    """Search by ``method`` for codes from which a descent ends low, then take the best of all generations down.

    Each generation every code descends, and the search is told the losses after it: with the codes that it asked for,
    or with ``moved`` those after the descent. The best codes are kept over all generations (the original kept the last
    one's only), and each counts with the best code on its way.

    Args:
        loss: of one target, ``losses(G, D, target[None])[0]``, or anything with ``value(z)``.
        method: of the outer search: one for whole codes, or :func:`in_blocks` for noise and class.
        mean: ``(d,)``, where it starts.
        key: of its random numbers.
        recipe: numbers of generations and steps, or the name of a published one, a key of ``RECIPES``.
        descent: a local method; by default Adam with the rate 0.05, the original's. Its
            ``adam(0.05, metric=eigenpairs)`` is the original's with a Hessian's basis.
        last: of the last descent; by default the same Adam, whose rate halves every 200 steps.
        moved: whether the search is told the codes after the descent (the original's ``CMApostAdam``).
        keep: codes of the last descent.
        penalties: terms that are added to the loss, such as ``Penalty(0.09, radius=12, end=128)``.
        batch: codes that descend together; by default all, or fewer where memory is short.
        out: a folder that keeps what was done: the same call goes on where it was interrupted, and ends with the same
            numbers. A kill loses the generation at hand, or 50 steps of the last descent.
        progress: whether to show a bar, with the time left.

    Returns:
        :class:`BasinResult`.

    Raises:
        ValueError: a size does not fit.
        OptionError: ``recipe`` is unknown, or anchored without a penalty that anchors.
        StoreError, CheckpointError: ``out`` belongs to another search, is in use, or cannot be written.

    Source: Wampler and Popović (2009); Bau et al. (2019); Wang and Ponce (2021), section 5.
    """
    if isinstance(recipe, str):
        check_choice(recipe, RECIPES, "recipe")
        recipe = RECIPES[recipe]
    if recipe.anchored and not penalties:
        raise ValueError("the recipe is anchored; expected penalties=anchored(noise, mean), or others of one's own.")
    check_key(key)
    population = method.population
    if population is None:
        raise ValueError("the method only keeps a block fixed; expected one that searches: in_blocks joins them.")
    keep = check_count(keep, population, "keep", ", the codes of a generation")
    batch = population if batch is None else check_count(batch, np.inf, "batch")
    loss = Penalised.of(loss, tuple(penalties))
    descent = descent or adam(0.05)
    last = last or adam(0.05, schedule=HALVES)
    wide, rounds = is_wide(), max(1, recipe.generations)

    def generation(now: _Generations) -> tuple[_Generations, dict[str, Any]]:
        asked = method.ask(now.state)
        with jax.enable_x64(wide):
            codes = jnp.asarray(np.asarray(asked), jnp.float32)
            first = np.asarray(values(loss, codes))
            reached, scores, spent = _basins(descent, loss, codes, first, recipe.steps, batch)
        lowest = np.concatenate([now.lowest, scores])
        order = np.argsort(lowest, kind="stable")[:keep]
        state = now.state
        if now.step < recipe.generations:
            state = method.tell(state, reached if moved and recipe.steps else asked, scores)
        curves = np.array(now.curves)
        curves[now.step] = np.stack([first, scores])
        best = np.concatenate([now.best, reached])[order]
        passes = now.passes + population + spent
        return _Generations(now.step + 1, state, best, lowest[order], curves, passes), {"best": lowest[order[0]]}

    def down(now: _Last) -> tuple[_Last, dict[str, Any]]:
        state = advance(last, loss, now.state, int(now.step))
        curve = np.array(now.curve)
        curve[now.step] = state.value
        return _Last(now.step + 1, state, curve), {"best": np.min(state.best_value)}

    settings = {} if out is None else _settings(loss, method, (descent, last), mean, key, recipe, moved, keep)
    with kept(out, "the search") as folder:
        files = [folder / name if folder else None for name in ("generations.npz", "last.npz")]
        how: dict[str, Any] = {"settings": settings, "progress": progress}
        with jax.enable_x64(True):  # of the search's state; the losses are of the caller's types
            none = np.zeros((keep, method.dim), np.float32), np.full(keep, np.inf, np.float32)
            start = _Generations(np.int64(0), method.init(mean, key), *none, np.zeros((rounds, 2, population)), 0)
            found, _ = run(generation, start, rounds, checkpoint=files[0], every=1, label="BasinCMA", **how)
        best, lowest, passes = np.asarray(found.best), np.asarray(found.lowest), int(found.passes)
        curve = np.zeros((recipe.final, keep), np.float32)
        if recipe.final:
            descending = _Last(np.int32(0), begin(last, loss, jnp.asarray(best)), curve)
            ended, _ = run(down, descending, recipe.final, checkpoint=files[1], every=50, label="last descent", **how)
            settled, curve = end(loss, ended.state), np.asarray(ended.curve)
            passes += int(np.sum(settled.passes))
            ends, reached = np.asarray(settled.best_value), np.asarray(settled.best)
            better = ends < lowest
            best, lowest = np.where(better[:, None], reached, best), np.where(better, ends, lowest)
    order = np.argsort(lowest, kind="stable")
    before, after = np.moveaxis(np.asarray(found.curves, np.float32), 1, 0)
    history = np.minimum.accumulate(np.nanmin(after, axis=1, initial=np.inf))
    return BasinResult(best[order], lowest[order], history, before, after, curve, passes)


class _Generations(NamedTuple):
    """The outer search under way; ``curves (generations, 2, population)`` are losses as asked for, and after."""

    step: Any
    state: Any
    best: Any
    lowest: Any
    curves: Any
    passes: Any


class _Last(NamedTuple):
    """The last descent under way."""

    step: Any
    state: Any
    curve: Any


def _settings(
    loss: Any, method: AskTell, descents: tuple[Method, Method], mean: Any, key: Any, *said: Any
) -> dict[str, Any]:
    """What decides the result: the program of a descent's step, the numbers that go into it, and the choices."""
    code = jax.ShapeDtypeStruct((method.dim,), jnp.float32)
    steps = lambda descents, loss, z: [one.step(loss, one.init(loss, z)) for one in descents]
    numbers = [np.asarray(leaf) for leaf in jax.tree.leaves((loss, descents, mean, jax.random.key_data(key)))]
    return {
        "program": program_hash(steps, descents, loss, code),
        "numbers": joined_hash([constant_hash(x) for x in numbers]),
        "method": method.options,
        "choices": repr(said),
    }


def noise_and_class(noise: int = 128, classes: int = 128, population: int = 18) -> AskTell:
    """The original's two searches, of BigGAN's noise (``σ`` 0.4) and class (``σ`` 0.2)."""
    return in_blocks([cma(noise, 0.4, population=population), cma(classes, 0.2, population=population)])


def anchored(noise: int, mean: Any) -> tuple[Penalty, Penalty]:
    """The original's anchored penalties: noise within a norm of 12 (0.09), class near where it starts (0.4)."""
    return Penalty(0.09, 12.0, end=noise), Penalty(0.4, centre=np.asarray(mean)[noise:], begin=noise)


def _basins(
    descent: Method, loss: Any, codes: jax.Array, first: np.ndarray, steps: int, batch: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """Codes after a descent, their losses, and the passes; batch by batch, the last filled up with its last code."""
    if not steps:
        return np.asarray(codes), first, 0
    reached, scores, passes = [], [], 0
    for i in range(0, len(codes), batch):
        rows = np.minimum(np.arange(i, i + batch), len(codes) - 1)
        state = downhill(descent, loss, codes[rows], steps)
        used = min(batch, len(codes) - i)
        reached.append(np.asarray(state.best)[:used])
        scores.append(np.asarray(jnp.where(jnp.isfinite(state.best_value), state.best_value, jnp.nan))[:used])
        passes += int(np.sum(np.asarray(state.passes)[:used]))
    return np.concatenate(reached), np.concatenate(scores), passes
