"""What single paths do to samples: strips and films of one path from several codes, and which attributes change."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.directions import Traversal
from geomgan.directions.ranking import Ranking
from geomgan.errors import check_count
from geomgan.plot.animation import animate
from geomgan.plot.images import check_images, labelled_grid, pixels, shared_range
from geomgan.plot.inputs import check_input
from geomgan.plot.style import (
    ACCENT,
    COLUMN,
    INK,
    PAGE,
    SOFT,
    colour_bar,
    heading,
    number,
    panel,
    signed,
    styled,
    width_of,
)
from geomgan.plot.style import SECOND as MARK

STILLS = 9
GAP = 8  # pixels between the stills of a film and its moving picture
BAR = 4  # pixels: the bar under it that says where on the walk it is
MOST_ROWS = 24  # of a matrix of paths and attributes


@styled
def path_strip(
    walked: Traversal,
    path: int = 0,
    output_range: tuple[float, float] | None = (-1, 1),
    *,
    codes: Sequence[str] | None = None,
    right: Sequence[str] | None = None,
    right_title: str = "",
    title: str | None = None,
    stills: int = STILLS,
    ax: Any = None,
) -> Any:
    """One path from several codes: rows are codes, columns are positions along it, evenly chosen.

    Args:
        walked: of :func:`geomgan.directions.traverse_warps` or ``traverse``.
        path: which of its paths.
        output_range: of the samples.
        codes: names of the codes.
        right: a label for each code, right of its row.
        right_title: over these.
        title: by default the path's name.
        stills: columns at most.
        ax: the axes to draw into; by default those of a new figure.

    Returns:
        A matplotlib figure.

    Raises:
        ValueError: the samples are no images, or there is no such path.
    """
    check_images(walked.samples.shape[3:])
    if not 0 <= path < len(walked.names):
        raise ValueError(f"path is {path}; expected one from 0 to {len(walked.names) - 1}.")
    steps = walked.steps[0, path]
    shown = still_places(len(steps), stills)
    middle = [i for i, place in enumerate(shown) if steps[place] == 0]
    m = len(walked.samples)
    return labelled_grid(
        walked.samples[:, path, shown],
        output_range,
        title=walked.names[path] if title is None else title,
        below="t, length along the path" + ("; the code itself is framed" if middle else ""),
        rows=[f"code {i}" for i in range(m)] if codes is None else codes,
        columns=signed(steps[shown]),
        right=[""] * m if right is None else right,
        right_title=right_title,
        marked=middle[0] if middle else None,
        ax=ax,
    )


def still_places(count: int, stills: int = STILLS) -> np.ndarray:
    """Which of ``count`` pictures of a walk are shown: at equal steps, the middle one among them."""
    half = (count - 1) // 2
    stride = max(1, -(-half // max(1, (stills - 1) // 2)))
    return half + stride * np.arange(-(half // stride), half // stride + 1)


def path_film(
    file: str | os.PathLike[str],
    walked: Traversal,
    path: int = 0,
    output_range: tuple[float, float] | None = (-1, 1),
    *,
    stills: int = 5,
    fps: float = 24,
    size: int = 64,
    caption: str | None = None,
    progress: bool = False,
) -> Path:
    """A film of one path from several codes: in each row some stills, and behind a gap the moving picture.

    A bar under the moving picture grows with the position along the path.

    Args:
        file: the file; its suffix, ``.gif``, ``.png``, ``.apng`` or ``.mp4``, says the format.
        walked: of :func:`geomgan.directions.traverse_warps` or ``traverse``.
        path: which of its paths.
        output_range: of the samples, one for all pictures.
        stills: pictures that stand still, from the beginning of the walk to its end; 1 is the code itself.
        fps: frames a second.
        size: pixels of a picture's longer side.
        caption: under all; by default the path's name and length.
        progress: show a progress bar.

    Returns:
        The file, which is written whole or not at all.

    Raises:
        ValueError, ImportError, StoreError: as :func:`geomgan.plot.animate`.
    """
    check_images(walked.samples.shape[3:])
    stills = check_count(stills, 64, "stills")
    samples, steps = walked.samples[:, path], walked.steps[0, path]
    bounds = shared_range(samples, output_range)
    images = np.stack([[_enlarged(pixels(sample, bounds, size), size) for sample in row] for row in samples])
    frames = summary_frames(
        images, [int(np.argmin(np.abs(steps)))] if stills == 1 else still_places(len(steps), stills)
    )
    far = float(np.abs(steps).max())
    return animate(
        file,
        frames,
        output_range=(0, 255),
        caption=f"{walked.names[path]}, {far:.3g} to each side" if caption is None else caption,
        fps=fps,
        size=max(frames.shape[2:4]),
        columns=1,
        progress=progress,
    )


def summary_frames(images: np.ndarray, stills: Sequence[int] | np.ndarray) -> np.ndarray:
    """Frames ``(m, T, h + bar, w', 3)`` of pictures in bytes ``(m, T, h, w, 3)``: stills, a gap, the moving one."""
    from PIL import ImageColor

    m, T, height, width = images.shape[:4]
    still = np.concatenate([images[:, i] for i in stills], axis=2)  # (m, h, s w, 3)
    across = still.shape[2] + GAP + width
    frames = np.full((m, T, height + BAR, across, 3), 255, np.uint8)
    frames[:, :, :height, : still.shape[2]] = still[:, None]
    frames[:, :, :height, -width:] = images
    for t in range(T):
        frames[:, t, height:, across - width : across - width + round(width * (t + 1) / T)] = ImageColor.getrgb(MARK)
    return frames


def _enlarged(image: np.ndarray, size: int) -> np.ndarray:
    factor = max(1, size // max(image.shape[:2]))
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


@styled
def ranking_matrix(ranking: Ranking, *, ax: Any = None) -> Any:
    """Mean correlations of attributes with positions, a row for each path; the paths of the largest are shown.

    Args:
        ranking: the result of :func:`geomgan.directions.rank_paths`.
        ax: the axes to draw into; by default those of a new figure.

    Returns:
        A matplotlib figure.
    """
    check_input(ranking, Ranking, "ranking", "the result of geomgan.directions.rank_paths")
    strength = np.nan_to_num(np.abs(ranking.mean)).max(axis=1)
    shown = np.sort(np.argsort(-strength, kind="stable")[:MOST_ROWS])
    matrix, names = ranking.mean[shown], [ranking.paths[i] for i in shown]
    below = 0.75 * width_of(ranking.names)
    width = min(PAGE, max(COLUMN, 0.42 * len(ranking.names) + width_of(names) + 0.9))
    fig, axes = panel(ax, width, 0.2 * len(shown) + 0.3 + below)
    most = 1.0 if ranking.method != "covariance" else max(float(np.nanmax(np.abs(matrix), initial=0.0)), 1e-9)
    image = axes.imshow(matrix, vmin=-most, vmax=most, cmap="RdBu_r", aspect="auto")
    for (i, j), x in np.ndenumerate(matrix):
        if np.isfinite(x):
            colour = "white" if abs(x) > 0.6 * most else INK
            axes.text(j, i, number(float(x), 2), ha="center", va="center", color=colour)
    axes.set_xticks(range(len(ranking.names)), ranking.names, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(shown)), names)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    colour_bar(fig, image, axes, f"mean {ranking.method}")
    left_out = len(ranking.paths) - len(shown)
    more = f"; {left_out} others change less" if left_out else ""
    heading(fig, f"Attributes along paths, mean over {len(ranking.each)} codes{more}", ax)
    return fig


@styled
def attribute_curves(values: Any, positions: Any, name: str, *, title: str | None = None, ax: Any = None) -> Any:
    """An attribute along one path: a thin line for each code, and their mean where all have a value.

    Args:
        values: ``(m, T)``; NaN where a picture has none.
        positions: ``t (T,)``.
        name: of the attribute, with its unit.
        title: of the figure.
        ax: the axes to draw into; by default those of a new figure.

    Returns:
        A matplotlib figure.
    """
    values, t = np.asarray(values, float), np.asarray(positions, float)
    fig, axes = panel(ax, COLUMN, 2.2)
    axes.plot(t, values.T, color=SOFT, lw=0.7, alpha=0.8)
    axes.plot(t, values.mean(axis=0), color=ACCENT, lw=1.8)
    axes.set_xlabel("t, length along the path")
    axes.set_ylabel(name)
    heading(fig, title or f"{name}: {len(values)} codes and their mean", ax)
    return fig


__all__ = ["attribute_curves", "path_film", "path_strip", "ranking_matrix", "still_places", "summary_frames"]
