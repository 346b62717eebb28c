"""A folder that was named where a file is expected: which file of it is meant, or what is in it."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
from pathlib import Path

from geomgan.errors import NotHereError
from geomgan.models.families import CHECKPOINTS
from geomgan.restricted_pickle import looks_like_file
from weights_convert.recognise.description import listed
from weights_convert.sharded import PATTERN, index_in

SUFFIXES = (
    *(".pth", ".pt", ".pkl", ".bin", ".ckpt", ".tar", ".model", ".safetensors", ".npz"),
    *(".pt2", ".h5", ".hdf5", ".keras", ".onnx"),
)


def all_there(family: str, folder: Path) -> bool:
    """Whether a folder has the files of a family that comes in several."""
    files = CHECKPOINTS[family].files
    return bool(files) and all((folder / name).is_file() for name in files)


def weight_files(folder: Path) -> list[Path]:
    """Those in a folder that can be files of weights by the ends of their names; none where there is no such folder."""
    if not os.path.isdir(folder):
        return []
    return sorted(path for path in folder.iterdir() if path.name.lower().endswith(SUFFIXES) and path.is_file())


def one_of(folder: Path) -> Path:
    """The one file of weights in a folder; ``NotHereError`` where there is none, or several."""
    if any(folder.glob(PATTERN)):
        return index_in(folder)
    files = weight_files(folder)
    if len(files) == 1:
        return files[0]
    what = _folder(folder)
    if not files:
        below = sorted({str(p.parent) for p in folder.glob("*/*") if p.name.lower().endswith(SUFFIXES)})
        where = f" Name one of {listed(below)}." if below else ""
        raise NotHereError(f"{folder} is {what} without a file of weights.{where}")
    commands = "".join(
        f"\n  geomgan convert auto {shlex.quote(str(path))} OUT_DIR    # {looks_like_file(path)}" for path in files[:8]
    )
    raise NotHereError(
        f"{folder} is {what} with {len(files)} files of weights. Name the one with the generator:{commands}"
    )


def _folder(folder: Path) -> str:
    """What a folder is by its JSON files."""
    for name in ("model_index.json", "config.json", "model_config.json"):
        with contextlib.suppress(OSError, ValueError, RecursionError):
            said = json.loads((folder / name).read_bytes()[: 1 << 20])
            kinds = [said.get(key) for key in ("_class_name", "name", "model_type")] if isinstance(said, dict) else []
            if kind := next((kind for kind in kinds if isinstance(kind, str) and kind.isprintable()), ""):
                return f"a folder of {kind[:60]} ({name})"
    return "a folder"
