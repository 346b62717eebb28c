"""The weights of any file that is read, or of a converted model, as one ``.safetensors`` file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from flax import traverse_util

from geomgan.errors import CheckpointError, OptionError
from geomgan.models.card import is_model
from geomgan.models.folder import read_model
from geomgan.runs.files import written
from weights_convert.arrays import SAFE
from weights_convert.containers import state_dict
from weights_convert.files import read_file
from weights_convert.modules import StateDict

SUFFIX = ".safetensors"
ALIGNED = 8  # bytes: where the numbers begin
_CODES = {np.dtype(kind): code for code, kind in SAFE.items()}


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        path: the file.
        tensors, bytes: how many there are, and their size.
        repeated: tensors that are the numbers of one before them, which the format cannot share -> that one.
    """

    path: Path
    tensors: int
    bytes: int
    repeated: dict[str, str]


def export_weights(source: str | os.PathLike[str], out: str | os.PathLike[str], key: str | None = None) -> Exported:
    """Write the weights of ``source`` as safetensors, under the names of their state dict and with their types.

    Bfloat16 becomes float32, as everywhere here; tensors that share their numbers are written once for each name.

    Args:
        source: a file of weights (see :func:`weights_convert.files.read_file`), an index of shards, or the folder of a
            converted model: its layers have our names and layout, behind the name of the part where it has several.
        out: ``.../NAME.safetensors``; it appears whole or not at all.
        key: of the network in a checkpoint that holds several; the averaged one, or the generator, unless given.

    Raises:
        CheckpointError: the file is damaged or none of weights, or does not say which of its networks is meant.
        OptionError: ``out`` has another suffix, or ``key`` is none of the checkpoint.
        StoreError: it cannot be written.
    """
    out = Path(out)
    if out.suffix != SUFFIX:
        raise OptionError(f"{out} does not end in {SUFFIX}. Name the file NAME{SUFFIX}.")
    tensors = _of_model(Path(source), key) if is_model(source) else _of_file(source, key)
    write_safetensors(out, tensors)
    size = sum(array.nbytes for array in tensors.values())
    return Exported(out, len(tensors), size, _repeated(tensors))


def write_safetensors(path: str | os.PathLike[str], tensors: Mapping[str, np.ndarray]) -> None:
    """Write named arrays in the format's order: the widest numbers first, so that all are aligned.

    Raises:
        CheckpointError: a tensor has a type that the format does not know.
        StoreError: it cannot be written.
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    order = sorted(tensors, key=lambda name: -tensors[name].dtype.itemsize)
    start, spans = 0, {}
    for name in order:
        spans[name] = start, (start := start + tensors[name].nbytes)
    for name, array in tensors.items():  # the header keeps the order of the state dict, which is that of the layers
        kind = array.dtype.newbyteorder("=")
        if kind not in _CODES:
            raise CheckpointError(f"the tensor {name} has the type {array.dtype}; expected one of {', '.join(SAFE)}.")
        header[name] = {"dtype": _CODES[kind], "shape": array.shape, "data_offsets": spans[name]}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNED)
    with written(path) as temporary, temporary.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in order:
            array = tensors[name]
            file.write(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())


def _of_file(source: str | os.PathLike[str], key: str | None) -> StateDict:
    state = read_file(Path(source))
    if key is not None and (not isinstance(state, dict) or key not in state):
        held = ", ".join(map(str, list(state)[:8])) if isinstance(state, dict) else f"a {type(state).__name__}"
        raise OptionError(f"{source} has no {key!r} at its top; it holds {held}.")
    try:
        return state_dict(state if key is None else state[key], fits=_network)
    except CheckpointError as error:
        raise CheckpointError(f"{source}: {error}") from None
    except OptionError as error:
        raise OptionError(f"{source}: {str(error).replace('--option network=', '--key ')}") from None


def _network(tensors: StateDict) -> dict[str, StateDict]:
    """Any network: tensors of layers, not the moments of an optimizer."""
    return {"": tensors} if any("." in name or name == "weight" for name in tensors) else {}


def _of_model(folder: Path, key: str | None) -> StateDict:
    _, params = read_model(folder)
    if key is not None and key not in params:
        raise OptionError(f"the model {folder} has no part {key!r}; it has {', '.join(params)}.")
    parts = {key: params[key]} if key is not None else params
    tree = parts if len(parts) > 1 else next(iter(parts.values()))
    return StateDict({name: np.asarray(array) for name, array in traverse_util.flatten_dict(tree, sep=".").items()})


def _repeated(tensors: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Tensors of the same memory, shape and strides as one before."""
    first: dict[Any, str] = {}
    shared = {}
    for name, array in tensors.items():
        place = (array.__array_interface__["data"][0], array.shape, array.strides, array.dtype)
        if array.size and (owner := first.setdefault(place, name)) != name:
            shared[name] = owner
    return shared
