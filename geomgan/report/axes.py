"""What a report shows of the axes at one code: pictures, and how far each of them goes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from geomgan import plot
from geomgan.brief import brief
from geomgan.paths import Walks, equal_distance_steps, equal_distance_walk, lines, walk
from geomgan.report.pictures import BYTES, kept
from geomgan.report.section import Section, matrix_columns
from geomgan.report.subject import Subject
from geomgan.report.triple import Results, Triple

REACH, CURVE_STEPS, MONTAGE_SIDE = 3.0, 61, 5  # latent units to each side; samples a curve; images to each side
REFERENCES = 5  # codes that one axis is applied to


@brief
@dataclass(frozen=True)
class OwnAxes:
    """Walks along the axes of one code, and how far each axis can be trusted.

    Attributes:
        walks: along each axis.
        ranks: ``(n,)``, of the axes, from 1.
        sides: ``(n, 2)``, trust radii towards negative and positive ``t``.
        tolerance: of the distance within them, in percent.
    """

    walks: Walks
    ranks: np.ndarray
    sides: np.ndarray
    tolerance: float


@dataclass(frozen=True)
class OneAxis:
    """The first axis of one code, at several.

    Attributes:
        walks: pictures along it, a row for each code.
        codes: ``(n,)``, their indices in the field.
        rates: ``(n,)``, ``vᵀ g v`` there.
        sides: ``(2,)``, its trust radii at its own code.
    """

    walks: Walks
    codes: np.ndarray
    rates: np.ndarray
    sides: np.ndarray


def _kept(walks: Walks, subject: Subject) -> Walks:
    return replace(walks, samples=kept(walks.samples, subject.G))


def _with_radii(walks: Walks, ranks: np.ndarray, results: Results) -> OwnAxes:
    """Walks along axes with the trust radii of these, which are among the first ranks of theirs."""
    trust = results("trust_radius")
    return OwnAxes(walks, ranks, trust.sides[ranks - 1], 100 * trust.tolerance)


def moving_ranks(results: Results, most: int) -> np.ndarray:
    """Ranks of the first axes along which the sample changes to both sides, by more than rounding.

    The others have no steps of equal distance.

    Raises:
        ValueError: there are none.
    """
    walks, resolution = results("curves").walks, results("trust_radius").resolution
    reaches = [np.where(side, walks.distances, 0).max(axis=1) for side in (walks.steps < 0, walks.steps > 0)]
    ranks = np.flatnonzero(np.minimum(*reaches) > resolution)[:most] + 1
    if not len(ranks):
        raise ValueError(f"none of the first {len(walks.steps)} axes changes the sample by more than rounding.")
    return ranks


def left_out(ranks: np.ndarray, last: int) -> tuple[str, dict[str, Any]]:
    """A sentence on the axes up to the ``last`` that are not among these, and its facts; nothing where all are."""
    still = sorted({*range(1, last + 1)} - {*ranks.tolist()})
    if not still:
        return "", {}
    return " Left out, as they change the sample by no more than rounding: {still}.", {
        "still": f"ax{'e' if len(still) > 1 else 'i'}s {', '.join(map(str, still))}"
    }


def radii(sides: np.ndarray) -> dict[str, Any]:
    """Two columns of a table: trust radii ``(n, 2)``."""
    return {"trust radius towards -t": sides[:, 0], "trust radius towards +t": sides[:, 1]}


def _curves(subject: Subject, results: Results) -> OwnAxes:
    z, vectors = subject.axes[:2]
    steps = np.linspace(-REACH, REACH, CURVE_STEPS)
    walks = walk(subject.G, subject.D, lines(z, vectors), steps, keep=False)
    return _with_radii(walks, np.arange(1, subject.top + 1), results)


def _draw_curves(subject: Subject, result: OwnAxes) -> Any:
    return plot.distance_curves(result.walks, subject.axes[2], trust=result.sides)


def _tell_curves(subject: Subject, result: OwnAxes) -> Section:
    see = (
        "Distance from the sample of code {code} along its own axes, and the prediction √λ |t| of the metric. "
        "They touch at the reference; where they part by more than {tolerance:g} %, at the trust radius, the metric at "
        "the reference no longer describes the change."
    )
    facts = {"code": subject.first, "tolerance": result.tolerance}
    numbers = {"t": result.walks.steps[0]} | {f"axis {i + 1}": row for i, row in enumerate(result.walks.distances)}
    return Section("curves", "How far each axis reaches", see, facts, numbers)


def _montage(subject: Subject, results: Results) -> OwnAxes:
    (z, vectors, _), curves = subject.axes, results("curves").walks
    ranks = moving_ranks(results, subject.top)
    chosen = replace(curves, steps=curves.steps[ranks - 1], distances=curves.distances[ranks - 1])
    steps, gap = equal_distance_steps(chosen, MONTAGE_SIDE)
    walks = walk(subject.G, subject.D, lines(z, vectors[:, ranks - 1]), steps)
    walks = _kept(replace(walks, spacing="distance", gaps=np.full(len(steps), gap)), subject)
    return _with_radii(walks, ranks, results)


def _draw_montage(subject: Subject, result: OwnAxes) -> Any:
    values = subject.axes[2][result.ranks - 1]
    return plot.axes_montage(result.walks, values, BYTES, ranks=result.ranks, trust=result.sides)


def _tell_montage(subject: Subject, result: OwnAxes) -> Section:
    values, steps = subject.axes[2][result.ranks - 1], result.walks.steps
    still, named = left_out(result.ranks, subject.top)
    see = (
        "Each row walks along one eigenvector of the metric tensor at code {code}, the largest eigenvalue on "
        "top. Columns are equally far from the reference in distance: look for what one row changes and the others "
        "leave alone. The metric at the reference speaks for the images within the trust radius of a row, where the "
        "distance is within {tolerance:g} % of √λ |t|; those beyond have a bar under them, and each row says how many "
        "radii its ends are away."
    ) + still
    facts = {"code": subject.first, "tolerance": result.tolerance} | named
    numbers = {"rank": result.ranks, "eigenvalue": values} | radii(result.sides)
    numbers |= matrix_columns(steps, [f"t of column {i + 1}" for i in range(steps.shape[1])])
    return Section("axes", "What the axes do", see, facts, numbers)


def _one_axis(subject: Subject, results: Results) -> OneAxis:
    vector = subject.axes[1][:, :1]
    chosen = subject.field.finished[:REFERENCES]
    along = lines(subject.field.codes[chosen], vector)
    walks = equal_distance_walk(subject.G, subject.D, along, MONTAGE_SIDE, reach=REACH)
    rates = [float(vector[:, 0] @ subject.metric(i) @ vector[:, 0]) for i in chosen]
    return OneAxis(_kept(walks, subject), chosen, np.array(rates), results("trust_radius").sides[0])


def _draw_one_axis(_: Subject, result: OneAxis) -> Any:
    return plot.references_montage(result.walks, BYTES, rank=1, labels=[f"code {i}" for i in result.codes])


def _tell_one_axis(subject: Subject, result: OneAxis) -> Section:
    far = float(np.abs(result.walks.steps).max())
    facts = {"code": subject.first, "eigenvalue": float(subject.axes[2][0]), "far": far}
    facts |= {"least": float(result.rates.min()), "most": float(result.rates.max())}
    radius = float(result.sides.min())
    trusted = "not left within reach"
    if np.isfinite(radius):
        trusted, facts["radius"] = "{radius:.2g} latent units", radius
    see = (
        "The first axis of code {code}, applied to others: in a homogeneous space it means the same everywhere. Its "
        "eigenvalue at its own code is {eigenvalue:.3g}; the rates of change along it at the codes shown are "
        f"{{least:.3g}} to {{most:.3g}}. Rows go up to {{far:.2g}} latent units; its trust radius at its own code: "
        f"{trusted}."
    )
    numbers = {"code": result.codes, "rate of change along the axis": result.rates}
    return Section("one_axis", "One axis at many codes", see, facts, numbers)


def _images(subject: Subject) -> bool:
    return subject.images


MONTAGE = Triple("axes", _tell_montage, OwnAxes, _montage, _draw_montage, _images)
CURVES = Triple("curves", _tell_curves, OwnAxes, _curves, _draw_curves)
ONE_AXIS = Triple(
    "one_axis",
    _tell_one_axis,
    OneAxis,
    _one_axis,
    _draw_one_axis,
    lambda subject: subject.images and len(subject.field.finished) > 1,
)
