"""Figures as files: laid out once, then written as PNG and SVG from that layout, the same bytes every time."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from geomgan.errors import check_choice
from geomgan.runs.files import write_whole

DPI = 150
SUFFIXES = (".png", ".svg")
SALT = "geomgan"  # of the names of clip paths and markers in an SVG, which are random without


def settle(figure: Any, dpi: float = DPI) -> Any:
    """Lay a figure out, for good: what is drawn later keeps its place, and drawing does not lay it out again.

    Laying out takes longer than drawing, and matplotlib does it two or three times for each file.

    Args:
        figure: a matplotlib figure, changed in place.
        dpi: pixels an inch at which text is measured.

    Returns:
        The figure.
    """
    if figure.get_layout_engine() is None:
        return figure
    import matplotlib as mpl

    before = figure.dpi
    figure.dpi = dpi
    fixed = any(ax.get_aspect() != "auto" for ax in figure.axes)
    for _ in range(2 if fixed else 1):  # axes of fixed shape give room back, which the second time divides
        figure.get_layout_engine().execute(figure)
    with mpl.rc_context({"figure.autolayout": False, "figure.constrained_layout.use": False}):
        figure.set_layout_engine(None)  # "none" keeps a stand-in, for which matplotlib draws everything twice
    figure.dpi = before
    return figure


def png(figure: Any, dpi: float = DPI) -> bytes:
    """A matplotlib figure as PNG, laid out by :func:`settle`; the same bytes for the same figure."""
    return _written(settle(figure, dpi), "png", dpi=dpi, metadata={"Software": None})


def svg(figure: Any) -> bytes:
    """A matplotlib figure as SVG, laid out by :func:`settle`: text as paths, images embedded, no date."""
    return _written(settle(figure), "svg", metadata={"Date": None, "Creator": None})


def save(figure: Any, path: str | os.PathLike[str], suffixes: Sequence[str] = ()) -> tuple[Path, ...]:
    """Write a figure as files that are whole or not there.

    Args:
        figure: a matplotlib figure, which keeps its layout from then on; see :func:`settle`.
        path: the file; its suffix, ``.png`` or ``.svg``, says the format.
        suffixes: several formats: ``(".png", ".svg")`` writes both beside each other, under the name of ``path``.

    Returns:
        The files.

    Raises:
        OptionError: a suffix is unknown.
        StoreError: a file cannot be written.
    """
    path = Path(path).expanduser()
    files = tuple(path.with_name(path.name + suffix) for suffix in suffixes) if suffixes else (path,)
    for file in files:
        check_choice(file.suffix.lower(), SUFFIXES, f"the suffix of {file.name}")
    for file in files:
        write_whole(file, svg(figure) if file.suffix.lower() == ".svg" else png(figure))
    return files


def _written(figure: Any, form: str, **options: Any) -> bytes:
    import matplotlib as mpl

    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": SALT, "svg.fonttype": "path", "svg.image_inline": True, "savefig.bbox": None}):
        figure.savefig(buffer, format=form, facecolor="white", **options)
    return buffer.getvalue()
