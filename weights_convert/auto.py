"""Any file: which family it is of, or which general way takes it, and what it looks like where none does.

Nothing is guessed silently. A family is taken whose network is in the file by the names of its tensors; a file that
says what its network does goes the general way where a family would have to assume; what was taken is said, and why.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geomgan.errors import CheckpointError, GeomganError, NotHereError, nearest, warn
from geomgan.models.families import CHECKPOINTS
from geomgan.restricted_pickle import looks_like_file
from weights_convert.containers import state_dicts
from weights_convert.convert import Converted, read, write
from weights_convert.files import OWN, WAYS, read_file
from weights_convert.folders import all_there, one_of
from weights_convert.modules import StateDict
from weights_convert.options import taken
from weights_convert.recognise.description import contents, layout, listed, nearest_family
from weights_convert.recognise.which_family import recognised

NAME = "auto"
GENERAL = {  # what a file is -> the general way that takes it
    "a network of torch.export": "torch-export",
    "a Keras archive": "keras-layers",
    "an HDF5 file": "keras-layers",
}
EXACT = ("torch-export", "torch-module")  # ways to files that say what their network does
RECIPE = (
    "The shortest way in, where the network can be built in PyTorch: `geomgan export-recipe` prints the few lines that "
    "write it as a .pt2, which says all that it does"
)


@dataclass(frozen=True)
class Seen:
    """What a file turned out to be.

    Attributes:
        file: what is converted: a file, or the folder of a model of several.
        kind: of the file, in a few words.
        holds: its networks, in words; empty where they could not be read.
        ways: family or general way -> why it may take the file, in the order in which they are tried.
        hint: a sentence on what it is that has no family here.
    """

    file: Path
    kind: str
    holds: str
    ways: Mapping[str, str]
    hint: str = ""

    def __str__(self) -> str:
        """What it looks like, in one or more sentences."""
        holds = f"It holds {self.holds}." if self.holds else ""
        return " ".join(filter(None, [f"{self.file} is {self.kind}.", holds, self.hint]))


def look(checkpoint: str | os.PathLike[str]) -> Seen:
    """What a file is; nothing is converted.

    Raises:
        NotHereError: there is no such file, or a folder that is no one model; says what is in it.
        CheckpointError: it is damaged, or no file of weights.
    """
    file = Path(checkpoint).expanduser()
    if file.is_dir():
        families = [name for name in CHECKPOINTS if all_there(name, file)]
        if len(families) > 1:
            raise NotHereError(
                f"{file} has the files of {' and of '.join(families)}. Name the family in place of {NAME}."
            )
        if families:
            return Seen(file, "a folder", "", {families[0]: f"it has {', '.join(CHECKPOINTS[families[0]].files)}"})
        file = one_of(file)
    if not file.is_file():
        raise NotHereError(f"{file} is not a file; expected a checkpoint, or the folder of one.")
    kind = looks_like_file(file)
    if ":" in kind:  # which says what to do with it
        raise NotHereError(f"{file} is {kind}.")
    if (keras := GENERAL.get(kind)) == "keras-layers":  # it has no tensors under their names
        return Seen(file, kind, "", {keras: f"it is {kind}"})
    if kind in WAYS:
        raise NotHereError(f"{file} is {kind}. {WAYS[kind]}. {OWN}.")
    tree = read_file(file)
    found = recognised(tree)
    ways = {name: _why(name, patterns) for name, patterns in found.items()} | _general(kind, tree)
    hint = "" if found else layout(tree) or nearest_family(tree)
    return Seen(file, kind, contents(tree), ways, hint)


def convert_any(
    checkpoint: str | os.PathLike[str],
    out: str | os.PathLike[str],
    options: Mapping[str, str] | None = None,
    card: Mapping[str, Any] | None = None,
    say: Callable[[str], None] = warn,
) -> tuple[str, Path]:
    """Convert a file of any kind as the family that it is of, or by a general way.

    Args:
        checkpoint: a file, or a folder with one model.
        out: the folder to write.
        options: as ``convert`` takes them; only families that have all of them are tried.
        card: further entries for ``model.json``.
        say: is told which family it was taken as and why, and what :func:`weights_convert.convert.convert` says.

    Returns:
        The family, and the folder.

    Raises:
        NotHereError, CheckpointError: as :func:`look`, or nothing takes it: says what it looks like, why not, and the
            shortest way in.
    """
    seen, refused, held = look(checkpoint), dict[str, str](), list[tuple[str, Converted, list[str]]]()
    for family in seen.ways:
        if held and family not in EXACT:
            continue
        said: list[str] = []
        try:
            made = _read(family, seen.file, options or {}, said.append)
        except (GeomganError, ValueError, OSError) as error:
            refused[family] = str(error).removeprefix(f"{seen.file}: ")
            continue
        held.insert(0 if "assumed" not in made.card else len(held), (family, made, said))
        if "assumed" not in made.card:
            break
    if not held:
        raise CheckpointError(_none(seen, refused))
    family, made, said = held[0]
    others = "".join(f" Not as {other}: {reason.rstrip('.')}." for other, reason in refused.items())
    say(f"{seen.file}: taken as {family}, because {seen.ways[family]}.{others}")
    for text in said:
        say(text)
    return family, write(out, made, card, say)


def about(checkpoint: str | os.PathLike[str]) -> str:
    """What a file is that was given as a model, and the command that converts it; what :func:`look` raises, as text."""
    try:
        seen = look(checkpoint)
    except GeomganError as error:
        return str(error)
    if not seen.ways:
        return _none(seen, {})
    family, why = next(iter(seen.ways.items()))
    command = f"geomgan convert {NAME} {shlex.quote(str(checkpoint))} OUT_DIR"
    return f"{seen} It is no converted model yet: `{command}` makes one, as {family}, because {why}."


def _general(kind: str, tree: Any) -> dict[str, str]:
    """The general ways that may take a file, and why."""
    held = [tensors for _, tensors in state_dicts(tree)]
    if kind in GENERAL:
        return {GENERAL[kind]: f"it is {kind}"}
    whole = any(isinstance(tensors, StateDict) and tensors.parts for tensors in held)
    module = {"torch-module": "it holds a whole module"} if whole else {}
    return module | ({"torch-layers": "its tensors have the shapes of layers"} if held else {})


def _read(family: str, file: Path, options: Mapping[str, str], say: Callable[[str], None]) -> Converted:
    known = taken(CHECKPOINTS[family])
    if unknown := [option for option in options if option not in known]:
        raise ValueError(f"it has no option {', '.join(unknown)}. {nearest(unknown[0], known)}")
    return read(family, file, options, say)


def _why(family: str, patterns: int) -> str:
    signature = CHECKPOINTS[family].signature
    if patterns < len(signature):
        return "it has a chain of transposed convolutions"
    return f"its tensors are named so ({listed(signature)})"


def _none(seen: Seen, refused: Mapping[str, str]) -> str:
    """What is said of a file that nothing takes."""
    tried = "".join(f"\n- {family} ({seen.ways[family]}): {reason}" for family, reason in refused.items())
    nothing = f"Nothing takes it as it is:{tried}\n" if tried else "It is of no family here. "
    return f"{seen} {nothing}{RECIPE}; {OWN}."
