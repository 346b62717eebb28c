"""One self-contained HTML page: text, figures, tables that sort, and the numbers behind every figure to download."""

from __future__ import annotations

import base64
import csv
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from string import Template
from typing import Any

import numpy as np

from geomgan.plot.files import png

_PAGE = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title><style>
body { font: 16px/1.55 system-ui, sans-serif; color: #1b1f24; background: #fff; max-width: 62rem; margin: 2.5rem auto;
       padding: 0 1.2rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin-bottom: .3rem; } h2 { font-size: 1.2rem; margin: 2.6rem 0 .3rem; }
.finding { font-size: 1.1rem; border-left: 4px solid #2563a8; padding: .3rem 0 .3rem 1rem; margin: 1.2rem 0; }
.see { max-width: 48rem; margin: .3rem 0 .8rem; } .numbers { color: #57606a; font-size: .85rem; margin: .2rem 0; }
nav { columns: 2; font-size: .95rem; margin: 1rem 0; } nav a { display: block; } a { color: #2563a8; }
figure { margin: .6rem 0; } img { max-width: 100%; height: auto; }
table { border-collapse: collapse; font-size: .92rem; margin: .6rem 0; display: block; overflow-x: auto; }
td, th { text-align: left; padding: .22rem 1.4rem .22rem 0; border-bottom: 1px solid #e5e8eb; vertical-align: top; }
td { font-variant-numeric: tabular-nums; overflow-wrap: anywhere; } td:first-child { min-width: 10rem; }
thead th button { font: inherit; font-weight: 600; border: 0; background: none; padding: 0; cursor: pointer;
                  color: inherit; text-align: left; }
thead th button::after { content: " \\2195"; color: #8b949e; }
th[aria-sort=ascending] button::after { content: " \\2191"; }
th[aria-sort=descending] button::after { content: " \\2193"; }
</style></head><body>
<h1>$title</h1>
<p class="finding">$finding</p>
<nav>$contents</nav>
$sections
<p>Distances d in figures are square roots of the squared distance: under LPIPS, √LPIPS. Codes are numbered from 0,
ranks and axes from 1. Made by geomgan $version.</p>
<script>
for (const button of document.querySelectorAll("thead button")) button.addEventListener("click", () => {
  const head = button.parentElement, table = head.closest("table");
  const column = [...head.parentElement.children].indexOf(head);
  const down = head.getAttribute("aria-sort") === "ascending";
  const value = row => row.children[column].dataset.value ?? row.children[column].textContent;
  const order = (a, b) => { const [x, y] = [value(a), value(b)], [m, n] = [Number(x), Number(y)];
    return x !== "" && y !== "" && !isNaN(m) && !isNaN(n) ? m - n : x.localeCompare(y); };
  for (const other of head.parentElement.children) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const rows = [...table.tBodies[0].rows].sort(order);
  table.tBodies[0].append(...(down ? rows.reverse() : rows));
});
</script>
</body></html>
""")

Columns = Mapping[str, Any]
NARROW, ENLARGED = 5.0, 1.4  # inches; and how much larger such figures are shown


@dataclass(frozen=True)
class Section:
    """A part of a report.

    Attributes:
        name: of the files with its figure and numbers.
        heading: what it is about.
        see: one sentence that says what to see.
        figure: a matplotlib figure, or None.
        numbers: what the figure shows, as columns: name -> values ``(n,)``.
        table: shown as a table that sorts by each column, if there is one: name -> values.
        animation: a GIF, if there is one.
    """

    name: str
    heading: str
    see: str
    figure: Any = None
    numbers: Columns = field(default_factory=dict)
    table: Columns = field(default_factory=dict)
    animation: bytes = b""


def html_report(title: str, finding: str, sections: Sequence[Section]) -> str:
    """A page that opens without a network.

    Args:
        title: heading.
        finding: what was found, one or two sentences.
        sections: its parts.
    """
    from geomgan import __version__

    contents = "".join(f'<a href="#{_text(part.name)}">{_text(part.heading)}</a>' for part in sections)
    return _PAGE.substitute(
        title=_text(title), finding=_text(finding), contents=contents,
        sections="\n".join(map(_section, sections)), version=__version__,
    )  # fmt: skip


def csv_text(columns: Columns) -> str:
    """Columns as comma-separated values; shorter ones end in empty cells."""
    arrays = [np.ravel(np.asarray(values)).tolist() for values in columns.values()]
    rows = max(map(len, arrays), default=0)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([[values[i] if i < len(values) else "" for values in arrays] for i in range(rows)])
    return text.getvalue()


def matrix_columns(rows: Any, names: Sequence[Any] | None = None) -> dict[str, Any]:
    """The columns of a matrix, for :attr:`Section.numbers`."""
    rows = np.asarray(rows)
    names = range(1, rows.shape[1] + 1) if names is None else names
    return {str(name): rows[:, i] for i, name in enumerate(names)}


def _text(value: Any) -> str:
    return html.escape(str(value))


def _section(part: Section) -> str:
    blocks = [f'<section id="{_text(part.name)}"><h2>{_text(part.heading)}</h2>']
    if part.see:
        blocks.append(f'<p class="see">{_text(part.see)}</p>')
    if part.figure is not None:
        width = part.figure.get_figwidth()
        width *= ENLARGED if width < NARROW else 1.0  # figures of one printed column have the page to themselves here
        source = f"data:image/png;base64,{base64.b64encode(png(part.figure)).decode()}"
        blocks.append(f'<figure><img alt="{_text(part.heading)}" style="width:{width:.1f}in" src="{source}"></figure>')
    if part.animation:
        source = f"data:image/gif;base64,{base64.b64encode(part.animation).decode()}"
        blocks.append(f'<figure><img alt="{_text(part.heading)}, animated" src="{source}"></figure>')
    if part.table:
        blocks.append(_table(part.table))
    if part.numbers:
        data = base64.b64encode(csv_text(part.numbers).encode()).decode()
        link = f'<a download="{_text(part.name)}.csv" href="data:text/csv;base64,{data}">{_text(part.name)}.csv</a>'
        blocks.append(f'<p class="numbers">the numbers: {link}</p>')
    return "\n".join([*blocks, "</section>"])


def _table(columns: Columns) -> str:
    head = "".join(f'<th scope="col"><button>{_text(name)}</button></th>' for name in columns)
    rows = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in zip(*columns.values(), strict=True))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _cell(value: Any) -> str:
    """Numbers are shown to four digits, and sorted by all of them."""
    if isinstance(value, float | np.floating):
        shown = "" if np.isnan(value) else "∞" if np.isinf(value) else f"{value:.4g}"
        sorted_by = "Infinity" if np.isinf(value) else repr(float(value))  # as JavaScript writes it
        return f'<td data-value="{sorted_by}">{shown}</td>'
    return f"<td>{_text(value)}</td>"
