"""Files in the format IDX, in which MNIST and its successors are published."""

from __future__ import annotations

import gzip
import math
import os
from pathlib import Path

import numpy as np

from geomgan.errors import NotHereError, reading

LARGEST = 4 << 30  # bytes of one array
_DTYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def read_idx(path: str | os.PathLike[str]) -> np.ndarray:
    """Read one array, from a plain file or a gzip archive of it (found by its content, not by its name).

    The file says two zero bytes, the code of its numbers, the number of axes, their lengths (four bytes each, the
    largest first), and the numbers.

    Raises:
        NotHereError: there is no such file.
        ValueError: it is of another format, cut off or longer than it says, or says more than 4 GiB.
    """
    path = Path(path)
    if not path.is_file():
        raise NotHereError(f"{path} is not there; expected a file in the format IDX.")
    with reading(path, "Get it again.", error=ValueError, found="is no whole IDX file"), path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        with gzip.open(raw) if packed else raw as file:
            start = file.read(4)
            if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _DTYPES or not 1 <= start[3] <= 4:
                raise ValueError(f"it begins with {start!r}; expected two zero bytes, a known type and 1 to 4 axes")
            lengths = file.read(4 * start[3])
            if len(lengths) < 4 * start[3]:
                raise ValueError("it ends within the lengths of its axes")
            shape = tuple(int(n) for n in np.frombuffer(lengths, ">i4"))
            dtype = np.dtype(_DTYPES[start[2]])
            size = math.prod(shape) * dtype.itemsize
            if min(shape) < 0 or size > LARGEST:
                raise ValueError(f"it says a shape of {shape}; expected at most {LARGEST >> 30} GiB")
            data = file.read(size + 1)
    if len(data) != size:
        more = "more" if len(data) > size else f"{len(data)}"
        raise ValueError(
            f"{path} is no whole IDX file (it says {shape}, which are {size} bytes, and holds {more}). Get it again."
        )
    return np.frombuffer(data, dtype).astype(dtype.newbyteorder("=")).reshape(shape)
