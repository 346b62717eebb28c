"""Figures of inversions: targets beside what was found, and how the losses fell."""

from __future__ import annotations

from typing import Any

import numpy as np

from geomgan.optimize.inversion import Inversion
from geomgan.plot.images import check_images, labelled_grid, shared_range
from geomgan.plot.inputs import check_input
from geomgan.plot.style import ACCENT, COLUMN, SOFT, heading, legend_below, logarithmic, panel, power, styled

MOST = 12  # targets in a figure


@styled
def reconstructions(found: Inversion, most: int = MOST, *, ax: Any = None) -> Any:
    """Each target beside the sample of its best code, and where they differ; the distances at the right.

    With a registration the sample is shown as it lies on its target.

    An error is the mean absolute difference over channels, on one scale for all rows: white for none, black for the
    largest of them.

    Args:
        found: the inversion, of images.
        most: targets to show at most, the first ones.
        ax: the axes to draw into; by default those of a new figure.

    Returns:
        A matplotlib figure.

    Raises:
        ValueError: the samples are no images.
    """
    check_input(found, Inversion, "found", "the result of geomgan.optimize.invert")
    check_images(found.targets.shape[1:])
    count = min(most, len(found.targets))
    targets, samples = found.targets[:count], found.of_best(found.aligned)[:count]
    low, high = shared_range(targets, found.output_range)
    error = np.abs(np.clip(samples, low, high) - targets).mean(axis=-1, keepdims=True)
    largest = float(error.max()) or 1.0
    shown = np.broadcast_to(high - (high - low) * error / largest, targets.shape)
    names = [name for name in found.measures if name != "mse"][:1] or ["mse"]
    values = found.of_best(found.measures[names[0]])[:count]
    columns = ["target", "found", "error"]
    return labelled_grid(
        np.stack([targets, samples, shown], axis=1),
        (low, high),
        title=f"Inversion by {found.method}: {_targets(found)}, the best of {found.losses.shape[1]} runs",
        below=f"error: mean absolute difference, black for {largest / (high - low):.2g} of the range",
        rows=[f"{i}" for i in range(count)],
        columns=columns,
        right=[power(float(f"{value:.2g}"), bool(value >= 1e-3)) for value in values],
        right_title=names[0].replace("-", "\n", 1) if len(names[0]) > 10 else names[0],
        ax=ax,
    )


@styled
def loss_curves(found: Inversion, most: int = MOST, *, ax: Any = None) -> Any:
    """The best loss after each step: of each target's best run, and of the others.

    Args:
        found: the inversion.
        most: targets to show at most, the first ones.
        ax: the axes to draw into; by default those of a new figure.

    Returns:
        A matplotlib figure.
    """
    check_input(found, Inversion, "found", "the result of geomgan.optimize.invert")
    given = ax
    fig, ax = panel(given, COLUMN, 2.6)
    history = np.where(np.isfinite(found.history) & (found.history > 0), found.history, np.nan)[:most]
    steps = np.arange(1, history.shape[-1] + 1)
    labels = {True: "best run of a target", False: "other runs"}
    for i, runs in enumerate(history):
        for j, losses in enumerate(runs):
            best = j == found.best[i]
            colour, width = (ACCENT, 1.2) if best else (SOFT, 0.7)
            ax.plot(steps, losses, color=colour, lw=width, zorder=3 if best else 2, label=labels.pop(best, None))
    ax.set_xlabel("step")
    ax.set_ylabel("best loss so far")
    if np.isfinite(history).any():
        ax.set_yscale("log")
        logarithmic(ax, "y")
    heading(fig, f"Losses of {_targets(found)} by {found.method}", given)
    legend_below(fig, given)
    return fig


def _targets(found: Inversion) -> str:
    count = len(found.targets)
    return f"{count} target{'s' * (count != 1)}"
