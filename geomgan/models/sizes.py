"""What the arrays of an Orbax checkpoint will take, before any of them is read."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.backend import readable
from geomgan.models.arrays import place

_NAMES = ("/.zarray", "/zarr.json")  # of an array's metadata, in the second and the third version of zarr


def check_sizes(folder: Path, parameters: Mapping[str, int] | None, most: float) -> None:
    """Raise ``ValueError`` unless the arrays are those of ``parameters`` and fit ``most`` bytes.

    Args:
        folder: of the checkpoint.
        parameters: how many numbers each part has; None where the card does not say.
        most: bytes that may be taken.
    """
    counts: dict[str, int] = {}
    size = 0
    for name, metadata in _metadata(folder):
        shape, bytes_of_one = _checked(name, metadata)
        part = name.partition(".")[0]
        counts[part] = counts.get(part, 0) + math.prod(shape)
        size += math.prod(shape) * bytes_of_one
    told = counts if parameters is None else parameters
    for part in sorted(counts.keys() | told.keys()):
        if counts.get(part, 0) != told.get(part, 0):
            held = f"its {part} has {counts.get(part, 0)} numbers"
            raise ValueError(f"{held}; expected {told.get(part, 0)}, as the card says")
    if size > most:
        raise ValueError(f"its arrays would take {readable(size)}; {readable(most)} of memory are free")


def _metadata(folder: Path) -> Iterator[tuple[str, Any]]:
    """The name of each array, and what its metadata says: JSON that nothing has looked at."""
    import tensorstore as ts

    files = ts.KvStore.open(place(folder)).result()
    keys = [key for key in files.list().result() if key.endswith(tuple(name.encode() for name in _NAMES))]
    for key, found in [(key, files.read(key)) for key in keys]:
        yield key.decode().rpartition("/")[0], json.loads(found.result().value)


def _checked(name: str, metadata: Any) -> tuple[list[int], int]:
    """The shape of an array and the bytes of one number, if its chunks are no larger than itself."""
    third = metadata["zarr_format"] == 3
    shape = metadata["shape"]
    chunk = metadata["chunk_grid"]["configuration"]["chunk_shape"] if third else metadata["chunks"]
    whole = all(type(n) is int for n in (*shape, *chunk)) and len(shape) == len(chunk)
    if not whole or any(not 1 <= part <= max(side, 1) or side < 0 for part, side in zip(chunk, shape, strict=True)):
        raise ValueError(f"{name} has the shape {str(shape)[:80]}, in chunks of {str(chunk)[:80]}")
    return shape, np.dtype(metadata["data_type" if third else "dtype"]).itemsize
