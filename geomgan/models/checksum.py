"""The sha256 of a model's weights, and remembering for which files on the disk it was found right.

Hashing takes a part of the time of reading, so that it is done once for each state of the files: what the disk says of
them (place, size, times of change, inode) is kept in ``verified`` in the user's folder. A change that the disk does not
know of, such as a bit that flips on it afterwards, is not told by that; ``geomgan models --check`` always hashes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.errors import CheckpointError, GeomganError
from geomgan.home import home
from geomgan.runs.files import write_whole

SETTLED = 2_000_000_000  # nanoseconds: within the coarsest clock of a disk a second change leaves no trace


@dataclass(frozen=True)
class State:
    """What the disk says of all files of a folder.

    Attributes:
        folder: resolved.
        seal: the sha256 of it.
        settled: whether the next change will be seen: the last one was long enough ago.
    """

    folder: Path
    seal: str
    settled: bool


def state_of(folder: Path) -> State:
    """The state of a folder now; taken before its files are read, a later change is seen the next time."""
    now, folder = time.time_ns(), folder.resolve()
    files = [(path, path.stat()) for path in sorted(folder.rglob("*"))]
    known = [f"{p} {s.st_size} {s.st_mtime_ns} {s.st_ctime_ns} {s.st_dev} {s.st_ino}" for p, s in files]
    seal = hashlib.sha256(os.fsencode("\n".join(known))).hexdigest()
    newest = max((change for _, s in files for change in (s.st_mtime_ns, s.st_ctime_ns)), default=now)
    seen = not any(path.is_symlink() and path.is_dir() for path, _ in files)  # what lies behind is not listed
    return State(folder, seal, seen and now - newest > SETTLED)


def check_weights(params: Any, written: str, state: State, fix: str) -> None:
    """Raise ``CheckpointError`` unless ``params`` have the sha256 ``written``; hashes once for each state.

    Args:
        params: what was read after ``state`` was taken.
        written: what the card says.
        state: of the files.
        fix: ends the message.
    """
    seal = f"{state.seal} {written}"
    if _remembered(state.folder) == seal:
        return
    if (found := weights_sha256(params)) != written:
        raise CheckpointError(
            f"{state.folder} holds weights with sha256 {found}; expected {written}, as the card says: a file is "
            f"damaged, or of another model. {fix}"
        )
    if state.settled:
        with contextlib.suppress(GeomganError):  # no folder of the user's: hashed each time
            write_whole(_note(state.folder), seal)


def weights_sha256(params: Any) -> str:
    """The sha256 of all arrays of nested dictionaries: names, types, shapes and values."""
    digest = hashlib.sha256()
    for path, leaf in sorted(_flat(params).items()):
        array = np.ascontiguousarray(leaf)
        digest.update(f"{path} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.view(np.uint8).data if array.size else b"")
    return digest.hexdigest()


def _note(folder: Path) -> Path:
    """Where the last right state of a folder is kept."""
    return home() / "verified" / hashlib.sha256(os.fsencode(folder)).hexdigest()[:32]


def _remembered(folder: Path) -> str:
    try:
        return _note(folder).read_text(encoding="utf-8")
    except (OSError, ValueError, GeomganError):
        return ""


def _flat(tree: Any, path: str = "") -> dict[str, np.ndarray]:
    if not isinstance(tree, Mapping):
        return {path: np.asarray(tree)}
    return {name: leaf for key, value in tree.items() for name, leaf in _flat(value, f"{path}/{key}").items()}
