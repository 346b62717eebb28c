"""Grids of samples."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from geomgan.pictures import displayable as displayable
from geomgan.pictures import is_image as is_image
from geomgan.pictures import pixels as pixels
from geomgan.pictures import shared_range as shared_range
from geomgan.plot.style import COLUMN, CYCLE, LETTER, PAGE, SECOND, TEXT, heading, panel, styled, width_of

LINE = 1.3 * TEXT / 72  # inches
KEPT = 256  # pixels of an image's longer side
BEYOND = CYCLE[3]  # the bar under an image that is beyond what its row can be trusted for


@styled
def image_grid(
    samples: Any,
    columns: int = 8,
    output_range: tuple[float, float] | None = (-1, 1),
    title: str | None = None,
    *,
    ax: Any = None,
) -> Any:
    """Images ``(n, H, W, C)`` in a grid.

    Args:
        samples: the images.
        columns: images side by side.
        output_range: of the samples; None shows each from its darkest to its brightest value.
        title: over the grid.
        ax: the axes to draw into; by default those of a new figure.

    Returns:
        A matplotlib figure.

    Raises:
        ValueError: the samples are not a stack of images.
    """
    images = [pixels(sample, output_range, KEPT) for sample in np.asarray(samples)]
    if not images:
        raise ValueError("there are no samples; expected images (n, H, W, C).")
    height, width = images[0].shape[:2]
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    blank = [np.full_like(images[0], 255)] * (rows * columns - len(images))
    fig, drawn = panel(ax, columns * 0.8, rows * 0.8 * height / width + 0.1)
    together = np.reshape([*images, *blank], (rows, columns, height, width, 3))
    drawn.imshow(sheet(together, 2, 255), interpolation="nearest" if width < KEPT else "auto")
    drawn.set_axis_off()
    if title:
        heading(fig, title, ax)
    return fig


def check_images(shape: tuple[int, ...]) -> None:
    """Raise ``ValueError`` unless one sample of ``shape`` is an image."""
    if not is_image(shape):
        raise ValueError(
            f"samples have shape {shape}; expected images (H, W, 1) or (H, W, 3). For audio and other samples that are "
            "no images, plot.distance_curves shows how far they move."
        )


def sheet(images: np.ndarray, gap: int, background: float) -> np.ndarray:
    """One image of a grid of images ``(rows, columns, h, w, 3)``, ``gap`` pixels apart."""
    rows, columns, height, width, channels = images.shape
    padded = np.full((rows, height + gap, columns, width + gap, channels), background, images.dtype)
    padded[:, :height, :, :width] = images.transpose(0, 2, 1, 3, 4)
    joined = padded.reshape(rows * (height + gap), columns * (width + gap), channels)
    return joined[: joined.shape[0] - gap, : joined.shape[1] - gap]


def draw_sheet(
    ax: Any, images: np.ndarray, rows: Sequence[str], columns: Mapping[int, str], below: str, **options: Any
) -> tuple[int, int]:
    """Draw a grid of images ``(n, T, h, w, 3)`` as one image, with labels as ticks: left of rows and above columns.

    Args:
        ax: the axes.
        images: in bytes, as :func:`pixels` makes them.
        rows: a label for each.
        columns: labels by their place.
        below: what the columns are, under the grid.
        options: for ``imshow``.

    Returns:
        Height and width in pixels from one image to the next.
    """
    height, width = images.shape[2:4]
    gap = max(1, round(0.04 * width))
    kept = "nearest" if max(height, width) < 128 else "auto"
    ax.imshow(sheet(images, gap, 255), interpolation=kept, **options)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0, top=False, labeltop=True, bottom=False, labelbottom=False)
    ax.set_xticks([(width + gap) * i + width / 2 - 0.5 for i in columns], list(columns.values()))
    ax.set_yticks([(height + gap) * i + height / 2 - 0.5 for i in range(len(images))], rows)
    ax.set_xlabel(below)
    return height + gap, width + gap


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
    beyond: np.ndarray | None = None,
    side: int = KEPT,
    ax: Any = None,
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
        beyond: ``(n, T)``, images to mark with a bar under them.
        side: pixels that are kept of each image.
        ax: the axes to draw into; by default those of a new figure.

    Returns:
        A matplotlib figure.
    """
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    values = shared_range(samples, output_range)
    images = np.stack([[pixels(sample, values, side) for sample in row] for row in samples])
    count, across, height, width = images.shape[:4]
    left, margin = (width_of(labels) + 0.16 for labels in (rows, [*right, right_title]))
    given, cell, over = ax, min(0.8, (PAGE - left - margin) / across), LINE * (right_title.count("\n") + 1) + 0.06
    if given is None:
        grid_width, grid_height = cell * across, cell * height / width * count
        total = max(COLUMN, left + grid_width + margin)
        below = textwrap.fill(below, int(0.9 * total * 72 / (LETTER * TEXT)))
        under = LINE * (below.count("\n") + 1) + 0.06
        fig = Figure(figsize=(total, (over + grid_height + under) / 0.98))  # the heading leaves 2 % above itself
        heading(fig, title)
        whole = fig.get_figheight()
        ax = fig.add_axes((left / total, under / whole, grid_width / total, grid_height / whole))
    fig, ax = panel(ax, 0, 0)
    if given is not None:
        box = ax.get_window_extent()
        cell = min(box.width / across, box.height / count * width / height) / fig.dpi
        grid_width, grid_height = cell * across, cell * height / width * count
        if grid_height / count < 2 * LINE:
            rows = [row.replace("\n", ", ") for row in rows]
        below = textwrap.fill(below, max(20, int(box.width / fig.dpi * 72 / (LETTER * TEXT))))
    every = int(np.ceil((width_of(columns) + 0.08) / cell))  # labels that are wider than their column take turns
    shown = {i: label for i, label in enumerate(columns) if (i - across // 2) % every == 0}
    down, aside = draw_sheet(ax, images, rows, shown, below, aspect="auto" if given is None else "equal")
    x = 1 + 0.06 / grid_width
    for label, y in zip(right, ax.get_yticks(), strict=True):
        ax.text(x, y, label, transform=ax.get_yaxis_transform(), va="center")
    ax.text(x, 1 + 0.05 / grid_height, right_title, transform=ax.transAxes, va="bottom")
    if beyond is not None:
        places = [(aside * j, down * i + height) for i, j in np.argwhere(beyond)]
        lines = [[(left, bottom), (left + width - 1, bottom)] for left, bottom in places]
        bars = LineCollection(lines, colors=BEYOND, lw=2.4, capstyle="butt", clip_on=False)
        ax.add_collection(bars, autolim=False)  # the images fill the axes
    if marked is not None:
        corner = aside * marked - (aside - width) / 2 - 0.5, -(down - height) / 2 - 0.5
        ax.add_patch(Rectangle(corner, aside, down * count, fill=False, ec=SECOND, lw=1.6, clip_on=False))
    if given is not None:
        heading(fig, title, ax)
    return fig
