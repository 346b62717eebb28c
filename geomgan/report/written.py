"""A section with its files: the figure as PNG and SVG, its numbers, and what goes beside the page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from geomgan.plot import files
from geomgan.report.section import Section, csv_of
from geomgan.report.triple import Triple
from geomgan.runs.files import write_whole

FIGURES = "figures"  # the folder of figures beside a page


def written(triple: Triple, subject: Any, found: Any, out: Path) -> Section:
    """Draw and tell a result, and write its files into the folder ``out``."""
    section = triple.tell(subject, found)
    beside, figure = dict(section.files), f"{FIGURES}/{section.name}"
    drawn = triple.draw(subject, found) if triple.draw else None
    if isinstance(drawn, bytes):
        beside[f"{figure}.gif"] = drawn
        section = replace(section, film=drawn)
    elif drawn is not None:
        beside |= {f"{figure}.png": files.png(drawn), f"{figure}.svg": files.svg(drawn)}
        section = replace(section, picture=beside[f"{figure}.png"], width=drawn.get_figwidth())
    if section.numbers:
        beside[f"{figure}.csv"] = csv_of(section.numbers).encode()
    for name, data in beside.items():
        write_whole(out / name, data)
    return replace(section, files=beside)
