"""What a report tells: sections of text, whose numbers are kept beside the words, tables, and columns of numbers."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from geomgan.brief import brief
from geomgan.report.strip import Strip
from geomgan.runs.cells import csv_text

Columns = Mapping[str, Any]
Interval = tuple[float, float, float]  # estimate, low, high
TOO_FEW = "too few codes for an interval"  # which is then NaN (geomgan.analysis.bootstrap.fewest)


@brief
@dataclass(frozen=True)
class Section:
    """A part of a report.

    Attributes:
        name: of the files with its figure and numbers.
        heading: what it is about.
        see: what to see, in a few sentences. What was computed stands in braces, as in ``str.format``:
            ``"{share:.2f} of the trace"``.
        facts: what these braces name, in full precision, so that no number of the page is in its words only.
        numbers: what the figure shows, as columns: name -> values ``(n,)``; a file beside the page, and inside it.
        table: shown as a table that sorts by each column, if there is one: name -> values. A pair of numbers is shown
            as a range.
        code: lines to copy, by what they are for.
        files: written beside the page, by their names; of one that is made also its figure and its numbers.
        picture: the figure as PNG, if there is one.
        width: of the figure, in inches.
        film: a GIF, if there is one.
        strips: walks to move along by hand.
        carried: names of ``files`` that are also in the page, to download.
        missing: whether it could not be computed; ``see`` says why.
    """

    name: str
    heading: str
    see: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    numbers: Columns = field(default_factory=dict)
    table: Columns = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    picture: bytes = b""
    width: float = 0.0
    film: bytes = b""
    strips: Sequence[Strip] = ()
    carried: Sequence[str] = ()
    missing: bool = False

    @property
    def said(self) -> str:
        """What to see, with its numbers."""
        return self.see.format(**self.facts)


def missing(name: str, why: str) -> Section:
    """What stands in the place of a part that could not be computed."""
    heading = name.replace("_", " ").capitalize()
    return Section(name, heading, "Not computed: {why}", {"why": why}, missing=True)


def interval_columns(label: str, rows: Sequence[Interval]) -> dict[str, Any]:
    """Two columns of a table: estimates, and their intervals, or that there are too few codes for them."""
    ends = [(low, high) if low == low else TOO_FEW if middle == middle else "" for middle, low, high in rows]
    return {label: [row[0] for row in rows], f"{label}: 95 % interval": ends}


def matrix_columns(rows: Any, names: Sequence[Any] | None = None) -> dict[str, Any]:
    """The columns of a matrix, for :attr:`Section.numbers`."""
    rows = np.asarray(rows)
    names = range(1, rows.shape[1] + 1) if names is None else names
    return {str(name): rows[:, i] for i, name in enumerate(names)}


def csv_of(columns: Columns) -> str:
    """Columns as comma-separated values; shorter ones end in empty cells."""
    arrays = [np.ravel(np.asarray(values)).tolist() for values in columns.values()]
    return csv_text([list(columns), *itertools.zip_longest(*arrays)])


def as_json(value: Any) -> Any:
    """A value as JSON has it: arrays as lists, NaN as null, an infinity as the text that Python and JavaScript read."""
    if isinstance(value, Mapping):
        return {str(name): as_json(entry) for name, entry in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return as_json(value.tolist())
    if isinstance(value, list | tuple):
        return [as_json(entry) for entry in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None if np.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
