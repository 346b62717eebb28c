"""A metric field on disk: a Zarr v3 group, one chunk per batch of codes, readable with plain zarr and numpy.

A batch counts only when its ``status`` is written, which happens after its data: a run that dies loses the batch it
was computing and nothing else. Every chunk carries a checksum (CRC-32C), so that a damaged one is found on reading.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.errors import StoreError

PENDING, DONE, NOT_CONVERGED, FAILED = 0, 1, 2, 3  # values of `status`
LAZY = ("tensors", "vectors")  # arrays that grow with the square of the dimension are read when they are asked for
ANOTHER = "name another store"  # the command line puts its option in the place of it
_FORMAT, _PARTIAL = 2, ".zarr.json.partial"


@dataclass(frozen=True)
class StoredArray:
    """An array of a store, read as it is indexed: what is not asked for stays on disk.

    ``array[i]``, ``array[2:5, :, 0]`` and ``numpy.asarray(array)`` give numpy arrays.
    """

    handle: Any
    path: Path

    @property
    def shape(self) -> tuple[int, ...]:
        """As of a numpy array."""
        return tuple(self.handle.shape)

    @property
    def dtype(self) -> np.dtype:
        """As of a numpy array."""
        return np.dtype(self.handle.dtype.numpy_dtype)

    @property
    def ndim(self) -> int:
        """As of a numpy array."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        with _read(self.path):
            return self.handle[index].read().result()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        del copy
        return np.asarray(self[...], dtype)


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
    group = path / "zarr.json"
    if path.exists() and not group.is_file() and (not path.is_dir() or not _unfinished(path, arrays)):
        raise StoreError(f"{path} exists and is not a metric field. Remove it, or {ANOTHER}.")
    with _written(path, "the store"):
        path.mkdir(parents=True, exist_ok=True)
    with _locked(path):
        if group.is_file():
            _check_settings(path, read_attributes(path)["settings"], dict(settings))
        with _written(path, "the store"):
            opened = {
                name: _array(path / name, shape, dtype, batch, create=True) for name, (shape, dtype) in arrays.items()
            }
            if not group.is_file():
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
    with _written(path, "its description"):
        temporary = path / _PARTIAL
        temporary.write_text(json.dumps(text, indent=1))
        os.replace(temporary, path / "zarr.json")


def write_batch(
    path: str | os.PathLike[str], opened: Mapping[str, StoredArray], rows: slice, batch: Mapping[str, Any]
) -> None:
    """Write one batch, its ``status`` last.

    Raises:
        StoreError: the disk is full, or the folder is not writable any more.
    """
    with _written(Path(path), f"codes {rows.start} to {rows.stop - 1}"):
        pending = [opened[name].handle[rows].write(value) for name, value in batch.items() if name != "status"]
        for write in pending:
            write.result()
        opened["status"].handle[rows].write(batch["status"]).result()


def read_store(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """All arrays of a store, the large ones as :class:`StoredArray`, and what it says of itself.

    Raises:
        StoreError: there is no metric field at ``path``, or a chunk of it is damaged.
    """
    path = Path(path).expanduser().resolve()
    attributes = read_attributes(path)
    names = sorted(p.name for p in path.iterdir() if (p / "zarr.json").is_file())
    arrays = {name: _array(path / name) for name in names}
    return {name: array if name in LAZY else array[...] for name, array in arrays.items()}, attributes


def read_attributes(path: Path) -> dict[str, Any]:
    """``{"settings", "provenance", "runs", "failures"}`` of a store."""
    try:
        attributes = json.loads((path / "zarr.json").read_text())["attributes"]
        if attributes["geomgan"] != _FORMAT:
            raise StoreError(f"{path} has format {attributes['geomgan']}; expected {_FORMAT}. Compute it again.")
        return {name: attributes[name] for name in ("settings", "provenance", "runs", "failures")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} is not a metric field ({error}). Name the folder that metric_field wrote.") from error


def _array(
    path: Path, shape: tuple[int, ...] | None = None, dtype: Any = None, batch: int = 1, create: bool = False
) -> StoredArray:
    import tensorstore as ts

    spec: dict[str, Any] = {"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{path}/"}}
    if not create:
        with _read(path):
            return StoredArray(ts.open(spec, read=True).result(), path)
    assert shape is not None
    chunk = [batch, *shape[1:]]
    spec["metadata"] = {
        "shape": list(shape),
        "data_type": np.dtype(dtype).name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk}},
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}],
        "fill_value": 0,
    }
    return StoredArray(ts.open(spec, open=True, create=True, read=True, write=True).result(), path)


def _check_settings(path: Path, stored: dict[str, Any], now: dict[str, Any]) -> None:
    now = json.loads(json.dumps(now))
    differences = [
        f"{name}: stored {stored.get(name)!r}, now {now.get(name)!r}"
        for name in sorted({*stored, *now})
        if stored.get(name) != now.get(name)
    ]
    if differences:
        raise StoreError(
            f"{path} belongs to another run. {'; '.join(differences)}. Repeat the call with the stored settings to "
            f"resume it, or {ANOTHER}."
        )


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock on the folder itself, which the system drops when this process ends, however it ends."""
    try:
        import fcntl
    except ImportError:  # no such locks on Windows: two writers there are not caught
        yield
        return
    folder = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise StoreError(f"{path} is being written by another process. Wait for it, or {ANOTHER}.") from None
    finally:
        os.close(folder)


def _unfinished(path: Path, arrays: Mapping[str, Any]) -> bool:
    """Whether a folder without ``zarr.json`` is empty, or what a run left that died while creating the store."""
    return all(p.name in (*arrays, _PARTIAL) for p in path.iterdir())


@contextlib.contextmanager
def _written(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except StoreError:
        raise
    except Exception as error:  # TensorStore reports a full disk as ValueError, the operating system as OSError
        raise StoreError(
            f"cannot write {what} to {path}: {error}. What was finished before is safe; free space or mend the "
            "folder, then repeat the call to resume."
        ) from error


@contextlib.contextmanager
def _read(path: Path) -> Iterator[None]:
    try:
        yield
    except IndexError:
        raise
    except Exception as error:  # TensorStore reports a wrong checksum as ValueError
        raise StoreError(
            f"{path.parent} cannot be read: {path.name} is damaged ({error}). Restore it from a copy, or remove "
            f"that chunk's file and its file under status/, and repeat the call to compute it again."
        ) from error
