"""Sparse dictionaries of a layer's activations, and the directions of codes that their atoms are.

An atom is a pattern of activations; a few of them at a time make the layer's activations for a code. What moves codes
most like one is found by :func:`carried_back`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.backend import in_float32
from geomgan.brief import brief
from geomgan.directions.collection import DirectionSet, direction_set
from geomgan.directions.components import Rows, activations, moments
from geomgan.directions.fit import latents_of, model_hash
from geomgan.directions.ganspace import first_bent
from geomgan.directions.patterns import carried_back
from geomgan.directions.sparse import Adam, Weights, encode, initial, train_step, unit_rows
from geomgan.errors import check_count, check_key
from geomgan.generators import Generator
from geomgan.runs.loop import run

JUDGED, BATCH = 2048, 128  # codes that say where activations lie and how often atoms are active, so many at a time
EVERY = 500  # steps between checkpoints


@brief
@dataclass(frozen=True)
class Dictionary:
    """Atoms of a layer's activations, in descending order of energy.

    Attributes:
        layer: whose activations.
        atoms: ``A (D, m)``, unit columns, in the space of the activations.
        mean: of the activations, ``(D,)``.
        scale: the root of their mean square distance from it; ``a = scale · A · activities`` adds to the mean.
        energies: ``(m,)``, mean squares of the activities, over those of all atoms.
        frequencies: ``(m,)``, shares of the codes for which each atom is active.
        active: how many atoms may be active at a time.
        unexplained: share of the variance that they leave, of fresh codes.
        weights: of the autoencoder, in that order too, for :func:`encode` of ``(x - mean) / scale``.
    """

    layer: str
    atoms: np.ndarray
    mean: np.ndarray
    scale: float
    energies: np.ndarray
    frequencies: np.ndarray
    active: int
    unexplained: float
    weights: Weights


def train_dictionary(
    G: Generator,
    key: jax.Array,
    *,
    layer: str | None = None,
    atoms: int = 256,
    active: int = 8,
    steps: int = 2000,
    batch: int = 256,
    learning_rate: float = 1e-3,
    checkpoint: str | Path | None = None,
    progress: bool = False,
) -> Dictionary:
    """Learn a dictionary of the activations of codes from the prior, fresh ones in each step.

    Args:
        G: the generator.
        key: of everything random; the result is a function of it, ``G`` and the settings.
        layer: one of ``G.layers``; by default the first that is not an affine function of the code.
        atoms: how many, ``m``.
        active: how many of them at a time.
        steps: of Adam; its rate is constant for half of them, then falls to zero.
        batch: codes a step.
        learning_rate: at first.
        checkpoint: file of the latest state, from which a run that was interrupted goes on, to the bit.
        progress: show a bar.

    Raises:
        ValueError: there is no such layer, or ``active`` is more than ``atoms``.
        CheckpointError: the checkpoint is of another run.
    """
    check_key(key)
    layer = first_bent(G) if layer is None else layer
    cut = G.at(layer)
    check_count(active, check_count(atoms, np.inf, "atoms"), "active", ", the atoms at a time")
    size = math.prod(cut.sample_shape.shape)
    key_mean, key_train, key_judge = jax.random.split(key, 3)
    mean, variance = moments(Rows(partial(activations, cut), np.asarray(cut.sample_latent(key_mean, JUDGED)), BATCH))
    scale = math.sqrt(variance)
    adam = Adam(learning_rate, check_count(steps, np.inf, "steps"))
    settings = {"model": model_hash(G), "layer": layer, "atoms": atoms, "active": active, "steps": steps}
    settings |= {"batch": batch, "learning_rate": learning_rate, "key": jax.random.key_data(key).tolist()}
    data = (cut, jnp.asarray(mean, jnp.float32), jnp.float32(scale))
    state, _ = run(
        partial(train_step, data=data, rows=_Draw(batch), adam=adam, active=active),
        initial(key_train, size, atoms, adam),
        steps,
        checkpoint=None if checkpoint is None else Path(checkpoint),
        every=EVERY,
        settings=settings,
        label="dictionary",
        progress=progress,
    )
    return _judged(layer, cut, key_judge, state.weights, mean, scale, active)


def dictionary(
    G: Generator,
    key: jax.Array,
    *,
    layer: str | None = None,
    atoms: int = 256,
    active: int = 8,
    k: int = 20,
    codes: int = 16,
    steps: int = 2000,
    batch: int = 256,
    checkpoint: str | Path | None = None,
    progress: bool = False,
) -> DirectionSet:
    """The directions of the ``k`` atoms of largest energy of a sparse dictionary.

    Args:
        G: the generator.
        key: of the training and of the codes.
        layer: one of ``G.layers``; by default the first that is not an affine function of the code.
        atoms: of the dictionary.
        active: atoms at a time.
        k: how many become directions.
        codes: of the prior, at which Jacobians are taken.
        steps: of training, see :func:`train_dictionary`.
        batch: codes a step.
        checkpoint: of the training.
        progress: show bars.

    Returns:
        Unit vectors, with ``scales`` the standard deviations of codes along each, and for each atom the scores
        ``energy`` and ``frequency`` of :class:`Dictionary`, and ``explained``: the squared cosine, over all codes
        together, between the atom and what a step along the direction does to the layer.
    """
    check_key(key)
    key_train, key_codes = jax.random.split(key)
    check_count(k, check_count(atoms, np.inf, "atoms"), "k", ", the atoms that become directions")
    check_count(codes, JUDGED, "codes", ", those at which Jacobians are taken")
    options = {"layer": layer, "atoms": atoms, "active": active, "steps": steps, "batch": batch}
    learnt = train_dictionary(G, key_train, **options, checkpoint=checkpoint, progress=progress)  # type: ignore[arg-type]
    drawn = np.asarray(G.sample_latent(key_codes, JUDGED))
    vectors, explained = carried_back(G, learnt.layer, learnt.atoms[:, :k], drawn[:codes], progress=progress)
    latents, space = latents_of(G, drawn)
    return direction_set(
        G,
        vectors,
        "dictionary",
        space=space,
        names=[f"atom {i}" for i in range(1, k + 1)],
        settings={**options, "layer": learnt.layer, "codes": codes, "unexplained": learnt.unexplained},
        scores={"energy": learnt.energies[:k], "frequency": learnt.frequencies[:k], "explained": explained},
        scales=np.std(latents @ vectors, axis=0),
        origin=latents.mean(axis=0, dtype=np.float64),
    )


def _batches(codes: jax.Array, size: int = BATCH) -> Iterator[jax.Array]:
    return (codes[i : i + size] for i in range(0, len(codes), size))


@dataclass(frozen=True)
class _Draw:
    """Standardised activations of ``batch`` codes of the prior, equal by value: all runs share compiled programs."""

    batch: int

    def __call__(self, data: Any, key: jax.Array) -> jax.Array:
        cut, mean, scale = data
        codes = cut.prior(cut.params, key, (self.batch, cut.latent_dim)).astype(cut.dtype)
        return (activations(cut, codes) - mean) / scale


def _judged(
    layer: str, cut: Generator, key: jax.Array, weights: Weights, mean: np.ndarray, scale: float, active: int
) -> Dictionary:
    """The dictionary, with what fresh codes say of it."""
    energies, frequencies, left = np.zeros(()), np.zeros(()), 0.0
    for codes in _batches(cut.sample_latent(key, JUDGED)):
        activities, errors = _tried(cut, codes, weights, mean.astype(np.float32), np.float32(scale), active)
        a = np.asarray(activities, np.float64)
        energies, frequencies = energies + (a**2).sum(axis=0), frequencies + (a > 0).sum(axis=0)
        left += float(np.asarray(errors, np.float64).sum())
    order = np.argsort(-energies, kind="stable")
    ordered = Weights(weights.encoder[:, order], weights.threshold[order], weights.decoder[order], weights.bias)
    return Dictionary(
        layer,
        np.asarray(unit_rows(ordered.decoder)).T,
        mean.astype(np.float32),
        scale,
        energies[order] / energies.sum(),
        frequencies[order] / JUDGED,
        active,
        left / JUDGED,
        ordered,
    )


@partial(jax.jit, static_argnames="active")
def _tried(
    cut: Generator, codes: jax.Array, weights: Weights, mean: jax.Array, scale: jax.Array, active: int
) -> tuple[jax.Array, jax.Array]:
    with in_float32():
        x = (activations(cut, codes) - mean) / scale
        a = encode(weights, x, active)
        return a, ((x - a @ unit_rows(weights.decoder) - weights.bias) ** 2).sum(axis=1)
