"""The loss curves of a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from geomgan.plot.style import CYCLE, PAGE, figure, heading, legend_below, styled


@styled
def training_curves(rows: Sequence[Mapping[str, float]], title: str | None = None) -> Any:
    """What a training's scalars were at each step, those of one size in one panel.

    Args:
        rows: of a loss curve, ``{"step": ..., name: mean over a window, ...}``, as ``geomgan.runs.curve`` keeps them.
        title: over the figure.

    Returns:
        A matplotlib figure.

    Raises:
        ValueError: there are no rows.
    """
    if not rows:
        raise ValueError("there are no rows; expected those of a loss curve, {'step': ..., name: ...}.")
    names = [name for name in rows[0] if name != "step"]
    panels = _together({name: max(abs(row[name]) for row in rows) for name in names})
    fig, axes = figure(PAGE, 2.4, 1, len(panels))
    steps, marker = [row["step"] for row in rows], "." if len(rows) < 20 else ""
    for ax, of_panel in zip(axes[0], panels, strict=True):
        for name in of_panel:
            colour = CYCLE[names.index(name) % len(CYCLE)]
            ax.plot(steps, [row[name] for row in rows], color=colour, lw=1, marker=marker, label=name)
        ax.set_xlabel("step")
    if title:
        heading(fig, title)
    legend_below(fig)
    return fig


def _together(sizes: Mapping[str, float]) -> list[list[str]]:
    """Names in groups whose largest values are within a factor of five."""
    groups: list[list[str]] = []
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        if groups and sizes[groups[-1][0]] <= 5 * sizes[name]:
            groups[-1].append(name)
        else:
            groups.append([name])
    return groups
