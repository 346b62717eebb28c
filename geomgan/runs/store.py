"""A metric field on disk: a Zarr v3 group, one chunk per batch of codes, readable with plain zarr and numpy.

A batch counts only when its ``status`` is written, which happens after its data: a run that dies loses the batch it
was computing and nothing else. Every chunk carries a checksum; :mod:`geomgan.runs.checksums` keeps those of all arrays
for each batch, and what the store says of itself carries one too. So what is damaged, missing, or lies in another's
place is found: an error on reading, computed again on resuming.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.backend import free_on_host, readable
from geomgan.errors import StoreError, warn
from geomgan.runs import checksums
from geomgan.runs.arrays import (
    METADATA,
    check_process,
    checksum,
    create_array,
    damaged,
    fault_of_metadata,
    metadata,
    open_array,
    write_rows,
)
from geomgan.runs.arrays import StoredArray as StoredArray  # what open_store and read_store give
from geomgan.runs.description import OLDER, Sizes, sizes_of
from geomgan.runs.description import read_attributes as read_attributes
from geomgan.runs.description import write_attributes as write_attributes
from geomgan.runs.files import is_partial, local_path
from geomgan.runs.lock import locked
from geomgan.runs.settings import ANOTHER, check_settings
from geomgan.runs.survey import DONE as DONE
from geomgan.runs.survey import FAILED as FAILED
from geomgan.runs.survey import LAZY, by_batch, of_status, said_of, summed, survey
from geomgan.runs.survey import NOT_CONVERGED as NOT_CONVERGED
from geomgan.runs.survey import PENDING as PENDING
from geomgan.runs.survey import lazy as lazy


@contextlib.contextmanager
def open_store(
    path: str | os.PathLike[str],
    settings: Mapping[str, Any],
    provenance: Mapping[str, Any],
    arrays: Mapping[str, tuple[tuple[int, ...], Any]],
    batch: int,
) -> Iterator[dict[str, StoredArray]]:
    """Open or create a store for one run, locked against a second writer for as long as it is open.

    An array whose metadata are damaged or gone gets them again, with a warning; its chunks say what they hold.

    Args:
        path: the folder, by convention ``*.zarr``.
        settings: what decides the numbers; a store made with others is refused.
        provenance: what is worth knowing besides (versions, device); recorded when the store is created.
        arrays: name -> (shape, dtype); the first axis counts codes.
        batch: codes in a chunk.

    Yields:
        name -> array on disk.

    Raises:
        StoreError: the folder is something else, belongs to other settings, is in use, or cannot be written; or this
            process is a fork of one that had used a store.
    """
    check_process()
    path = local_path(path).resolve()
    description = path / METADATA
    if path.exists() and not description.is_file() and (not path.is_dir() or not _unfinished(path, arrays)):
        raise StoreError(f"{path} exists and is not a metric field. Remove it, or {ANOTHER}.")
    with _writing(path, "the store"):
        path.mkdir(parents=True, exist_ok=True)
    with locked(path):
        attributes = read_attributes(path) if description.is_file() else None
        if attributes:
            check_settings(path, attributes["settings"], settings)
        elif holding := sorted({chunk.relative_to(path).parts[0] for chunk in path.glob("*/c/*")}):
            raise StoreError(
                f"{path} holds {', '.join(holding)}, but {METADATA} is missing, which says of which settings. Restore "
                f"it from a copy, or remove the folder, or {ANOTHER}."
            )
        older = attributes is not None and attributes["geomgan"] == OLDER
        sizes: Sizes = {name: (shape, np.dtype(dtype), batch) for name, (shape, dtype) in arrays.items()}
        with _writing(path, "the store"):
            lost = _mended(path, sizes, zeros=older)
            if lost and attributes:
                warn(f"{path} is damaged: {lost}. These metadata are written again.")
            with ThreadPoolExecutor() as pool:  # each waits for the disk
                made = pool.map(lambda name: create_array(path / name, *sizes[name], zeros=older), sizes)
                opened = dict(zip(sizes, made, strict=True))
            if not attributes:
                said = {"settings": dict(settings), "provenance": dict(provenance), "runs": [], "failures": {}}
                shapes = {name: {"shape": list(sizes[name][0]), "dtype": sizes[name][1].name} for name in arrays}
                write_attributes(path, {**said, "batch": batch, "arrays": shapes})
            checksums.begin(path)
        yield opened


def write_batch(
    path: str | os.PathLike[str],
    opened: Mapping[str, StoredArray],
    rows: slice,
    batch: Mapping[str, Any],
    *,
    write: Callable[[StoredArray, slice, np.ndarray], Any] = write_rows,
) -> None:
    """Write one batch: its data, their checksums, its ``status``.

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
        i = rows.start // opened["status"].batch
        sums = [checksum(opened[name], i) for name in summed(opened)] + [of_status(batch["status"])]
        checksums.append(opened["status"].path.parent, i, sums)
        write(opened["status"], rows, batch["status"]).result()


