"""How much shorter than straight lines shortest paths are, over random pairs: the Monte-Carlo experiment.

A pair is a draw from the prior and a step of a given length from it, towards the origin: ``b = a - s sign(⟨a, v⟩) v``
with ``v`` the first eigenvector of the metric at ``a``, or a random unit vector. The published figure is the mean of
``1 - min L / L_straight`` by the published rule of length, over the validations of the published schedule; it is given
here beside ours, each also measured densely.

Source: Michelis and Becker, On Linear Interpolation in the Latent Space of Deep Generative Models (2021), section 4.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from geomgan.brief import brief
from geomgan.distances.distance import Distance
from geomgan.errors import check_choice, check_count, check_key, check_not_traced
from geomgan.fields import metric_field
from geomgan.generators.generator import Generator
from geomgan.geodesics.integrals import lengths
from geomgan.geodesics.schedule import Schedule, shorten
from geomgan.geodesics.shortest import Shortest, shortest_paths
from geomgan.metric.fingerprint import fingerprints
from geomgan.metric.pair import bound, check_types, with_programs
from geomgan.paths.between import between
from geomgan.runs.journal import parts_in

DIRECTIONS = ("eigenvector", "random")
PUBLISHED = Schedule(epochs=20, points=16)  # of the published experiment
TOGETHER = 10  # pairs of the schedule that are kept as one part


@brief
@dataclass(frozen=True)
class Improvement:
    """Relative improvements over straight lines of ``n`` random pairs, ``1 - length / straight length``.

    Attributes:
        found: the shortest paths, with the pairs' codes.
        published: ``(n,)``, of these by the published rule at the schedule's points; 0 where it calls none shorter.
        schedule: ``(n,)``, of the published schedule by the published rule, as published; of none without a schedule.
        schedule_dense: ``(n,)``, of the same curves by chords of 401 samples; below 0 where they are longer.
        step: from start to end.
        direction: of the step, ``"eigenvector"`` or ``"random"``.
    """

    found: Shortest
    published: np.ndarray
    schedule: np.ndarray
    schedule_dense: np.ndarray
    step: float
    direction: str

    @property
    def rows(self) -> dict[str, np.ndarray]:
        """All improvements ``(n,)`` by the names of method and rule; ``"shortest (dense)"`` is ours, truly measured."""
        ours = {"shortest (dense)": self.found.improvements, "shortest (published rule)": self.published}
        theirs = {"schedule (dense)": self.schedule_dense, "schedule (published rule)": self.schedule}
        return ours | (theirs if len(self.schedule) else {})

    def __str__(self) -> str:
        percent = {name: f"{100 * x.mean():.2f} %" for name, x in self.rows.items()}
        beside = "; ".join(f"{name} {x}" for name, x in list(percent.items())[1:])
        n = len(self.published)
        return (
            f"Paths between {n} pairs, {self.step:g} apart along {_ALONG[self.direction]}, are shorter than the "
            f"straight lines by {percent['shortest (dense)']} in the mean ({beside})."
        )


_ALONG = {"eigenvector": "the first eigenvector of the metric", "random": "random directions"}


@dataclass(frozen=True)
class _Pairs:
    starts: np.ndarray
    ends: np.ndarray


@dataclass(frozen=True)
class _Curves:
    published: np.ndarray
    dense: np.ndarray


def random_steps(
    G: Generator,
    D: Distance,
    key: jax.Array,
    pairs: int,
    *,
    step: float = 1.0,
    direction: str = "eigenvector",
    progress: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Draws from the prior and a step from each, towards the origin: starts and ends ``(pairs, d)``.

    Args:
        G: the generator.
        D: the squared distance.
        key: typed.
        pairs: how many.
        step: its length in latent units.
        direction: ``"eigenvector"``, the first of the metric at the start, or ``"random"``.
        progress: show a progress bar.

    Raises:
        TypeError, ValueError: these are no generator, distance and key, or an option has a value that it cannot take.
    """
    pairs = _check(G, D, key, pairs, step, direction)
    drawn, turned = jax.random.split(key)
    starts = np.asarray(G.sample_latent(drawn, pairs))
    if direction == "eigenvector":
        v = np.asarray(metric_field(G, D, starts, k=1, progress=progress).vectors[..., 0], np.float64)
    else:
        v = np.asarray(jax.random.normal(turned, starts.shape), np.float64)
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    towards = np.where((starts * v).sum(axis=1, keepdims=True) >= 0, -1.0, 1.0)
    return starts, (starts + step * towards * v).astype(starts.dtype)


