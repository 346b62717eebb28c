"""What a ``torch.export`` archive (``.pt2``) holds: weights and constants by name, and its graph as JSON.

Every file in it is stored as it is: text, or the numbers of a storage. Its pickles (example inputs, tensors of classes
of their own) are never opened.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.errors import CheckpointError
from geomgan.restricted_pickle import looks_like, misfit, read_bytes
from weights_convert.strict_json import once
from weights_convert.torch_file import zip_names, zip_records
from weights_convert.torch_tensors import BFLOAT16, decode, itemsize, strided

GRAPH = "models/model.json"
WEIGHTS = "data/weights/model_weights_config.json"
CONSTANTS = "data/constants/model_constants_config.json"
EXAMPLE = "extra/geomgan.json"  # inputs and their sample, as `geomgan export-recipe` has them stored
MAX_TEXT = 64 << 20  # bytes of JSON
KINDS = {  # the schema's number of a type -> as in torch_tensors
    **{1: "u1", 2: "i1", 3: "i2", 4: "i4", 5: "i8", 6: "f2", 7: "f4", 8: "f8", 12: "?", 13: BFLOAT16},
    **{10: "c8", 11: "c16"},
}
Record = Callable[[str], memoryview | None]


def read_exported(data: bytes) -> dict[str, np.ndarray]:
    """Name -> read-only array of every parameter and buffer.

    Raises:
        CheckpointError: the archive is damaged, or a tensor lies outside of its numbers.
    """
    return _tensors(_records(data), WEIGHTS)


def read_archive(path: Path) -> dict[str, Any]:
    """All that a program is made from.

    Returns:
        ``{"weights": name -> array of every parameter, buffer and constant, "graph": text, "example": text}``; the
        texts are JSON, and the last is empty where there is none.

    Raises:
        CheckpointError: it is another file, of an older torch, or damaged.
    """
    data = read_bytes(path)
    try:
        if (kind := looks_like(data)) != "a network of torch.export":
            raise misfit(*_instead(data, kind))
        record = _records(data)
        return {
            "weights": {**_tensors(record, WEIGHTS), **_tensors(record, CONSTANTS)},
            "graph": _text(record, GRAPH),
            "example": _text(record, EXAMPLE),
        }
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None


def from_json(text: bytes, what: str) -> Any:
    """The JSON of one file of an archive."""
    try:
        return json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise misfit(f"{what} that is no JSON ({str(error)[:100]})", "it whole; export the network again") from None


def _instead(data: bytes, kind: str) -> tuple[str, str]:
    """What was found in place of an archive, and what to do."""
    again = "an archive of torch.export: `geomgan export-recipe` says how the network is exported"
    if data[:2] == b"PK":
        names = {name.rpartition("/")[2] for name in zip_names(data)}
        if "serialized_exported_program.json" in names:
            return (
                "an archive of an older torch.export",
                "one of torch 2.9 or later: torch.export.save(torch.export.load(OLD), NEW) with it writes one",
            )
        if "constants.pkl" in names:
            return "a TorchScript archive, which holds programs in another form", again
        if "data.pkl" in names:
            return "a file of torch.save, which holds no program", again
    return kind, again


def _records(data: bytes) -> Record:
    return zip_records(data, GRAPH, "torch.export.save")[1]


def _text(record: Record, name: str) -> bytes:
    text = record(name) or b""
    if len(text) > MAX_TEXT:
        raise misfit(f"{len(text)} bytes of {name}", f"at most {MAX_TEXT}")
    return bytes(text)


def _tensors(record: Record, config: str) -> dict[str, np.ndarray]:
    """The arrays that one of the two tables of an archive lists."""
    try:
        listed = from_json(_text(record, config) or b'{"config": {}}', config)["config"]
        entries = {str(name): _fields(entry) for name, entry in listed.items()}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise misfit(f"another {config} ({str(error)[:100]})", "names with type, sizes, strides and file") from None
    folder = config.rpartition("/")[0]
    arrays = {}
    for name, (file, kind, sizes, strides, offset) in entries.items():
        raw = record(f"{folder}/{file}")
        if raw is None or kind not in KINDS:
            raise misfit(
                f"the tensor {name[:100]!a} of type {kind!a} in {str(file)[:100]!a}", "a number type in a file"
            )
        if len(raw) % itemsize(KINDS[kind]):
            raise misfit(f"{len(raw)} bytes of the tensor {name[:100]!a}", f"a multiple of {itemsize(KINDS[kind])}")
        arrays[name] = strided(decode(raw, KINDS[kind], "<"), offset, sizes, strides)
    return arrays


def _fields(entry: Mapping[str, Any]) -> tuple[str, int, tuple[Any, ...], tuple[Any, ...], Any]:
    """File, type, sizes, strides and offset of one tensor."""
    meta = entry["tensor_meta"]
    if entry["use_pickle"] or not isinstance(meta["dtype"], int):
        raise ValueError("a tensor in a pickle: an object, or a tensor of a class of its own")
    sizes, strides = (tuple(side["as_int"] for side in meta[key]) for key in ("sizes", "strides"))
    return entry["path_name"], meta["dtype"], sizes, strides, meta["storage_offset"]["as_int"]
