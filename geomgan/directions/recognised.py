"""The one trainer of whatever learns paths: it trains them with a predictor, and says how well that recognises them.

:func:`geomgan.directions.train_deformator` and :func:`geomgan.directions.train_warps` differ in what they begin with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.backend import in_float32
from geomgan.directions.classes import of_classes
from geomgan.directions.fit import model_hash
from geomgan.directions.joint_training import (
    PUBLISHED,
    JointOptions,
    Paths,
    check_options,
    draw_pairs,
    shifts_of,
    train_jointly,
)
from geomgan.directions.predictors import Predictor, initial_predictor
from geomgan.directions.rows import digest
from geomgan.errors import check_count, check_key
from geomgan.generators.frozen import freeze, samples
from geomgan.generators.generator import Generator


@dataclass(frozen=True)
class RecognisedPaths:
    """What :func:`train_recognised` ends with.

    Attributes:
        paths: trained.
        predictor: trained.
        accuracy: ``(K,)``, how often each path is recognised on new samples.
        curve: rows of the loss curve, means over 50 steps; empty without ``out``.
        seconds: of training.
    """

    paths: Any
    predictor: Predictor
    accuracy: np.ndarray
    curve: list[dict[str, float]]
    seconds: float


def train_recognised(
    G: Generator,
    paths: Paths,
    keys: jax.Array,
    *,
    predictor: str,
    steps: int,
    resize: int | None,
    options: JointOptions,
    pairs: int,
    label: str,
    out: Path | None = None,
    every: int = 500,
    settings: dict[str, Any] | None = None,
    classes: Any = None,
    picture: Callable[[Any, int], object] | None = None,
    picture_every: int = 500,
    progress: bool = True,
) -> RecognisedPaths:
    """Train paths with a new predictor, and measure how often it recognises each of them.

    Args:
        G: the generator.
        paths: the start.
        keys: three: of the predictor's weights, of the training, and of the samples that measure it.
        predictor: ``"lenet"`` or ``"resnet"``.
        steps: training steps.
        resize: side to which images are brought for the predictor; None leaves them.
        options: sizes, weights and rates.
        pairs: of new samples for each path.
        label: of the progress bar.
        out: folder for the checkpoint and the loss curve; the same call resumes.
        every: steps between checkpoints.
        settings: recorded in the checkpoint beside these; a run with others is refused.
        classes: embeddings ``(m, e)``, one of which is drawn for every pair; None for the class of ``G``.
        picture: called with the paths so far and the step, to draw what they do.
        picture_every: steps between two pictures.
        progress: whether to show a progress bar.

    Raises:
        OptionError, ValueError, CheckpointError, NotFiniteError: as :func:`geomgan.directions.train_jointly`.
    """
    key_predictor, key_train, key_test = keys
    kept = {**(settings or {}), "predictor": predictor, "resize": resize, "model": model_hash(G)}
    if classes is not None:
        G, kept = of_classes(G, classes), {**kept, "classes": digest(np.asarray(classes))}
    judge = initial_predictor(key_predictor, predictor, paths.paths, G.sample_shape.shape, resize)
    trained = train_jointly(
        G,
        paths,
        judge,
        key_train,
        steps,
        options,
        out=out,
        every=every,
        settings=kept,
        picture=picture,
        picture_every=picture_every,
        progress=progress,
        label=label,
    )
    accuracy = path_accuracy(G, trained.paths, trained.predictor, key_test, options, pairs=pairs)
    return RecognisedPaths(trained.paths, trained.predictor, accuracy, trained.curve, trained.seconds)


def training_keys(key: jax.Array, options: JointOptions) -> tuple[jax.Array, jax.Array]:
    """A key for the start of paths, and the three of :func:`train_recognised`; all that is cheap is checked first."""
    check_key(key)
    check_options(options)
    keys = jax.random.split(key, 4)
    return keys[0], keys[1:]


def path_accuracy(
    G: Generator,
    paths: Paths,
    predictor: Predictor,
    key: jax.Array,
    options: JointOptions = PUBLISHED,
    *,
    pairs: int = 32,
) -> np.ndarray:
    """How often a predictor recognises each path, on new pairs of samples (RCA, reconstructor classification accuracy).

    Args:
        G: the generator.
        paths: trained, or not.
        predictor: trained with them; batch norms take their running statistics.
        key: random key.
        options: the law of magnitudes, and how many pairs are computed together.
        pairs: of samples for each path, so that the mean of the result is over all paths alike.

    Returns:
        ``(paths,)``, shares from 0 to 1; by chance ``1 / paths``.
    """
    check_options(options)
    total = paths.paths * check_count(pairs, np.inf, "pairs")
    indices = np.resize(np.arange(paths.paths), total + -total % options.batch)  # the last batch is filled up
    F, right = freeze(G, options.batch), []
    for i, part in enumerate(indices.reshape(-1, options.batch)):
        drawn, shifts = _drawn(F.generator, paths, jax.random.fold_in(key, i), jnp.asarray(part), options)
        images, moved = samples(F, drawn.codes), samples(F, drawn.codes + shifts)
        right.append(_chosen(predictor, images, moved) == part)
    hits: np.ndarray = np.concatenate(right)[:total].reshape(pairs, paths.paths).mean(0)
    return hits


@partial(jax.jit, static_argnames="options")
def _drawn(G: Generator, paths: Any, key: jax.Array, indices: jax.Array, options: JointOptions) -> Any:
    drawn = draw_pairs(G, key, paths.paths, options)._replace(indices=indices)
    with in_float32():
        return drawn, shifts_of(paths, drawn)[0]


@jax.jit
def _chosen(predictor: Predictor, images: jax.Array, moved: jax.Array) -> jax.Array:
    with in_float32():
        return predictor(images, moved)[0].argmax(1)
