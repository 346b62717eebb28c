"""Joint training of paths and of a predictor that tells them apart by what they do to a generator's samples.

A code is moved along a random path by a random magnitude; from the two samples a predictor says which path it was, and
how far. Both learn to make that easy::

    loss = label_weight · CE(logits, path) + magnitude_weight · mean |predicted - magnitude|

Paths are any frozen pytree with ``learnt`` and ``shifts(codes, indices, magnitudes, training=...)``:
:class:`geomgan.directions.deformators.Deformator` and :class:`geomgan.directions.warps.Warps`. The generator is a
function of the code alone, so that both samples have the same class and noise; where the class is drawn it is the last
part of the code (:mod:`geomgan.directions.classes`), which no path moves. Only the moved samples are
differentiated, and only with respect to their codes (:mod:`geomgan.generators.frozen`).

Sources: Voynov and Babenko (ICML 2020); Tzelepis, Tzimiropoulos and Patras (ICCV 2021).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import optax

from geomgan.backend import in_float32
from geomgan.brief import brief
from geomgan.directions.magnitudes import LAWS, check_range, draw_magnitudes
from geomgan.directions.predictors import Predictor
from geomgan.errors import check_choice, check_count
from geomgan.generators.frozen import Frozen, freeze, samples, samples_and_pull
from geomgan.generators.generator import Generator
from geomgan.runs.curve import read_curve
from geomgan.runs.loop import curve_file, run


class Paths(Protocol):
    """Paths that train: where a code goes along each of them."""

    @property
    def learnt(self) -> Any:
        """The weights that train."""

    @property
    def paths(self) -> int:
        """How many there are."""

    @property
    def dim(self) -> int:
        """Dimensions of what they move: of a code, or of its first part."""

    def shifts(
        self, codes: jax.Array, indices: jax.Array, magnitudes: jax.Array, *, training: bool = False
    ) -> tuple[jax.Array, Any]:
        """What to add to codes ``(n, d)``, and the paths with what they remember of the batch."""


class JointOptions(NamedTuple):
    """What a training is made of.

    Attributes:
        batch: pairs of samples a step.
        law: of the magnitudes, see :func:`geomgan.directions.magnitudes.draw_magnitudes`.
        least: smallest magnitude.
        most: largest.
        label_weight: of the cross entropy of paths.
        magnitude_weight: of the mean absolute error of magnitudes.
        learning_rate: of the paths' Adam.
        predictor_learning_rate: of the predictor's.
    """

    batch: int = 32
    law: str = "uniform"
    least: float = 0.5
    most: float = 6.0
    label_weight: float = 1.0
    magnitude_weight: float = 0.25
    learning_rate: float = 1e-4
    predictor_learning_rate: float = 1e-4


PUBLISHED = JointOptions()  # of latent deformators


@brief
class JointState(NamedTuple):
    """Everything the next step depends on."""

    paths: Any
    predictor: Predictor
    optimizers: tuple[Any, Any]
    step: jax.Array
    key: jax.Array


@dataclass(frozen=True)
class JointTraining:
    """What :func:`train_jointly` ends with.

    Attributes:
        paths: trained.
        predictor: trained.
        curve: rows of the loss curve: ``step``, ``loss``, ``label_loss``, ``magnitude_error``, ``accuracy``.
        seconds: of training, those of earlier runs included.
    """

    paths: Any
    predictor: Predictor
    curve: list[dict[str, float]]
    seconds: float


def train_jointly(
    G: Generator,
    paths: Paths,
    predictor: Predictor,
    key: jax.Array,
    steps: int,
    options: JointOptions = PUBLISHED,
    *,
    out: Path | None = None,
    every: int = 500,
    settings: dict[str, Any] | None = None,
    picture: Callable[[Any, int], object] | None = None,
    picture_every: int = 500,
    progress: bool = True,
    label: str = "paths",
) -> JointTraining:
    """Train paths and predictor together; the same call goes on where an interrupted one ended, to the bit.

    Args:
        G: the generator, which stays as it is.
        paths: the start.
        predictor: the start.
        key: random key; the result is a function of it and of the other arguments.
        steps: training steps.
        options: sizes, weights and rates.
        out: folder for the checkpoint and the loss curve; None keeps nothing.
        every: steps between checkpoints.
        settings: recorded in the checkpoint beside ``options``; a run with others is refused.
        picture: called with the paths so far and the step, to draw what they do.
        picture_every: steps between two pictures.
        progress: whether to show a progress bar.
        label: its text.

    Raises:
        OptionError: the law of magnitudes is unknown.
        ValueError: an option has a value that it cannot have.
        CheckpointError: ``out`` belongs to a run with other settings.
        NotFiniteError: the training diverged.
    """
    check_options(options)
    checkpoint, F = None if out is None else out / "training.npz", freeze(G, options.batch)
    state, seconds = run(
        lambda state: joint_step(F, state, options),
        initial_state(paths, predictor, key, options),
        check_count(steps, np.inf, "steps"),
        checkpoint=checkpoint,
        every=every,
        settings={**(settings or {}), **options._asdict()},
        label=label,
        progress=progress,
        picture=None if picture is None else lambda state: picture(state.paths, int(state.step)),
        picture_every=picture_every,
    )
    curve = [] if checkpoint is None else read_curve(curve_file(checkpoint)).rows
    return JointTraining(state.paths, state.predictor, curve, seconds)


def check_options(options: JointOptions) -> None:
    """Raise unless a training can have these."""
    check_choice(options.law, LAWS, "law")
    check_range(options.least, options.most)
    if check_count(options.batch, np.inf, "batch") < 2:
        raise ValueError("batch is 1; expected at least 2: batch norms need several samples.")
    for name in ("label_weight", "magnitude_weight", "learning_rate", "predictor_learning_rate"):
        if not 0 <= getattr(options, name) < np.inf:
            raise ValueError(f"{name} is {getattr(options, name)}; expected a number from 0.")


def initial_state(paths: Paths, predictor: Predictor, key: jax.Array, options: JointOptions) -> JointState:
    """The state before the first step."""
    trees = (paths.learnt, predictor.learnt)
    optimizers = tuple(o.init(tree) for o, tree in zip(_optimizers(options), trees, strict=True))
    return JointState(paths, predictor, optimizers, jnp.asarray(0, jnp.int32), key)


class Pairs(NamedTuple):
    """Codes, and where along which path they go."""

    codes: jax.Array
    indices: jax.Array
    magnitudes: jax.Array


def draw_pairs(G: Generator, key: jax.Array, paths: int, options: JointOptions) -> Pairs:
    """A batch of codes of the generator's prior with paths, all equally likely, and magnitudes."""
    key_code, key_path, key_magnitude = jax.random.split(key, 3)
    n = options.batch
    codes = G.prior(G.params, key_code, (n, G.latent_dim)).astype(G.dtype)
    indices = jax.random.randint(key_path, (n,), 0, paths)
    return Pairs(codes, indices, draw_magnitudes(key_magnitude, n, options.law, options.least, options.most))


