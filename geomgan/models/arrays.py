"""Reading the arrays of an Orbax checkpoint as Orbax does, but so that damage says one thing.

Where one array is damaged, Orbax leaves the others to an event loop that it closes, and each prints a traceback.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TREE = "_METADATA"  # which arrays there are, and where in the nested dictionaries each one belongs


def place(folder: Path, name: str = "") -> dict[str, Any]:
    """Where TensorStore finds what begins with ``name``: in files for all arrays (OCDBT), or in a folder for each."""
    if (folder / "manifest.ocdbt").exists():
        return {"driver": "ocdbt", "base": {"driver": "file", "path": f"{folder}/"}, "path": name}
    return {"driver": "file", "path": f"{folder}/{name}"}


def read_arrays(folder: Path) -> dict[str, Any]:
    """The nested dictionaries of numpy arrays that a checkpoint holds; what fails raises what TensorStore raises."""
    import tensorstore as ts

    written = json.loads((folder / TREE).read_text(encoding="utf-8"))
    context = ts.Context()
    spec = {
        "driver": "zarr3" if written.get("use_zarr3") else "zarr",
        "fill_missing_data_reads": not written.get("store_array_data_equal_to_fill_value"),  # else absent is damaged
    }
    paths = [[entry["key"] for entry in leaf["key_metadata"]] for leaf in written["tree_metadata"].values()]
    if wrong := [key for path in paths for key in path if not isinstance(key, str) or "/" in key]:
        raise ValueError(f"{TREE} names {wrong[0]!r}; expected names without /")
    kvstores = [place(folder, f"{'.'.join(path)}/") for path in paths]
    opening = [ts.open({**spec, "kvstore": kvstore}, open=True, context=context) for kvstore in kvstores]
    reading = [array.result().read() for array in opening]
    tree: dict[str, Any] = {}
    for path, array in zip(paths, reading, strict=True):
        node = tree
        for key in path[:-1]:
            node = node.setdefault(key, {})
        node[path[-1]] = array.result()
    return tree
