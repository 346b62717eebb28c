"""From a published checkpoint to a model folder."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.errors import CheckpointError, NotHereError, OptionError, check_choice
from geomgan.models.measured import write_measured
from weights_convert.torch_file import read_checkpoint

MODULES = (  # one module per family, or family of families
    "biggan",
    "biggan_deep",
    "dcgan_gan_zoo",
    "dcgan_tutorial",
    "generative_latent_space",
    "lpips",
    "nvidia_stylegan2",
    "nvidia_stylegan3",
    "pggan",
    "sngan",
    "stylegan",
    "stylegan2",
    "upconv",
    "wavegan",
)


DISCRIMINATORS = ("d", "D", "discriminator", "netD")  # keys of whole checkpoints
MAX_NAME = 256  # of a tensor


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
        config_files: patterns of a JSON file beside the checkpoint that says what the tensors do not; what is found is
            ``states["config"]``. The first pattern that matches one file is taken.
        needs_config: whether it cannot be converted without one.
        signature: patterns of tensor names that every checkpoint of the family has and few others: they tell which
            family a file of another one is.
        stem: what comes before ``-`` and the start of the sha256 in the published file's name; a file of such a name
            must keep that promise.
        read: reads one file, ``(path, stand_ins=patterns)``.
    """

    name: str
    checkpoint: str
    convert: Callable[[Mapping[str, Any], Mapping[str, str]], Converted]
    files: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    stand_ins: Sequence[str] = ()
    config_files: Sequence[str] = ()
    needs_config: bool = False
    signature: Sequence[str] = ()
    stem: str = ""
    read: Callable[..., Any] = read_checkpoint


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
    states = {path.name if kind.files else "": _read(kind, path) for path in files}
    try:
        config = _config(kind, files[0])
    except NotHereError as error:
        raise NotHereError(f"{error}{_other_family(family, states)}") from None
    try:
        with np.errstate(all="ignore"):  # what overflows is reported as not finite, with its name
            converted = kind.convert({**states, **config}, options)
    except OptionError:
        raise
    except (ArithmeticError, LookupError, TypeError, ValueError, MemoryError) as error:  # shapes that no model has
        mismatch = f"it is not a checkpoint of {family}: shapes do not fit ({type(error).__name__}: {error})."
        reason = str(error) if isinstance(error, CheckpointError) else mismatch
        raise CheckpointError(f"{checkpoint}: {reason}{_other_family(family, states)}") from error
    entries = {"family": family, **converted.card, **(card or {}), "files": provenance}
    return write_measured(out, entries, converted.params)


def _read(family: Family, path: Path) -> Any:
    try:
        return family.read(path, stand_ins=family.stand_ins)
    except CheckpointError as error:
        raise CheckpointError(f"{str(error).rstrip('.')}. {family.name} takes {family.checkpoint}.") from None


def state_dict(state: Any, *keys: str) -> dict[str, np.ndarray]:
    """The flat state dict in a checkpoint: under the first of ``keys`` that is there, or the checkpoint itself.

    What lies there may be another container with one of ``keys``: ``{"netG": {"state_dict": ...}}``.

    The prefix ``module.`` of data-parallel training is dropped.
    """
    while isinstance(state, dict) and (key := next((key for key in keys if key in state), None)):
        state = state[key]
    if not isinstance(state, dict) or not state or not all(isinstance(x, np.ndarray) for x in state.values()):
        held = sorted(str(key)[:80] for key in state)[:8] if isinstance(state, dict) else type(state).__name__
        alone = isinstance(state, dict) and any(key in state for key in DISCRIMINATORS) and "G" not in state
        hint = " A discriminator alone makes no images: get the file with the generator." if alone else ""
        raise CheckpointError(f"the file holds {held}; expected a state dict of tensors" + _under(keys) + "." + hint)
    for name, array in state.items():
        if not isinstance(name, str) or len(name) > MAX_NAME or not name.isprintable():
            raise CheckpointError(f"a tensor has the name {str(name)[:80]!a}; expected up to {MAX_NAME} letters.")
        if np.iscomplexobj(array):
            raise CheckpointError(f"the tensor {name} has complex numbers; expected real ones.")
    return renamed(state, lambda name: name.removeprefix("module."))


def renamed(tensors: Mapping[Any, np.ndarray], rename: Callable[[Any], str]) -> dict[str, np.ndarray]:
    """The same tensors under the names ``rename(name)``; ``CheckpointError`` if two of them get one name."""
    names: dict[str, Any] = {}
    for old in tensors:
        if (first := names.setdefault(rename(old), old)) != old:
            raise CheckpointError(f"the tensors {first} and {old} are the same one of the model. Drop one of them.")
    return {new: tensors[old] for new, old in names.items()}


def _under(keys: Sequence[str]) -> str:
    return f", alone or under {' or '.join([*map(repr, keys[:4]), *(['...'] if keys[4:] else [])])}" if keys else ""


def tensor_names(state: Any) -> set[str]:
    """Names of every tensor in a checkpoint, without the containers they lie in and the prefix ``module.``."""
    if not isinstance(state, Mapping):
        return set()
    names = set()
    for key, value in state.items():
        names |= {str(key).removeprefix("module.")} if isinstance(value, np.ndarray) else tensor_names(value)
    return names


def _other_family(family: str, states: Mapping[str, Any]) -> str:
    """A sentence that names the family whose tensor names fit best, if it is another one."""
    names = set().union(*(tensor_names(state) for state in states.values()))
    fitting = {
        kind.name: len(kind.signature)
        for kind in families().values()
        if kind.signature and all(fnmatch.filter(names, pattern) for pattern in kind.signature)
    }
    best = [name for name in fitting if fitting[name] == max(fitting.values())] or [family]
    known = " or ".join(best)  # several where only the values tell them apart
    return "" if family in best else f" Its tensor names are those of {known}: convert it as that family."


def _config(family: Family, checkpoint: Path) -> dict[str, Any]:
    """``{"config": ...}`` from the JSON file beside the checkpoint, if the family reads one."""
    for pattern in family.config_files:
        found = sorted(checkpoint.parent.glob(pattern))
        if len(found) > 1:  # several models in one folder: the one that shares the longest start of its name
            shared = {path: _shared_start(path.name, checkpoint.name) for path in found}
            found = [path for path in found if shared[path] == max(shared.values())]
        if len(found) == 1:
            try:
                config = json.loads(found[0].read_text(encoding="utf-8"))
            except (ValueError, RecursionError) as error:
                raise CheckpointError(f"{found[0]} is no JSON file ({error}). Get it again.") from error
            if not isinstance(config, dict):
                raise CheckpointError(f"{found[0]} holds {type(config).__name__}; expected a JSON object.")
            return {"config": config}
    if family.needs_config:
        names = " or ".join(family.config_files)
        raise NotHereError(
            f"there is no {names} beside {checkpoint}; {family.name} needs it, because the tensors do not say "
            "everything. Put the published one there."
        )
    return {}


def _shared_start(a: str, b: str) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


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