def shifts_of(paths: Any, pairs: Pairs, *, training: bool = False) -> tuple[jax.Array, Any]:
    """What to add to the codes of pairs ``(n, d)``, and the paths with what they remember of the batch."""
    shifts, after = paths.shifts(pairs.codes[:, : paths.dim], pairs.indices, pairs.magnitudes, training=training)
    return jnp.pad(shifts, ((0, 0), (0, pairs.codes.shape[1] - paths.dim))), after


def joint_step(F: Frozen, state: JointState, options: JointOptions) -> tuple[JointState, dict[str, jax.Array]]:
    """One step of both Adams on one batch; returns the new state and its loss, parts and accuracy.

    The samples are between compiled programs, computed a few at a time.
    """
    pairs, shifts = _begin(F.generator, state, options)
    images = samples(F, pairs.codes)
    moved, pull = samples_and_pull(F, pairs.codes + shifts)
    predictor, adam, cotangents, scalars = _judged(state, pairs, images, moved, options)
    paths, adam_of_paths = _moved(state, pairs, pull(cotangents), options)
    return JointState(paths, predictor, (adam_of_paths, adam), state.step + 1, state.key), scalars


@partial(jax.jit, static_argnames="options")
def _begin(G: Generator, state: JointState, options: JointOptions) -> tuple[Pairs, jax.Array]:
    pairs = draw_pairs(G, jax.random.fold_in(state.key, state.step), state.paths.paths, options)
    with in_float32():
        return pairs, shifts_of(state.paths, pairs, training=True)[0]


@partial(jax.jit, static_argnames="options")
def _judged(
    state: JointState, pairs: Pairs, images: jax.Array, moved: jax.Array, options: JointOptions
) -> tuple[Predictor, Any, jax.Array, dict[str, jax.Array]]:
    """The predictor and its Adam after the step, the loss's cotangent of the moved samples, and scalars."""

    def loss_fn(learnt: Any, moved: jax.Array) -> tuple[jax.Array, Any]:
        logits, magnitudes, predictor = replace(state.predictor, learnt=learnt)(images, moved, training=True)
        label = optax.softmax_cross_entropy_with_integer_labels(logits, pairs.indices).mean()
        error = jnp.abs(magnitudes - pairs.magnitudes).mean()
        loss = options.label_weight * label + options.magnitude_weight * error
        right = (logits.argmax(1) == pairs.indices).mean()
        return loss, (predictor, {"loss": loss, "label_loss": label, "magnitude_error": error, "accuracy": right})

    with in_float32():
        gradients = jax.grad(loss_fn, argnums=(0, 1), has_aux=True)
        (gradient, cotangents), (predictor, scalars) = gradients(state.predictor.learnt, moved)
        adam = _optimizers(options)[1]
        learnt, after = _updated(adam, gradient, state.optimizers[1], state.predictor.learnt)
    return replace(predictor, learnt=learnt), after, cotangents, scalars


@partial(jax.jit, static_argnames="options")
def _moved(state: JointState, pairs: Pairs, cotangents: jax.Array, options: JointOptions) -> tuple[Any, Any]:
    """The paths and their Adam after the step, of the loss's cotangents of the shifts."""

    def shifted(learnt: Any) -> tuple[jax.Array, Any]:
        return shifts_of(replace(state.paths, learnt=learnt), pairs, training=True)

    with in_float32():
        _, pull, paths = jax.vjp(shifted, state.paths.learnt, has_aux=True)
        adam = _optimizers(options)[0]
        learnt, after = _updated(adam, pull(cotangents)[0], state.optimizers[0], state.paths.learnt)
    return replace(paths, learnt=learnt), after


def _updated(adam: optax.GradientTransformation, gradient: Any, old: Any, learnt: Any) -> tuple[Any, Any]:
    updates, new = adam.update(gradient, old, learnt)
    return optax.apply_updates(learnt, updates), new


def _optimizers(options: JointOptions) -> tuple[optax.GradientTransformation, optax.GradientTransformation]:
    return optax.adam(options.learning_rate), optax.adam(options.predictor_learning_rate)
