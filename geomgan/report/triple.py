"""A triple: how a part of a report is computed, drawn and told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from geomgan.report.section import Section
from geomgan.report.subject import Subject

Results = Callable[[str], Any]  # the result of a triple by its name: computed, or read where it was saved


def always(_: Subject) -> bool:
    """The condition of what every report has."""
    return True


@dataclass(frozen=True)
class Triple:
    """*compute* -> a frozen result that is saved, *draw* -> a figure, *tell* -> a section.

    Attributes:
        name: of the result, of the files, and of the section's place on the page.
        tell: ``(subject, result) -> Section``.
        kind: the type of the result, a frozen dataclass: the saved file is read back as that.
        compute: ``(subject, results) -> result``; what other triples found is ``results("their name")``.
        draw: ``(subject, result)`` -> a matplotlib figure, or the bytes of a GIF; None for a section without.
        wanted: whether a subject has this part.
        of: name of another triple whose result is told here; then there is neither ``kind`` nor ``compute``.
    """

    name: str
    tell: Callable[[Subject, Any], Section]
    kind: type[Any] | None = None
    compute: Callable[[Subject, Results], Any] | None = None
    draw: Callable[[Subject, Any], Any] | None = None
    wanted: Callable[[Subject], bool] = always
    of: str = ""
