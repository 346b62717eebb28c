"""One self-contained HTML page: text, figures, tables that sort, and the numbers behind every figure to download."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from string import Template
from typing import Any

import numpy as np

from geomgan.report.section import Columns, Section, csv_of

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
pre { background: #f6f8fa; padding: .8rem 1rem; overflow-x: auto; font-size: .85rem; line-height: 1.45; margin: 0; }
.code { position: relative; margin: .3rem 0 1rem; } .code button { position: absolute; top: .5rem; right: .5rem; }
h3 { font-size: 1rem; margin: 1rem 0 .3rem; }
thead th button { font: inherit; font-weight: 600; border: 0; background: none; padding: 0; cursor: pointer;
                  color: inherit; text-align: left; }
thead th button::after { content: " \\2195"; color: #8b949e; }
th[aria-sort=ascending] button::after { content: " \\2191"; }
th[aria-sort=descending] button::after { content: " \\2193"; }
</style></head><body>
<h1>$title</h1>
<p class="finding">$finding</p>
<nav aria-label="Contents">$contents</nav>
<main>
$sections
</main>
<p>Distances d in figures are square roots of the squared distance: under LPIPS, √LPIPS. Codes are numbered from 0,
ranks and axes from 1. The figures lie beside this page in the folder figures, as PNG and as SVG; this page does not
need them. Made by geomgan $version.</p>
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
for (const button of document.querySelectorAll(".code button")) button.addEventListener("click", async () => {
  const code = button.nextElementSibling;
  getSelection().selectAllChildren(code);
  try { await navigator.clipboard.writeText(code.textContent); button.textContent = "Copied"; }
  catch { button.textContent = "Selected"; }  // the browser keeps its clipboard: Ctrl-C does it
});
</script>
</body></html>
""")

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
    return _PAGE.substitute(
        title=_text(title), finding=_text(finding), contents=contents,
        sections="\n".join(map(_section, sections)), version=__version__,
    )  # fmt: skip


def _text(value: Any) -> str:
    return html.escape(str(value))


def _section(part: Section) -> str:
    name, heading = _text(part.name), _text(part.heading)
    blocks = [f'<section id="{name}" aria-labelledby="{name}-heading"><h2 id="{name}-heading">{heading}</h2>']
    if part.see:
        blocks.append(f'<p class="see">{_text(part.said)}</p>')
    if part.picture:
        width = part.width * (ENLARGED if part.width < NARROW else 1.0)
        data = base64.b64encode(part.picture).decode()
        blocks.append(
            f'<figure><img alt="{heading}" style="width:{width:.1f}in" src="data:image/png;base64,{data}"></figure>'
        )
    if part.film:
        data = base64.b64encode(part.film).decode()
        blocks.append(f'<figure><img alt="{heading}, animated" src="data:image/gif;base64,{data}"></figure>')
    if part.table:
        blocks.append(_table(part.table))
    for purpose, lines in part.code.items():
        blocks.append(
            f'<h3>{_text(purpose)}</h3><div class="code"><button type="button">Copy</button>'
            f"<pre><code>{_text(lines)}</code></pre></div>"
        )
    if part.numbers:
        data = base64.b64encode(csv_of(part.numbers).encode()).decode()
        link = f'<a download="{name}.csv" href="data:text/csv;base64,{data}">{name}.csv</a>'
        blocks.append(f'<p class="numbers">the numbers: {link}</p>')
    return "\n".join([*blocks, "</section>"])


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
