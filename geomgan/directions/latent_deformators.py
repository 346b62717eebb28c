"""Directions as a latent deformator finds them: trained together with a shift predictor, on any generator of images."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from geomgan.directions.collection import DirectionSet, direction_set, save
from geomgan.directions.deformators import Deformator, fixed_deformator, initial_deformator
from geomgan.directions.fit import check_fits
from geomgan.directions.joint_training import PUBLISHED, JointOptions
from geomgan.directions.predictors import Predictor
from geomgan.directions.recognised import train_recognised, training_keys
from geomgan.errors import check_key
from geomgan.generators.generator import Generator
from geomgan.runs.files import local_path

METHOD = "deformator"


@dataclass(frozen=True)
class TrainedDeformator:
    """A deformator, its predictor, and how well they do.

    Attributes:
        found: the directions, of which ``found.scores["accuracy"]`` says how often each is recognised.
        deformator: what was trained; ``deformator.shifts`` is exact where a path bends.
        predictor: the shift predictor.
        accuracy: mean over directions of how often the predictor recognises them on new samples (RCA); by chance
            ``1 / len(found)``.
        curve: rows of the loss curve, means over 50 steps; empty without ``out``.
        seconds: of training.
    """

    found: DirectionSet
    deformator: Deformator
    predictor: Predictor
    accuracy: float
    curve: list[dict[str, float]]
    seconds: float


def train_deformator(
    G: Generator,
    key: jax.Array,
    *,
    kind: str = "ortho",
    predictor: str = "resnet",
    steps: int = 100_000,
    directions: int | None = None,
    width: int | None = None,
    random_start: bool = True,
    resize: int | None = None,
    options: JointOptions = PUBLISHED,
    pairs: int = 32,
    classes: Any = None,
    out: str | os.PathLike[str] | None = None,
    every: int = 500,
    picture: Callable[[DirectionSet, int], object] | None = None,
    picture_every: int = 500,
    progress: bool = True,
) -> TrainedDeformator:
    """Directions that are easy to tell apart: a latent deformator and a shift predictor, trained together.

    Defaults are those that were published. For digits ``predictor="lenet"`` and ``JointOptions(batch=128)`` were.

    Args:
        G: a generator of images. Its space is where the directions are: load a StyleGAN with ``space="w"`` for ``w``.
        key: random key; the result is a function of it and of the other arguments.
        kind: of deformator, see :mod:`geomgan.directions.deformators`.
        predictor: ``"lenet"`` or ``"resnet"``, see :mod:`geomgan.directions.predictors`.
        steps: training steps.
        directions: how many; by default as many as the code has dimensions.
        width: dimensions of a shift before it is padded or cut to the code's; by default those.
        random_start: begin at random directions, not at the axes of the code. Where the accuracy does not rise,
            beginning at the axes helps.
        resize: side to which images are brought for the predictor; None leaves them.
        options: batch, magnitudes, weights of the loss and learning rates.
        pairs: of new samples for each direction, of which the accuracy is the share recognised.
        classes: embeddings ``(m, e)`` of classes, one of which is drawn for every pair; by default all have the class
            of ``G``. Those of a BigGAN are ``gg.load(MODEL, space="class").params["context"]["classes"]``.
        out: folder for the checkpoint, the loss curve and ``directions.npz``; the same call resumes.
        every: steps between checkpoints.
        picture: called with the directions so far and the step, to draw what they do.
        picture_every: steps between two pictures.
        progress: whether to show a progress bar.

    Returns:
        The directions as columns (of ``"fc"`` and ``"projective"`` the chord at the largest magnitude), the deformator,
        the predictor and figures.

    Raises:
        OptionError: ``kind``, ``predictor`` or the law of magnitudes is unknown; or a rotation of another number of
            directions than dimensions was asked for.
        ValueError: the generator makes no images, or an option has a value that it cannot have.
        CheckpointError: ``out`` belongs to a run with other settings.
        NotFiniteError: the training diverged.
    """
    key_paths, keys = training_keys(key, options)
    start = initial_deformator(key_paths, kind, G.latent_dim, directions, random_start=random_start, width=width)
    settings = {"kind": kind, "random_start": random_start, "width": width}
    folder = None if out is None else local_path(out)
    said = {**settings, "predictor": predictor, "resize": resize, **options._asdict()}
    said |= {} if classes is None else {"classes": len(classes)}
    of = lambda paths, step, accuracy=None: directions_of(
        G, paths, at=options.most, settings={**said, "steps": step}, accuracy=accuracy
    )
    trained = train_recognised(
        G,
        start,
        keys,
        predictor=predictor,
        steps=steps,
        resize=resize,
        options=options,
        pairs=pairs,
        label=f"deformator ({kind})",
        out=folder,
        every=every,
        settings={**settings, "key": jax.random.key_data(key).tolist()},
        classes=classes,
        picture=None if picture is None else lambda paths, step: picture(of(paths, step), step),
        picture_every=picture_every,
        progress=progress,
    )
    found = of(trained.paths, steps, trained.accuracy)
    if folder is not None:
        found = save(found, folder / "directions.npz")
    return TrainedDeformator(
        found, trained.paths, trained.predictor, float(trained.accuracy.mean()), trained.curve, trained.seconds
    )


def directions_of(
    G: Generator,
    deformator: Deformator,
    *,
    at: float = PUBLISHED.most,
    names: dict[int | str, str] | None = None,
    settings: dict[str, Any] | None = None,
    accuracy: np.ndarray | None = None,
) -> DirectionSet:
    """The paths of a deformator as directions of a generator's codes.

    Args:
        G: the generator.
        deformator: of its codes.
        at: the magnitude whose chord stands for a path that bends.
        names: number -> name, for some.
        settings: kept with the directions.
        accuracy: ``(n,)``, how often each is recognised, kept as a score.
    """
    scores = {} if accuracy is None else {"accuracy": accuracy}
    vectors = deformator.vectors(at)
    settings = {"kind": deformator.kind, "magnitude": at, **(settings or {})}
    rotated = deformator.kind == "ortho" and deformator.paths <= deformator.dim
    found = direction_set(G, vectors, METHOD, settings=settings, scores=scores, orthonormal=rotated)
    return found.named(names) if names else found


def recognition(
    G: Generator,
    found: DirectionSet,
    key: jax.Array,
    *,
    predictor: str = "lenet",
    steps: int = 1000,
    resize: int | None = None,
    options: JointOptions = PUBLISHED,
    pairs: int = 32,
    classes: Any = None,
    transfer: bool = False,
    progress: bool = True,
) -> np.ndarray:
    """How well directions can be told apart: a predictor is trained anew on them, and they stay as they are.

    Args:
        G: the generator.
        found: directions of its codes, of any method; their own lengths and scales count.
        key: random key.
        predictor: ``"lenet"`` or ``"resnet"``.
        steps: training steps.
        resize: side to which images are brought for the predictor; None leaves them.
        options: as for :func:`train_deformator`.
        pairs: of new samples for each direction.
        classes: as for :func:`train_deformator`.
        transfer: take directions of another model.
        progress: whether to show a progress bar.

    Returns:
        ``(n,)``, the share of new samples on which each direction is recognised; by chance ``1 / n``.

    Raises:
        OptionError: the directions are of another model or space.
    """
    check_fits(found, G, transfer=transfer)
    vectors = np.stack([np.asarray(one.along(np.zeros(G.latent_dim, np.float32))) * one.scale for one in found], 1)
    check_key(key)
    keys = jax.random.split(key, 3)
    fixed = fixed_deformator(vectors)
    trained = train_recognised(
        G,
        fixed,
        keys,
        predictor=predictor,
        steps=steps,
        resize=resize,
        options=options,
        pairs=pairs,
        label="recognition",
        classes=classes,
        progress=progress,
    )
    return trained.accuracy
