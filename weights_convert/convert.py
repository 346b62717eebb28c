"""From a published checkpoint to a model folder."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.errors import CheckpointError, NotHereError, OptionError, check_choice, reading, warn
from geomgan.models.families import CHECKPOINTS, FAMILIES, Checkpoint
from geomgan.models.measured import write_measured
from weights_convert.containers import Found, find, renamed, state_dict
from weights_convert.files import read_file
from weights_convert.options import Options, sentence, taken
from weights_convert.recognise.which_family import fits_of, recognised
from weights_convert.sharded import PATTERN, index_in, with_shards
from weights_convert.sheet import write_sheet

__all__ = ["Converted", "convert", "read", "renamed", "state_dict", "write"]


@dataclass(frozen=True)
class Converted:
    """What a converter makes of a checkpoint.

    Attributes:
        card: entries of the card.
        params: the weights by part.
        show: whether so much was guessed that a sheet of samples is to be looked at.
    """

    card: dict[str, Any]
    params: dict[str, Any]
    show: bool = False


def convert(
    family: str,
    checkpoint: str | os.PathLike[str],
    out: str | os.PathLike[str],
    options: Mapping[str, str] | None = None,
    card: Mapping[str, Any] | None = None,
    say: Callable[[str], None] = warn,
) -> Path:
    """Convert a published checkpoint into a folder that ``geomgan.load`` opens.

    Args:
        family: see ``geomgan convert --help``.
        checkpoint: a file, or a folder where a model comes in several files.
        out: the folder to write; it appears complete or not at all.
        options: what the file does not say.
        card: further entries for ``model.json`` (licence, source).
        say: is told what was taken from a file that has its network elsewhere than the published one, and what was
            assumed because neither file nor options say it; by default a warning. The card keeps both, as ``taken``
            and ``assumed``.

    Raises:
        ValueError: unknown family or option; the nearest names are given.
        NotHereError: a file is missing.
        CheckpointError: the checkpoint is damaged, of another family, or names a forbidden class.
    """
    return write(out, read(family, checkpoint, options, say), card, say)


def write(
    out: str | os.PathLike[str],
    made: Converted,
    card: Mapping[str, Any] | None = None,
    say: Callable[[str], None] = warn,
) -> Path:
    """The folder ``out`` with what was converted, and a sheet of samples to look at; errors as of :func:`convert`."""
    folder = write_measured(out, {**made.card, **(card or {})}, made.params)
    if made.show and (sheet := write_sheet(folder)):
        say(f"{sheet} has samples of what was guessed: look whether they are as they should be.")
    return folder


def read(
    family: str,
    checkpoint: str | os.PathLike[str],
    options: Mapping[str, str] | None = None,
    say: Callable[[str], None] = warn,
) -> Converted:
    """What :func:`convert` writes: the card, with ``family`` and ``files``, and the weights; errors as there."""
    check_choice(family, CHECKPOINTS, "family")
    published = CHECKPOINTS[family]
    helps = taken(published)
    said = Options(options or {}, helps)
    for option in said:
        check_choice(option, helps, "option")
    takes = f"{family} takes {published.what}"
    files = _files(published, Path(checkpoint).expanduser(), takes)
    second = _beside(published, files[0])
    provenance = [_provenance(part) for path in [*files, *second] for part in with_shards(path)]
    for entry in provenance:
        _check_name(published, **entry)
    states = {path.name if published.files else "": _state(published, path, takes) for path in files}
    try:
        config = _config(family, published, files[0])
    except NotHereError as error:
        raise NotHereError(f"{error}{_other_family(family, states)}") from None
    if second:
        config["beside"] = _state(published, second[0], takes)
    converter = _named(published.converter)
    try:
        networks = _networks(published, states, said.get("network"))
        states |= {"file": states[""]} if "" in states else {}
        states |= {file: network.tensors for file, network in networks.items()}
        with np.errstate(all="ignore"):  # what overflows is reported as not finite, with its name
            converted: Converted = converter(FAMILIES[family], {**states, **config}, said)
    except OptionError:
        raise
    except (ArithmeticError, LookupError, TypeError, ValueError, MemoryError) as error:  # shapes that no model has
        mismatch = f"it is not a checkpoint of {family}: shapes do not fit ({type(error).__name__}: {error})."
        reason = f"{str(error).rstrip('.')}." if isinstance(error, CheckpointError) else mismatch
        raise CheckpointError(f"{checkpoint}: {reason}{_other_family(family, states)}") from error
    took = [f"{file}: {network}" if file else str(network) for file, network in networks.items() if str(network)]
    for file, network in networks.items():
        if network.chosen:
            say(f"{Path(checkpoint) / file}: {network}.")
    if text := converted.card.get("taken"):  # by a family that looks for its network itself
        say(f"{checkpoint}: {text}.")
    if text := sentence(said.assumed, family):
        say(f"{checkpoint}: {text}")
    notes: dict[str, Any] = {"taken": "; ".join(took)} if took else {}
    notes |= {"assumed": dict(said.assumed)} if said.assumed else {}
    return replace(converted, card={"family": family, **converted.card, **notes, "files": provenance})


def _named(function: str) -> Callable[..., Any]:
    """The function that a declaration names as ``"module:function"``."""
    module, _, name = function.partition(":")
    found: Callable[..., Any] = getattr(import_module(f"weights_convert.{module}"), name)
    return found


def _networks(published: Checkpoint, states: Mapping[str, Any], wanted: str | None) -> dict[str, Found]:
    """The network in each file by the file's name; none for a family whose converter takes the whole file."""
    signatures = published.files or ({"": published.signature} if published.signature else {})
    return {
        file: find(states[file], published.keys, fits_of(published, signature), wanted)
        for file, signature in signatures.items()
    }


