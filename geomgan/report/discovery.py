"""The page of directions that several methods found: walks, scores, overlap, the truth where it is known, a table."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.directions.collection import DirectionSet
from geomgan.directions.disentanglement import Disentanglement
from geomgan.directions.scoreboard import Scoreboard
from geomgan.directions.traverse import Traversal
from geomgan.plot.discovery import direction_scores, directions_montage, factor_cosines, method_overlap
from geomgan.plot.images import is_image
from geomgan.report.page import html_report
from geomgan.report.section import Section, as_json, csv_of, matrix_columns
from geomgan.report.triple import Triple
from geomgan.report.written import written
from geomgan.runs.files import local_path, write_whole

PAGE, SUMMARY, TABLE = "report.html", "summary.json", "scoreboard"
READ = """\
import jax

import geomgan as gg

G = {opened}
found = gg.directions.load("directions/{method}.npz", G)
walks = gg.directions.traverse(G, found, G.sample_latent(jax.random.key(1), 4), [-2, 0, 2])"""


@dataclass(frozen=True)
class Discovery:
    """What the page is of.

    Attributes:
        model: what the page calls the generator.
        sets: method -> directions.
        board: their scores.
        walks: method -> walks along its first directions, of one code.
        output_range: of the samples.
        truth: method -> its measures against known factors; empty where none are known.
        opened: the expression that gives the generator.
        command: what makes the page again.
    """

    model: str
    sets: Mapping[str, DirectionSet]
    board: Scoreboard
    walks: Mapping[str, Traversal]
    output_range: tuple[float, float] | None
    truth: Mapping[str, Disentanglement]
    opened: str
    command: str

    def __str__(self) -> str:
        count = sum(len(found) for found in self.sets.values())
        said = f"{count} directions by {len(self.sets)} methods: {', '.join(self.sets)}."
        if not self.truth:
            return said
        counts = [f"{method} {int((one.cosines >= 0.9).sum())}" for method, one in self.truth.items()]
        factors = len(next(iter(self.truth.values())).factors)
        return f"{said} Of the {factors} known factors these have a cosine of 0.9 or more: {', '.join(counts)}."


def discovery_page(found: Discovery, out: str | os.PathLike[str]) -> tuple[str, Path]:
    """Write the page, its figures, ``summary.json``, and the table as ``scoreboard.csv`` and ``scoreboard.md``.

    Returns:
        What was found, in a sentence or two, and the page.

    Raises:
        StoreError: it cannot be written.
    """
    out = local_path(out)
    sections = [written(triple, None, found, out) for triple in TRIPLES if _there(triple, found)]
    said = str(found)
    contents = {"finding": said, "command": found.command, "sections": {s.name: dict(s.facts) for s in sections}}
    contents |= {
        "table": found.board.columns,
        "methods": list(found.sets),
        "overlap": found.board.overlap,
        "matches": found.board.matches,
    }
    contents |= {"truth": _truth_columns(found)} if found.truth else {}
    write_whole(out / SUMMARY, json.dumps(as_json(contents), indent=1) + "\n")
    write_whole(out / PAGE, html_report(f"Directions of {found.model}", said, sections))
    return said, out / PAGE


def markdown_of(columns: Mapping[str, Any]) -> str:
    """Columns as a Markdown table; numbers to three digits, empty where they are NaN."""
    cells = [[_cell(value) for value in row] for row in zip(*columns.values(), strict=True)]
    lines = [list(columns), ["---"] * len(columns), *cells]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.3g}"
    return str(value).replace("|", "/")


def _there(triple: Triple, found: Discovery) -> bool:
    if triple.name == "walks":
        return is_image(next(iter(found.walks.values())).samples.shape[3:])
    return triple.name != "truth" or bool(found.truth)


def _tell_walks(_: Any, found: Discovery) -> Section:
    shown = sum(len(one.names) for one in found.walks.values())
    return Section(
        "walks",
        "What the directions do",
        "Each row is one direction, {shown} of {count}, in the order of its method; the column in the middle is the "
        "code itself. Steps are equal in the code, so that rows that change more are faster.",
        {"shown": shown, "count": len(found.board.columns["method"])},
    )


def _tell_scores(_: Any, found: Discovery) -> Section:
    columns = found.board.columns
    best = {name: _best(columns, name, largest=name != "penalty") for name in ("energy", "recognition")}
    see = "The largest share of the metric's energy has {energy}"
    see += "; best recognised is {recognition}." if best["recognition"] else "."
    return Section(
        "scores",
        "Scores",
        f"{see} Speed and energy say how much a direction changes, consistency whether it does so everywhere, "
        "straightness whether it goes on as it began. Penalty and mixing say how much the effect of a direction "
        "depends on the others of its set; recognition, whether a network can tell it from them by its effect.",
        best,
        numbers=columns,
    )


def _best(columns: Mapping[str, Any], name: str, largest: bool) -> str:
    values = np.asarray(columns[name], float)
    if not np.isfinite(values).any():
        return ""
    i = int(np.nanargmax(values if largest else -values))
    return f"{columns['direction'][i]} of {columns['method'][i]} ({values[i]:.2g})"


def _tell_overlap(_: Any, found: Discovery) -> Section:
    names, board = list(found.sets), found.board
    matches = matrix_columns(board.matches, [f"best match in {name}" for name in names])
    return Section(
        "overlap",
        "Which methods find the same",
        "Left: the mean squared cosine of the angles between the spans of the first {first} directions of two methods, "
        "1 where they span the same, {chance:.2g} by chance. Right: how near a direction of one method is to the "
        "nearest of another, on average.",
        {"first": board.first, "chance": board.chance},
        numbers={"method": names, **matrix_columns(board.overlap, names), **matches},
    )


def _tell_truth(_: Any, found: Discovery) -> Section:
    return Section(
        "truth",
        "Against the factors that are known",
        "The factors of this model are known. Cosines are of the best direction of each method for each factor; "
        "FactorVAE's score, MIG and DCI by the protocol of geomgan.directions.disentanglement, 1 is best.",
        table=_truth_columns(found),
        numbers=_truth_columns(found),
    )


def _truth_columns(found: Discovery) -> dict[str, list[Any]]:
    every = list(found.truth.values())
    columns: dict[str, list[Any]] = {"method": list(found.truth)}
    columns |= {factor: [float(one.cosines[i]) for one in every] for i, factor in enumerate(every[0].factors)}
    names = {"FactorVAE": "factor_vae", "MIG": "mig", **{f"DCI {n}": n for n in _DCI}}
    return columns | {title: [float(getattr(one, name)) for one in every] for title, name in names.items()}


_DCI = ("disentanglement", "completeness", "informativeness")


def _tell_table(_: Any, found: Discovery) -> Section:
    columns = found.board.columns
    method = next(iter(found.sets))
    return Section(
        "table",
        "Every direction",
        "The sets lie in the folder directions, a file for each method.",
        table=columns,
        code={"The directions, in Python": "import jax\n" + READ.format(opened=found.opened, method=method)},
        files={f"{TABLE}.csv": csv_of(columns).encode(), f"{TABLE}.md": markdown_of(columns).encode()},
    )


def _speeds(found: Discovery) -> dict[str, list[float]]:
    return {method: list(found.board.scores[method].speed[: len(one.names)]) for method, one in found.walks.items()}


TRIPLES = (
    Triple(
        "walks",
        _tell_walks,
        draw=lambda _, found: directions_montage(found.walks, found.output_range, values=_speeds(found)),
    ),
    Triple("truth", _tell_truth, draw=lambda _, found: factor_cosines(found.truth)),
    Triple("scores", _tell_scores, draw=lambda _, found: direction_scores(found.board)),
    Triple("overlap", _tell_overlap, draw=lambda _, found: method_overlap(found.board)),
    Triple("table", _tell_table),
)
