"""One self-contained HTML page: text, figures and tables, without a network."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from string import Template
from typing import Any

_PAGE = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title><style>
body { font: 16px/1.55 system-ui, sans-serif; color: #1b1f24; background: #fff; max-width: 62rem; margin: 2.5rem auto;
       padding: 0 1.2rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin-bottom: .3rem; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .5rem; }
.finding { font-size: 1.1rem; border-left: 4px solid #2563a8; padding: .3rem 0 .3rem 1rem; margin: 1.2rem 0; }
figure { margin: .6rem 0; } figcaption { color: #57606a; font-size: .92rem; max-width: 48rem; }
img { max-width: 100%; height: auto; } table { border-collapse: collapse; font-size: .92rem; }
td, th { text-align: left; padding: .22rem 1.4rem .22rem 0; border-bottom: 1px solid #e5e8eb; vertical-align: top; }
td { font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
code { background: #f3f5f7; padding: .1rem .3rem; border-radius: 3px; }
</style></head><body>
<h1>$title</h1>
<p class="finding">$finding</p>
$figures
$tables
<p>Made by geomgan $version.</p>
</body></html>
""")


def html_report(
    title: str,
    finding: str,
    figures: Sequence[tuple[str, Any, str]],
    tables: Mapping[str, Mapping[str, Any]],
) -> str:
    """A page that opens without a network.

    Args:
        title: heading.
        finding: what was found, one or two sentences.
        figures: (heading, matplotlib figure, caption).
        tables: heading -> rows of name and value.
    """
    from geomgan import __version__

    escape = lambda text: html.escape(str(text))
    blocks = [
        f'<h2>{escape(heading)}</h2><figure><img alt="{escape(heading)}" style="width:{figure.get_figwidth():.1f}in" '
        f'src="data:image/png;base64,{png(figure)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
        for heading, figure, caption in figures
    ]
    sheets = [
        f"<h2>{escape(heading)}</h2><table>"
        + "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows.items())
        + "</table>"
        for heading, rows in tables.items()
    ]
    return _PAGE.substitute(
        title=escape(title), finding=escape(finding), figures="\n".join(blocks), tables="\n".join(sheets),
        version=__version__,
    )  # fmt: skip


def png(figure: Any, dpi: int = 150) -> str:
    """A matplotlib figure as base64 PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, bbox_inches="tight")
    return base64.b64encode(buffer.getvalue()).decode()
