"""Curved paths as WarpedGANSpace finds them: warps trained together with a predictor, on any generator of images."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from geomgan.directions.collection import DirectionSet, direction_set
from geomgan.directions.joint_training import JointOptions
from geomgan.directions.predictors import Predictor
from geomgan.directions.recognised import train_recognised, training_keys
from geomgan.directions.warp_walks import warp_walks
from geomgan.directions.warps import Warp, Warps, initial_warps
from geomgan.generators.generator import Generator
from geomgan.runs.files import local_path
from geomgan.runs.results import write_result

WARPS, PREDICTOR = "support_sets.npz", "reconstructor.npz"
BALANCED = JointOptions(law="balanced", least=0.25, most=0.45)  # published but for the law of signs


@dataclass(frozen=True)
class TrainedWarps:
    """Warps, their predictor, and how well they do.

    Attributes:
        warps: what was trained.
        predictor: that tells them apart.
        accuracy: ``(K,)``, how often each is recognised on new samples; by chance ``1 / K``.
        curve: rows of the loss curve, means over 50 steps; empty without ``out``.
        seconds: of training.
        space: of the generator's codes.
    """

    warps: Warps
    predictor: Predictor
    accuracy: np.ndarray
    curve: list[dict[str, float]]
    seconds: float
    space: str

    def moves(self, step: float = 0.2, steps: int = 16) -> list[Warp]:
        """All warps as what moves codes, by ``steps`` steps of length ``step`` to each side."""
        return moves_of(self.warps, self.space, step, steps)


def moves_of(warps: Warps, space: str, step: float = 0.2, steps: int = 16) -> list[Warp]:
    """All warps as what moves codes of a space, by ``steps`` steps of length ``step`` to each side."""
    return [Warp(warps, k, step, steps, name=f"warp {k}", space=space) for k in range(warps.paths)]


def chords_of(
    G: Generator, warps: Warps, codes: Any, *, step: float = 0.2, steps: int = 16, accuracy: Any = None
) -> DirectionSet:
    """What warps are as straight directions: from end to end of their walks, the mean over codes.

    Args:
        G: the generator whose codes they move.
        warps: of its codes.
        codes: ``(n, d)``, from which they are walked.
        step: ``ε``, length of a step.
        steps: to each side.
        accuracy: ``(K,)``, how often each is recognised, kept as a score.

    Returns:
        Unit vectors. The score ``alike`` is the length of the mean of the unit chords: 1 where a warp leads from
        everywhere the same way, and small where no direction stands for it.
    """
    walked = warp_walks(warps, codes, step=step, steps=steps)[0]
    chords = np.asarray(walked[:, :, -1] - walked[:, :, 0], np.float64)
    lengths = np.linalg.norm(chords, axis=-1, keepdims=True)
    mean = np.divide(chords, lengths, out=np.zeros_like(chords), where=lengths > 0).mean(axis=0)
    alike = np.linalg.norm(mean, axis=-1)
    scores = {"alike": alike} | ({} if accuracy is None else {"accuracy": accuracy})
    settings = {"step": step, "steps": steps, "codes": len(chords)}
    names = [f"warp {k}" for k in range(warps.paths)]
    unit = (mean / np.maximum(alike, np.finfo(np.float32).tiny)[:, None]).T
    return direction_set(G, unit, "warps", names=names, settings=settings, scores=scores)


def train_warps(
    G: Generator,
    key: jax.Array,
    *,
    paths: int,
    dipoles: int,
    predictor: str = "resnet",
    steps: int = 100_000,
    learn_weights: bool = False,
    learn_widths: bool = True,
    width: float | None = None,
    resize: int | None = None,
    options: JointOptions = BALANCED,
    pairs: int = 32,
    classes: Any = None,
    out: str | os.PathLike[str] | None = None,
    every: int = 500,
    picture: Callable[[Warps, int], object] | None = None,
    picture_every: int = 500,
    progress: bool = True,
) -> TrainedWarps:
    """Curved paths that are easy to tell apart: warps and a predictor, trained together.

    Args:
        G: a generator of images. Its space is where the paths are.
        key: random key; the result is a function of it and of the other arguments.
        paths: ``K``; 64 were published for digits, 120 to 200 for larger generators.
        dipoles: ``D`` of each path; 128 to 512 were published.
        predictor: ``"lenet"`` or ``"resnet"``.
        steps: training steps.
        learn_weights: whether the weights of the basis functions train.
        learn_widths: whether their widths do.
        width: ``γ`` at the start; by default ``1 / d``.
        resize: side to which images are brought for the predictor; None leaves them.
        options: batch, magnitudes, weights of the loss and learning rates. ``law="warpedganspace"`` draws signs as the
            original does, 7 of 10 of them positive.
        pairs: of new samples for each path, of which the accuracy is the share recognised.
        classes: embeddings ``(m, e)`` of classes, one of which is drawn for every pair; by default all have the class
            of ``G``.
        out: folder for the checkpoint, the loss curve, ``support_sets.npz`` and ``reconstructor.npz``; the same call
            resumes.
        every: steps between checkpoints.
        picture: called with the warps so far and the step, to draw what they do.
        picture_every: steps between two pictures.
        progress: whether to show a progress bar.

    Raises:
        OptionError: ``predictor`` or the law of magnitudes is unknown.
        ValueError: the generator makes no images, or an option has a value that it cannot have.
        CheckpointError: ``out`` belongs to a run with other settings.
        NotFiniteError: the training diverged.
    """
    key_paths, keys = training_keys(key, options)
    learns: dict[str, Any] = {"learn_weights": learn_weights, "learn_widths": learn_widths, "width": width}
    start = initial_warps(key_paths, G.latent_dim, paths, dipoles, **learns)
    folder = None if out is None else local_path(out)
    trained = train_recognised(
        G,
        start,
        keys,
        predictor=predictor,
        steps=steps,
        resize=resize,
        options=options,
        pairs=pairs,
        label="warps",
        out=folder,
        every=every,
        settings={"paths": paths, "dipoles": dipoles, **learns, "key": jax.random.key_data(key).tolist()},
        classes=classes,
        picture=picture,
        picture_every=picture_every,
        progress=progress,
    )
    if folder is not None:
        write_result(folder / WARPS, trained.paths, Warps)
        write_result(folder / PREDICTOR, trained.predictor, Predictor)
    return TrainedWarps(trained.paths, trained.predictor, trained.accuracy, trained.curve, trained.seconds, G.space)
