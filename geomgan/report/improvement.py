"""The page of the Monte-Carlo experiment: how much shorter than straight lines paths between random pairs are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.geodesics import Improvement
from geomgan.plot.geodesics import improvement_histogram
from geomgan.report.geodesic import pair_columns
from geomgan.report.section import Section
from geomgan.report.short import Asked, short_page
from geomgan.report.triple import Triple
from geomgan.runs.files import local_path


def improvement_page(found: Improvement, asked: Asked, out: str | os.PathLike[str]) -> tuple[str, Path]:
    """Write the page, its figures and ``summary.json`` into the folder ``out``.

    Returns:
        What was found, in a few sentences, and the page.

    Raises:
        StoreError: it cannot be written.
    """
    said, title = str(found), f"How much shorter: {asked.model}"
    page = short_page(title, said, asked.command, TRIPLES, asked, found, local_path(out), pairs=_columns(found))
    return said, page


def _statistics(x: np.ndarray) -> dict[str, Any]:
    error = x.std(ddof=1) / np.sqrt(len(x)) if len(x) > 1 else np.nan
    return {
        "mean, %": 100 * float(x.mean()),
        "standard error": 100 * float(error),
        "median": 100 * float(np.median(x)),
        "largest": 100 * float(x.max()),
        "smallest": 100 * float(x.min()),
        "shortened": f"{int((x > 0).sum())} of {len(x)}",
    }


def _tell_histogram(_: Any, found: Improvement) -> Section:
    rows = {name: _statistics(x) for name, x in found.rows.items()}
    names = list(next(iter(rows.values())))
    return Section(
        "improvements",
        "Relative improvement",
        "1 - length / straight length of {pairs} pairs. Dense lengths are sums of chords between samples, so "
        "many that more would change little; the "
        "published rule sums speeds at 16 points, is too long by about a sixteenth, and calls no path longer than the "
        "straight line. Where both are given, the published schedule ran on the same pairs.",
        {"pairs": len(found.published), "step": found.step, "direction": found.direction,
         **{name: row["mean, %"] for name, row in rows.items()}},
        numbers=found.rows,
        table={"method, rule": list(rows), **{name: [row[name] for row in rows.values()] for name in names}},
    )  # fmt: skip


def _tell_pairs(_: Any, found: Improvement) -> Section:
    return Section("pairs", "Every pair", "Dense lengths, and how each search ended.", table=_columns(found))


def _columns(found: Improvement) -> dict[str, list[object]]:
    columns = pair_columns([f"{i + 1}" for i in range(len(found.published))], found.found)
    return columns | {f"{name}, %": (100 * x).tolist() for name, x in list(found.rows.items())[1:]}


TRIPLES = (
    Triple("improvements", _tell_histogram, draw=lambda _, found: improvement_histogram(found.rows)),
    Triple("pairs", _tell_pairs),
)
