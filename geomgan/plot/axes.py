"""What the axes of a metric tensor do to samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from geomgan.paths import Walks
from geomgan.plot.images import BEYOND, KEPT, check_images, labelled_grid
from geomgan.plot.style import (
    ACCENT,
    COLUMN,
    PAGE,
    SECOND,
    SOFT,
    figure,
    heading,
    legend_below,
    one_panel,
    panel,
    signed,
    styled,
)

FORMULA = {"linear": "z + t v", "spherical": "cos(t) z + sin(t) |z| v⊥ on the sphere"}
UNIT = {"linear": "step t (latent units)", "spherical": "angle t (radians)"}


@styled
def axes_montage(
    walks: Walks,
    values: Any,
    output_range: tuple[float, float] | None = (-1, 1),
    step: float | None = None,
    ranks: Any = None,
    title: str | None = None,
    *,
    trust: Any = None,
    pixels: int = KEPT,
    ax: Any = None,
) -> Any:
    """A grid of images: rows are axes, columns are steps, the reference is framed.

    Columns are labelled with the distance from the reference where the walks have equal steps in distance, and each
    row with its range of ``t``; with ``t`` where the steps are the same in all rows, and each row with the distances
    at its ends. With trust radii each row also says how many of them its ends are away, and a bar marks the images
    beyond. The walks of a long spectrum are drawn page by page, some of them at a time.

    Args:
        walks: samples along the axes, see :mod:`geomgan.paths`.
        values: the eigenvalue of each axis.
        output_range: of the samples; None shows the range of all of them.
        step: distance between neighbours, for walks along :func:`geomgan.paths.equal_distance_steps`.
        ranks: the rank of each axis; by default 1, 2, ...
        title: by default, what was computed.
        trust: ``(n, 2)``, the trust radius of each axis towards negative and positive ``t``, in units of ``t``:
            ``sides`` of :func:`geomgan.analysis.trust_radius`.
        pixels: kept of each image's longer side: what a figure of many images holds.
        ax: the axes to draw into; by default those of a new figure.

    Returns:
        A matplotlib figure.

    Raises:
        ValueError: the samples are no images, there is not one value, rank and pair of radii for each axis, or
            distances are to be shown without the reference in the middle.
    """
    check_images(walks.samples.shape[2:])
    rows = rank_labels(values, ranks, len(walks.samples))
    title = title or f"Walks {formula(walks)} along eigenvectors v of the metric tensor{_under(walks)}"
    columns = _columns(walks, step)
    if trust is not None:
        columns = _trusted(columns, walks.steps, _sides(trust, len(rows)))
    return labelled_grid(walks.samples, output_range, title=title, rows=rows, side=pixels, ax=ax, **columns)


@styled
def references_montage(
    walks: Walks,
    output_range: tuple[float, float] | None = (-1, 1),
    *,
    rank: int | None = None,
    labels: Sequence[str] | None = None,
    title: str | None = None,
    ax: Any = None,
) -> Any:
    """One direction applied to many references: rows are references, columns are steps.

    Source: ``vis_eigen_action`` of GAN-Geometry, whose example passes a matrix for the vector; it spaces by ``t``.

    Args:
        walks: from the references ``(n, d)`` along one direction ``(d, 1)``, for example an eigenvector of the metric
            at one code; see :mod:`geomgan.paths`.
        output_range: of the samples; None shows the range of all of them.
        rank: of the eigenvector, for the title.
        labels: of the references; by default code 0, 1, ...
        title: by default, what was computed.
        ax: the axes to draw into; by default those of a new figure.

    Returns:
        A matplotlib figure.

    Raises:
        ValueError: the samples are no images, or there is not one label for each reference.
    """
    check_images(walks.samples.shape[2:])
    count = len(walks.samples)
    labels = [f"code {i}" for i in range(count)] if labels is None else list(labels)
    if len(labels) != count:
        raise ValueError(f"there are {len(labels)} labels for {count} references; expected one for each.")
    name = "One direction v" if rank is None else f"Eigenvector v of rank {rank}"
    title = title or f"{name} at {count} references z: walks {formula(walks)}{_under(walks)}"
    return labelled_grid(walks.samples, output_range, title=title, rows=labels, ax=ax, **_columns(walks))


@styled
def distance_curves(
    walks: Walks, values: Any, ranks: Any = None, speeds: Any = None, *, trust: Any = None, ax: Any = None
) -> Any:
    """Distance from the reference along each axis, beside what the metric predicts close to it.

    Args:
        walks: walks along the axes.
        values: the eigenvalue of each axis.
        ranks: the rank of each axis; by default 1, 2, ...
        speeds: the slope of each curve at the reference, from :func:`geomgan.paths.initial_speeds`. By default
            ``√λ`` for linear walks; on the sphere no eigenvalue says it, and no prediction is drawn without.
        trust: ``(n, 2)``, the trust radius of each axis towards negative and positive ``t``, to be marked.
        ax: the axes to draw one walk into; by default those of a new figure.

    Returns:
        A matplotlib figure, one panel per axis on common scales.

    Raises:
        ValueError: there is not one value, rank, speed and pair of radii for each axis.
    """
    count = len(walks.steps)
    sides = None if trust is None else _sides(trust, count)
    labels = rank_labels(values, ranks, count, ", ")
    prediction = "predicted by the metric: speed · |t|"
    if speeds is None and walks.path == "linear":
        speeds, prediction = np.sqrt(np.maximum(np.asarray(values, np.float64), 0.0)), "predicted by the metric: √λ |t|"
    if speeds is not None and len(speeds) != count:
        raise ValueError(f"there are {len(speeds)} speeds for {count} axes; expected one for each.")
    one_panel(ax, count, "walks along one axis")
    given, rows = ax, -(-count // 4)
    columns = -(-count // rows)
    if count == 1:
        fig, ax = panel(given, COLUMN, 2.2)
        axes = np.array([[ax]])
    else:
        fig, axes = figure(PAGE * max(columns, 2) / 4, 1.45 * rows + 0.7, rows, columns, sharex=True, sharey=True)
    top = 1.1 * float(walks.distances.max()) or 1.0
    for i, ax in enumerate(axes.flat):
        if i >= count:
            ax.set_visible(False)
            continue
        t = walks.steps[i]
        ax.axvline(0, color=SOFT, lw=0.6)
        if speeds is not None:
            ax.plot(t, speeds[i] * np.abs(t), color=SECOND, lw=1.2, ls="--", label=prediction)
        ax.plot(t, walks.distances[i], color=ACCENT, lw=1.8, label="measured")
        if sides is not None:
            for radius in sides[i] * (-1, 1):
                if t.min() < radius < t.max():
                    ax.axvline(radius, color=BEYOND, lw=1.2, ls=":", label="trust radius")
        ax.set_ylim(0, top)
        ax.set_title(labels[i], loc="left")
        lowest = i >= count - columns  # of its column, also in a ragged last row
        ax.tick_params(labelbottom=lowest)
        ax.set(xlabel=unit(walks) if lowest else "", ylabel="distance" if i % columns == 0 else "")
    if given is None:  # in axes that are given, the panel's own title is the title
        heading(fig, f"Distance from the reference along walks {formula(walks)}{_under(walks)}")
    legend_below(fig, given)
    return fig


def rank_labels(values: Any, ranks: Any, count: int, between: str = "\n") -> list[str]:
    """``axis 1, λ = 3.2`` and so on; ``ValueError`` unless there is one value and one positive rank for each axis."""
    values = np.asarray(values)
    ranks = np.arange(1, count + 1) if ranks is None else np.atleast_1d(ranks)
    if values.shape != (count,) or ranks.shape != (count,):
        raise ValueError(
            f"there are {count} axes, values of shape {values.shape} and ranks of shape {ranks.shape}; expected one "
            "value and one rank for each axis."
        )
    if not np.issubdtype(ranks.dtype, np.integer) or ranks.min() < 1:
        raise ValueError(f"ranks are {ranks.tolist()}; expected integers from 1, the largest eigenvalue.")
    return [f"axis {rank}{between}λ = {value:.3g}" for rank, value in zip(ranks, values, strict=True)]


def _columns(walks: Walks, step: float | None = None) -> dict[str, Any]:
    """Labels of the columns and of the right margin of a grid of walks, for :func:`labelled_grid`."""
    steps, distances, count = walks.steps, walks.distances, walks.steps.shape[1]
    centre = count // 2 if count % 2 and not steps[:, count // 2].any() else None
    if step is None and walks.spacing == "distance" and walks.gaps is not None:
        step = float(walks.gaps[0])
    if step is not None:
        if centre is None:
            raise ValueError(
                "a step in distance was given, but the reference, t = 0, is not in the middle of the walks."
            )
        return {
            "columns": signed(step * (np.arange(count) - centre)),
            "below": f"signed distance from the framed reference, in equal steps of {step:.3g}",
            "right": [f"{signed(ends)[0]} to {signed(ends)[1]}" for ends in steps[:, [0, -1]]],
            "right_title": unit(walks).replace(" (", "\n("),
            "marked": centre,
        }
    same = np.ptp(steps, axis=0).max() <= 1e-6 * np.abs(steps).max()
    return {
        "columns": signed(steps[0]) if same else [],
        "below": (unit(walks) if same else f"{unit(walks)}, each axis in its own steps")
        + ("; the reference is framed" if centre is not None else ""),
        "right": [
            f"{first:#.2g}, {last:#.2g}".replace(".,", ",").removesuffix(".") for first, last in distances[:, [0, -1]]
        ],
        "right_title": "distance at\nboth ends",
        "marked": centre,
    }


def _sides(trust: Any, count: int) -> np.ndarray:
    """Trust radii ``(count, 2)``; ``ValueError`` for others."""
    sides = np.asarray(trust, np.float64)
    if sides.shape != (count, 2) or not (sides >= 0).all():
        raise ValueError(
            f"trust has shape {sides.shape}; expected ({count}, 2), radii towards -t and +t of each axis: the sides of "
            "geomgan.analysis.trust_radius at the ranks that are shown."
        )
    return sides


def _trusted(columns: dict[str, Any], steps: np.ndarray, sides: np.ndarray) -> dict[str, Any]:
    """Labels of a grid with what is beyond the trust radius, and how many radii the ends of each row are away."""
    radii = np.where(steps < 0, sides[:, :1], sides[:, 1:])
    ends = np.abs(steps[:, [0, -1]]), radii[:, [0, -1]]
    away = [" and ".join(map(_in_radii, t, r)) for t, r in zip(*ends, strict=True)]
    return columns | {
        "right": [f"{label}\n{text} radii" for label, text in zip(columns["right"], away, strict=True)],
        "right_title": f"{columns['right_title']},\nand in trust radii",
        "below": f"{columns['below']}; a bar marks what is beyond the trust radius",
        "beyond": np.abs(steps) > radii,
    }


def _in_radii(t: float, radius: float) -> str:
    """``|t|`` in trust radii; less than one where the radius is beyond all that was measured."""
    return "<1" if np.isinf(radius) else "∞" if radius == 0 else f"{t / radius:.2g}"


def formula(walks: Walks) -> str:
    """What the paths of some walks are."""
    return FORMULA.get(walks.path, f"along paths ({walks.path})")


def unit(walks: Walks) -> str:
    """What ``t`` is along some walks, with its unit."""
    return UNIT.get(walks.path, "t along the path")


def _under(walks: Walks) -> str:
    return "" if walks.measure == "distance" else f" under {walks.measure}"
