"""Networks as text, one line for each step, that people read and change: ``ConvTranspose2d main.3 stride=2 padding=1``.

Kinds and their arguments are those of ``torch.nn``, a path says where the tensors of a layer are, and what stands
behind ``#`` is for people.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from geomgan.errors import OptionError, check_choice, reading
from weights_convert.options import shown
from weights_convert.torch_modules import LAYERS, Line
from weights_convert.torch_modules.lines import MOST_LINES

MOST_BYTES = 1 << 20
WIDTH, SHAPE = 52, 16  # of what stands before a comment, and of a shape there
HEADER = """\
# What runs, in this order: one line for each step. What is marked as a guess no tensor says: change what is not as in
# the network's own code, then convert with --option layers=THIS_FILE.
#
# A line is  KIND PATH ARGUMENT=VALUE ...  with the classes and arguments of torch.nn. Other kinds:
#   Code shape=100, View shape=128,7,7; Class, a whole number, then Embedding PATH or OneHot num_classes=10;
#   and of two values Keep NAME, From NAME, Concat NAME, Add NAME, Multiply NAME. Dropout does nothing.
# Behind # is what a line makes, and why it is there.

"""


def written(lines: Sequence[Line], shapes: Sequence[tuple[int, ...]] = ()) -> str:
    """The text of a network; with the shapes behind each line, where they are known."""
    made = [f"{' x '.join(map(str, shape)):<{SHAPE}}" for shape in shapes] or [""] * len(lines)
    notes = [f"# {shape}{line.why}".rstrip() for shape, line in zip(made, lines, strict=True)]
    rows = [
        f"{text_of(line):<{WIDTH}} {note if len(note) > 1 else ''}".rstrip()
        for line, note in zip(lines, notes, strict=True)
    ]
    return HEADER + "\n".join(rows) + "\n"


def text_of(line: Line) -> str:
    """One line without what is for people."""
    settings = [f"{name}={shown(value)}" for name, value in line.settings.items()]
    return " ".join([line.kind, *([line.path] if line.path else []), *settings])


def read(path: Path) -> list[Line]:
    """The network in a file.

    Raises:
        OptionError: it is no such text, or too long; the line is named.
    """
    with reading(path, "Remove it, and it is written again.", error=OptionError):
        with open(path, "rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise OptionError(f"{path} has more than {MOST_BYTES} bytes; expected a line for each layer.")
        rows = data.decode("utf-8").splitlines()
    lines = [_line(row, f"{path}, line {i}") for i, row in enumerate(rows, 1) if row.partition("#")[0].strip()]
    if not 0 < len(lines) <= MOST_LINES:
        raise OptionError(f"{path} has {len(lines)} lines of layers; expected 1 to {MOST_LINES}.")
    return lines


def _line(row: str, where: str) -> Line:
    kind, *words = row.partition("#")[0].split()
    check_choice(kind, LAYERS, f"{where}: the kind of layer")
    path = words.pop(0) if words and "=" not in words[0] else ""
    settings = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not value:
            raise OptionError(f"{where}: {word[:40]!r}; expected ARGUMENT=VALUE.")
        check_choice(name, LAYERS[kind].arguments, f"{where}: the argument of {kind}")
        settings[name] = _value(value)
    return Line(kind, path, settings)


def _value(text: str) -> object:
    """``2``, ``0.2``, ``1,2``, ``true``, ``none``, or a word."""
    if "," in text:
        return tuple(_value(part) for part in text.split(",")[:8])
    constants = {"true": True, "false": False, "none": None}
    if text.lower() in constants:
        return constants[text.lower()]
    for number in (int, float):
        try:
            return number(text) if len(text) < 24 else text
        except ValueError:
            continue
    return text
