"""What a report shows of the axes at one code: pictures, distances, and how far they can be trusted."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from geomgan import analysis, plot
from geomgan.eigen import eigenpairs
from geomgan.paths.axes import constant_speed_walk, equal_distance_walk, walk
from geomgan.report.findings import Findings
from geomgan.report.page import Section, matrix_columns

REACH, CURVE_STEPS, MONTAGE_SIDE = 3.0, 61, 5  # latent units to each side; samples a curve; images to each side
ANIMATED, FRAMES, PIXELS = 4, 40, 160  # axes side by side, frames of a way, pixels of a panel
REFERENCES = 5  # codes that one axis is applied to
PROJECTED = 32  # codes that are compressed


def montage(found: Findings) -> Section:
    """Walks along the axes of the first code, a row each."""
    z, vectors, values = found.axes
    walks = equal_distance_walk(found.G, found.D, z, vectors, MONTAGE_SIDE, reach=REACH)
    see = (
        f"Each row walks along one eigenvector of the metric tensor at code {found.first}, the largest eigenvalue on "
        "top. Columns are equally far from the reference in distance: look for what one row changes and the others "
        "leave alone. Far steps leave the range that the eigenvalue predicts (see the trust radius)."
    )
    figure = plot.axes_montage(walks, values, found.G.output_range)
    numbers = {"rank": np.arange(1, len(values) + 1), "eigenvalue": values}
    numbers |= matrix_columns(walks.steps, [f"t of column {i + 1}" for i in range(walks.steps.shape[1])])
    return Section("axes", "What the axes do", see, figure, numbers)


def animation(found: Findings) -> Section:
    """The first axes, moving side by side."""
    z, vectors, values = found.axes
    few = min(ANIMATED, found.top)
    walks = constant_speed_walk(found.G, found.D, z, vectors[:, :few], FRAMES, reach=REACH, same_length=True)
    with tempfile.TemporaryDirectory() as folder:
        path = plot.animate(
            Path(folder, "axes.gif"), walks, values[:few], found.G.output_range, size=PIXELS, progress=False
        )
        data = path.read_bytes()
    see = (
        f"The first {few} axes, there and back at constant perceptual speed: every frame is as far from the last one "
        "in distance. Where a mark moves fast, the sample hardly changes."
    )
    return Section(
        "walk",
        "The axes, moving",
        see,
        animation=data,
        numbers=matrix_columns(walks.steps.T, [f"t of axis {i + 1}" for i in range(few)]),
    )


def curves(found: Findings) -> Section:
    """Distance along each axis, and its quadratic prediction."""
    z, vectors, values = found.axes
    walks = walk(found.G, found.D, z, vectors, np.linspace(-REACH, REACH, CURVE_STEPS))
    see = (
        f"Distance from the sample of code {found.first} along its own axes, and the prediction √λ |t| of the metric. "
        "They touch at the reference; where they part, the metric at the reference no longer describes the change."
    )
    numbers = {"t": walks.steps[0]} | {f"axis {i + 1}": row for i, row in enumerate(walks.distances)}
    return Section("curves", "How far each axis reaches", see, plot.distance_curves(walks, values), numbers)


def trust(found: Findings) -> Section:
    """The trust radius of axes over the whole spectrum."""
    i = found.first
    pairs = eigenpairs(found.metric(i), solver="dense")
    ranks = np.unique(np.geomspace(1, found.G.latent_dim, min(24, found.G.latent_dim)).round().astype(int))
    result = analysis.trust_radius(found.G, found.D, found.field.codes[i], pairs, reach=2 * REACH, ranks=ranks.tolist())
    see = (
        f"The trust radius of an axis at code {i}: the first step at which the distance leaves √λ |t| by more than "
        f"{100 * result.tolerance:g} %, on the nearer side (∞ if not within {result.reach:g}). Ranks are spaced in "
        f"equal ratios. Distances below {result.resolution:.1g} are rounding."
    )
    table = {
        "rank": result.ranks,
        "eigenvalue": result.values,
        "rate √λ": np.sqrt(np.maximum(result.values, 0)),
        "trust radius": result.radius,
        "towards -t": result.sides[:, 0],
        "towards +t": result.sides[:, 1],
    }
    rounded = np.sqrt(np.maximum(result.values, 0)) * result.radius <= result.resolution
    if rounded.any():
        table["within rounding"] = np.where(rounded, "yes", "no")
    return Section("trust_radius", "How far to trust each axis", see, plot.trust_radius(result), table, table)


def many(found: Findings) -> Section:
    """The first axis at several codes."""
    _, vectors, values = found.axes
    chosen = found.field.finished[:REFERENCES]
    figure = plot.axis_on_many(
        found.G, found.D, vectors[:, 0], found.field.codes[chosen], rank=1, reach=REACH,
        labels=[f"code {i}" for i in chosen], progress=False,
    )  # fmt: skip
    see = (
        f"The first axis of code {found.first}, applied to others: in a homogeneous space it means the same "
        f"everywhere. Its eigenvalue at its own code is {values[0]:.3g}."
    )
    rates = [float(vectors[:, 0] @ found.metric(i) @ vectors[:, 0]) for i in chosen]
    numbers = {"code": chosen, "rate of change along the axis": rates}
    return Section("one_axis", "One axis at many codes", see, figure, numbers)


def null_space(found: Findings) -> Section:
    """Equal moves in the top and the bottom eigenspace."""
    i, dim = found.first, found.G.latent_dim
    g = found.metric(i)
    dims, lengths = max(1, min(dim // 4, dim // 2)), np.linspace(0, 2 * REACH, 7)
    result = analysis.null_space(found.G, found.D, found.field.codes[i], g, dims, found.key, lengths)
    ratio = result.distances[..., -1].mean(axis=1) / np.maximum(result.predictions[..., -1].mean(axis=1), 1e-30)
    see = (
        f"Moves of equal length from code {i}, so of equal density under a normal prior, in the {dims} top and the "
        f"{dims} bottom dimensions. Rows that stay the same are the null space: directions that the prior fills and "
        f"the samples hardly show. At length {lengths[-1]:g} the bottom moves {ratio[1]:.2g} times as far as "
        f"predicted, the top {ratio[0]:.2g} times: the metric at the reference holds for small steps only."
    )
    names = [f"{kind}, direction {j}" for kind in result.kinds for j in range(result.distances.shape[1])]
    numbers = {"t": lengths} | matrix_columns(result.distances.reshape(len(names), -1).T, names)
    return Section("null_space", "The null space", see, plot.null_space(result, found.G.output_range), numbers)


def compression(found: Findings) -> Section:
    """Codes projected on fewer and fewer axes."""
    dim, codes = found.G.latent_dim, found.field.codes[found.field.finished]
    ks = np.unique(np.geomspace(1, dim, min(12, dim)).round().astype(int))
    result = analysis.compression(
        found.G, found.D, codes[:PROJECTED], found.field, ks, centre=codes.mean(axis=0), key=found.key
    )
    see = (
        "Codes reduced to their coordinates on the first k axes of the mean metric, about the mean code: how far the "
        "samples end up from the originals. Where the curve is below that of random axes, the metric compresses."
    )
    numbers = {
        "k": ks,
        "median distance": np.median(result.distance, axis=0),
        "median distance, random axes": np.median(result.control, axis=(0, 1)),
        "share of variance kept": result.kept,
    }
    shown = 3 if found.images else None
    labels = [f"code {i}" for i in found.field.finished[: len(result.samples)]]
    figure = plot.compression(result, shown, found.G.output_range, labels)
    return Section("compression", "What a code can lose", see, figure, numbers)