def improvement(
    G: Generator,
    D: Distance,
    key: jax.Array,
    *,
    pairs: int = 100,
    step: float = 1.0,
    direction: str = "eigenvector",
    segments: int = 16,
    schedule: Schedule | None = PUBLISHED,
    out: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Improvement:
    """The Monte-Carlo experiment: relative improvements over straight lines of random pairs.

    Args:
        G: the generator.
        D: the squared distance.
        key: typed; of the pairs and of the schedule's jitter.
        pairs: how many.
        step: from start to end, in latent units.
        direction: of the step: ``"eigenvector"``, the first of the metric at the start, or ``"random"``.
        segments: chords of each path.
        schedule: the published one, run on the same pairs; None leaves it out.
        out: a folder that keeps what was done: the same call goes on where it was interrupted.
        progress: show progress bars, with the time left.

    Raises:
        TypeError, ValueError: an argument does not fit; raised before any work.
        NotFiniteError: samples along a straight line are not finite.
        StoreError: the folder belongs to another call, or cannot be written.
    """
    pairs = _check(G, D, key, pairs, step, direction)
    settings: dict[str, Any] = {"pairs": pairs, "step": step, "direction": direction, "segments": segments}
    settings |= {"schedule": None if schedule is None else asdict(schedule)}
    settings |= {"key": np.asarray(jax.random.key_data(key)).tolist()}
    settings |= {} if out is None else fingerprints(with_programs(bound(G, D)), (G.name, D.name))
    of_pairs, of_schedule = jax.random.split(key)
    with parts_in(out, settings) as (part, _):
        how: dict[str, Any] = {"step": step, "direction": direction, "progress": progress}
        both = part("pairs", _Pairs, lambda: _Pairs(*random_steps(G, D, of_pairs, pairs, **how)))
        search = lambda: shortest_paths(G, D, both.starts, both.ends, segments=segments, progress=progress)
        found = part("shortest", Shortest, search)
        points = (schedule or PUBLISHED).points
        by_rule = _by_rule(G, D, found, points)
        curves = []
        with tqdm(total=pairs, desc="published schedule", unit="pair", disable=not progress or not schedule) as bar:
            for first in range(0, pairs if schedule else 0, TOGETHER):
                rows = range(first, min(first + TOGETHER, pairs))
                name = f"schedule-{first:05d}"
                curves.append(part(name, _Curves, lambda: _curves(G, D, both, rows, of_schedule, schedule)))  # noqa: B023
                bar.update(len(rows))
    none = [_Curves(np.zeros(0), np.zeros(0))]
    schedule_rule, dense = (
        np.concatenate([getattr(c, name) for c in curves or none]) for name in ("published", "dense")
    )
    return Improvement(found, by_rule, schedule_rule, dense, step, direction)


def _check(G: Generator, D: Distance, key: jax.Array, pairs: int, step: float, direction: str) -> int:
    check_types(G, D)
    check_key(key)
    check_not_traced("geomgan.geodesics.improvement", "Call it outside", G, key)
    check_choice(direction, DIRECTIONS, "direction")
    if not 0 < step < np.inf:
        raise ValueError(f"step is {step}; expected a positive number of latent units.")
    return check_count(pairs, np.inf, "pairs")


def _by_rule(G: Generator, D: Distance, found: Shortest, points: int) -> np.ndarray:
    lines = [between(codes[0], codes[-1]) for codes in found.codes]
    ours, straight = (lengths(G, D, paths, points=points, rule="published") for paths in (found.paths, lines))
    return np.maximum(1 - ours / straight, 0)


def _curves(G: Generator, D: Distance, both: _Pairs, rows: range, key: jax.Array, schedule: Schedule | None) -> _Curves:
    found = [shorten(G, D, both.starts[i], both.ends[i], jax.random.fold_in(key, i), settings=schedule) for i in rows]
    return _Curves(
        np.array([curve.published_improvement for curve in found]), np.array([curve.improvement for curve in found])
    )
