"""The checksums of the finished batches of a store: a line for each, appended before the batch's status is written.

A line holds the number of the batch, the checksum of each of its chunks in the order of the arrays' names, that of its
status, and one of the line. Of two lines for a batch the later counts; a line that is torn or damaged is none.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from geomgan.errors import StoreError

FILE = Path("status") / "checksums.txt"  # inside an array's folder: beside arrays, zarr would take it for one


def begin(store: Path) -> None:
    """End a line that a killed or failed run may have torn: what is appended then begins a new one."""
    with contextlib.suppress(FileNotFoundError), (store / FILE).open("rb+") as file:
        if file.read()[-1:] not in (b"", b"\n"):
            file.write(b"\n")


def append(store: Path, batch: int, sums: Sequence[int]) -> None:
    """Add the line of a finished batch. ``OSError`` where it cannot be written."""
    with (store / FILE).open("ab") as file:
        file.write(_line(batch, sums) + b"\n")


def read(store: Path, batches: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """The checksums ``(batches, columns)``, and of which batches there is a line; ``StoreError`` if it is not let."""
    sums, known = np.zeros((batches, columns), np.uint32), np.zeros(batches, bool)
    try:
        lines = (store / FILE).read_bytes().split(b"\n")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        lines = []
    except OSError as error:
        raise StoreError(f"{store / FILE} cannot be read: {error}. Mend the disk or its rights, and repeat.") from error
    for line in lines:
        with contextlib.suppress(ValueError, OverflowError):
            batch, *found = [int(word, 16) for word in line.split()[:-1]]
            if line == _line(batch, found) and 0 <= batch < batches and len(found) == columns:
                sums[batch], known[batch] = found, True
    return sums, known


def _line(batch: int, sums: Sequence[int]) -> bytes:
    text = " ".join(f"{number:x}" for number in (batch, *sums))
    return f"{text} {zlib.crc32(text.encode()):x}".encode()
