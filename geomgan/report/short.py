"""A page of a few sections, its ``summary.json`` and its files, of one result: what the shorter commands write."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geomgan.report.page import html_report
from geomgan.report.section import as_json
from geomgan.report.triple import Triple
from geomgan.report.written import written
from geomgan.runs.files import write_whole

PAGE, SUMMARY = "report.html", "summary.json"


@dataclass(frozen=True)
class Asked:
    """What such a page is of.

    Attributes:
        model: what the page calls the generator.
        names: of the targets, or of the pairs.
        opened: the expression that gives the generator.
        command: what makes the page again.
    """

    model: str
    names: tuple[str, ...]
    opened: str
    command: str


def short_page(
    title: str, said: str, command: str, triples: Sequence[Triple], subject: Any, found: Any, out: Path, **more: Any
) -> Path:
    """Draw, tell and write a result.

    Args:
        title: of the page.
        said: what was found, in a few sentences.
        command: what makes the page again.
        triples: the sections, each of the whole result.
        subject: given to them.
        found: the result.
        out: the folder.
        more: of ``summary.json``.

    Returns:
        The page.

    Raises:
        StoreError: it cannot be written.
    """
    sections = [written(triple, subject, found, out) for triple in triples]
    contents = {"finding": said, "command": command, "sections": {s.name: dict(s.facts) for s in sections}, **more}
    write_whole(out / SUMMARY, json.dumps(as_json(contents), indent=1) + "\n")
    write_whole(out / PAGE, html_report(title, said, sections))
    return out / PAGE
