"""Figures of directions that several methods found: what they do, their scores, and how far methods agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from geomgan.directions.disentanglement import Disentanglement
from geomgan.directions.scoreboard import Scoreboard
from geomgan.directions.traverse import Traversal
from geomgan.plot.images import check_images, labelled_grid
from geomgan.plot.inputs import check_input
from geomgan.plot.style import (
    ACCENT,
    COLUMN,
    INK,
    PAGE,
    PALE,
    SOFT,
    figure,
    heading,
    logarithmic,
    number,
    panel,
    styled,
    width_of,
)

PANELS = {
    "speed": "speed: distance per latent unit",
    "consistency": "consistency of the speed",
    "straightness": "straightness of walks",
    "penalty": "Hessian Penalty",
    "mixing": "mixing: off-diagonal curvature",
    "recognition": "recognition by a fresh predictor",
}
LOGARITHMIC = ("speed", "penalty")


@styled
def directions_montage(
    walks: Mapping[str, Traversal],
    output_range: tuple[float, float] | None = (-1, 1),
    *,
    values: Mapping[str, Sequence[float]] | None = None,
    name: str = "speed",
    ax: Any = None,
) -> Any:
    """Samples along directions, one row each, method by method.

    Args:
        walks: method -> walks of one code along its directions, at the same steps.
        output_range: of the samples.
        values: method -> a number for each direction, shown at the right.
        name: of these numbers.
        ax: the axes to draw into; by default those of a new figure.

    Returns:
        A matplotlib figure.

    Raises:
        ValueError: the samples are no images, or there are no walks.
    """
    if not walks:
        raise ValueError("there are no walks; expected some, by method.")
    for method, one in walks.items():
        check_input(one, Traversal, f"walks[{method!r}]", "the result of geomgan.directions.traverse")
    samples = np.concatenate([one.samples[0] for one in walks.values()])
    check_images(samples.shape[2:])
    steps = next(iter(walks.values())).steps[0, 0]
    middle = int(np.argmin(np.abs(steps)))
    rows = [f"{method}\n{title}" for method, one in walks.items() for title in one.names]
    values = values or {}
    right = [
        f"{values[method][i]:.2g}" if method in values else ""
        for method, one in walks.items()
        for i in range(len(one.names))
    ]
    return labelled_grid(
        samples,
        output_range,
        title="Directions of each method, in its own order, from one code",
        below="t, in latent units along the direction",
        rows=rows,
        columns=[number(float(t), 1) for t in steps],
        right=right,
        right_title=name if values else "",
        marked=middle,
        ax=ax,
    )


@styled
def direction_scores(board: Scoreboard) -> Any:
    """Every score of every direction, a panel for each score and a line for each method; a bar marks the median.

    Args:
        board: the result of :func:`geomgan.directions.scoreboard`.

    Returns:
        A matplotlib figure.
    """
    check_input(board, Scoreboard, "board", "the result of geomgan.directions.scoreboard")
    methods, columns = list(board.scores), 3
    rows = -(-len(PANELS) // columns)
    fig, axes = figure(PAGE, rows * (0.7 + 0.19 * len(methods)), rows, columns, sharey=True)
    for ax, (name, label) in zip(axes.flat, PANELS.items(), strict=False):
        every = np.concatenate([getattr(scores, name) for scores in board.scores.values()])
        every = every[np.isfinite(every)]
        log = name in LOGARITHMIC and every.size and every.max() > 0
        floor = every.max() * 1e-6 if log else -np.inf  # below, it is rounding
        for y, scores in enumerate(board.scores.values()):
            x = getattr(scores, name)
            x = np.maximum(x[np.isfinite(x)], floor)
            ax.axhline(y, color=PALE, lw=0.8, zorder=0)
            ax.plot(x, np.full(len(x), y), "o", ms=3.5, mew=0, color=ACCENT, alpha=0.55)
            if x.size:
                ax.plot([np.median(x)] * 2, [y - 0.3, y + 0.3], color=INK, lw=1.4)
        ax.set_title(label, loc="left")
        if not every.size:
            ax.text(0.5, 0.5, "not measured", transform=ax.transAxes, ha="center", va="center", color=SOFT)
            ax.set_xticks([])
        elif log:
            ax.set_xscale("log")
            logarithmic(ax, "x")
        else:
            ax.set_xlim(-0.04, max(1.04, 1.04 * every.max()))
    axes[0, 0].set_yticks(range(len(methods)), methods)
    axes[0, 0].set_ylim(len(methods) - 0.5, -0.5)
    heading(fig, f"Scores of directions under {board.measure}, at {board.codes} codes: a dot for each, bars: medians")
    return fig


@styled
def method_overlap(board: Scoreboard) -> Any:
    """How far methods find the same: the overlap of the spans of their first directions, and single directions.

    Args:
        board: the result of :func:`geomgan.directions.scoreboard`.

    Returns:
        A matplotlib figure.
    """
    check_input(board, Scoreboard, "board", "the result of geomgan.directions.scoreboard")
    names = list(board.scores)
    fig, axes = figure(PAGE, 0.27 * len(names) + 0.6 + 0.75 * width_of(names), 1, 2)
    spans = f"spans of the first {board.first}: mean cos² of angles"
    for ax, matrix, title in zip(
        axes[0], (board.overlap, board.matches), (spans, "directions: best |cos|"), strict=True
    ):
        _squares(matrix, names, names, title, ax)
    axes[0, 1].set_ylabel("of this method")
    axes[0, 1].set_xlabel("among those of this")
    heading(fig, f"What methods share (random spans: {board.chance:.2g})")
    return fig


@styled
def factor_cosines(found: Mapping[str, Disentanglement], *, ax: Any = None) -> Any:
    """How near each method's best direction is to each known factor: the cosine of the angle between them.

    Args:
        found: method -> the result of :func:`geomgan.directions.disentanglement`.
        ax: the axes to draw into; by default those of a new figure.

    Returns:
        A matplotlib figure.
    """
    for method, one in found.items():
        check_input(one, Disentanglement, f"found[{method!r}]", "the result of geomgan.directions.disentanglement")
    factors = list(next(iter(found.values())).factors)
    matrix = np.stack([one.cosines for one in found.values()])
    width = max(COLUMN, 0.5 * len(factors) + width_of(found))
    fig, axes = panel(ax, min(width, PAGE), 0.27 * len(found) + 0.3 + 0.75 * width_of(factors))
    _squares(matrix, list(found), factors, "", axes)
    heading(fig, "Cosine of the best direction for each factor", ax)
    return fig


def _squares(matrix: np.ndarray, rows: list[str], columns: list[str], title: str, ax: Any) -> None:
    """A matrix of numbers from 0 to 1 as shades, with the numbers in them."""
    ax.imshow(matrix, vmin=0, vmax=1, cmap="Blues", aspect="auto")
    for (i, j), x in np.ndenumerate(matrix):
        ax.text(j, i, number(float(x), 2), ha="center", va="center", color="white" if x > 0.6 else INK)
    ax.set_xticks(range(len(columns)), columns, rotation=40, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(rows)), rows)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_title(title, loc="left")
