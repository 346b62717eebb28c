"""What a report shows of the axes at one code: pictures, a film, and how far each of them goes."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from geomgan import plot
from geomgan.paths import Walks, constant_speed_walk, equal_distance_steps, equal_distance_walk, lines, walk
from geomgan.report.pictures import BYTES, kept
from geomgan.report.section import Section, matrix_columns
from geomgan.report.subject import Subject
from geomgan.report.triple import Results, Triple

REACH, CURVE_STEPS, MONTAGE_SIDE = 3.0, 61, 5  # latent units to each side; samples a curve; images to each side
ANIMATED, FRAMES, PIXELS = 4, 40, 160  # axes side by side, frames of a way, pixels of a panel
REFERENCES = 5  # codes that one axis is applied to


@dataclass(frozen=True)
class OneAxis:
    """The first axis of one code, at several.

    Attributes:
        walks: pictures along it, a row for each code.
        codes: ``(n,)``, their indices in the field.
        rates: ``(n,)``, ``vᵀ g v`` there.
    """

    walks: Walks
    codes: np.ndarray
    rates: np.ndarray


def _kept(walks: Walks, subject: Subject, **options: Any) -> Walks:
    return replace(walks, samples=kept(walks.samples, subject.G.output_range, **options))


def _curves(subject: Subject, _: Results) -> Walks:
    z, vectors = subject.axes[:2]
    return walk(subject.G, subject.D, lines(z, vectors), np.linspace(-REACH, REACH, CURVE_STEPS), keep=False)


def _tell_curves(subject: Subject, walks: Walks) -> Section:
    see = (
        "Distance from the sample of code {code} along its own axes, and the prediction √λ |t| of the metric. "
        "They touch at the reference; where they part, the metric at the reference no longer describes the change."
    )
    numbers = {"t": walks.steps[0]} | {f"axis {i + 1}": row for i, row in enumerate(walks.distances)}
    return Section("curves", "How far each axis reaches", see, {"code": subject.first}, numbers)


def _montage(subject: Subject, results: Results) -> Walks:
    z, vectors = subject.axes[:2]
    steps, gap = equal_distance_steps(results("curves"), MONTAGE_SIDE)
    walks = walk(subject.G, subject.D, lines(z, vectors), steps)
    return _kept(replace(walks, spacing="distance", gaps=np.full(len(steps), gap)), subject)


def _draw_montage(subject: Subject, walks: Walks) -> Any:
    return plot.axes_montage(walks, subject.axes[2], BYTES)


def _tell_montage(subject: Subject, walks: Walks) -> Section:
    values = subject.axes[2]
    see = (
        "Each row walks along one eigenvector of the metric tensor at code {code}, the largest eigenvalue on "
        "top. Columns are equally far from the reference in distance: look for what one row changes and the others "
        "leave alone. Far steps leave the range that the eigenvalue predicts (see the trust radius)."
    )
    numbers = {"rank": np.arange(1, len(values) + 1), "eigenvalue": values}
    numbers |= matrix_columns(walks.steps, [f"t of column {i + 1}" for i in range(walks.steps.shape[1])])
    return Section("axes", "What the axes do", see, {"code": subject.first}, numbers)


def _film(subject: Subject, _: Results) -> Walks:
    z, vectors = subject.axes[:2]
    few = lines(z, vectors[:, :ANIMATED])
    walks = constant_speed_walk(subject.G, subject.D, few, FRAMES, reach=REACH, same_length=True)
    return _kept(walks, subject, side=PIXELS)


def _draw_film(subject: Subject, walks: Walks) -> bytes:
    values = subject.axes[2][: len(walks.steps)]
    with tempfile.TemporaryDirectory() as folder:
        path = plot.animate(Path(folder, "axes.gif"), walks, values, BYTES, size=PIXELS, progress=False)
        return path.read_bytes()


def _tell_film(_: Subject, walks: Walks) -> Section:
    see = (
        "The first {axes} axes, there and back at constant perceptual speed: every frame is as far from the last one "
        "in distance. Where a mark moves fast, the sample hardly changes."
    )
    few = len(walks.steps)
    numbers = matrix_columns(walks.steps.T, [f"t of axis {i + 1}" for i in range(few)])
    return Section("walk", "The axes, moving", see, {"axes": few}, numbers)


def _one_axis(subject: Subject, _: Results) -> OneAxis:
    vector = subject.axes[1][:, :1]
    chosen = subject.field.finished[:REFERENCES]
    along = lines(subject.field.codes[chosen], vector)
    walks = equal_distance_walk(subject.G, subject.D, along, MONTAGE_SIDE, reach=REACH)
    rates = [float(vector[:, 0] @ subject.metric(i) @ vector[:, 0]) for i in chosen]
    return OneAxis(_kept(walks, subject), chosen, np.array(rates))


def _draw_one_axis(_: Subject, result: OneAxis) -> Any:
    return plot.references_montage(result.walks, BYTES, rank=1, labels=[f"code {i}" for i in result.codes])


def _tell_one_axis(subject: Subject, result: OneAxis) -> Section:
    see = (
        "The first axis of code {code}, applied to others: in a homogeneous space it means the same "
        "everywhere. Its eigenvalue at its own code is {eigenvalue:.3g}."
    )
    facts = {"code": subject.first, "eigenvalue": float(subject.axes[2][0])}
    numbers = {"code": result.codes, "rate of change along the axis": result.rates}
    return Section("one_axis", "One axis at many codes", see, facts, numbers)


def _images(subject: Subject) -> bool:
    return subject.images


MONTAGE = Triple("axes", _tell_montage, Walks, _montage, _draw_montage, _images)
FILM = Triple("walk", _tell_film, Walks, _film, _draw_film, _images)
CURVES = Triple(
    "curves", _tell_curves, Walks, _curves, lambda subject, walks: plot.distance_curves(walks, subject.axes[2])
)
ONE_AXIS = Triple(
    "one_axis",
    _tell_one_axis,
    OneAxis,
    _one_axis,
    _draw_one_axis,
    lambda subject: subject.images and len(subject.field.finished) > 1,
)
