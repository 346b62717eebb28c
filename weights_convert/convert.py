"""From a published checkpoint to a model folder."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.errors import CheckpointError, NotHereError, check_choice
from geomgan.model_folder import write_model
from weights_convert.torch_file import read_checkpoint

MODULES = ("dcgan_tutorial", "generative_latent_space", "lpips")  # one module per family, or family of families


@dataclass(frozen=True)
class Converted:
    """What a family makes of a checkpoint: the entries of its card, and its weights by part."""

    card: dict[str, Any]
    params: dict[str, Any]


@dataclass(frozen=True)
class Family:
    """A kind of published checkpoint.

    Attributes:
        name: for the command line and ``model.json``.
        checkpoint: what file or folder it is, for the help.
        files: names inside the folder where a model comes in several files; empty for a single file.
        convert: ``(state of each file, options) -> Converted``.
        options: option -> help, for what the file does not say.
        stand_ins: patterns of pickled classes that may appear and are read as inert records.
        stem: what comes before ``-`` and the start of the sha256 in the published file's name; a file of such a name
            must keep that promise.
    """

    name: str
    checkpoint: str
    convert: Callable[[Mapping[str, Any], Mapping[str, str]], Converted]
    files: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    stand_ins: Sequence[str] = ()
    stem: str = ""


def families() -> dict[str, Family]:
    """Every family by name."""
    modules = (import_module(f"weights_convert.{name}") for name in MODULES)
    return {family.name: family for module in modules for family in module.FAMILIES}


def convert(
    family: str,
    checkpoint: str | os.PathLike,
    out: str | os.PathLike,
    options: Mapping[str, str] | None = None,
    card: Mapping[str, Any] | None = None,
) -> Path:
    """Convert a published checkpoint into a folder that ``geomgan.load`` opens.

    Args:
        family: see ``python -m weights_convert --help``.
        checkpoint: a file, or a folder where a model comes in several files.
        out: the folder to write; it appears complete or not at all.
        options: what the file does not say.
        card: further entries for ``model.json`` (licence, source).

    Raises:
        ValueError: unknown family or option; the nearest names are given.
        NotHereError: a file is missing.
        CheckpointError: the checkpoint is damaged, of another family, or names a forbidden class.
    """
    known = families()
    check_choice(family, known, "family")
    kind, options = known[family], dict(options or {})
    for option in options:
        check_choice(option, kind.options, "option")
    files = _files(kind, Path(checkpoint).expanduser())
    provenance = [_provenance(path) for path in files]
    for entry in provenance:
        _check_name(kind, **entry)
    states = {path.name if kind.files else "": read_checkpoint(path, stand_ins=kind.stand_ins) for path in files}
    try:
        converted = kind.convert(states, options)
    except (ArithmeticError, LookupError, TypeError) as error:  # from shapes that no model of the family has
        reason = f"{type(error).__name__}: {error}"
        raise CheckpointError(f"{checkpoint} is not a checkpoint of {family}: shapes do not fit ({reason}).") from error
    entries = {"family": family, **converted.card, **(card or {}), "files": provenance}
    return write_model(out, entries, converted.params)


def state_dict(state: Any, *keys: str) -> dict[str, np.ndarray]:
    """The flat state dict in a checkpoint: under the first of ``keys`` that is there, or the checkpoint itself.

    The prefix ``module.`` of data-parallel training is dropped.
    """
    for key in keys:
        if isinstance(state, dict) and key in state:
            state = state[key]
            break
    if not isinstance(state, dict) or not state or not all(isinstance(x, np.ndarray) for x in state.values()):
        held = sorted(map(str, state))[:8] if isinstance(state, dict) else type(state).__name__
        raise CheckpointError(f"the file holds {held}; expected a state dict of tensors" + _under(keys) + ".")
    return {str(name).removeprefix("module."): array for name, array in state.items()}


def _under(keys: Sequence[str]) -> str:
    return f", alone or under {' or '.join(map(repr, keys))}" if keys else ""


def _files(family: Family, checkpoint: Path) -> list[Path]:
    if family.files and not checkpoint.is_dir():
        raise NotHereError(f"{checkpoint} is not a folder; {family.name} takes {family.checkpoint}.")
    if not family.files and not checkpoint.is_file():
        raise NotHereError(f"{checkpoint} is not a file; {family.name} takes {family.checkpoint}.")
    files = [checkpoint / name for name in family.files] or [checkpoint]
    absent = [path.name for path in files if not path.is_file()]
    if absent:
        raise NotHereError(f"{checkpoint} lacks {', '.join(absent)}; {family.name} takes {family.checkpoint}.")
    return files


def _check_name(family: Family, file: str, sha256: str, **_: Any) -> None:
    """Raise if a published name carries the start of another sha256 than the file's."""
    promised = re.match(rf"{re.escape(family.stem)}-([0-9a-f]{{8,64}})(?![0-9A-Za-z])", file) if family.stem else None
    if promised and not sha256.startswith(promised[1]):
        raise CheckpointError(
            f"{file} has sha256 {sha256}; expected one that begins with {promised[1]}, as its name says. It is damaged "
            "or not the published file: nothing of it was read. Download it again, or rename a file of your own."
        )


def _provenance(path: Path) -> dict[str, Any]:
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"file": path.name, "sha256": digest, "bytes": path.stat().st_size}
