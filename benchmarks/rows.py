"""The rows of a long measurement: printed one by one, kept in a file as they come, within a time that is given."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

TITLES = {"share": "of product", "seconds": "seconds", "tflops": "TFLOP/s", "first": "first call"}


@dataclass(frozen=True)
class Row:
    """One line of the table; what does not apply is empty.

    Attributes:
        case: what was computed.
        by: which code did: ``now``, ``before``, ``torch``, ``jax``.
        precision: the name that was asked for.
        seconds: of one code (or product), without compilation.
        tflops: rate, by the nominal work of the case.
        share: of the rate of a matrix product in the same format.
        first: the first call: its seconds, programs compiled and the seconds that took, functions traced.
        error: relative, measured against float64.
        stated: what the result says of its error and floor.
        remark: how it was measured.
    """

    case: str
    by: str = ""
    precision: str = ""
    seconds: str = ""
    tflops: str = ""
    share: str = ""
    first: str = ""
    error: str = ""
    stated: str = ""
    remark: str = ""

    def __str__(self) -> str:
        return table_row(*astuple(self))


def table_row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in cells) + " |"


def header() -> str:
    names = [TITLES.get(field.name, field.name) for field in fields(Row)]
    return table_row(*names) + "\n" + table_row(*["---"] * len(names))


def number(value: float, digits: int = 3) -> str:
    """A number as the table shows it; nothing for NaN."""
    return "" if value != value else f"{value:.{digits}g}"


@dataclass(frozen=True)
class Clock:
    """A time that ends."""

    until: float

    @classmethod
    def of(cls, seconds: float) -> Clock:
        return cls(time.time() + seconds)

    @property
    def left(self) -> float:
        return self.until - time.time()


class Sink:
    """Where lines go: the screen and a file, each line at once. Notes (``> text``) are shown at the end."""

    def __init__(self, file: Path | None, show: Callable[[str], None] = lambda line: print(line, flush=True)) -> None:
        self.file, self.show, self.notes = file, show, list[str]()
        if file:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("")

    def __call__(self, line: str) -> None:
        if self.file:
            with self.file.open("a") as out:
                out.write(line + "\n")
        if line.startswith("> "):
            self.notes.append(line[2:])
        else:
            self.show(line)

    def close(self) -> None:
        """Show the notes, behind the table."""
        for note in self.notes:
            self.show(f"\n{note}")
