"""Grids of samples."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

from geomgan.plot.style import (
    COLUMN,
    LETTER,
    PAGE,
    SECOND,
    SMALL,
    TEXT,
    displayable,
    figure,
    heading,
    plain_ticks,
    styled,
)

LINE = 1.3 * TEXT / 72


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
    blank = [np.ones_like(images[0])] * (rows * columns - len(images))
    fig, axes = figure(columns * 0.8, rows * 0.8 * height / width + (0.3 if title else 0))
    axes[0, 0].imshow(
        sheet(np.reshape([*images, *blank], (rows, columns, height, width, 3)), 2, 1.0), interpolation="nearest"
    )
    axes[0, 0].set_axis_off()
    if title:
        axes[0, 0].set_title(title, loc="left")
    return fig


def check_images(shape: tuple[int, ...]) -> None:
    """Raise ``ValueError`` unless one sample of ``shape`` is an image."""
    if len(shape) != 3 or shape[-1] not in (1, 3):
        raise ValueError(
            f"samples have shape {shape}; expected images (H, W, 1) or (H, W, 3). For audio and other samples that are "
            "no images, plot.distance_curves shows how far they move."
        )


def shared_range(samples: Any, output_range: tuple[float, float] | None) -> tuple[float, float]:
    """The range of values to show from black to white: as given, or that of all ``samples`` together."""
    return output_range if output_range is not None else (float(np.min(samples)), float(np.max(samples)))


def pixels(sample: Any, output_range: tuple[float, float] | None, side: int) -> np.ndarray:
    """An image in bytes ``(h, w, 3)``, reduced where its longer side has more than ``side`` pixels."""
    from PIL import Image

    image = np.rint(255 * displayable(sample, output_range)).astype(np.uint8)
    height, width = image.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return image
    size = max(1, round(scale * width)), max(1, round(scale * height))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))


def sheet(images: np.ndarray, gap: int, background: float) -> np.ndarray:
    """One image of a grid of images ``(rows, columns, h, w, 3)``, ``gap`` pixels apart."""
    rows, columns, height, width, channels = images.shape
    padded = np.full((rows, height + gap, columns, width + gap, channels), background, images.dtype)
    padded[:, :height, :, :width] = images.transpose(0, 2, 1, 3, 4)
    joined = padded.reshape(rows * (height + gap), columns * (width + gap), channels)
    return joined[: joined.shape[0] - gap, : joined.shape[1] - gap]


def labelled_grid(
    samples: np.ndarray,
    output_range: tuple[float, float] | None,
    *,
    title: str,
    below: str,
    rows: Sequence[str],
    columns: Sequence[str],
    right: Sequence[str],
    right_title: str,
    marked: int | None = None,
    side: int = 256,
) -> Any:
    """A figure of images in rows and columns with their labels; as wide as a page at most, and as high as it needs.

    Args:
        samples: ``(n, T, H, W, C)``.
        output_range: of the samples; None takes the range of all of them.
        title: over the grid; broken into lines.
        below: what the columns are, under the grid.
        rows: a label for each row, left of it.
        columns: a label for each column, or none.
        right: a label for each row, right of it.
        right_title: over these.
        marked: the column to frame.
        side: pixels that are kept of each image.

    Returns:
        A matplotlib figure.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    values = shared_range(samples, output_range)
    images = np.stack([[pixels(sample, values, side) for sample in row] for row in samples])
    count, across, height, width = images.shape[:4]
    margin_left, margin_right = (_width(labels) + 0.16 for labels in (rows, [*right, right_title]))
    cell = min(0.8, (PAGE - margin_left - margin_right) / across)
    grid_width, grid_height = cell * across, cell * height / width * count
    total = max(COLUMN, margin_left + grid_width + margin_right)
    caption = textwrap.wrap(below, int(0.9 * total * 72 / (LETTER * SMALL)))
    over, under = LINE * max(right_title.count("\n") + 1, 1) + 0.06, LINE * len(caption) + 0.06
    fig = Figure(figsize=(total, (over + grid_height + under) / 0.98))  # the heading leaves 2 % above itself
    heading(fig, title)
    whole = fig.get_figheight()
    ax = fig.add_axes((margin_left / total, under / whole, grid_width / total, grid_height / whole))
    gap = max(1, round(0.04 * width))
    ax.imshow(sheet(images, gap, 255), interpolation="nearest" if width < side else "auto", aspect="auto")
    ax.spines[:].set_visible(False)
    plain_ticks(ax)
    ax.tick_params(length=0, top=False, labeltop=True, bottom=False, labelbottom=False)
    every = int(np.ceil((_width(columns) + 0.03) / cell))  # labels that are wider than their column take turns
    shown = [i for i in range(len(columns)) if (i - across // 2) % every == 0]
    ax.set_xticks([(width + gap) * i + width / 2 - 0.5 for i in shown], [columns[i] for i in shown])
    ax.set_yticks([(height + gap) * i + height / 2 - 0.5 for i in range(count)], rows)
    ax.set_xlabel("\n".join(caption), fontsize=SMALL)
    x, above = 1 + 0.06 / grid_width, 1 + 0.05 / grid_height
    for label, y in zip(right, ax.get_yticks(), strict=True):
        ax.text(x, y, label, transform=ax.get_yaxis_transform(), va="center", fontsize=SMALL)
    ax.text(x, above, right_title, transform=ax.transAxes, va="bottom", fontsize=SMALL)
    if marked is not None:
        corner = ((width + gap) * marked - gap / 2 - 0.5, -gap / 2 - 0.5)
        frame = Rectangle(corner, width + gap, (height + gap) * count, fill=False, ec=SECOND, lw=1.6, clip_on=False)
        ax.add_patch(frame)
    return fig


def _width(labels: Sequence[str]) -> float:
    """Inches that the longest line of some labels takes."""
    return LETTER * SMALL / 72 * max((len(line) for label in labels for line in label.split("\n")), default=0)
