"""Files of Keras: ``.keras`` archives of Keras 3, and ``.h5`` files of whole models of Keras 2 and 3."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.errors import CheckpointError
from geomgan.restricted_pickle import looks_like, misfit, read_bytes
from weights_convert.hdf5 import Dataset, Group, read_hdf5
from weights_convert.keras_layers.calls import MAX_NESTING
from weights_convert.keras_layers.graph import MODELS, WRAPPERS
from weights_convert.strict_json import once
from weights_convert.torch_file import zip_records

WEIGHTS = "model.weights.h5"
MAX_CONFIG = 16 << 20  # bytes of JSON
VECTOR = "vector_u"  # of a spectral norm, whose kernel is kept normalised
MAX_CHUNKS = 10_000  # of a list of names that is too long for one attribute

Variables = dict[str, list[np.ndarray]]


def read(path: str | Path) -> dict[str, Any]:
    """``{"model": configuration, "variables": path of a layer -> arrays, "old": whether Keras 2 wrote it}``.

    The path of a layer is its name behind those of the models that it is in, with ``/`` between; its variables are in
    Keras's order. Nothing in a file is executed: a configuration is JSON, and what it names is looked up in our tables.

    Raises:
        CheckpointError: it is another file, holds weights alone, or is damaged.
    """
    data = read_bytes(path)
    try:
        kind = looks_like(data)
        if kind == "a Keras archive":
            return _archive(data)
        if kind == "an HDF5 file":
            return _legacy(read_hdf5(data))
        raise misfit(kind, "a .keras or .h5 file of a whole model, as model.save writes it")
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None


def _archive(data: bytes) -> dict[str, Any]:
    _, record = zip_records(data, WEIGHTS, "Keras")
    model, about = (_json(record(name), name) for name in ("config.json", "metadata.json"))
    weights = read_hdf5(record(WEIGHTS) or b"")
    return {"model": model, "variables": dict(_of_layers(model, weights, "", 0)), "old": _old(about)}


def _legacy(root: Group) -> dict[str, Any]:
    text = root.attributes.get("model_config")
    if not isinstance(text, str):
        raise misfit("an HDF5 file of weights alone", "a whole model: model.save('decoder.keras')")
    weights = root.members.get("model_weights", root)
    if not isinstance(weights, Group):
        raise misfit("an HDF5 file without model_weights", "the weights of a model")
    model = _json(text.encode(), "model_config")
    variables: Variables = {}
    paths = list(_paths(model, "", 0))
    for layer in _names(weights, "layer_names"):
        held = weights.members.get(layer)
        if not isinstance(held, Group):
            raise misfit(f"no weights of the layer {layer[:60]!a}", "a group of that name")
        for name in _names(held, "weight_names"):
            if name.split("/")[-1].startswith(VECTOR):
                continue
            path = _owner(name, layer, paths)
            variables.setdefault(path, []).append(_dataset(held, name))
    return {"model": model, "variables": variables, "old": _old(root.attributes)}


def _owner(name: str, layer: str, paths: Sequence[str]) -> str:
    """The path of the layer that a variable of ``layer`` belongs to: that layer, or one of a model that it is."""
    if layer in paths:
        return layer
    owner = name.split("/")[-2:-1]
    inside = [path for path in paths if path.startswith(f"{layer}/") and path.split("/")[-1:] == owner]
    if len(inside) != 1:
        raise misfit(f"the weight {name[:80]!a} of {layer[:60]!a}, of which layer is not said", "one that has a name")
    return inside[0]


def _names(group: Group, attribute: str) -> list[str]:
    """The texts of an attribute; long ones are in several of them, numbered."""
    found = group.attributes.get(attribute)
    if found is None:
        parts = (group.attributes.get(f"{attribute}{i}") for i in range(MAX_CHUNKS))
        found = [name for part in parts if isinstance(part, list) for name in part]
    if not isinstance(found, list):
        return []
    return [name for name in found if isinstance(name, str)]


def _dataset(group: Group, path: str) -> np.ndarray:
    found: Group | Dataset | None = group
    for part in path.split("/"):
        found = found.members.get(part) if isinstance(found, Group) else None
    if not isinstance(found, Dataset):
        raise misfit(f"no array {path[:80]!a}", "what the list of weights names")
    return found.array


def _of_layers(model: Any, group: Group, scope: str, depth: int) -> Iterator[tuple[str, list[np.ndarray]]]:
    """The variables of every layer of an archive, where a layer is called by its class and a number."""
    layers = group.members.get("layers")
    counts: dict[str, int] = {}
    for name, kind, entry in _entries(model, depth):
        stem = _snake(kind)
        number = counts[stem] = counts.get(stem, -1) + 1
        held = layers.members.get(f"{stem}_{number}" if number else stem) if isinstance(layers, Group) else None
        if kind in WRAPPERS and isinstance(held, Group):
            held = held.members.get("layer")
        if isinstance(held, Group) and kind in MODELS:
            yield from _of_layers(entry, held, f"{scope}{name}/", depth + 1)
        elif isinstance(held, Group) and isinstance(variables := held.members.get("vars"), Group):
            yield f"{scope}{name}", _in_order(variables)


def _in_order(variables: Group) -> list[np.ndarray]:
    """Arrays called 0, 1, ..."""
    found = [variables.members.get(str(i)) for i in range(len(variables.members))]
    if not all(isinstance(array, Dataset) for array in found):
        raise misfit(f"variables called {', '.join(variables.members)[:60]!a}", "0, 1 and so on")
    return [array.array for array in found if isinstance(array, Dataset)]


def _paths(model: Any, scope: str, depth: int) -> Iterator[str]:
    """Paths of all layers that are no models."""
    for name, kind, entry in _entries(model, depth):
        if kind in MODELS:
            yield from _paths(entry, f"{scope}{name}/", depth + 1)
        else:
            yield f"{scope}{name}"


def _entries(model: Any, depth: int) -> Iterator[tuple[str, str, Any]]:
    """Name, class and entry of the layers of a configuration; what is none is told when the program is made."""
    config = model.get("config") if isinstance(model, dict) else None
    layers = config.get("layers") if isinstance(config, dict) else None
    for entry in layers if isinstance(layers, list) and depth <= MAX_NESTING else ():
        kind = entry.get("class_name") if isinstance(entry, dict) else None
        settings = entry.get("config") if isinstance(entry, dict) else None
        name = settings.get("name") if isinstance(settings, dict) else None
        if isinstance(kind, str) and isinstance(name, str):
            yield name, kind, entry


def _snake(kind: str) -> str:
    """``Conv2DTranspose -> conv2d_transpose``, as Keras names the groups of an archive."""
    kind = re.sub(r"\W+", "", kind[:200])
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", kind)).lower()


def _json(raw: bytes | memoryview | None, name: str) -> Any:
    if raw is None or len(raw) > MAX_CONFIG:
        raise misfit(f"no {name}, or one of more than {MAX_CONFIG} bytes", "what Keras writes")
    try:
        return json.loads(bytes(raw).decode("utf-8"), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise misfit(f"{name} that is no JSON ({str(error)[:100]})", "what Keras writes") from None


def _old(about: Any) -> bool:
    version = about.get("keras_version") if isinstance(about, Mapping) else None
    return isinstance(version, str) and version.startswith(("1.", "2."))
