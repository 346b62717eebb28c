"""Arrays on disk in Zarr's format, by TensorStore: one chunk per batch of rows, each with a checksum (CRC-32C)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.errors import StoreError


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
        with _reading(self.path):
            return self.handle[index].read().result()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        del copy
        return np.asarray(self[...], dtype)


def open_array(path: Path) -> StoredArray:
    """An array that exists, for reading.

    Raises:
        StoreError: it is damaged.
    """
    with _reading(path):
        return StoredArray(_open(path, {}, read=True), path)


def create_array(path: Path, shape: tuple[int, ...], dtype: Any, batch: int) -> StoredArray:
    """An array for reading and writing, created full of zeros if need be; ``batch`` rows are a chunk.

    TensorStore's own errors pass: one that exists with another shape, a full disk.
    """
    metadata = {
        "shape": list(shape),
        "data_type": np.dtype(dtype).name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [batch, *shape[1:]]}},
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}],
        "fill_value": 0,
    }
    return StoredArray(_open(path, {"metadata": metadata}, open=True, create=True, read=True, write=True), path)


def write_rows(array: StoredArray, rows: slice, values: np.ndarray) -> Any:
    """Start to write rows of an array; ``.result()`` of what is returned waits for it, and raises what went wrong."""
    return array.handle[rows].write(values)


def _open(path: Path, more: dict[str, Any], **mode: Any) -> Any:
    import tensorstore as ts

    return ts.open({"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{path}/"}, **more}, **mode).result()


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except IndexError:
        raise
    except Exception as error:  # TensorStore reports a wrong checksum as ValueError
        raise StoreError(
            f"{path.parent} cannot be read: {path.name} is damaged ({error}). Restore it from a copy, or remove "
            f"that chunk's file and its file under status/, and repeat the call to compute it again."
        ) from error