def read_store(path: str | os.PathLike[str], settings: Any = dict) -> tuple[dict[str, Any], dict[str, Any]]:
    """All arrays of a store, the large ones as :class:`StoredArray`, and what it says of itself.

    Args:
        path: the store.
        settings: their kind, see :func:`geomgan.runs.kinds.check_kind`.

    Raises:
        StoreError: there is no metric field at ``path``, or something of it is damaged, missing or in another's place.
    """
    check_process()
    path = local_path(path).resolve()
    attributes = read_attributes(path, settings)
    sizes, older = sizes_of(path, attributes), attributes["geomgan"] == OLDER
    eager = sum(math.prod(shape) * dtype.itemsize for name, (shape, dtype, _) in sizes.items() if name not in LAZY)
    if eager > free_on_host():
        raise StoreError(
            f"{path} takes {readable(eager)} to read; {readable(free_on_host())} of memory are free. Read it with zarr."
        )
    opened = {name: open_array(path / name, metadata(*size, zeros=older)) for name, size in sizes.items()}
    values, faults = survey(opened, attributes, deep=False)
    for name, found in faults.items():
        if found:
            raise damaged(path / name, said_of({name: found}, opened))
    return values, attributes


def unfinished(
    path: str | os.PathLike[str], opened: Mapping[str, StoredArray], known: Mapping[str, Any]
) -> tuple[list[int], dict[str, np.ndarray]]:
    """The first codes of the batches of an open store that are to be computed, in order; and the small arrays.

    They are those that are pending, and those of which something is damaged, missing or in another's place, which a
    warning names. Everything is read; what is left of these batches is removed, and pending in the status.

    Args:
        path: the store.
        opened: its arrays, as :func:`open_store` gives them.
        known: values that whole arrays must have.
    """
    status = opened["status"]
    values, faults = survey(opened, read_attributes(local_path(path).resolve()), deep=True)
    done = by_batch(values["status"] != PENDING, status.batch)
    for name, expected in known.items():
        differ = done & ~by_batch((values[name] == expected).reshape(len(status), -1).all(axis=1), status.batch)
        faults[name] = {int(i): "others than those of this call" for i in np.flatnonzero(differ)} | faults[name]
    if any(faults.values()):
        warn(f"{path} is damaged: {said_of(faults, opened)}. These codes are computed again.")
    done[[i for found in faults.values() for i in found]] = False
    todo = np.flatnonzero(~done).tolist()
    with _writing(Path(path), "the store"):
        for array in opened.values():
            for i in todo:
                array.remove(i)
    values["status"] = np.where(np.repeat(done, status.batch)[: len(status)], values["status"], PENDING)
    return [i * status.batch for i in todo], {name: x for name, x in values.items() if name not in LAZY}


def _mended(path: Path, sizes: Sizes, *, zeros: bool) -> str:
    """What is wrong with the metadata of arrays; what is, is removed, so that opening them writes new ones."""
    expected = {name: metadata(*size, zeros=zeros) for name, size in sizes.items()}
    lost = {name: found for name in sizes if (found := fault_of_metadata(path / name, expected[name]))}
    for name in lost:
        (path / name / METADATA).unlink(missing_ok=True)
    return "; ".join(f"{name}/{found}" for name, found in lost.items())


def _unfinished(path: Path, arrays: Mapping[str, Any]) -> bool:
    """Whether a folder without a description is empty, or what a run left that died while creating the store."""
    return all(p.name in arrays or is_partial(p) for p in path.iterdir())


@contextlib.contextmanager
def _writing(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except StoreError:
        raise
    except (OSError, ValueError, RuntimeError) as error:  # TensorStore reports a full disk as ValueError
        raise StoreError(
            f"cannot write {what} to {path}: {error}. What was finished before is safe; free space or mend the "
            "folder, then repeat the call to resume."
        ) from error
