"""Weights in several files, shards, and the JSON index beside them that says which tensor lies in which.

Both packages that write such have one form, ``model.safetensors.index.json`` and ``pytorch_model.bin.index.json``:
``{"metadata": {...}, "weight_map": {tensor: file}}``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.errors import CheckpointError, NotHereError
from geomgan.restricted_pickle import looks_like_file, misfit
from weights_convert.strict_json import once

PATTERN = "*.index.json"
LARGEST = 32 << 20  # bytes of an index
MOST_BYTES = 64 << 30  # of all shards
MOST_SHARDS = 1000
SHOWN = 4  # names in a message


def is_index(path: Path) -> bool:
    """Whether a file can be an index; no file of tensors is JSON text."""
    return path.is_file() and looks_like_file(path) == "JSON text"


def index_in(folder: Path) -> Path:
    """The index in a folder; where both forms are there, that of safetensors.

    Raises:
        NotHereError: there is none.
        CheckpointError: there are several.
    """
    found = sorted(folder.glob(PATTERN))
    found = [path for path in found if path.name.endswith(".safetensors.index.json")] or found
    if not found:
        raise NotHereError(f"{folder} is a folder without an index of shards ({PATTERN}); expected a file")
    if len(found) > 1:
        names = ", ".join(path.name for path in found[:SHOWN])
        raise CheckpointError(f"{folder} holds {len(found)} indexes of shards ({names}); name the one that you mean")
    return found[0]


def shards_of(index: Path) -> dict[Path, set[str]]:
    """Shard -> names of the tensors that the index says are in it; each lies beside the index.

    Raises:
        CheckpointError: the index is no such JSON, or names what is no file beside it.
        NotHereError: shards are missing.
    """
    try:
        if (size := index.stat().st_size) > LARGEST:
            raise ValueError(f"{size} bytes")
        held = json.loads(index.read_text(encoding="utf-8"), object_pairs_hook=once)
        weight_map = held["weight_map"] if isinstance(held, dict) and "weight_map" in held else None
        if not isinstance(weight_map, dict) or not all(isinstance(file, str) for file in weight_map.values()):
            raise ValueError('no {"weight_map": {tensor: file}}')
    except (ValueError, RecursionError, OSError) as error:
        raise misfit(f"another JSON text ({str(error)[:100]})", "the index of a sharded checkpoint") from None
    shards: dict[Path, set[str]] = {}
    for name, file in weight_map.items():
        if not file or Path(file).name != file or "\\" in file or not file.isprintable():
            raise misfit(f"the shard {file[:100]!a} in the index", "the name of a file beside it, without a path")
        shards.setdefault(index.parent / file, set()).add(name)
    if not 0 < len(shards) <= MOST_SHARDS:
        raise misfit(f"an index of {len(shards)} shards", f"1 to {MOST_SHARDS}")
    absent = sorted(path.name for path in shards if not path.is_file())
    if absent:
        raise NotHereError(
            f"{len(absent)} of {len(shards)} shards are not beside {index}: {shown(absent)}. Put them there."
        )
    if (size := sum(path.stat().st_size for path in shards)) > MOST_BYTES:
        raise misfit(f"shards of {size} bytes", f"at most {MOST_BYTES}")
    return shards


def with_shards(path: Path) -> list[Path]:
    """The files that a checkpoint consists of: itself, and the shards of an index; errors as :func:`shards_of`."""
    try:
        return [path, *shards_of(path)] if is_index(path) else [path]
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}.") from None


def read_sharded(index: Path, read: Callable[[Path], Any]) -> dict[str, np.ndarray]:
    """Name -> array of all shards, each of which ``read`` reads.

    Raises:
        CheckpointError: as :func:`shards_of`, or a shard has not just the tensors that the index says.
    """
    arrays: dict[str, np.ndarray] = {}
    for path, listed in shards_of(index).items():
        held = read(path)
        if not isinstance(held, dict) or not all(isinstance(array, np.ndarray) for array in held.values()):
            raise misfit(f"the shard {path.name} that is no table of tensors", "one")
        if absent := listed - held.keys():
            raise misfit(f"the shard {path.name} without {shown(absent)}", "it, as the index says; download it again")
        if unlisted := held.keys() - listed:
            raise misfit(f"the shard {path.name} with {shown(unlisted)}", "only tensors that the index says are in it")
        arrays |= held
    return arrays


def shown(names: Iterable[Any]) -> str:
    """A few of the names, for messages."""
    first, *others = sorted(ascii(str(name)[:80])[1:-1] for name in names)
    return ", ".join([first, *others[: SHOWN - 1], *(["..."] if len(others) >= SHOWN else [])])
