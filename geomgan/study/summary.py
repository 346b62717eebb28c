"""Results of a study as files, and as a table to read."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from geomgan.analysis.bootstrap import fewest
from geomgan.runs.cells import csv_text
from geomgan.runs.files import write_whole
from geomgan.study.files import ANSWERS, BY_AXIS, FORMAT, RESULTS
from geomgan.study.results import StudyResults

HEADINGS = {
    "saw_change": "saw a change, %",
    "amount": "change, %",
    "rows": "rows with it",
    "similarity": "similar, 1-9",
    "difficulty": "hard, 1-9",
}


def write_results(results: StudyResults, out: str | os.PathLike[str]) -> Path:
    """Write ``results.json``, ``results.csv`` (a row for each question) and ``answers.csv`` (for each answer).

    Returns:
        The folder.

    Raises:
        StoreError: a file cannot be written.
    """
    out = Path(out).expanduser()
    write_whole(out / ANSWERS, csv_text(_answer_rows(results)))
    write_whole(out / BY_AXIS, csv_text(_question_rows(results)))
    write_whole(out / RESULTS, json.dumps(_plain(results), indent=1, allow_nan=False) + "\n")
    return out


def summary_table(results: StudyResults) -> str:
    """The results as lines of text."""
    key, people = results.key, len(results.participants)
    percent = f"{100 * results.confidence:g} %"
    lines = [
        f"{key.finding}",
        f"{people} participant{'s' * (people != 1)}; {_intervals(people, percent, results.confidence)}.",
        "",
    ]
    lines += _aligned([
        ["", *(HEADINGS[m.name] for m in results.measures)],
        *(
            [label, *(_short(m.mean[i], m.low[i], m.high[i]) for m in results.measures)]
            for i, label in enumerate(key.labels)
        ),
        ["all axes", *(_short(*m.axes) for m in results.measures)],
        ["all controls", *(_short(*m.controls) for m in results.measures)],
        ["axes - controls", *(_short(*m.difference) for m in results.measures)],
        ["permutation p", *(_number(m.p) for m in results.measures)],
    ])  # fmt: skip
    least = min((m.least_p for m in results.measures if math.isfinite(m.least_p)), default=math.nan)
    if least > 0.01:
        lines.append(f"So few questions cannot give a p below {least:.2g}; add axes or controls to test more.")
    lines += [
        "",
        f"Agreement between participants: Krippendorff's alpha, in brackets {percent} intervals over questions, where "
        f"these are at least {fewest(results.confidence)}",
    ]
    lines += _aligned([
        ["", "level", "all questions", "axes", "controls"],
        *(
            [HEADINGS[a.name].split(",")[0], a.level, *(_short(*e) for e in (a.everywhere, a.axes, a.controls))]
            for a in results.agreements
        ),
    ])  # fmt: skip
    if any(not math.isfinite(e[0]) for a in results.agreements for e in (a.everywhere, a.axes, a.controls)):
        lines.append("-: not defined, because all answers are the same, or too few.")
    return "\n".join(lines)


def _intervals(people: int, percent: str, confidence: float) -> str:
    if people < fewest(confidence):
        return f"too few for {percent} intervals, which need at least {fewest(confidence)}"
    return f"in brackets {percent} intervals over participants"


def _plain(results: StudyResults) -> dict[str, Any]:
    key = results.key
    estimate = lambda e: dict(zip(("estimate", "low", "high"), map(_defined, e), strict=True))
    return {
        "format": FORMAT,
        "study": key.study,
        "finding": key.finding,
        "participants": [person.name for person in results.participants],
        "confidence": results.confidence,
        "questions": [
            {"trial": trial, "label": label, "kind": "axis" if axis else "control", "eigenvalue": float(eigenvalue)}
            | {
                m.name: estimate((m.mean[i], m.low[i], m.high[i])) | {"participants": int(m.given[i])}
                for m in results.measures
            }
            | {"common": [person.common[i] for person in results.participants if person.common[i]]}
            for i, (trial, label, axis, eigenvalue) in enumerate(
                zip(key.trials, key.labels, key.is_axis, key.eigenvalues, strict=True)
            )
        ],
        "axes_against_controls": {
            m.name: {name: estimate(getattr(m, name)) for name in ("axes", "controls", "difference")}
            | {"p": _defined(m.p), "least_p": _defined(m.least_p)}
            for m in results.measures
        },
        "agreement": [
            {"name": a.name, "level": a.level}
            | {group: estimate(getattr(a, group)) for group in ("everywhere", "axes", "controls")}
            for a in results.agreements
        ],
    }


def _question_rows(results: StudyResults) -> list[list[Any]]:
    key = results.key
    ends = [f"{m.name}{end}" for m in results.measures for end in ("", " low", " high")]
    rows: list[list[Any]] = [["trial", "label", "kind", "eigenvalue", *ends]]
    for i, trial in enumerate(key.trials):
        numbers = [_defined(x[i]) for m in results.measures for x in (m.mean, m.low, m.high)]
        rows.append(
            [trial, key.labels[i], "axis" if key.is_axis[i] else "control", float(key.eigenvalues[i]), *numbers]
        )
    return rows


def _answer_rows(results: StudyResults) -> list[list[Any]]:
    names = ["saw_change", "amount", "rows", "similarity", "difficulty", "common"]
    rows: list[list[Any]] = [["participant", "trial", "label", "kind", "position", "seconds", *names]]
    key = results.key
    for person in results.participants:
        for i, trial in enumerate(key.trials):
            marked = " ".join(str(row + 1) for row, mark in enumerate(person.rows[i]) if mark)
            numbers = [_defined(x[i]) for x in (person.amount, person.similarity, person.difficulty)]
            kind = "axis" if key.is_axis[i] else "control"
            rows.append(
                [
                    *(person.name, trial, key.labels[i], kind, int(person.position[i]), float(person.seconds[i])),
                    *(int(person.seen[i]), numbers[0], marked, numbers[1], numbers[2], person.common[i]),
                ]
            )
    return rows


def _defined(x: Any) -> float | None:
    return float(x) if math.isfinite(x) else None


def _number(x: float) -> str:
    return "-" if not math.isfinite(x) else f"{x:.3g}" if abs(x) < 1000 else f"{x:.0f}"


def _short(*estimate: float) -> str:
    value, low, high = map(_number, estimate)
    return value if low == "-" else f"{value} ({low} to {high})"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
