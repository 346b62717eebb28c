"""BasinCMA: CMA-ES over the basins of a loss, of which each code is first taken to the bottom, or on its way there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from geomgan.errors import check_choice, check_count, check_key
from geomgan.optimize.ask_tell import AskTell
from geomgan.optimize.blocks import in_blocks
from geomgan.optimize.cma import cma
from geomgan.optimize.downhill import Penalised, Penalty, advance, begin, downhill, end, values
from geomgan.optimize.gradient import adam
from geomgan.optimize.local import Method

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
        progress: whether to show a bar.

    Returns:
        :class:`BasinResult`.

    Raises:
        ValueError: a size does not fit.
        OptionError: ``recipe`` is unknown, or anchored without a penalty that anchors.

    Source: Wampler and Popović (2009); Bau et al. (2019); Wang and Ponce (2021), section 5.
    """
    from tqdm import tqdm

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

    state, passes = method.init(mean, key), 0
    best, lowest = np.zeros((0, method.dim), np.float32), np.zeros(0, np.float32)
    history, before, after = [], [], []
    rounds = max(1, recipe.generations)
    work = rounds * recipe.steps * population + recipe.final * keep + rounds * population
    with tqdm(total=work, desc="BasinCMA", unit="step", disable=not progress) as bar:
        for generation in range(rounds):
            asked = method.ask(state)
            codes = jnp.asarray(np.asarray(asked), jnp.float32)
            first = np.asarray(values(loss, codes))
            reached, scores, spent = _basins(descent, loss, codes, first, recipe.steps, batch)
            passes += population + spent
            before.append(first)
            after.append(scores)
            order = np.argsort(np.concatenate([lowest, scores]), kind="stable")[:keep]
            best, lowest = np.concatenate([best, reached])[order], np.concatenate([lowest, scores])[order]
            history.append(float(lowest[0]))
            if generation < recipe.generations:
                state = method.tell(state, reached if moved and recipe.steps else asked, scores)
            bar.set_postfix(best=f"{history[-1]:.4g}", refresh=False)
            bar.update((recipe.steps + 1) * population)
        curve = []
        if recipe.final:
            run = begin(last, loss, jnp.asarray(best))
            for i in range(recipe.final):
                run = advance(last, loss, run, i)
                curve.append(np.asarray(run.value))
                bar.update(keep)
            run = end(loss, run)
            passes += int(np.sum(run.passes))
            ends, reached = np.asarray(run.best_value), np.asarray(run.best)
            better = ends < lowest
            best, lowest = np.where(better[:, None], reached, best), np.where(better, ends, lowest)
    order = np.argsort(lowest, kind="stable")
    return BasinResult(
        best[order],
        lowest[order],
        np.asarray(history),
        np.stack(before),
        np.stack(after),
        np.reshape(curve, (recipe.final, keep)),
        passes,
    )


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
