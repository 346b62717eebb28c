"""What the axes of a metric tensor do to samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from geomgan.metric.axes import AxisWalks
from geomgan.plot.style import ACCENT, SECOND, SOFT, displayable, figure, styled


@styled
def axes_montage(
    walks: AxisWalks,
    values: Any,
    output_range: tuple[float, float] | None = (-1, 1),
    step: float | None = None,
    ranks: Any = None,
) -> Any:
    """A grid of images: rows are axes, the centre column is the reference.

    Args:
        walks: samples along the axes, an odd number each with the reference in the middle; equal steps in distance
            come from :func:`geomgan.metric.axes.equal_distance_steps`.
        values: the eigenvalue of each axis.
        output_range: of the samples.
        step: distance between neighbours, for the caption.
        ranks: the rank of each axis; by default 1, 2, ...

    Returns:
        A matplotlib figure.
    """
    rows, columns = walks.samples.shape[:2]
    ranks = np.arange(1, rows + 1) if ranks is None else ranks
    cell = 0.8
    fig, axes = figure(cell * columns + 1.2, cell * rows + 0.6, rows, columns)
    fig.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0.01, hspace=0.01)
    for row in range(rows):
        for column in range(columns):
            ax = axes[row, column]
            ax.imshow(displayable(walks.samples[row, column], output_range), interpolation="nearest")
            ax.set(xticks=[], yticks=[])
            centre = column == columns // 2
            for spine in ax.spines.values():
                spine.set(visible=centre, color=SECOND, lw=2)
        axes[row, 0].set_ylabel(
            f"axis {ranks[row]}\nλ = {values[row]:.3g}", rotation=0, ha="right", va="center", fontsize=9
        )
    if step is not None:
        digits = max(0, 1 - int(np.floor(np.log10(step))))
        for column in range(columns):
            offset = column - columns // 2
            axes[0, column].set_title("reference" if offset == 0 else f"{offset * step:+.{digits}f}", fontsize=9)
        fig.suptitle("signed distance from the reference, in equal steps", fontsize=10, x=0.56)
    return fig


@styled
def distance_curves(walks: AxisWalks, values: Any, ranks: Any = None) -> Any:
    """Distance from the reference along each axis, beside the quadratic prediction ``d = √λ |t|``.

    Returns:
        A matplotlib figure, one panel per axis on common scales.
    """
    count = len(walks.steps)
    ranks = np.arange(1, count + 1) if ranks is None else ranks
    columns = min(4, count)
    rows = -(-count // columns)
    fig, axes = figure(2.1 * columns + 0.4, 1.7 * rows + 0.5, rows, columns, sharex=True, sharey=True)
    top = 1.1 * float(walks.distances.max())
    for i, ax in enumerate(axes.flat):
        if i >= count:
            ax.set_visible(False)
            continue
        t = walks.steps[i]
        ax.plot(t, np.sqrt(max(float(values[i]), 0.0)) * np.abs(t), color=SECOND, lw=1.2, ls="--", label="√λ |t|")
        ax.plot(t, walks.distances[i], color=ACCENT, lw=1.8, label="measured")
        ax.set_ylim(0, top)
        ax.set_title(f"axis {ranks[i]}, λ = {values[i]:.3g}", fontsize=9, loc="left")
        ax.axvline(0, color=SOFT, lw=0.6)
        ax.tick_params(labelbottom=i >= count - columns)  # the lowest panel of its column, also in a ragged last row
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=2, fontsize=9)
    fig.supxlabel("step t along the axis, in latent units", fontsize=10)
    fig.supylabel("distance from the reference", fontsize=10)
    return fig