def _state(published: Checkpoint, path: Path, takes: str) -> Any:
    reader = _named(published.reader) if published.reader else read_file
    try:
        return reader(path)
    except CheckpointError as error:
        raise CheckpointError(f"{str(error).rstrip('.')}. {takes}.") from None


def _other_family(family: str, states: Mapping[str, Any]) -> str:
    """A sentence that names the family whose tensor names fit best, if it is another one."""
    fitting = recognised(list(states.values()))
    best = [name for name in fitting if fitting[name] == max(fitting.values())] or [family]
    known = " or ".join(best)  # several where only the values tell them apart
    return "" if family in best else f" Its tensor names are those of {known}: convert it as that family."


def _config(family: str, published: Checkpoint, checkpoint: Path) -> dict[str, Any]:
    """``{"config": ...}`` from the JSON file beside the checkpoint, if the family reads one."""
    for pattern in published.config_files:
        found = sorted(checkpoint.parent.glob(pattern))
        if len(found) > 1:  # several models in one folder: the one that shares the longest start of its name
            shared = {path: _shared_start(path.name, checkpoint.name) for path in found}
            found = [path for path in found if shared[path] == max(shared.values())]
        if len(found) == 1:
            with reading(found[0], "Get it again.", error=CheckpointError, found="is no JSON file"):
                config = json.loads(found[0].read_text(encoding="utf-8"))
            if not isinstance(config, dict):
                raise CheckpointError(f"{found[0]} holds {type(config).__name__}; expected a JSON object.")
            return {"config": config}
    if published.needs_config:
        names = " or ".join(published.config_files)
        raise NotHereError(
            f"there is no {names} beside {checkpoint}; {family} needs it, because the tensors do not say "
            "everything. Put the published one there."
        )
    return {}


def _shared_start(a: str, b: str) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _files(published: Checkpoint, checkpoint: Path, takes: str) -> list[Path]:
    if published.files and not checkpoint.is_dir():
        raise NotHereError(f"{checkpoint} is not a folder; {takes}.")
    if not published.files and checkpoint.is_dir() and any(checkpoint.glob(PATTERN)):
        checkpoint = index_in(checkpoint)
    if not published.files and not checkpoint.is_file():
        raise NotHereError(f"{checkpoint} is not a file; {takes}.")
    files = [checkpoint / name for name in published.files] or [checkpoint]
    absent = [path.name for path in files if not path.is_file()]
    if absent:
        raise NotHereError(f"{checkpoint} lacks {', '.join(absent)}; {takes}.")
    return files


def _beside(published: Checkpoint, file: Path) -> list[Path]:
    """The second file that lies beside the first, if the family has one and it is there."""
    word, other = published.beside or ("", "")
    path = file.with_name(file.name.replace(word, other)) if word and word in file.name else file
    return [path] if path != file and path.is_file() else []


def _check_name(published: Checkpoint, file: str, sha256: str, **_: Any) -> None:
    """Raise if a published name carries the start of another sha256 than the file's."""
    stem = published.stem
    promised = re.match(rf"{re.escape(stem)}-([0-9a-f]{{8,64}})(?![0-9A-Za-z])", file) if stem else None
    if promised and not sha256.startswith(promised[1]):
        raise CheckpointError(
            f"{file} has sha256 {sha256}; expected one that begins with {promised[1]}, as its name says. It is damaged "
            "or not the published file: nothing of it was read. Download it again, or rename a file of your own."
        )


def _provenance(path: Path) -> dict[str, Any]:
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"file": path.name, "sha256": digest, "bytes": path.stat().st_size}
