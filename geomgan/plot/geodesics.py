"""Straight lines and the shortest paths beside them: images, distance gone, correlations, improvements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from geomgan.geodesics import Sequences
from geomgan.plot.images import check_images, labelled_grid
from geomgan.plot.inputs import check_input
from geomgan.plot.style import (
    ACCENT,
    COLUMN,
    CYCLE,
    INK,
    PAGE,
    SOFT,
    colour_bar,
    figure,
    heading,
    legend_below,
    number,
    one_panel,
    panel,
    styled,
)

IMAGES = 11  # side by side
WAYS = ("straight", "shorter")
_EXPECTED = "the result of geomgan.geodesics.sequences"


@styled
def image_sequences(
    seen: Sequences,
    output_range: tuple[float, float] | None = (-1, 1),
    names: Sequence[str] | None = None,
    real: tuple[Any, Any] | None = None,
    title: str | None = None,
    *,
    ax: Any = None,
) -> Any:
    """Images along each straight line, at equal steps of the code, and along the path found, at constant speed.

    Args:
        seen: of :func:`geomgan.geodesics.sequences`.
        output_range: of the samples; None shows the range of all of them.
        names: of the pairs; by default numbers.
        real: images ``(n, H, W, C)`` of where the pairs start and where they end, to show at both sides.
        title: over the grid.
        ax: the axes to draw into; by default those of a new figure.

    Returns:
        A matplotlib figure.

    Raises:
        ValueError: the samples are no images.
    """
    check_input(seen, Sequences, "seen", _EXPECTED)
    check_images(seen.samples.shape[3:])
    n, _, T = seen.samples.shape[:3]
    at = np.unique(np.linspace(0, T - 1, min(IMAGES, T)).round().astype(int))
    rows = seen.samples[:, :, at].reshape(2 * n, len(at), *seen.samples.shape[3:])
    columns = [f"{t:.1f}" for t in seen.t[at]]
    if real is not None:
        first, last = (np.repeat(np.asarray(x), 2, axis=0)[:, None] for x in real)
        rows, columns = np.concatenate([first, rows, last], axis=1), ["real", *columns, "real"]
    names = [f"{i + 1}" for i in range(n)] if names is None else names
    labels = [f"{name}\n{way}" if n > 1 and way == WAYS[0] else way for name in names for way in WAYS]
    return labelled_grid(
        rows,
        output_range,
        title=title or "Straight lines at equal steps of the code, shorter paths at constant speed",
        below="t, from start to end",
        rows=labels,
        columns=columns,
        right=[f"{length:.4g}" for length in seen.arcs[..., -1].ravel()],
        right_title="length",
        ax=ax,
    )


@styled
def distance_gone(seen: Sequences, names: Sequence[str] | None = None, *, ax: Any = None) -> Any:
    """The distance gone along each straight line and along the path found, which goes at constant speed.

    Args:
        seen: of :func:`geomgan.geodesics.sequences`; the first pairs are shown, one for each colour.
        names: of the pairs; by default numbers.
        ax: the axes to draw into; by default those of a new figure.

    Returns:
        A matplotlib figure.
    """
    check_input(seen, Sequences, "seen", _EXPECTED)
    given = ax
    fig, ax = panel(given, COLUMN, 2.6)
    count = min(len(CYCLE), len(seen.arcs))
    t = np.linspace(0, 1, seen.arcs.shape[-1])
    for i, (colour, pair) in enumerate(zip(CYCLE, seen.arcs[:count], strict=False)):
        name = f"{i + 1}" if names is None else names[i]
        for style, way, arcs in zip(("--", "-"), WAYS, pair, strict=True):
            label = f"{name}, {way}" if count > 1 else way
            ax.plot(t, arcs, style, color=colour, lw=1.2, label=label)
    ax.set(xlabel="t, from start to end", ylabel=f"distance gone ({seen.measure})", xlim=(0, 1), ylim=(0, None))
    heading(fig, "Distance gone along straight lines and paths found", given)
    legend_below(fig, given)
    return fig


@styled
def correlation_matrices(seen: Sequences, pair: int = 0) -> Any:
    """Cosines between samples along a straight line and along the path found, on one scale, with their variances.

    Args:
        seen: of :func:`geomgan.geodesics.sequences`.
        pair: which.

    Returns:
        A matplotlib figure.
    """
    check_input(seen, Sequences, "seen", _EXPECTED)
    fig, axes = figure(PAGE * 0.8, 2.7, 1, 2)
    matrices = seen.correlations[pair]
    low, high = float(matrices.min()), float(matrices.max())
    half = (seen.t[1] - seen.t[0]) / 2
    extent = (-half, 1 + half, -half, 1 + half)
    for ax, way, matrix, variance in zip(axes[0], WAYS, matrices, seen.variances[pair], strict=True):
        image = ax.imshow(matrix, origin="lower", extent=extent, vmin=low, vmax=high, cmap="viridis")
        ax.set_title(f"{way}: variance {variance:.3g}", loc="left", color=INK)
        ax.set(xlabel="t", xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    axes[0, 0].set_ylabel("t")
    colour_bar(fig, image, list(axes[0]), f"cosine ({seen.measure})")
    heading(fig, "How alike samples along the way are")
    return fig


@styled
def improvement_histogram(improvements: Mapping[str, Any], title: str | None = None, *, ax: Any = None) -> Any:
    """Relative improvements over straight lines, in percent: a histogram for each name, with its mean.

    Args:
        improvements: by names, ``(n,)`` each, such as ``geodesics.Improvement.rows``.
        title: over the figure.
        ax: the axes to draw into, for one name; by default those of a new figure, a panel for each.

    Returns:
        A matplotlib figure.
    """
    rows = {name: 100 * np.asarray(x, np.float64) for name, x in improvements.items()}
    one_panel(ax, len(rows), "one name")
    together = np.concatenate([*rows.values()])
    low, high = min(0.0, float(together.min())), float(together.max())
    edges = np.linspace(low, high if high > low else low + 1, 31)
    if ax is not None:
        fig, axes = panel(ax, COLUMN, 2)[0], [panel(ax, COLUMN, 2)[1]]
    else:
        fig, grid = figure(COLUMN, 0.35 + 0.95 * len(rows), len(rows), 1, sharex=True)
        axes = list(grid[:, 0])
    for one, (name, values) in zip(axes, rows.items(), strict=True):
        one.hist(values, edges, color=ACCENT)
        one.axvline(values.mean(), color=CYCLE[1], lw=1.2)
        one.set_title(f"{name}: mean {number(values.mean(), 2)} %", loc="left", color=INK)
        one.set_ylabel("pairs")
        one.yaxis.get_major_locator().set_params(integer=True, nbins=4)
    axes[-1].set_xlabel("shorter than the straight line by, %")
    if title:
        heading(fig, title, ax)
    return fig


@styled
def improvement_bars(improvements: Mapping[str, Any], title: str | None = None, *, ax: Any = None) -> Any:
    """Relative improvements over straight lines, in percent: a bar for each pair and name, and lines at the means.

    Args:
        improvements: by names, ``(n,)`` each, of the same pairs.
        title: over the figure.
        ax: the axes to draw into; by default those of a new figure.

    Returns:
        A matplotlib figure.
    """
    given = ax
    n = len(next(iter(improvements.values())))
    fig, ax = panel(given, COLUMN if n <= 20 else PAGE, 2.6)
    width = 0.8 / len(improvements)
    for i, (colour, (name, values)) in enumerate(zip(CYCLE, improvements.items(), strict=False)):
        percent = 100 * np.asarray(values, np.float64)
        ax.bar(
            np.arange(1, n + 1) + (i - (len(improvements) - 1) / 2) * width, percent, width, color=colour, label=name
        )
        ax.axhline(percent.mean(), color=colour, lw=1, ls="--", label=f"mean of {name}")
    ax.axhline(0, color=SOFT, lw=0.8)
    ax.set(xlabel="pair", ylabel="shorter than the straight line by, %", xlim=(0.4, n + 0.6))
    ax.xaxis.get_major_locator().set_params(integer=True)
    if title:
        heading(fig, title, given)
    legend_below(fig, given)
    return fig
