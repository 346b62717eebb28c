"""Figures of the null space: what hardly changes a sample, how far the metric says so, and what a code can lose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from geomgan.analysis.compression import Compression
from geomgan.analysis.null_space import EquivalentDirections, NullSpace
from geomgan.analysis.trust_radius import TrustRadius
from geomgan.plot.images import draw_sheet, is_image, pixels, shared_range
from geomgan.plot.style import (
    ACCENT,
    CYCLE,
    INK,
    PAGE,
    SECOND,
    SOFT,
    figure,
    heading,
    legend_below,
    logarithmic,
    one_panel,
    panel,
    plain_ticks,
    styled,
    width_of,
)

Range = tuple[float, float] | None
CONTROL = CYCLE[2]  # blue is the top of the spectrum, red its bottom, green a control
BANDS = "lines: arithmetic mean over directions; bands: range"
PIXELS, CURVES = 128, 2.3  # kept of an image; height of the panels with curves, in inches


@styled
def null_space(result: NullSpace, output_range: Range = (-1, 1)) -> Any:
    """Samples of equal moves in the top and the bottom eigenspace, their distances, and the quadratic approximation.

    Lines are arithmetic means over directions, of the ratios :attr:`NullSpace.ratios`; bands are their range. Samples
    that are no images are left out.

    Returns:
        A matplotlib figure.
    """
    kinds = [_span(kind, result.dims) for kind in result.kinds]
    shown = result.samples.shape[1]
    labels = [f"{kind}, v{i + 1}" for kind in kinds for i in range(shown)]
    rows = result.samples.reshape(2 * shown, *result.samples.shape[2:])
    fig, (distance, ratio) = _images_over_curves(
        rows, output_range, labels, [f"{t:g}" for t in result.lengths], "latent length t", 2,
        colours=[ACCENT] * shown + [SECOND] * shown,
    )  # fmt: skip
    for kind, colour, measured, predicted, ratios, errors in zip(
        kinds, (ACCENT, SECOND), result.distances, result.predictions, result.ratios, result.errors, strict=True
    ):
        _band(distance, result.lengths, measured, colour, f"{kind}, measured")
        distance.plot(result.lengths, predicted.mean(axis=0), color=colour, lw=1.2, ls="--",
                      label=f"{kind}, predicted: √(vᵀg v) t")  # fmt: skip
        moved = np.flatnonzero(np.isfinite(ratios))
        _band(ratio, result.lengths[moved], 1 + errors[:, moved], colour, None, ratios[moved])
    distance.set_ylim(0, 1.15 * float(result.distances.max()) or 1.0)  # predictions leave: the measurement counts
    ratio.axhline(1, color=SOFT, lw=0.9)
    ratio.set_yscale("log")
    logarithmic(ratio)
    distance.set(xlabel="latent length t", ylabel=f"distance ({result.measure})")
    ratio.set(xlabel="latent length t", ylabel="measured / predicted,\nmean of the ratios")
    where = (
        "along great circles of |z|\xa0=\xa0const"
        if result.path == "spherical"
        else "along lines z\xa0+\xa0t\xa0v, v orthogonal to z"
    )
    density = ", so of equal density under N(0,\xa0I)," if result.dims > 1 else ""
    heading(fig, f"Moves of equal length{density} in the top and the bottom eigenspace, {where} ({BANDS})")
    legend_below(fig)
    return fig


@styled
def equivalent_directions(result: EquivalentDirections, output_range: Range = (-1, 1)) -> Any:
    """Samples at the ends of ``v + μ u``, their distance from that of ``v``, and the cosine between the directions.

    Returns:
        A matplotlib figure.
    """
    null, control = f"u in the {_span('bottom', result.dims)}", "u in any direction"
    shown = len(result.samples)
    moves = np.concatenate([result.samples, result.control_samples])
    first = np.broadcast_to(result.reference, (2 * shown, 1, *result.reference.shape))
    fig, (cosine, distance) = _images_over_curves(
        np.concatenate([first, moves], axis=1), output_range,
        [f"{text}, u{i + 1}" for text in (null, control) for i in range(shown)],
        ["z", *(f"μ = {mu:g}" for mu in result.mus)], f"G(z), then G(z + {result.length:g} (v + μ u))", 2,
        colours=[SECOND] * shown + [CONTROL] * shown,
    )  # fmt: skip
    _band(cosine, result.mus, result.cosine, INK, None)
    cosine.set(xlabel="μ", ylabel="cosine of v and v + μ u", ylim=(0, 1.03))
    _band(distance, result.mus, result.distances, SECOND, null)
    _band(distance, result.mus, result.control, CONTROL, control)
    distance.axhline(result.moved, color=SOFT, lw=1.2, ls="--", label="what v itself changes: d(G(z), G(z + t v))")
    distance.set(xlabel="μ", ylabel=f"distance from the end of v\n({result.measure})")
    distance.set_ylim(0, None)
    heading(fig, f"Equivalent directions: v + μ u turns away from v, and its sample stays near that of v ({BANDS})")
    legend_below(fig)
    return fig


@styled
def trust_radius(result: TrustRadius) -> Any:
    """The trust radius of each axis, and the distance that the sample has moved there.

    Triangles mark axes whose distance does not leave within reach, or has left at the first step; open markers, those
    within the rounding of the distance, :attr:`TrustRadius.rounded`: it says little there.

    Returns:
        A matplotlib figure.
    """
    fig, axes = figure(PAGE, CURVES, 1, 2)
    radius = np.clip(result.radius, result.steps[0], result.reach)
    far, near = np.isinf(result.radius), result.radius < result.steps[0]
    scale = np.sqrt(np.maximum(result.values, 0.0))
    for ax, y in zip(axes[0], (radius, scale * radius), strict=True):
        for kind, marker, size, colour, text in (
            (~far & ~near, "o", 3.5, ACCENT, "axis"),
            (far, "^", 4.5, SECOND, "not left within reach"),
            (near, "v", 4.5, SECOND, "left at the first step"),
        ):
            for there, face, label in (
                (kind & ~result.rounded & (y > 0), colour, text),
                (
                    kind & result.rounded & (y > 0),
                    "white",
                    "within rounding" if marker == "o" else f"{text}, within rounding",
                ),
            ):
                if there.any():
                    ax.plot(result.ranks[there], y[there], marker, ms=size, mec=colour, mfc=face, mew=0.8, label=label)
        ax.set(yscale="log", xlabel=_rank_label(result.ranks))
        ax.grid(axis="y", alpha=0.25)
    axes[0, 0].axhline(result.reach, color=SOFT, lw=1, ls=":", label=f"reach, {result.reach:g}")
    axes[0, 0].set_ylabel("trust radius, latent units")
    if result.resolution > axes[0, 1].get_ylim()[0] / 10:
        axes[0, 1].axhline(result.resolution, color=SOFT, lw=1, ls="--", label="rounding of the distance")
    for ax in axes[0]:
        logarithmic(ax)
    axes[0, 1].set_ylabel(f"√λ · radius, distance\n({result.measure})")
    heading(fig, f"How far d = √λ |t| holds within {100 * result.tolerance:g}\xa0% along each axis")
    legend_below(fig)
    return fig


@styled
def compression(
    result: Compression,
    samples: int | None = None,
    output_range: Range = (-1, 1),
    labels: Sequence[str] | None = None,
    *,
    ax: Any = None,
) -> Any:
    """Distance of projected codes' samples to the originals against the number of axes, beside random axes.

    Lines are medians over codes (and draws), bands 5 to 95 %.

    Args:
        result: of the projections.
        samples: codes whose images are drawn; by default two, or as many as are kept.
        output_range: of the samples.
        labels: of the codes whose images are drawn; by default code 0, 1, ...
        ax: the axes to draw the curves into, with ``samples=0``; by default those of a new figure.

    Returns:
        A matplotlib figure.

    Raises:
        ValueError: there are fewer labels than codes drawn.
    """
    shown = min(2 if samples is None else samples, len(result.samples))
    names = [f"code {i}" for i in range(shown)] if labels is None else list(labels)[:shown]
    if len(names) < shown:
        raise ValueError(f"there are {len(names)} labels for {shown} codes; expected one for each.")
    one_panel(ax, 2 if shown else 1, "samples=0")
    pairs = zip(result.samples[:shown], result.control_samples[:shown], result.originals[:shown], strict=True)
    rows = [np.concatenate([original[None], row]) for own, control, original in pairs for row in (own, control)]
    row_labels = [f"{name}, {text}" for name in names for text in ("metric axes", "random axes")]
    given = ax
    if shown:
        columns = ["original", *(f"k = {k}" for k in result.ks)]
        fig, (ax,) = _images_over_curves(np.array(rows), output_range, row_labels, columns, "number of axes kept", 1,
                                         colours=[ACCENT, CONTROL] * shown)  # fmt: skip
    else:
        fig, ax = panel(given, PAGE, CURVES)
    order = np.argsort(result.ks)
    ks = result.ks[order]
    random = result.control.reshape(-1, len(ks))
    for curves, colour, label in (
        (result.distance, ACCENT, "axes of the metric"),
        (random, CONTROL, "random orthonormal axes"),
    ):
        low, middle, high = np.percentile(curves[:, order], (5, 50, 95), axis=0)
        ax.fill_between(ks, low, high, color=colour, alpha=0.18, lw=0)
        ax.plot(ks, middle, "o-", ms=3, lw=1.5, color=colour, label=label)
    ax.set(xlabel="number k of axes kept", ylabel=f"distance to the original\n({result.measure})")
    ax.set_ylim(0, None)
    ax.grid(axis="y", alpha=0.25)
    codes = f"{len(result.distance)} codes" if len(result.distance) > 1 else "one code"
    heading(
        fig, f"Compression: samples of {codes} projected on k axes about their centre (median, 5 to 95\xa0%)", given
    )
    legend_below(fig, given)
    return fig


def _images_over_curves(
    rows: np.ndarray,
    output_range: Range,
    labels: Sequence[str],
    columns: Sequence[str],
    below: str,
    panels: int,
    colours: Sequence[str],
) -> tuple[Any, list[Any]]:
    """A figure with a labelled grid of images ``(n, T, H, W, C)``, where samples are images, over panels for curves."""
    if not is_image(rows.shape[2:]):
        fig, axes = figure(PAGE, CURVES, 1, panels)
        return fig, list(axes[0])
    count, across, height, width = rows.shape[:4]
    margin = width_of(labels) + 0.2
    cell = min(0.75, (PAGE - margin) / across)
    images_height = cell * height / width * count + 0.55
    from matplotlib.figure import Figure

    fig = Figure(figsize=(PAGE, images_height + CURVES), layout="constrained")
    upper, lower = fig.subfigures(2, 1, squeeze=False, height_ratios=(images_height, CURVES))[:, 0]
    ax, axes = upper.subplots(), list(lower.subplots(1, panels, squeeze=False)[0])
    values = shared_range(rows, output_range)
    images = np.stack([[pixels(sample, values, PIXELS) for sample in row] for row in rows])
    for each in (ax, *axes):
        plain_ticks(each)
    draw_sheet(ax, images, labels, dict(enumerate(columns)), below)
    for tick, colour in zip(ax.get_yticklabels(), colours, strict=True):
        tick.set_color(colour)
    return fig, axes


def _rank_label(ranks: np.ndarray) -> str:
    """Says which ranks are shown where some between the first and the last are not."""
    count, (first, last) = len(ranks), (int(ranks.min()), int(ranks.max()))
    if last - first < count:
        return "rank of the axis"
    ratios = (np.unique(np.geomspace(first, last, n).round()) for n in range(count, 3 * count))  # the same round alike
    equal = any(np.array_equal(np.sort(ranks), series) for series in ratios)
    return f"rank of the axis ({count} ranks{' in equal ratios' if equal else ''})"


def _span(kind: str, dims: int) -> str:
    return f"{kind} {dims} axes" if dims > 1 else f"{kind} axis"


def _band(
    ax: Any, x: np.ndarray, curves: np.ndarray, colour: str, label: str | None, middle: np.ndarray | None = None
) -> None:
    """The range of ``curves (n, T)`` and their ``middle``, by default the mean."""
    ax.fill_between(x, curves.min(axis=0), curves.max(axis=0), color=colour, alpha=0.18, lw=0)
    ax.plot(x, curves.mean(axis=0) if middle is None else middle, color=colour, lw=1.6, label=label)
