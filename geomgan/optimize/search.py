"""A search by scores alone, from anywhere: a neuron, a server, a person; kept on disk, and safe to interrupt."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.errors import as_array, check_count, check_folder, check_key, check_not_traced
from geomgan.generators.generator import Generator
from geomgan.optimize.ask_tell import AskTell
from geomgan.optimize.record import Record, Status, new_record, observe
from geomgan.runs.files import local_path, writing
from geomgan.runs.lock import locked
from geomgan.runs.loop import restore, save

_FILE, _SECONDS = "search.npz", 5.0  # between two writings, while generations are quick


@dataclass(frozen=True)
class SearchResult:
    """What a search has found.

    Attributes:
        code: ``(d,)`` float64, the best of all generations.
        score: of that code; infinite where no score was a number.
        status: why it stopped; ``str(result.status)`` says it in words.
        evaluations: codes that were scored.
        unusable: how many of their scores were NaN.
        best: ``(generations,)``, the best score of each generation; NaN where it had none.
        median: ``(generations,)``, the median of its scores that are numbers.
        growth: ``(generations,)``, the largest standard deviation relative to the first.
        mean: ``(d,)`` float64, where the distribution ended.
        seconds: spent, those of earlier runs included.
    """

    code: np.ndarray
    score: float
    status: Status
    evaluations: int
    unusable: int
    best: np.ndarray
    median: np.ndarray
    growth: np.ndarray
    mean: np.ndarray
    seconds: float = field(compare=False)

    def __repr__(self) -> str:
        return f"SearchResult(score={self.score:.6g} after {self.evaluations} evaluations: {self.status})"


class _Run(NamedTuple):
    """All that a checkpoint holds."""

    state: Any
    record: Record
    history: Any


def search(
    score: Callable[[np.ndarray], Any],
    method: AskTell,
    mean: Any,
    key: jax.Array,
    *,
    budget: int,
    generator: Generator | None = None,
    target: float = -np.inf,
    tol: float = 1e-12,
    out: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> SearchResult:
    """Search for the code of the lowest score, whatever gives the scores; where to maximise, return ``-activation``.

    Each generation ``score`` is called once, with all its codes. With ``out`` the search is kept there after every
    generation that took a while, and the same call goes on where it ended, with the same random numbers. Ctrl-C ends it
    after the last whole generation and returns what it has found.

    Args:
        score: ``codes (λ, d) -> scores (λ,)``, of numpy; with ``generator`` it gets samples ``(λ, ...)`` instead. NaN
            ranks last; where nothing else is known of a code, NaN is the score to give.
        method: from :func:`cma`, :func:`hess_cma` and the like, of ``d`` dimensions.
        mean: ``(d,)``, where it starts.
        key: of its random numbers.
        budget: evaluations at most; whole generations are spent.
        generator: whose samples are scored.
        target: a score that is good enough.
        tol: it has converged where all scores and the best of the last generations lie within ``tol``.
        out: a folder that keeps it.
        progress: whether to show a bar, with the time left.

    Returns:
        :class:`SearchResult`.

    Raises:
        ValueError: a number or shape does not fit, or ``score`` returns something else than one number for each code.
        StoreError: ``out`` belongs to another search, is in use, or cannot be written.
    """
    check_not_traced("search", "Take geomgan.optimize.pure_search there", mean, key)
    check_key(key)
    population = method.population
    if population is None:
        raise ValueError("the method only keeps a block fixed; expected one that searches: in_blocks joins them.")
    budget = check_count(budget, np.inf, "budget")
    generations = budget // population
    if not generations:
        raise ValueError(f"budget is {budget}; expected at least {population} evaluations, one generation.")
    if generator is not None and generator.latent_dim != method.dim:
        raise ValueError(f"the method searches {method.dim} dimensions; {generator.name} has {generator.latent_dim}.")
    start = method.init(mean, key)
    settings = {
        "method": method.options,
        "mean": np.asarray(method.mean(start)).tolist(),
        "key": np.asarray(jax.random.key_data(key)).tolist(),
        "budget": budget,
        "target": repr(target),
        "tol": tol,
        "generator": None if generator is None else generator.name,
    }
    run = _Run(start, new_record(method.dim, population), np.full((generations, 3), np.nan))
    scored = score if generator is None else lambda codes: score(np.asarray(_samples(generator, codes)))
    with kept(out, "the search") as folder:
        spent, file = 0.0, folder / _FILE if folder else None
        if file is not None and file.exists():
            with jax.enable_x64(True):
                run, spent = restore(file, run, settings)
        run, status, seconds = _generations(scored, method, run, target, tol, file, settings, spent, progress)
    record, done = run.record, int(run.record.generations)
    best, median, growth = np.asarray(run.history)[:done].T
    return SearchResult(
        np.asarray(record.code),
        float(record.score),
        status,
        int(record.evaluations),
        int(record.unusable),
        best,
        median,
        growth,
        np.asarray(method.mean(run.state)),
        seconds,
    )


def _generations(
    score: Callable[[np.ndarray], Any],
    method: AskTell,
    run: _Run,
    target: float,
    tol: float,
    file: Path | None,
    settings: dict[str, Any],
    spent: float,
    progress: bool,
) -> tuple[_Run, Status, float]:
    """The loop, the reason why it ended, and the seconds of all runs."""
    from tqdm import tqdm

    population, generations = method.population or 0, len(run.history)
    history = np.array(run.history)
    started = written = time.monotonic()

    def keep() -> None:
        if file is not None:
            save(file, run._replace(history=history), settings, spent + _since(started))

    status = Status(int(run.record.status))
    done = int(run.record.generations)
    bar = tqdm(
        total=generations * population, initial=done * population, unit="code", desc="search", disable=not progress
    )
    with bar:
        try:
            while status == Status.RUNNING and done < generations:
                codes = method.ask(run.state)
                scores = _checked(score(np.asarray(codes)), population)
                state = method.tell(run.state, codes, scores)
                health = method.health(state)
                record = observe(run.record, codes, scores, health, target=target, tol=tol)
                numbers = scores[~np.isnan(scores)]
                history[done] = (numbers.min(), np.median(numbers), float(health.growth)) if numbers.size else np.nan
                run, status, done = _Run(state, record, history), Status(int(record.status)), done + 1
                bar.set_postfix(best=f"{float(record.score):.4g}", refresh=False)
                bar.update(population)
                if _since(written) > _SECONDS:
                    keep()
                    written = time.monotonic()
        except KeyboardInterrupt:
            status = Status.INTERRUPTED
    if status == Status.RUNNING:
        status = Status.BUDGET
    keep()
    return run, status, spent + _since(started)


@contextmanager
def kept(out: str | os.PathLike[str] | None, what: str) -> Iterator[Path | None]:
    """The folder that keeps ``what``, made and locked; None without one."""
    if out is None:
        yield None
        return
    folder = local_path(out).resolve()
    check_folder(folder, what)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        yield folder


def _checked(scores: Any, population: int) -> np.ndarray:
    """What ``score`` returned, as ``(λ,)`` numbers."""
    scores = np.asarray(as_array(scores, "what score returned"))
    if scores.shape != (population,):
        raise ValueError(
            f"score returned shape {scores.shape}; expected ({population},): one number for each of the codes that it "
            "gets together."
        )
    return scores if np.issubdtype(scores.dtype, np.floating) else scores.astype(np.float64)


def _samples(generator: Generator, codes: np.ndarray) -> jax.Array:
    return jax.vmap(generator)(jnp.asarray(codes.astype(generator.dtype)))


def _since(start: float) -> float:
    return time.monotonic() - start
