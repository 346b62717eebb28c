"""One writer at a time: a lock on a folder, which the system drops when the process ends, however it ends."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from geomgan.errors import StoreError
from geomgan.runs.settings import ANOTHER


@contextlib.contextmanager
def locked(path: str | os.PathLike[str]) -> Iterator[None]:
    """Hold the lock of a folder that exists; it leaves nothing in it.

    Raises:
        StoreError: another process holds it, or this one does already.
    """
    try:
        import fcntl
    except ImportError:  # no such locks on Windows: two writers there are not caught
        yield
        return
    folder = os.open(Path(path), os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(f"{path} is being written by another process. Wait for it, or {ANOTHER}.") from None
        yield
    finally:
        os.close(folder)
