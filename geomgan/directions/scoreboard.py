"""Directions of several methods side by side: what each does to samples, and which methods find the same.

For a unit vector ``v`` and codes ``z_p``, with the metric ``g`` of a generator and a distance:

``speed``          perceptual speed, the root mean square over codes of ``s_p = (vᵀ g(z_p) v)^½``: distance for one
                   latent unit.
``energy``         share of the metric's energy, ``mean_p vᵀ g(z_p) v / mean_p tr g(z_p)``; those of orthonormal
                   directions add up to at most 1. A random direction has ``1 / d``.
``consistency``    ``(mean_p s_p)² / mean_p s_p²``, 1 where the speed is the same everywhere.
``straightness``   distance between the ends of a walk from ``-reach`` to ``reach`` over its length, of the means over
                   codes: 1 where the samples, as the distance sees them, move on a straight line.
``penalty``        ``2 Σ_{j≠i} H_ij²`` for direction ``i`` of its set, ``H_ij`` the second derivative of a number of the
                   sample along ``i`` and ``j`` by differences of ``epsilon``, mean over numbers and codes: summed over
                   directions, the Hessian Penalty of the set (Peebles et al., 2020, equation 5).
``mixing``         ``Σ_{j≠i} H_ij² / Σ_j H_ij²`` of these means, the penalty without its scale: 0 for a direction that
                   acts independently of the others of its set.
``recognition``    how often a shift predictor, trained anew on the set, tells from two samples which direction was
                   walked (Voynov and Babenko, 2020); by chance ``1 / n``.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import jax
import numpy as np

from geomgan.brief import brief
from geomgan.directions.collection import DirectionSet
from geomgan.directions.fit import check_fits
from geomgan.directions.hessians import pixel_hessians
from geomgan.directions.joint_training import JointOptions
from geomgan.directions.latent_deformators import recognition
from geomgan.directions.predictors import LENET_SIDE
from geomgan.directions.span import subspace_angles
from geomgan.directions.subspace import restricted
from geomgan.distances.distance import Distance
from geomgan.errors import as_array, check_codes, check_count, check_key
from geomgan.generators import Generator
from geomgan.generators.program_hash import constant_hash, joined_hash
from geomgan.metric import metric_operator
from geomgan.metric.pair import check_types
from geomgan.paths import lines
from geomgan.paths.measure import neighbour_distances
from geomgan.runs.journal import Journal, open_journal

STEPS = 8  # of a walk whose length is measured
FIRST = 5  # directions of a method whose span is compared: as many as there are dimensions span the same
TRACED = 512  # dimensions up to which the metric's trace is taken
REACH, EPSILON = 2.0, 0.1  # latent units
SHIFTS = JointOptions(least=0.5, most=3.0, learning_rate=0.0, predictor_learning_rate=1e-3)
NAMES = ("speed", "energy", "consistency", "straightness", "penalty", "mixing", "recognition")


@brief
@dataclass(frozen=True)
class Scores:
    """What is measured of the ``n`` directions of one set; see :mod:`geomgan.directions.scoreboard`.

    Attributes:
        names: of the directions.
        speed, energy, consistency, straightness, penalty, mixing, recognition: ``(n,)``; NaN where it was not measured.
    """

    names: tuple[str, ...]
    speed: np.ndarray
    energy: np.ndarray
    consistency: np.ndarray
    straightness: np.ndarray
    penalty: np.ndarray
    mixing: np.ndarray
    recognition: np.ndarray


@brief
@dataclass(frozen=True)
class Scoreboard:
    """Directions of several methods, scored.

    Attributes:
        scores: method -> scores of its directions.
        overlap: ``(m, m)``, of the spans of each method's first directions, see :func:`overlap`.
        matches: ``(m, m)``, the mean over one method's directions (rows) of the largest ``|cos|`` among those of
            another (columns).
        first: how many directions of a method the spans are of.
        chance: the overlap of random spans of as many.
        measure: name of the distance.
        codes: how many were measured at.
    """

    scores: dict[str, Scores]
    overlap: np.ndarray
    matches: np.ndarray
    first: int
    chance: float
    measure: str
    codes: int

    @property
    def columns(self) -> dict[str, list[Any]]:
        """The table, a row for each direction: ``"method"``, ``"direction"`` and the scores."""
        rows = [(method, scores, i) for method, scores in self.scores.items() for i in range(len(scores.names))]
        table: dict[str, list[Any]] = {"method": [method for method, _, _ in rows]}
        table["direction"] = [scores.names[i] for _, scores, i in rows]
        return table | {name: [float(getattr(scores, name)[i]) for _, scores, i in rows] for name in NAMES}


@dataclass(frozen=True)
class _Rule:
    """What decides the scores, beside generator, distance, directions and codes."""

    reach: float
    epsilon: float
    predictor_steps: int


def scoreboard(
    G: Generator,
    D: Distance,
    sets: Mapping[str, DirectionSet],
    codes: Any,
    key: jax.Array,
    *,
    reach: float = REACH,
    epsilon: float = EPSILON,
    predictor_steps: int = 500,
    out: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Scoreboard:
    """Score the directions of several methods on one generator; the same call with ``out`` goes on where it ended.

    Args:
        G: the generator.
        D: the squared distance.
        sets: method -> directions of ``G``. Penalty and recognition cost the square of their number: ten are plenty
            (``found.select(range(10))``).
        codes: ``(P, d)``, where they are measured.
        key: random key of the shift predictors.
        reach: of the walks, in latent units to each side.
        epsilon: of the second differences, in latent units.
        predictor_steps: training steps of each shift predictor; 0 trains none.
        out: folder in which each method's scores are kept as they are finished.
        progress: show progress bars.

    Raises:
        OptionError: directions are of another model or space.
        ValueError: there is no set, or a direction is zero; codes do not fit.
        StoreError: ``out`` belongs to other settings.
    """
    check_types(G, D)
    check_key(key)
    codes = np.asarray(check_codes(as_array(codes, "codes"), G.latent_dim))
    steps = predictor_steps and check_count(predictor_steps, np.inf, "predictor_steps")
    if not sets:
        raise ValueError("there is no set of directions; expected some, by method: {'sefa': sefa(G, 10)}.")
    columns = {method: unit_columns(G, found) for method, found in sets.items()}
    rule = _Rule(float(reach), float(epsilon), int(steps))
    results = {}
    with (
        contextlib.nullcontext() if out is None else open_journal(out, _settings(G, D, sets, codes, key, rule)) as kept
    ):
        trace = _part(kept, "trace", _Trace, partial(_trace, G, D, codes)).mean
        for method, found in sets.items():
            work = partial(_scores, G, D, found, columns[method], codes, key, trace, rule, progress)
            results[method] = _part(kept, f"scores-{method.replace(' ', '-')}", Scores, work)
    first = max(1, min(FIRST, G.latent_dim // 2))
    spans = [V[:, :first] for V in columns.values()]
    shared = np.array([[overlap(a, b) for b in spans] for a in spans])
    matches = np.array([[np.abs(a.T @ b).max(axis=1).mean() for b in columns.values()] for a in columns.values()])
    return Scoreboard(results, shared, matches, first, first / G.latent_dim, D.name, len(codes))


def overlap(A: Any, B: Any) -> float:
    """The mean squared cosine of the angles between two spans: 1 where the smaller lies in the other, 0 if orthogonal.

    Of random spans it is ``max(a, b) / d`` in the mean.

    Raises:
        ValueError: these are no columns of one length.
    """
    return float(np.mean(np.cos(subspace_angles(A, B)) ** 2))


def unit_columns(G: Generator, found: DirectionSet) -> np.ndarray:
    """Directions as unit vectors in the flat code of a generator: ``(d, n)`` float64.

    Raises:
        OptionError: they are of another model or space.
        ValueError: one is zero.
    """
    check_fits(found, G)
    zero = np.zeros(G.latent_dim, np.float32)
    V = np.stack([np.asarray(one.along(zero), np.float64) for one in found], axis=1)
    lengths = np.linalg.norm(V, axis=0)
    if not lengths.all():
        names = [name for name, length in zip(found.names, lengths, strict=True) if not length]
        raise ValueError(f"directions {', '.join(names)} are zero; expected a length. Leave them out (select).")
    return V / lengths


def unit_steps(found: DirectionSet) -> DirectionSet:
    """The same directions, one step of each a latent unit long, whatever lengths and scales their method gave them."""
    lengths = np.linalg.norm(found.vectors, axis=0)
    return replace(found, vectors=found.vectors / np.where(lengths > 0, lengths, 1), scales=np.ones(len(found)))


def _scores(
    G: Generator,
    D: Distance,
    found: DirectionSet,
    V: np.ndarray,
    codes: np.ndarray,
    key: jax.Array,
    trace: float,
    rule: _Rule,
    progress: bool,
) -> Scores:
    n, zero = V.shape[1], np.zeros(V.shape[1], np.float32)
    along = [restricted(G, z, V.astype(np.float32)) for z in codes]
    squares = np.stack([np.diag(np.asarray(metric_operator(one, D, zero).to_dense(), np.float64)) for one in along])
    squares = np.maximum(squares, 0)
    energies = np.zeros((n, n))
    for one in along:
        H = np.asarray(pixel_hessians(one, zero, method="differences", epsilon=rule.epsilon), np.float64)
        energies += np.square(H).reshape(n, n, -1).mean(axis=-1) / len(codes)
    off = energies.sum(axis=1) - np.diag(energies)
    with np.errstate(invalid="ignore", divide="ignore"):
        mixing = np.where(energies.sum(axis=1) > 0, off / energies.sum(axis=1), np.nan)
        consistency = np.where(squares.any(axis=0), np.sqrt(squares).mean(axis=0) ** 2 / squares.mean(axis=0), np.nan)
    return Scores(
        found.names,
        np.sqrt(squares.mean(axis=0)),
        squares.mean(axis=0) / trace if trace > 0 else np.full(n, np.nan),
        consistency,
        _straightness(G, D, V, codes, rule.reach),
        2 * off,
        mixing,
        _recognition(G, found, V, key, rule.predictor_steps, progress),
    )


def _straightness(G: Generator, D: Distance, V: np.ndarray, codes: np.ndarray, reach: float) -> np.ndarray:
    """Of walks through each code, the mean ``d(ends)`` over the mean ``Σ d(neighbours)``; NaN where nothing moves."""
    t = np.linspace(-reach, reach, STEPS + 1)
    walks = np.stack([line(t) for z in codes for line in lines(z, V)])
    length = neighbour_distances(G, D, walks).sum(axis=1)
    chord = neighbour_distances(G, D, walks[:, [0, -1]])[:, 0]
    length, chord = (x.reshape(len(codes), -1).mean(axis=0) for x in (length, chord))
    return np.divide(chord, length, out=np.full_like(chord, np.nan), where=length > 0)


def _recognition(
    G: Generator, found: DirectionSet, V: np.ndarray, key: jax.Array, steps: int, progress: bool
) -> np.ndarray:
    """The share of shifts along each that a fresh predictor recognises; NaN where none is trained.

    It looks at images, of two directions or more.
    """
    n, image = len(found), G.sample_shape.shape
    if not steps or n < 2 or len(image) != 3:
        return np.full(n, np.nan)
    plain = replace(found, vectors=V.astype(np.float32), space=G.space, layers=(None,) * n, scales=np.ones(n),
                    origin=None, orthonormal=False)  # fmt: skip
    side = LENET_SIDE if min(image[:2]) < LENET_SIDE or min(image[:2]) > 2 * LENET_SIDE else None
    return recognition(
        G, plain, key, predictor="lenet", steps=steps, resize=side, options=SHIFTS, pairs=64, progress=progress
    )


@dataclass(frozen=True)
class _Trace:
    mean: float


def _trace(G: Generator, D: Distance, codes: np.ndarray) -> _Trace:
    """The mean trace of the metric; NaN where it is too large to be formed."""
    if G.latent_dim > TRACED:
        return _Trace(float("nan"))
    traces = [np.trace(np.asarray(metric_operator(G, D, z).to_dense(), np.float64)) for z in codes]
    return _Trace(float(np.mean(traces)))


def _part(journal: Journal | None, name: str, kind: Any, work: Any) -> Any:
    return work() if journal is None else journal.part(name, kind, work)


def _settings(
    G: Generator, D: Distance, sets: Mapping[str, DirectionSet], codes: np.ndarray, key: jax.Array, rule: _Rule
) -> dict[str, Any]:
    """What decides the results."""
    decided = {field.name: getattr(rule, field.name) for field in fields(rule)}
    return decided | {
        "model": joined_hash([constant_hash(leaf) for leaf in jax.tree.leaves(G)]),
        "distance": f"{D.name} {joined_hash([constant_hash(leaf) for leaf in jax.tree.leaves(D)])}",
        "codes": joined_hash([constant_hash(codes)]),
        "key": np.asarray(jax.random.key_data(key)).tolist(),
        "directions": {m: [joined_hash([constant_hash(found.vectors)]), *found.names] for m, found in sets.items()},
    }
