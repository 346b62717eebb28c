"""Directions by every method that finds some, with one set of options: what ``geomgan discover`` runs.

Each method has its own function with all that it can do; here each is called with what all of them share, at a size
that suits a look at a small model on a processor. Sets are kept as they are finished.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from geomgan.directions.collection import DirectionSet, direction_set
from geomgan.directions.dictionaries import dictionary
from geomgan.directions.factorisation import sefa
from geomgan.directions.ganspace import ganspace
from geomgan.directions.joint_training import JointOptions
from geomgan.directions.latent_deformators import train_deformator
from geomgan.directions.metric_axes import metric_axes
from geomgan.directions.penalty_axes import MOST, penalty_axes
from geomgan.directions.predictors import LENET_SIDE
from geomgan.distances.distance import Distance
from geomgan.errors import (
    CheckpointError,
    NotFiniteError,
    OptionError,
    as_array,
    check_choice,
    check_codes,
    check_count,
    check_key,
    warn,
)
from geomgan.generators import Generator
from geomgan.generators.program_hash import constant_hash, joined_hash
from geomgan.runs.journal import open_journal

ALL = "all"


@dataclass(frozen=True)
class Search:
    """What the methods are given.

    Attributes:
        G: the generator.
        D: the squared distance, of the methods that take one.
        codes: ``(P, d)``, likewise.
        key: random key.
        k: directions to find; fewer where there are fewer.
        steps: training steps of methods that train.
        out: folder in which these keep their checkpoints; None keeps nothing.
        progress: show progress bars.
    """

    G: Generator
    D: Distance
    codes: np.ndarray
    key: jax.Array
    k: int
    steps: int
    out: Path | None
    progress: bool

    @property
    def count(self) -> int:
        """At most as many as there are dimensions."""
        return min(self.k, self.G.latent_dim)


def random_directions(G: Generator, key: jax.Array, k: int) -> DirectionSet:
    """``k`` random orthonormal directions, uniform: what every method must beat.

    Raises:
        ValueError: there are fewer dimensions.
    """
    check_count(k, G.latent_dim, "k", f", the dimensions of a code of {G.name}")
    drawn = np.asarray(jax.random.normal(key, (G.latent_dim, k)), np.float64)
    return direction_set(G, np.linalg.qr(drawn)[0], "random", orthonormal=True)


def _metric(search: Search) -> DirectionSet:
    return metric_axes(search.G, search.D, search.codes, search.count, progress=search.progress)


def _sefa(search: Search) -> DirectionSet:
    found = sefa(search.G)
    return found.select(range(min(search.k, len(found))))


def _ganspace(search: Search) -> DirectionSet:
    return ganspace(search.G, search.key, k=search.count, progress=search.progress)


def _dictionary(search: Search) -> DirectionSet:
    return dictionary(
        search.G,
        search.key,
        atoms=max(64, search.k),
        k=search.k,
        steps=search.steps,
        batch=64,
        checkpoint=None if search.out is None else search.out / "dictionary" / "checkpoint.npz",
        progress=search.progress,
    )


def _penalty(search: Search) -> DirectionSet:
    """A turn of the first metric axes: where directions are free to go elsewhere, those that do nothing are best."""
    m = min(search.count, MOST)
    axes = None if m == search.G.latent_dim else _metric(search).vectors[:, :m]
    return penalty_axes(search.G, search.key, within=axes, progress=search.progress)


def _deformator(search: Search) -> DirectionSet:
    """Few paths, which are learnt in fewer steps than a rotation of all dimensions; recognised best come first."""
    side = min(search.G.sample_shape.shape[:2]) if len(search.G.sample_shape.shape) == 3 else LENET_SIDE
    trained = train_deformator(
        search.G,
        search.key,
        kind="projective",
        directions=search.count,
        predictor="lenet",
        steps=search.steps,
        resize=None if LENET_SIDE <= side < 2 * LENET_SIDE else LENET_SIDE,
        options=JointOptions(batch=16, learning_rate=3e-3, predictor_learning_rate=2e-3),
        out=None if search.out is None else search.out / "deformator",
        progress=search.progress,
    )
    best = np.argsort(-trained.found.scores["accuracy"], kind="stable")
    return trained.found.select([int(i) for i in best])


METHODS: dict[str, Callable[[Search], DirectionSet]] = {
    "random": lambda search: random_directions(search.G, search.key, search.count),
    "metric": _metric,
    "sefa": _sefa,
    "ganspace": _ganspace,
    "dictionary": _dictionary,
    "penalty": _penalty,
    "deformator": _deformator,
}


def discover(
    G: Generator,
    D: Distance,
    codes: Any,
    key: jax.Array,
    methods: str | Sequence[str] = ALL,
    *,
    k: int = 10,
    steps: int = 1000,
    out: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> dict[str, DirectionSet]:
    """Find directions by several methods; the same call with ``out`` goes on where it ended.

    Args:
        G: the generator.
        D: the squared distance of the metric's axes.
        codes: ``(P, d)``, over which their metric is averaged.
        key: random key, the same for every method.
        methods: names of ``METHODS``, or ``"all"``, of which those that the generator does not allow are left out
            with a warning.
        k: directions of each method.
        steps: training steps of those that train (``"dictionary"``, ``"deformator"``).
        out: folder of the finished sets, ``parts/METHOD.npz``, which :func:`geomgan.directions.load` reads, and of
            checkpoints.
        progress: show progress bars.

    Returns:
        Method -> directions.

    Raises:
        OptionError: a method is unknown, or one that was named does not go with the generator.
        ValueError: codes or numbers do not fit.
        StoreError: ``out`` belongs to other settings.
    """
    check_key(key)
    codes = np.asarray(check_codes(as_array(codes, "codes"), G.latent_dim))
    names = list(METHODS) if methods == ALL else [methods] if isinstance(methods, str) else list(methods)
    for name in names:
        check_choice(name, METHODS, "methods")
    folder = None if out is None else Path(out)
    search = Search(
        G, D, codes, key, check_count(k, np.inf, "k"), check_count(steps, np.inf, "steps"), folder, progress
    )
    settings = {
        "model": joined_hash([constant_hash(leaf) for leaf in jax.tree.leaves((G, D, codes))]),
        "distance": D.name,
        "key": np.asarray(jax.random.key_data(key)).tolist(),
        "k": search.k,
        "steps": search.steps,
    }
    found = {}
    with contextlib.nullcontext() if folder is None else open_journal(folder, settings) as journal:
        for name in names:
            work = lambda name=name: METHODS[name](search)
            try:
                found[name] = work() if journal is None else journal.part(name, DirectionSet, work)
            except (OptionError, ValueError) as error:
                if methods != ALL or isinstance(error, CheckpointError | NotFiniteError):
                    raise  # it was wanted, or it is no matter of the generator's kind
                warn(f"{name} is left out: {error}")
    return found
