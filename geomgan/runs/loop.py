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
from geomgan.runs.files import written
from geomgan.runs.settings import check_settings

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
) -> tuple[Any, float]:
    """Apply ``step`` until ``state.step == steps``; go on from ``checkpoint`` where there is one.

    The loop is Python's: reverse passes of convolutions inside ``lax.scan`` are slow on CPU.

    Args:
        step: ``state -> (state, scalars to show)``; it must add 1 to ``state.step``.
        state: A NamedTuple of arrays with a field ``step``; the start, and the template of the checkpoint.
        steps: Where to end.
        checkpoint: The file of the latest state; None keeps nothing.
        every: Steps between two checkpoints; the last state is always written.
        settings: What must not differ between the run that wrote the checkpoint and this one.
        label: The text of the progress bar.
        progress: Whether to show the bar.

    Returns:
        The final state, and the seconds of training, those of earlier runs included.

    Raises:
        CheckpointError: The checkpoint is damaged or belongs to a run with other settings.
        StoreError: It cannot be written.
    """
    settings, spent = settings or {}, 0.0
    if checkpoint is not None and checkpoint.exists():
        state, spent = restore(checkpoint, state, settings)
    start = time.monotonic()
    first = int(state.step)
    with tqdm(total=steps, initial=first, desc=label, disable=not progress, mininterval=5) as bar:
        for i in range(first + 1, steps + 1):
            state, scalars = step(state)
            if i % 50 == 0:
                shown = {name: f"{float(value):.3f}" for name, value in scalars.items()}
                bar.set_postfix(shown, refresh=False)
            if checkpoint is not None and (i % every == 0 or i == steps):
                save(checkpoint, state, settings, spent + time.monotonic() - start)
            bar.update()
    jax.block_until_ready(state)
    return state, spent + time.monotonic() - start


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
