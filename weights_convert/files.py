"""Reading a file of weights, whatever wrote it: told by its first bytes and what it holds, never by its name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.errors import CheckpointError
from geomgan.restricted_pickle import looks_like, read_bytes
from weights_convert.arrays import read_npz, read_safetensors
from weights_convert.exported import read_exported
from weights_convert.modules import without_modules
from weights_convert.shadows import named_shadows
from weights_convert.sharded import index_in, is_index, read_sharded
from weights_convert.torch_file import parse, zip_names

ANY_CLASS = ("*",)  # objects of every class are inert records here, so that none keeps the weights from being read
OWN = "docs/own_generator.md says how a network in JAX, PyTorch or any other runtime is analysed without converting it"
WAYS = {  # what a file looks like -> the shortest way from it to one that is read
    "a network in ONNX": "Its weights alone, with the package onnx: numpy.savez('weights.npz', **{t.name: "
    "onnx.numpy_helper.to_array(t) for t in onnx.load(FILE).graph.initializer}); or the state dict that it was "
    "exported from, which has its batch norms",
    "an HDF5 file": "A whole model of Keras: geomgan convert keras-layers FILE OUT_DIR. From tables of arrays: "
    "numpy.savez('weights.npz', **{name: array, ...}) with the names of the published state dict",
    "a Keras archive": "Convert it: geomgan convert keras-layers FILE OUT_DIR",
    "a numpy .npy file": "It has one array and no name: numpy.savez('weights.npz', **{name: array, ...}) with the "
    "names of the published state dict",
    "a GGUF file": "Save the tensors with the names of the published state dict: numpy.savez('weights.npz', ...)",
}
READERS: dict[str, Callable[[bytes], dict[str, np.ndarray]]] = {
    "a safetensors file": read_safetensors,
    "a network of torch.export": read_exported,
}


def read_file(path: str | Path, *, stand_ins: Sequence[str] = ANY_CLASS) -> Any:
    """What a file of weights holds: nested containers of arrays, and of every whole module its ``StateDict``.

    Read are the files of ``torch.save`` (of a state dict, a checkpoint or a whole module), TorchScript archives, plain
    pickles, ``torch.export`` archives, ``.safetensors`` and ``.npz``, and shards by their index or the folder it is in.
    Nothing in a file is executed.

    Raises:
        CheckpointError: it is another file, is damaged, or too large; the shortest way on is said.
        NotHereError: shards are missing.
    """
    return named_shadows(without_modules(read_tree(path, stand_ins=stand_ins)))


def read_tree(path: str | Path, *, stand_ins: Sequence[str]) -> Any:
    """As :func:`read_file`, with whole modules as the records that they are in the file."""
    path = index_in(Path(path)) if Path(path).is_dir() else Path(path)
    read = lambda shard: _tree(shard, stand_ins)
    try:
        return read_sharded(path, read) if is_index(path) else read(path)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None


def _tree(path: Path, stand_ins: Sequence[str]) -> Any:
    data = read_bytes(path)
    kind = looks_like(data)
    if kind in WAYS:
        raise CheckpointError(f"this is {kind}. {WAYS[kind]}. {OWN}")
    if kind in READERS:
        return READERS[kind](data)
    if data[:2] == b"PK" and any(name.endswith(".npy") for name in zip_names(data)):
        return read_npz(data)
    return parse(data, stand_ins)
