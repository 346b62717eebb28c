"""Grids of samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from geomgan.plot.style import displayable, figure, styled


@styled
def image_grid(
    samples: Any, columns: int = 8, output_range: tuple[float, float] | None = (-1, 1), title: str | None = None
) -> Any:
    """Images ``(n, H, W, C)`` in a grid.

    Returns:
        A matplotlib figure.

    Raises:
        ValueError: the samples are not a stack of images.
    """
    images = [displayable(sample, output_range) for sample in np.asarray(samples)]
    height, width = images[0].shape[:2]
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    sheet = np.ones((rows * (height + 2) - 2, columns * (width + 2) - 2, 3))
    for i, image in enumerate(images):
        top, left = (i // columns) * (height + 2), (i % columns) * (width + 2)
        sheet[top : top + height, left : left + width] = image
    fig, axes = figure(columns * 0.8, rows * 0.8 * height / width + (0.3 if title else 0))
    axes[0, 0].imshow(sheet, interpolation="nearest")
    axes[0, 0].set_axis_off()
    if title:
        axes[0, 0].set_title(title, loc="left")
    return fig
