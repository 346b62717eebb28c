"""The loop around a jitted training step: progress, and checkpoints from which a killed run goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from geomgan.errors import CheckpointError, is_key, reading
from geomgan.runs.curve import Curve, read_curve
from geomgan.runs.files import written
from geomgan.runs.settings import check_settings

WINDOW = 50  # steps of which the loss curve keeps the mean
_SETTINGS, _SECONDS = "settings.json", "seconds"


def run(
    step: Callable[[Any], tuple[Any, dict[str, jax.Array]]],
    state: Any,
    steps: int,
    *,
    checkpoint: Path | None = None,
    every: int = 500,
    settings: dict[str, Any] | None = None,
    label: str = "train",
    progress: bool = True,
    picture: Callable[[Any], object] | None = None,
    picture_every: int = 1000,
) -> tuple[Any, float]:
    """Apply ``step`` until ``state.step == steps``; go on from ``checkpoint`` where there is one.

    The loop is Python's: reverse passes of convolutions inside ``lax.scan`` are slow on CPU. Beside the checkpoint lies
    the loss curve (:func:`curve_file`): the means of the scalars over windows of 50 steps, which end at checkpoints
    too. A run that was killed and goes on writes the same curve as one that was not.

    Args:
        step: ``state -> (state, scalars to show)``; it must add 1 to ``state.step``.
        state: A NamedTuple of arrays with a field ``step``; the start, and the template of the checkpoint.
        steps: Where to end.
        checkpoint: The file of the latest state; None keeps nothing.
        every: Steps between two checkpoints; the last state is always written.
        settings: What must not differ between the run that wrote the checkpoint and this one.
        label: The text of the progress bar.
        progress: Whether to show the bar.
        picture: Called with the state after every ``picture_every`` steps and after the last, to draw what it makes.
        picture_every: Steps between two pictures.

    Returns:
        The final state, and the seconds of training, those of earlier runs included.

    Raises:
        CheckpointError: The checkpoint or its curve is damaged or belongs to a run with other settings.
        NotFiniteError: A scalar became NaN or infinite; the last checkpoint is from before.
        StoreError: It cannot be written.
    """
    settings, spent, curve = settings or {}, 0.0, Curve()
    if checkpoint is not None and checkpoint.exists():
        state, spent = restore(checkpoint, state, settings)
        curve = read_curve(curve_file(checkpoint), last=int(state.step))
    start = time.monotonic()
    first = int(state.step)
    with tqdm(total=steps, initial=first, desc=label, disable=not progress, mininterval=5) as bar:
        for i in range(first + 1, steps + 1):
            state, scalars = step(state)
            curve.add(scalars)
            keep, last = i % every == 0, i == steps
            if i % WINDOW == 0 or keep or last:
                shown = {name: f"{value:.3f}" for name, value in curve.end_window(i).items()}
                bar.set_postfix(shown, refresh=False)
            if checkpoint is not None and (keep or last):
                curve.write(curve_file(checkpoint))  # first: what a kill leaves beyond the state is cut off again
                save(checkpoint, state, settings, spent + time.monotonic() - start)
            if picture is not None and (i % picture_every == 0 or last):
                picture(state)
            bar.update()
    jax.block_until_ready(state)
    return state, spent + time.monotonic() - start


def curve_file(checkpoint: Path) -> Path:
    """Where the loss curve of a training lies: beside its checkpoint."""
    return checkpoint.with_suffix(".csv")


def save(file: Path, state: Any, settings: dict[str, Any], seconds: float) -> None:
    """Write a checkpoint whole: the arrays of ``state``, the settings, and the seconds spent.

    Raises:
        StoreError: It cannot be written; the one before is left as it is.
    """
    arrays: dict[str, Any] = {name: _to_numpy(leaf) for name, leaf in _named_leaves(state).items()}
    arrays |= {_SETTINGS: np.array(json.dumps(settings)), _SECONDS: np.array(seconds)}
    with written(file) as temporary, temporary.open("wb") as out:
        np.savez(out, **arrays)


def restore(file: Path, like: Any, settings: dict[str, Any]) -> tuple[Any, float]:
    """Read the state that `save` wrote, into the structure of ``like``; returns it and the seconds spent.

    Raises:
        CheckpointError: The file cannot be read, was written with other ``settings``, or its arrays do not fit.
    """
    again = "Remove it to start anew, or name another folder"
    with reading(file, f"{again}.", error=CheckpointError, found="is not a readable checkpoint"):
        with np.load(file, allow_pickle=False) as archive:
            arrays = dict(archive)
        theirs = {**json.loads(str(arrays.pop(_SETTINGS)))}
        seconds = float(arrays.pop(_SECONDS))
    check_settings(file, theirs, settings, fix=f"{again}, or use its settings.", error=CheckpointError)
    leaves = _named_leaves(like)
    if set(arrays) != set(leaves):
        odd = sorted(set(arrays) ^ set(leaves))
        raise CheckpointError(f"{file} has other arrays than this run: {odd}. {again}.")
    for name, leaf in leaves.items():
        expected = _to_numpy(leaf)
        if arrays[name].shape != expected.shape or arrays[name].dtype != expected.dtype:
            raise CheckpointError(
                f"{name} in {file} is {arrays[name].dtype}{arrays[name].shape}; "
                f"expected {expected.dtype}{expected.shape}. {again}."
            )
    values = [_like(leaf, arrays[name]) for name, leaf in leaves.items()]
    return jax.tree.unflatten(jax.tree.structure(like), values), seconds


def _named_leaves(tree: Any) -> dict[str, Any]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}


def _to_numpy(leaf: Any) -> np.ndarray:
    return np.asarray(jax.random.key_data(leaf) if is_key(leaf) else leaf)


def _like(leaf: Any, values: np.ndarray) -> jax.Array:
    return jax.random.wrap_key_data(jnp.asarray(values)) if is_key(leaf) else jnp.asarray(values)
