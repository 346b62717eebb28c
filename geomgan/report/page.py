"""One self-contained HTML page: text, figures, walks to scrub, tables that sort, and the numbers behind each."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from geomgan.report.section import Columns, Section, csv_of
from geomgan.report.strip import strip_html

WITHOUT = '<noscript><p class="numbers">Each start has a frame. With JavaScript the rows are sliders.</p></noscript>'
NARROW, ENLARGED = 5.0, 1.4  # inches; and how much larger figures of one printed column are shown: they have the page


def html_report(title: str, finding: str, sections: Sequence[Section]) -> str:
    """A page that opens without a network.

    Args:
        title: heading.
        finding: what was found, one or two sentences.
        sections: its parts.
    """
    from geomgan import __version__

    contents = "".join(f'<a href="#{_text(part.name)}">{_text(part.heading)}</a>' for part in sections)
    return Template(_file("page.html")).substitute(
        title=_text(title), finding=_text(finding), contents=contents, style=_file("page.css"),
        sections="\n".join(map(_section, sections)), version=__version__, script=_file("page.js"),
    )  # fmt: skip


@cache
def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _text(value: Any) -> str:
    return html.escape(str(value))


def _section(part: Section) -> str:
    name, heading = _text(part.name), _text(part.heading)
    blocks = [f'<section id="{name}" aria-labelledby="{name}-heading"><h2 id="{name}-heading">{heading}</h2>']
    if part.see:
        blocks.append(f'<p class="see">{_text(part.said)}</p>')
    if part.carried:
        links = ", ".join(_link(file, part.files[file], "application/octet-stream") for file in part.carried)
        blocks.append(f'<p class="numbers">to download: {links}</p>')
    if part.picture:
        width = part.width * (ENLARGED if part.width < NARROW else 1.0)
        data = base64.b64encode(part.picture).decode()
        blocks.append(
            f'<figure><img alt="{heading}" style="width:{width:.1f}in" src="data:image/png;base64,{data}"></figure>'
        )
    if part.film:
        data = base64.b64encode(part.film).decode()
        blocks.append(f'<figure><img alt="{heading}, animated" src="data:image/gif;base64,{data}"></figure>')
    if part.strips:
        blocks.append(f'{WITHOUT}<div class="strips">{"".join(map(strip_html, part.strips))}</div>')
    if part.table:
        blocks.append(_table(part.table))
    for purpose, lines in part.code.items():
        blocks.append(
            f'<h3>{_text(purpose)}</h3><div class="code"><button type="button">Copy</button>'
            f"<pre><code>{_text(lines)}</code></pre></div>"
        )
    if part.numbers:
        link = _link(f"{part.name}.csv", csv_of(part.numbers).encode(), "text/csv")
        blocks.append(f'<p class="numbers">the numbers: {link}</p>')
    return "\n".join([*blocks, "</section>"])


def _link(name: str, content: bytes, kind: str) -> str:
    """A file that the page carries."""
    data = base64.b64encode(content).decode()
    return f'<a download="{_text(name)}" href="data:{kind};base64,{data}">{_text(name)}</a>'


def _table(columns: Columns) -> str:
    head = "".join(f'<th scope="col"><button>{_text(name)}</button></th>' for name in columns)
    rows = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in zip(*columns.values(), strict=True))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _cell(value: Any) -> str:
    """Numbers are shown to four digits, and sorted by all of them; a range is sorted by its lower end."""
    if isinstance(value, tuple):
        low, high = value
        return f'<td data-value="{low!r}">{low:.3g} to {high:.3g}</td>' if low == low else "<td></td>"
    if isinstance(value, float | np.floating):
        shown = "" if np.isnan(value) else "∞" if np.isinf(value) else f"{value:.4g}"
        sorted_by = "Infinity" if np.isinf(value) else repr(float(value))  # as JavaScript writes it
        return f'<td data-value="{sorted_by}">{shown}</td>'
    return f"<td>{_text(value)}</td>"
