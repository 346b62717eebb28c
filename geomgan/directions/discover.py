"""Directions by every method that finds some, with one set of options: what ``geomgan discover`` runs.

Each method has its own function with all that it can do; here each is called with what all of them share, at a size
that suits a look at a small model on a processor. Sets are kept as they are finished.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from geomgan.directions.classes import class_table
from geomgan.directions.collection import DirectionSet, direction_set
from geomgan.directions.dictionaries import dictionary
from geomgan.directions.factorisation import sefa
from geomgan.directions.ganspace import ganspace
from geomgan.directions.joint_training import JointOptions
from geomgan.directions.latent_deformators import train_deformator
from geomgan.directions.metric_axes import metric_axes
from geomgan.directions.penalty_axes import MOST, penalty_axes
from geomgan.directions.penalty_discovery import PenaltyOptions, discover_by_penalty
from geomgan.directions.predictors import LENET_SIDE
from geomgan.directions.rows import digest
from geomgan.directions.warped_training import chords_of, moves_of, train_warps
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

ALL, TRAINED = "all", "penalty-trained"
CHORDS = 64  # codes over which the chords of warps are averaged
Picture = Callable[[str, Any, int], object]


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
        classes: embeddings of classes that these draw from; None for the class of ``G``.
        out: folder in which these keep their checkpoints; None keeps nothing.
        picture: called with a method, what it has found so far, and the step.
        progress: show progress bars.
    """

    G: Generator
    D: Distance
    codes: np.ndarray
    key: jax.Array
    k: int
    steps: int
    classes: Any
    out: Path | None
    picture: Picture | None
    progress: bool

    @property
    def count(self) -> int:
        """At most as many as there are dimensions."""
        return min(self.k, self.G.latent_dim)

    @property
    def resize(self) -> int | None:
        """The side to which a LeNet's images are brought; None where they have it."""
        shape = self.G.sample_shape.shape
        side = min(shape[:2]) if len(shape) == 3 else LENET_SIDE
        return None if LENET_SIDE <= side < 2 * LENET_SIDE else LENET_SIDE

    def kept(self, method: str) -> Path | None:
        """The folder of a method that trains."""
        return None if self.out is None else self.out / method

    def shown(self, method: str) -> Callable[[Any, int], object] | None:
        """``picture`` of a method."""
        return None if self.picture is None else partial(self.picture, method)


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
        checkpoint=None if (out := search.kept("dictionary")) is None else out / "checkpoint.npz",
        progress=search.progress,
    )


def _bent_most(search: Search, most: float) -> np.ndarray | None:
    """The first metric axes, where the penalty looks: where it is free to go elsewhere, what does nothing is best."""
    m = int(min(search.count, most))
    return None if m == search.G.latent_dim else _metric(search).vectors[:, :m]


def _penalty(search: Search) -> DirectionSet:
    """A turn of the first metric axes."""
    return penalty_axes(search.G, search.key, within=_bent_most(search, MOST), progress=search.progress)


def _penalty_trained(search: Search) -> DirectionSet:
    """The same by the published training."""
    return discover_by_penalty(
        search.G,
        search.key,
        PenaltyOptions(ndirs=search.count, steps=search.steps, batch=8),
        within=_bent_most(search, np.inf),
        classes=search.classes,
        out=search.kept(TRAINED),
        picture=search.shown(TRAINED),
        progress=search.progress,
    )


def _deformator(search: Search) -> DirectionSet:
    """Few paths, which are learnt in fewer steps than a rotation of all dimensions; recognised best come first."""
    trained = train_deformator(
        search.G,
        search.key,
        kind="projective",
        directions=search.count,
        predictor="lenet",
        steps=search.steps,
        resize=search.resize,
        options=JointOptions(batch=16, learning_rate=3e-3, predictor_learning_rate=2e-3),
        classes=search.classes,
        out=search.kept("deformator"),
        picture=search.shown("deformator"),
        progress=search.progress,
    )
    return _best_first(trained.found)


