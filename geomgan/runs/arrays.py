"""Arrays on disk in Zarr's format, by TensorStore: one chunk per batch of rows, each with a checksum (CRC-32C).

To Zarr a chunk that is absent is one of fill values. Here its absence is found, as is a chunk of another place.
"""

from __future__ import annotations

import contextlib
import math
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.backend import free_on_host, readable
from geomgan.errors import StoreError, reading, said
from geomgan.runs.kinds import read_json

METADATA = "zarr.json"  # the file beside the chunks of an array, and in the folder of a group
MEND = "Restore it from a copy, or repeat the call that wrote it: what is damaged is computed again, and only that."
_DEFAULTS = {"configuration": {}, "separator": "/", "endian": "little"}  # what metadata may leave out
_SMALL = 2**26  # bytes that need no look at the free memory, and that are read ahead
_PROCESS = os.getpid()  # that imported this module


@dataclass(frozen=True)
class StoredArray:
    """An array of a store, read as it is indexed: what is not asked for stays on disk.

    ``array[i]``, ``array[2:5, :, 0]`` and ``numpy.asarray(array)`` give numpy arrays. Where a chunk that they need is
    missing, damaged or another one, they raise ``StoreError``.

    Attributes:
        handle: TensorStore's.
        path: its folder.
        kept: ``(chunks,)``, which of them are finished, so that they must be there; None where that is not known.
        sums: ``(chunks,)``, their checksums; None where they are not known.
    """

    handle: Any
    path: Path
    kept: np.ndarray | None = None
    sums: np.ndarray | None = None

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

    @cached_property
    def batch(self) -> int:
        """Rows of a chunk."""
        return int(self.handle.chunk_layout.write_chunk.shape[0])

    @cached_property
    def _bytes(self) -> int:
        """Of the values of a chunk."""
        return self.batch * math.prod(self.shape[1:]) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        check_process()
        with self._indexed(index):
            view = self.handle[index]
        _check_room(self.path, tuple(view.shape), self.dtype)
        for i in self._chunks(index):
            if found := self.fault(i):
                raise damaged(self.path, f"{self.rows(i)}: {found}")
        with self._indexed(index), _reading(self.path):
            return view.read().result()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        del copy
        return np.asarray(self[...], dtype)

    def rows(self, i: int) -> str:
        """The rows of chunk ``i``, in words."""
        first, last = i * self.batch, min((i + 1) * self.batch, len(self)) - 1
        return f"code {first}" if first == last else f"codes {first} to {last}"

    def present(self) -> np.ndarray:
        """Which chunks have a file, ``(chunks,)``."""
        return np.array([os.path.isfile(self._file(i)) for i in range(-(-len(self) // self.batch))])

    def fault(self, i: int) -> str:
        """What is wrong with the file of chunk ``i``, or nothing: it is there, of its size, with its checksum."""
        file = self._file(i)
        try:
            if (found := os.stat(file)).st_size != self._bytes + 4 or not stat.S_ISREG(found.st_mode):
                return f"{self._name(i)} has {found.st_size} bytes of {self._bytes + 4}"
            sum_of = checksum(self, i)
        except (FileNotFoundError, NotADirectoryError):
            return f"{self._name(i)} is missing"
        except OSError as error:
            raise StoreError(
                f"{file} cannot be read: {error}. Mend the disk or the file's rights, and repeat."
            ) from error
        lost = self.sums is not None and sum_of != self.sums[i]
        return f"{self._name(i)} is not the chunk that was written" if lost else ""

    def remove(self, i: int) -> None:
        """Remove the file of chunk ``i``, if there is one: writing part of a chunk reads the rest of it."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            os.unlink(self._file(i))

    def faults(self, *, deep: bool) -> dict[int, str]:
        """Chunk -> what is wrong with it, of those that must be there; ``deep`` reads them, by their checksums."""
        kept = [] if self.kept is None else np.flatnonzero(self.kept).tolist()
        found = {i: fault for i in kept if (fault := self.fault(i))}
        ahead = max(1, _SMALL // self._bytes)
        left = [i for i in kept if deep and i not in found]
        for first in range(0, len(left), ahead):
            started = [(i, self.handle[self._slice(i)].read()) for i in left[first : first + ahead]]
            for i, read in started:
                try:
                    read.result()
                except Exception as error:
                    found[i] = said(error)
        return found

    def whole(self) -> tuple[np.ndarray, dict[int, str]]:
        """All values, and chunk -> what is wrong with it, of those that must be there."""
        found = self.faults(deep=False)
        try:
            return self.handle.read().result(), found
        except Exception:  # a chunk is damaged: which?
            found = self.faults(deep=True)
        values = np.full(self.shape, self.handle.fill_value, self.dtype)
        for i in range(-(-len(self) // self.batch)):
            with contextlib.suppress(Exception):  # said above, or of no finished batch
                values[self._slice(i)] = self.handle[self._slice(i)].read().result()
        return values, found

    @contextlib.contextmanager
    def _indexed(self, index: Any) -> Iterator[None]:
        """TensorStore finds some indices to be out of range only when it reads."""
        try:
            yield
        except (IndexError, ValueError, StoreError) as error:
            if not isinstance(error, IndexError) and "OUT_OF_RANGE" not in str(error):
                raise
            raise IndexError(f"{index!r} is no index of {self.path.name}, of shape {self.shape}.") from error

    def _slice(self, i: int) -> slice:
        return slice(i * self.batch, min((i + 1) * self.batch, len(self)))

    def _name(self, i: int) -> str:
        return "/".join(["c", str(i), *"0" * (self.ndim - 1)])

    def _file(self, i: int) -> str:
        return f"{self.path}/{self._name(i)}"

    def _chunks(self, index: Any) -> list[int]:
        """The finished chunks that an index needs; all of them for indices of rare kinds."""
        if self.kept is None:
            return []
        first = index[0] if isinstance(index, tuple) and index else index
        rows: Any = np.arange(len(self))
        with contextlib.suppress(IndexError, TypeError, ValueError):
            rows = rows[first]
        chunks = np.unique(np.ravel(rows) // self.batch)
        return chunks[self.kept[chunks]].tolist()


def checksum(array: StoredArray, i: int) -> int:
    """The checksum in the file of chunk ``i``, its last four bytes; TensorStore compares the others with it."""
    with open(array._file(i), "rb", buffering=0) as file:
        file.seek(-4, os.SEEK_END)
        return int.from_bytes(file.read(4), "little")


def metadata(shape: tuple[int, ...], dtype: Any, batch: int, *, zeros: bool = False) -> dict[str, Any]:
    """What an array says of itself; ``batch`` rows are a chunk, and what was never written is no number.

    ``zeros`` are the fill values that earlier versions took.
    """
    dtype = np.dtype(dtype)
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(shape),
        "data_type": dtype.name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [batch, *shape[1:]]}},
        "chunk_key_encoding": {"name": "default"},
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}],
        "fill_value": 0 if zeros or dtype.kind in "iu" else "NaN",
    }


def fault_of_metadata(path: Path, expected: Mapping[str, Any]) -> str:
    """What is wrong with what an array says of itself, or nothing."""
    try:
        found = read_json(path / METADATA)
    except FileNotFoundError:
        return f"{METADATA} is missing"
    except Exception as error:
        return f"{METADATA} cannot be read: {said(error)}"
    if not isinstance(found, dict):
        return f"{METADATA} holds no metadata"
    differ = [name for name in {*found, *expected} - {"attributes"} if not _same(found.get(name), expected.get(name))]
    parts = (f"{name} is {found.get(name)!r}; expected {expected.get(name)!r}"[:200] for name in sorted(differ))
    return f"{METADATA}: {'; '.join(parts)}" if differ else ""


def open_array(path: Path, expected: Mapping[str, Any] | None = None) -> StoredArray:
    """An array that exists, for reading.

    Raises:
        StoreError: it is damaged, or its metadata are not the ``expected``.
    """
    if expected is not None and (found := fault_of_metadata(path, expected)):
        raise damaged(path, found)
    with _reading(path):
        return StoredArray(_open(path, dict(expected or read_json(path / METADATA)), open=True, read=True), path)


def create_array(path: Path, shape: tuple[int, ...], dtype: Any, batch: int, *, zeros: bool = False) -> StoredArray:
    """An array for reading and writing, created if need be; arguments of :func:`metadata`.

    TensorStore's own errors pass: one that exists with another shape, a full disk.
    """
    contents = metadata(shape, dtype, batch, zeros=zeros)
    return StoredArray(_open(path, contents, open=True, create=True, read=True, write=True), path)


def write_rows(array: StoredArray, rows: slice, values: np.ndarray) -> Any:
    """Start to write rows of an array; ``.result()`` of what is returned waits for it, and raises what went wrong."""
    return array.handle[rows].write(values)


def check_process() -> None:
    """Raise ``StoreError`` in a process that cannot use TensorStore: it has threads, which a fork does not copy."""
    if _owner() != os.getpid():
        raise StoreError(
            "this process was forked from one that had used a store; expected one that was started anew, as a fork has "
            "none of the threads that read and write. Start it by multiprocessing.get_context('spawn'), or "
            "'forkserver'."
        )


def damaged(path: Path, found: str) -> StoreError:
    """The error that says what is wrong with the array in the folder ``path``, and what to do."""
    return StoreError(f"{path.parent} cannot be read: {path.name} is damaged ({found}). {MEND}")


@cache
def _owner() -> int:
    """The process that uses TensorStore; 0 in one forked from a process where something else may have used it."""
    return 0 if os.getpid() != _PROCESS and "tensorstore" in sys.modules else os.getpid()


def _tensorstore() -> Any:
    check_process()
    import tensorstore

    return tensorstore


def _open(path: Path, contents: Mapping[str, Any], **mode: Any) -> Any:
    ts = _tensorstore()
    _check_room(path, contents["chunk_grid"]["configuration"]["chunk_shape"], contents["data_type"])
    spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{path}/"}, "metadata": dict(contents)}
    return ts.open({**spec, "store_data_equal_to_fill_value": True}, **mode).result()  # absent is not zero


def _check_room(path: Path, shape: Any, dtype: Any) -> None:
    """Raise ``StoreError`` if values cannot be in memory, before a library tries."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size > _SMALL and size > (free := free_on_host()):
        raise StoreError(
            f"{readable(size)} of {path} are asked for at once, {list(shape)}; {readable(free)} of memory are free. "
            "Read fewer codes at a time, as array[i]."
        )


def _same(found: Any, expected: Any) -> bool:
    """Whether metadata say the same, where each may leave out what is empty or the default."""
    if isinstance(found, dict) and isinstance(expected, dict):
        names = {*found, *expected}
        return all(_same(found.get(n, _DEFAULTS.get(n)), expected.get(n, _DEFAULTS.get(n))) for n in names)
    if isinstance(found, list) and isinstance(expected, list):
        return len(found) == len(expected) and all(map(_same, found, expected))
    return found == expected or (not found and not expected)


def _reading(path: Path) -> contextlib.AbstractContextManager[None]:
    return reading(path.parent, MEND, found=f"cannot be read: {path.name} is damaged")
