"""The weights of a ``torch.export`` archive (``.pt2``) by name; its graph, and the one pickle in it, are not read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from geomgan.restricted_pickle import misfit
from weights_convert.torch_file import zip_records
from weights_convert.torch_tensors import BFLOAT16, decode, itemsize, strided

CONFIG = "data/weights/model_weights_config.json"
MAX_CONFIG = 32 << 20  # bytes
KINDS = {  # the schema's number of a type -> as in torch_tensors
    **{1: "u1", 2: "i1", 3: "i2", 4: "i4", 5: "i8", 6: "f2", 7: "f4", 8: "f8", 12: "?", 13: BFLOAT16},
}


def read_exported(data: bytes) -> dict[str, np.ndarray]:
    """Name -> read-only array of every parameter and buffer.

    Raises:
        CheckpointError: the archive is damaged, or a tensor lies outside of its numbers.
    """
    _, record = zip_records(data, CONFIG, "a network of torch.export")
    text = bytes(record(CONFIG) or b"")
    if len(text) > MAX_CONFIG:
        raise misfit(f"{len(text)} bytes of {CONFIG}", f"at most {MAX_CONFIG}")
    try:
        config = json.loads(text)["config"]
        entries = {str(name): _fields(entry) for name, entry in config.items()}
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise misfit(f"another {CONFIG} ({str(error)[:100]})", "names with type, sizes, strides and file") from None
    arrays = {}
    for name, (file, kind, sizes, strides, offset) in entries.items():
        raw = record(f"data/weights/{file}")
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
        raise ValueError("a tensor in a pickle")
    sizes, strides = (tuple(side["as_int"] for side in meta[key]) for key in ("sizes", "strides"))
    return entry["path_name"], meta["dtype"], sizes, strides, meta["storage_offset"]["as_int"]
