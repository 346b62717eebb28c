"""A metric field on disk: a Zarr v3 group, one chunk per batch of codes, readable with plain zarr and numpy.

A batch counts only when its ``status`` is written, which happens after its data: a run that dies loses the batch it
was computing and nothing else. Every chunk carries a checksum, so that a damaged one is found on reading.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.errors import StoreError
from geomgan.runs.arrays import StoredArray as StoredArray  # what open_store and read_store give
from geomgan.runs.arrays import create_array, open_array, write_rows
from geomgan.runs.files import is_partial, write_whole
from geomgan.runs.lock import locked
from geomgan.runs.settings import ANOTHER, check_settings

PENDING, DONE, NOT_CONVERGED, FAILED = 0, 1, 2, 3  # values of `status`
LAZY = ("tensors", "vectors")  # arrays that grow with the square of the dimension are read when they are asked for
_FORMAT, _DESCRIPTION = 2, "zarr.json"


@contextlib.contextmanager
def open_store(
    path: str | os.PathLike[str],
    settings: Mapping[str, Any],
    provenance: Mapping[str, Any],
    arrays: Mapping[str, tuple[tuple[int, ...], Any]],
    batch: int,
) -> Iterator[dict[str, StoredArray]]:
    """Open or create a store for one run, locked against a second writer for as long as it is open.

    Args:
        path: the folder, by convention ``*.zarr``.
        settings: what decides the numbers; a store made with others is refused.
        provenance: what is worth knowing besides (versions, device); recorded when the store is created.
        arrays: name -> (shape, dtype); the first axis counts codes.
        batch: codes in a chunk.

    Yields:
        name -> array on disk.

    Raises:
        StoreError: the folder is something else, belongs to other settings, is in use, or cannot be written.
    """
    path = Path(path).expanduser().resolve()
    description = path / _DESCRIPTION
    if path.exists() and not description.is_file() and (not path.is_dir() or not _unfinished(path, arrays)):
        raise StoreError(f"{path} exists and is not a metric field. Remove it, or {ANOTHER}.")
    with _writing(path, "the store"):
        path.mkdir(parents=True, exist_ok=True)
    with locked(path):
        if description.is_file():
            check_settings(path, read_attributes(path)["settings"], settings)
        with _writing(path, "the store"):
            opened = {name: create_array(path / name, shape, dtype, batch) for name, (shape, dtype) in arrays.items()}
            if not description.is_file():
                attributes = {"settings": dict(settings), "provenance": dict(provenance), "runs": [], "failures": {}}
                write_attributes(path, attributes)
        yield opened


def write_attributes(path: str | os.PathLike[str], attributes: Mapping[str, Any]) -> None:
    """Replace what a store says of itself, whole or not at all.

    Raises:
        StoreError: the disk is full, or the folder is not writable.
    """
    path = Path(path).expanduser().resolve()
    text = {"zarr_format": 3, "node_type": "group", "attributes": {"geomgan": _FORMAT, **attributes}}
    write_whole(path / _DESCRIPTION, json.dumps(text, indent=1))


def write_batch(
    path: str | os.PathLike[str],
    opened: Mapping[str, StoredArray],
    rows: slice,
    batch: Mapping[str, Any],
    *,
    write: Callable[[StoredArray, slice, np.ndarray], Any] = write_rows,
) -> None:
    """Write one batch, its ``status`` last.

    Args:
        path: the store.
        opened: its arrays, as :func:`open_store` gives them.
        rows: the codes of the batch.
        batch: name -> values at these codes.
        write: how an array is written, see :func:`geomgan.runs.arrays.write_rows`.

    Raises:
        StoreError: the disk is full, or the folder is not writable any more.
    """
    with _writing(Path(path), f"codes {rows.start} to {rows.stop - 1}"):
        pending = [write(opened[name], rows, values) for name, values in batch.items() if name != "status"]
        for started in pending:
            started.result()
        write(opened["status"], rows, batch["status"]).result()


def read_store(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """All arrays of a store, the large ones as :class:`StoredArray`, and what it says of itself.

    Raises:
        StoreError: there is no metric field at ``path``, or a chunk of it is damaged.
    """
    path = Path(path).expanduser().resolve()
    attributes = read_attributes(path)
    names = sorted(p.name for p in path.iterdir() if (p / "zarr.json").is_file())
    arrays = {name: open_array(path / name) for name in names}
    return {name: array if name in LAZY else array[...] for name, array in arrays.items()}, attributes


def read_attributes(path: Path) -> dict[str, Any]:
    """``{"settings", "provenance", "runs", "failures"}`` of a store.

    Raises:
        StoreError: there is no metric field at ``path``.
    """
    try:
        attributes = json.loads((path / _DESCRIPTION).read_text())["attributes"]
        if attributes["geomgan"] != _FORMAT:
            raise StoreError(f"{path} has format {attributes['geomgan']}; expected {_FORMAT}. Compute it again.")
        return {name: attributes[name] for name in ("settings", "provenance", "runs", "failures")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} is not a metric field ({error}). Name the folder that metric_field wrote.") from error


def _unfinished(path: Path, arrays: Mapping[str, Any]) -> bool:
    """Whether a folder without a description is empty, or what a run left that died while creating the store."""
    return all(p.name in arrays or is_partial(p) for p in path.iterdir())


@contextlib.contextmanager
def _writing(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except StoreError:
        raise
    except Exception as error:  # TensorStore reports a full disk as ValueError, the operating system as OSError
        raise StoreError(
            f"cannot write {what} to {path}: {error}. What was finished before is safe; free space or mend the "
            "folder, then repeat the call to resume."
        ) from error
