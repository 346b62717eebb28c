"""What a store says of itself (settings, provenance, runs, failures, the sizes of its arrays): checked once, here."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.errors import StoreError, reading
from geomgan.runs.arrays import METADATA
from geomgan.runs.files import local_path, write_whole
from geomgan.runs.kinds import COUNT, check_kind, read_json

FORMAT = 3
OLDER = 2  # whose fill values are 0, and which wrote no chunk of zeros, no lines of checksums and no sizes
_KINDS = {"settings": dict, "provenance": dict, "runs": [dict], "failures": {...: str}}
_SIZES = {"batch": COUNT, "arrays": {...: {"shape": [COUNT], "dtype": str}}}
_OLDER_SETTINGS = {"n": COUNT, "k": COUNT, "batch": COUNT, "solver": str}
_AGAIN = f"Restore {METADATA} from a copy, or remove the folder to compute it again."

Sizes = dict[str, tuple[tuple[int, ...], np.dtype, int]]  # array -> shape, type, and rows of a chunk


def read_attributes(path: Path, settings: Any = dict) -> dict[str, Any]:
    """``{"geomgan", "settings", "provenance", "runs", "failures"}`` of a store; and its sizes, since format 3.

    Args:
        path: the store.
        settings: their kind, see :func:`geomgan.runs.kinds.check_kind`.

    Raises:
        StoreError: there is no metric field at ``path``, or what it says of itself is damaged.
    """
    if not (path / METADATA).is_file():
        found = f"holds no {METADATA}" if path.is_dir() else "is a file" if path.exists() else "does not exist"
        restore = f" If it was one, restore {METADATA} from a copy." if path.is_dir() else ""
        raise StoreError(f"{path} is not a metric field: it {found}. Name the folder that metric_field wrote.{restore}")
    with reading(path, _AGAIN, found=f"is not a metric field, or its {METADATA} is damaged"):
        contents = read_json(path / METADATA)
        check_kind(contents, {"zarr_format": range(3, 4), "node_type": str, "attributes": {"geomgan": int}}, METADATA)
        attributes = contents["attributes"]
        kinds = _KINDS if attributes["geomgan"] == OLDER else _KINDS | _SIZES
        if attributes["geomgan"] not in (OLDER, FORMAT):
            raise StoreError(
                f"{path} has format {attributes['geomgan']}; expected {OLDER} or {FORMAT}. Read it with the version "
                "of geomgan that wrote it, or compute it again."
            )
        check_kind(attributes, kinds | {"settings": settings}, "attributes")
        kept = {name: attributes[name] for name in ("geomgan", *kinds)}
        if contents["node_type"] != "group" or attributes.get("checksum", _digest(kept)) != _digest(kept):
            raise ValueError("it is not what was written: its checksum is wrong")
        if kinds is not _KINDS and "checksum" not in attributes:
            raise ValueError("its checksum is missing")
        if not all(code.isdecimal() and len(code) < 16 for code in kept["failures"]):
            raise ValueError(f"failures are of {sorted(kept['failures'])}; expected numbers of codes")
        return kept


def write_attributes(path: str | os.PathLike[str], attributes: Mapping[str, Any]) -> None:
    """Replace what a store says of itself, whole or not at all.

    Raises:
        StoreError: the disk is full, or the folder is not writable.
    """
    attributes = {"geomgan": FORMAT, **attributes}
    text = {"zarr_format": 3, "node_type": "group", "attributes": attributes | {"checksum": _digest(attributes)}}
    write_whole(local_path(path).resolve() / METADATA, json.dumps(text, indent=1))


def sizes_of(path: Path, attributes: Mapping[str, Any]) -> Sizes:
    """The arrays of a store, as its attributes have them.

    Raises:
        StoreError: they cannot be so.
    """
    with reading(path, _AGAIN, found="says of its arrays what cannot be"):
        return _older_sizes(path, attributes["settings"]) if attributes["geomgan"] == OLDER else _sizes(attributes)


def _sizes(attributes: Mapping[str, Any]) -> Sizes:
    arrays, batch = attributes["arrays"], attributes["batch"]
    sizes = {name: (tuple(size["shape"]), np.dtype(size["dtype"]), batch) for name, size in arrays.items()}
    if not all(name.isidentifier() and shape for name, (shape, _, _) in sizes.items()):
        raise ValueError(f"{sorted(arrays)} are no arrays of codes")
    if len({shape[0] for shape, _, _ in sizes.values()}) != 1 or "status" not in sizes:
        raise ValueError("they are not of as many codes")
    return sizes


def _older_sizes(path: Path, settings: Mapping[str, Any]) -> Sizes:
    """From the settings, and from the metadata of the codes for their dimension and type."""
    check_kind(settings, _OLDER_SETTINGS, "settings")
    codes = read_json(path / "codes" / METADATA)
    check_kind(codes, {"shape": [COUNT], "data_type": str}, "codes")
    n, k, batch = (settings[name] for name in ("n", "k", "batch"))
    (_, dim), double = codes["shape"], np.dtype(np.float64)
    shapes = {"vectors": (n, dim, k), "values": (n, k), "residuals": (n, k), "noise_floor": (n,)}
    shapes |= {"tensors": (n, dim, dim)} if settings["solver"] == "dense" else {}
    own = {"codes": ((n, dim), np.dtype(codes["data_type"]), batch), "status": ((n,), np.dtype(np.int8), batch)}
    return own | {name: (shape, double, batch) for name, shape in shapes.items()}


def _digest(attributes: Mapping[str, Any]) -> str:
    """Of what a store says of itself, as JSON keeps it."""
    return hashlib.sha256(json.dumps(json.loads(json.dumps(attributes)), sort_keys=True).encode()).hexdigest()[:16]