def _warps(search: Search) -> DirectionSet:
    """Chords of warps, which are kept beside them (``support_sets.npz``); recognised best come first."""
    G, shown = search.G, search.shown("warps")
    trained = train_warps(
        G,
        search.key,
        paths=search.count,
        dipoles=16,
        predictor="lenet",
        steps=search.steps,
        resize=search.resize,
        options=JointOptions(16, "balanced", 0.5, 2.0, learning_rate=1e-2, predictor_learning_rate=2e-3),
        classes=search.classes,
        out=search.kept("warps"),
        picture=None if shown is None else lambda warps, step: shown(moves_of(warps, G.space), step),
        progress=search.progress,
    )
    codes = np.asarray(G.sample_latent(search.key, CHORDS))
    return _best_first(chords_of(G, trained.warps, codes, accuracy=trained.accuracy))


def _best_first(found: DirectionSet) -> DirectionSet:
    return found.select([int(i) for i in np.argsort(-found.scores["accuracy"], kind="stable")])


METHODS: dict[str, Callable[[Search], DirectionSet]] = {
    "random": lambda search: random_directions(search.G, search.key, search.count),
    "metric": _metric,
    "sefa": _sefa,
    "ganspace": _ganspace,
    "dictionary": _dictionary,
    "penalty": _penalty,
    "deformator": _deformator,
    "warps": _warps,
}
NAMED = {TRAINED: _penalty_trained}  # hours for what "penalty" does in a minute: only where it is asked for


def discover(
    G: Generator,
    D: Distance,
    codes: Any,
    key: jax.Array,
    methods: str | Sequence[str] = ALL,
    *,
    k: int = 10,
    steps: int = 1000,
    classes: Any = None,
    out: str | os.PathLike[str] | None = None,
    picture: Picture | None = None,
    progress: bool = True,
) -> dict[str, DirectionSet]:
    """Find directions by several methods; the same call with ``out`` goes on where it ended.

    Args:
        G: the generator.
        D: the squared distance of the metric's axes.
        codes: ``(P, d)``, over which their metric is averaged.
        key: random key, the same for every method.
        methods: names of ``METHODS``, or ``"all"``, of which those that the generator does not allow are left out
            with a warning; ``"penalty-trained"``, the published training for what ``"penalty"`` finds without, must be
            named.
        k: directions of each method.
        steps: training steps of those that train (``"dictionary"``, ``"deformator"``, ``"warps"``,
            ``"penalty-trained"``).
        classes: embeddings ``(m, e)`` of classes, from which those that train by samples draw one for every code (not
            the dictionary); by default all codes have the class of ``G``.
        out: folder of the finished sets, ``parts/METHOD.npz``, which :func:`geomgan.directions.load` reads, and, in
            ``METHOD``, of checkpoints, loss curves, and ``warps/support_sets.npz``.
        picture: called as trainings go on, with the method, what it has found so far, which
            :func:`geomgan.directions.traverse` walks, and the step.
        progress: show progress bars.

    Returns:
        Method -> directions; those of warps are their chords.

    Raises:
        OptionError: a method is unknown, or one that was named does not go with the generator.
        ValueError: codes or numbers do not fit.
        StoreError: ``out`` belongs to other settings.
    """
    check_key(key)
    codes = np.asarray(check_codes(as_array(codes, "codes"), G.latent_dim))
    names = list(METHODS) if methods == ALL else [methods] if isinstance(methods, str) else list(methods)
    for name in names:
        check_choice(name, METHODS | NAMED, "methods")
    table = None if classes is None else class_table(G, classes)
    folder = None if out is None else Path(out)
    k, steps = check_count(k, np.inf, "k"), check_count(steps, np.inf, "steps")
    search = Search(G, D, codes, key, k, steps, table, folder, picture, progress)
    settings = {
        "model": joined_hash([constant_hash(leaf) for leaf in jax.tree.leaves((G, D, codes))]),
        "distance": D.name,
        "key": np.asarray(jax.random.key_data(key)).tolist(),
        "k": search.k,
        "steps": search.steps,
        **({} if table is None else {"classes": digest(np.asarray(table))}),
    }
    found = {}
    with contextlib.nullcontext() if folder is None else open_journal(folder, settings) as journal:
        for name in names:
            work = lambda name=name: (METHODS | NAMED)[name](search)
            try:
                found[name] = work() if journal is None else journal.part(name, DirectionSet, work)
            except (OptionError, ValueError) as error:
                if methods != ALL or isinstance(error, CheckpointError | NotFiniteError):
                    raise  # it was wanted, or it is no matter of the generator's kind
                warn(f"{name} is left out: {error}")
    return found
