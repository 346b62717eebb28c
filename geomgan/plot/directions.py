"""What directions do to samples: strips, films, and the previews that a file of directions holds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.directions import DirectionSet, Traversal
from geomgan.errors import check_count
from geomgan.paths import Walks
from geomgan.plot.animation import animate
from geomgan.plot.axes import UNIT
from geomgan.plot.images import KEPT, check_images, labelled_grid
from geomgan.plot.style import number, signed, styled

FAR = 3.0  # standard deviations of the prior: of a normal one, 0.3 % of the codes are farther
WIDE = 1600  # pixels of a film's longer side, if panels can be as small
SMALLEST = 96  # pixels of a panel


@styled
def traversal(
    walked: Traversal,
    output_range: tuple[float, float] | None = (-1, 1),
    code: int = 0,
    *,
    title: str | None = None,
    pixels: int = KEPT,
    ax: Any = None,
) -> Any:
    """A strip of images for each direction, from one code: rows are directions, columns are steps.

    At the right of each row is where its ends lie in the prior, in standard deviations along the direction; a bar
    under an image says that its code is more than three away.

    Args:
        walked: of :func:`geomgan.directions.traverse`.
        output_range: of the samples; None shows the range of all of them.
        code: which of the codes.
        title: by default, what was computed.
        pixels: kept of each image's longer side.
        ax: the axes to draw into; by default those of a new figure.

    Returns:
        A matplotlib figure.

    Raises:
        ValueError: the samples are no images, or there is no such code.
    """
    check_images(walked.samples.shape[3:])
    if not 0 <= code < len(walked.samples):
        raise ValueError(f"code is {code}; expected one from 0 to {len(walked.samples) - 1}.")
    sigmas = walked.sigmas[code]
    columns, below = _columns(walked, code)
    middle = np.flatnonzero(~walked.steps[code].any(axis=0))
    beyond = np.abs(sigmas) > FAR
    below += "; the code itself is framed" if len(middle) else ""
    below += f"; a bar: beyond {FAR:g} σ of the prior" if beyond.any() else ""
    return labelled_grid(
        walked.samples[code],
        output_range,
        title=title or f"One code along {_count(walked.names)}",
        below=below,
        rows=walked.names,
        columns=columns,
        right=[_ends(row) for row in sigmas],
        right_title="" if np.isnan(sigmas).all() else "ends, in σ\nof the prior",
        marked=int(middle[0]) if len(middle) else None,
        beyond=beyond if beyond.any() else None,
        side=pixels,
        ax=ax,
    )


def traversal_film(
    path: str | os.PathLike[str],
    walked: Traversal,
    output_range: tuple[float, float] | None = (-1, 1),
    *,
    fps: float = 24,
    size: int | None = None,
    caption: str | None = None,
    progress: bool = True,
) -> Path:
    """A film of walks, as a GIF, an animated PNG or an MP4: codes are columns, directions are rows.

    Frames are shown in the order of the steps, once: a ``"centred"`` schedule ends where it began, the others there
    and back. Over each panel is the direction, and where the ends of the walk lie in the prior.

    Args:
        path: the file; its suffix, ``.gif``, ``.png``, ``.apng`` or ``.mp4``, says the format.
        walked: of :func:`geomgan.directions.traverse`.
        output_range: of the samples; None shows the range of all of them.
        fps: frames a second.
        size: pixels of a panel's longer side; by default what makes a film of at most 1600 pixels.
        caption: under the panels; by default what was computed.
        progress: show a progress bar, with the time left.

    Returns:
        The file, which is written whole or not at all.

    Raises:
        ValueError, ImportError, StoreError: as :func:`geomgan.plot.animate`.
    """
    check_images(walked.samples.shape[3:])
    m, n = walked.steps.shape[:2]
    rows = lambda array: array.swapaxes(0, 1).reshape(n * m, *array.shape[2:])  # directions first
    steps = rows(walked.steps)
    size = int(np.clip(WIDE // max(m, n), SMALLEST, KEPT)) if size is None else check_count(size, 4096, "size")
    labels = [
        f"{name}: {_ends(sigma)} σ" if _ends(sigma) else name
        for name, sigma in zip(np.repeat(walked.names, m), rows(walked.sigmas), strict=True)
    ]
    closed = np.allclose(steps[:, 0], steps[:, -1])
    return animate(
        path,
        Walks(steps, rows(walked.samples), np.zeros(steps.shape), walked.kind),
        output_range=output_range,
        labels=labels,
        caption=_caption(walked) if caption is None else caption,
        fps=fps,
        there_and_back=not closed,
        size=size,
        columns=m,
        progress=progress,
    )


@styled
def direction_previews(found: DirectionSet, which: Sequence[int | str] | None = None, *, ax: Any = None) -> Any:
    """The pictures that a file of directions holds: rows are directions, columns are steps, with their scores.

    Args:
        found: directions with previews, of ``geomgan.directions.previewed``.
        which: some of them, by number or name; by default the first 16.
        ax: the axes to draw into; by default those of a new figure.

    Returns:
        A matplotlib figure.

    Raises:
        ValueError: there are no previews.
    """
    found = found.select(range(min(16, len(found))) if which is None else which)
    if found.previews is None or found.preview_steps is None:
        raise ValueError("these directions have no previews; make some with geomgan.directions.previewed(found, G, z).")
    middle = np.flatnonzero(found.preview_steps == 0)
    score = next(iter(found.scores), "")
    return labelled_grid(
        found.previews,
        (0, 255),
        title=f"Directions in {found.space} of {found.model_name}: {found.method}",
        below="steps along each direction; the code itself is framed" if len(middle) else "steps along each direction",
        rows=found.names,
        columns=signed(found.preview_steps),
        right=[f"{value:.3g}" for value in found.scores[score]] if score else [""] * len(found),
        right_title=score,
        marked=int(middle[0]) if len(middle) else None,
        ax=ax,
    )


def _columns(walked: Traversal, code: int) -> tuple[list[str], str]:
    """Labels of the columns, and what they are."""
    if walked.distances is None:
        return signed(walked.steps[code, 0]), _unit(walked)
    return signed(walked.distances[code]), f"signed distance from the code under {walked.measure}"


def _caption(walked: Traversal) -> str:
    far = float(np.abs(walked.sigmas).max())
    text = _unit(walked)
    if not np.isnan(far):
        text += "; over each, where its ends lie in the prior, in standard deviations σ along it"
    if walked.distances is not None:
        text += f"; all walks of a column go equally far under {walked.measure}"
    return text + (f"; beyond {FAR:g} σ, here up to {far:.2g}, the prior has hardly any codes" if far > FAR else "")


def _unit(walked: Traversal) -> str:
    return UNIT["spherical"] if walked.kind == "spherical" else "steps t along the direction"


def _ends(sigmas: np.ndarray) -> str:
    """Nothing where the prior has no width along the walk."""
    return "" if np.isnan(sigmas).all() else f"{number(float(sigmas.min()), 1)} to {number(float(sigmas.max()), 1)}"


def _count(names: Sequence[str]) -> str:
    return f"{len(names)} direction{'s' * (len(names) > 1)}"
