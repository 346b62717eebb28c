"""Animations of walks: GIF, animated PNG and MP4."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from geomgan.errors import StoreError, check_finite
from geomgan.paths import Walks
from geomgan.plot.axes import formula, rank_labels, unit
from geomgan.plot.encoders import Film, encoder
from geomgan.plot.images import check_images, pixels, shared_range
from geomgan.plot.style import INK, SOFT
from geomgan.runs.files import write_whole

MARGIN, TEXT_SIZE, LINE, TRACK, RADIUS = 10, 13, 18, 34, 5  # pixels; the scale under a panel, and the mark on it
NUMBERED = 120  # pixels: the room that the numbers of a track need


def animate(
    path: str | os.PathLike[str],
    walks: Walks | Any,
    values: Any = None,
    output_range: tuple[float, float] | None = (-1, 1),
    *,
    ranks: Any = None,
    labels: Sequence[str] | None = None,
    caption: str | None = None,
    fps: float = 20,
    there_and_back: bool = True,
    size: int = 256,
    columns: int = 4,
    progress: bool = True,
) -> Path:
    """Write an animation of walks along axes, side by side, as a GIF, an animated PNG or an MP4.

    Walks from :func:`geomgan.paths.constant_speed_walk` move at constant perceptual speed. Under each axis a
    mark moves along the scale of ``t``; where it runs, the samples change little.

    A GIF repeats for ever, has one palette of 256 colours, and keeps times in hundredths of a second: 30 frames a
    second become 33. An animated PNG is exact. An MP4 (H.264) plays once and needs ``geomgan[video]``.

    Args:
        path: the file; its suffix, ``.gif``, ``.png``, ``.apng`` or ``.mp4``, says the format.
        walks: walks along ``n`` axes, or plain frames ``(T, H, W, C)`` or ``(n, T, H, W, C)``, which get no scale.
        values: the eigenvalue of each axis, for its label.
        output_range: of the samples; None shows the range of all of them.
        ranks: the rank of each axis; by default 1, 2, ...
        labels: over the panels; by default ranks and ``values``, or nothing where there are no values.
        caption: under the panels; by default what was computed. An empty one leaves it out.
        fps: frames a second.
        there_and_back: play the walk to its end and back to the first frame, which is then also the last.
        size: pixels of a panel's longer side: smaller images are enlarged by a whole factor, larger ones reduced.
        columns: panels side by side.
        progress: show a progress bar, with the time left.

    Returns:
        The file, which is written whole or not at all.

    Raises:
        ValueError: the suffix is unknown, the samples are no images or hold NaN, there are fewer than two frames, or
            options do not fit.
        ImportError: MP4 without ``geomgan[video]``.
        StoreError: the file cannot be written.
    """
    path = Path(path).expanduser()
    encode = encoder(path.suffix.lower(), path.name, fps)
    samples = np.asarray(walks.samples if isinstance(walks, Walks) else walks)
    samples = samples[None] if samples.ndim == 4 else samples
    _check(samples, size, columns)
    check_finite(samples, "the frames")
    n, frames = samples.shape[:2]
    if labels is None:
        labels = [""] * n if values is None else rank_labels(values, ranks, n, ", ")
    if len(labels) != n:
        raise ValueError(f"there are {len(labels)} labels for {n} panels; expected one for each.")
    if not path.parent.is_dir():
        raise StoreError(f"cannot write {path}: there is no folder {path.parent}. Make it first.")
    steps = walks.steps if isinstance(walks, Walks) else None
    caption = caption_of(walks) if caption is None else caption
    images = _images(samples, shared_range(samples, output_range), size, path.name, progress)
    order = (*range(frames), *range(frames - 2, -1, -1)) if there_and_back else tuple(range(frames))
    write_whole(path, encode(_film(images, labels, caption, steps, size, min(columns, n), order), fps))
    return path


def _check(samples: np.ndarray, size: int, columns: int) -> None:
    if samples.ndim != 5:
        raise ValueError(f"frames have shape {samples.shape}; expected images (T, H, W, C) or (n, T, H, W, C).")
    check_images(samples.shape[2:])
    if samples.shape[1] < 2:
        raise ValueError(f"there is {samples.shape[1]} frame; expected at least 2.")
    if size < 16 or columns < 1:
        raise ValueError(f"size is {size} and columns {columns}; expected at least 16 pixels and 1 panel.")


def caption_of(walks: Walks | Any) -> str:
    """What was computed; nothing for plain frames."""
    if not isinstance(walks, Walks):
        return ""
    text = f"walks {formula(walks)}, {unit(walks)}"
    if walks.spacing != "arc length" or walks.gaps is None:
        return text
    gaps = ", ".join(dict.fromkeys(f"{gap:.2g}" for gap in walks.gaps))
    return f"{text}, at constant speed under {walks.measure}: {gaps} from frame to frame"


def _images(samples: np.ndarray, output_range: tuple[float, float], size: int, name: str, progress: bool) -> np.ndarray:
    """The samples in bytes ``(n, T, h, w, 3)``."""
    rows = tqdm(samples.reshape(-1, *samples.shape[2:]), name, unit="image", disable=not progress)
    images = np.stack([pixels(sample, output_range, size) for sample in rows])
    return images.reshape(*samples.shape[:2], *images.shape[1:])


def _film(
    images: np.ndarray,
    labels: Sequence[str],
    caption: str,
    steps: np.ndarray | None,
    size: int,
    columns: int,
    order: tuple[int, ...],
) -> Film:
    """Panels in rows: a label over each, under it the scale of ``t`` on which a mark moves, and the caption."""
    from PIL import Image, ImageDraw

    factor = max(1, size // max(images.shape[2:4]))
    height, width = (factor * side for side in images.shape[2:4])
    texts = [wrapped(label, width) for label in labels]
    over, under = LINE * max(map(len, texts)), 0 if steps is None else TRACK
    inside, rows = columns * (width + MARGIN) - MARGIN, -(-len(images) // columns)
    lines, bottom = wrapped(caption, inside), rows * (over + height + under + MARGIN)
    sides = inside + 2 * MARGIN, bottom + MARGIN + LINE * len(lines)
    canvas = Image.new("RGB", tuple(side + side % 2 for side in sides), "white")  # H.264 takes even sides only
    draw = ImageDraw.Draw(canvas)
    _write(draw, lines, MARGIN, bottom + MARGIN // 2)
    corners, marks = [], []
    for panel, text in enumerate(texts):
        row, column = divmod(panel, columns)
        top, left = MARGIN + row * (over + height + under + MARGIN), MARGIN + column * (width + MARGIN)
        _write(draw, text, left, top)
        corners.append((top + over, left))
        if steps is not None:
            marks.append(_track(draw, left, top + over + height, width, steps[panel], steps))
    moving = None if steps is None else np.array(marks)
    return Film(np.asarray(canvas), images, np.array(corners), factor, moving, order)


def _track(draw: Any, left: int, top: int, width: int, steps: np.ndarray, of_all: np.ndarray) -> np.ndarray:
    """Draw the scale of ``t`` under a panel; returns where the mark is in each frame, ``(T, 2)``."""
    middle, low, high = top + 10, float(of_all.min()), float(of_all.max())
    draw.line([(left + RADIUS, middle), (left + width - 1 - RADIUS, middle)], SOFT, 1)
    for x, text, text_x in ticks(low, high, width):
        draw.line([(left + x, middle - 3), (left + x, middle + 3)], SOFT, 1)
        if text:
            draw.text((left + text_x, middle + 6), text, INK, font())
    columns = left + np.array([place(t, low, high, width) for t in steps])
    return np.rint(np.stack([np.full(len(steps), middle), columns], axis=1)).astype(int)


def place(t: float, low: float, high: float, width: int) -> float:
    """Where ``t`` is on a scale from ``low`` to ``high`` under a panel of ``width`` pixels."""
    return RADIUS + (width - 1 - 2 * RADIUS) * (float(t) - low) / ((high - low) or 1.0)


def ticks(low: float, high: float, width: int) -> list[tuple[float, str, int]]:
    """The ends of a scale and its zero: their places, their numbers, if there is room, and the places of these.

    The zero keeps its number before an end that is too close.
    """
    found = []
    for t, anchor in [(low, 0.0), (high, 1.0)] + ([(0.0, 0.5)] if low < 0 < high else []):
        x, text = place(t, low, high, width), f"{t:+.3g}".replace("-", "−") if t else "0"
        taken = font().getlength(text)
        close = t and low < 0 < high and abs(x - place(0.0, low, high, width)) < taken + 8
        shown = "" if close or width < NUMBERED else text
        found.append((x, shown, round(x - anchor * taken - (0.5 - anchor) * 2 * RADIUS)))
    return found


def _write(draw: Any, lines: Sequence[str], left: int, top: int) -> None:
    for i, line in enumerate(lines):
        draw.text((left, top + i * LINE), line, INK, font())


def wrapped(text: str, width: int) -> list[str]:
    """``text`` in lines that are at most ``width`` pixels wide."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font().getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


@functools.cache
def font() -> Any:
    """The font of the figures, which has Greek letters."""
    from matplotlib.font_manager import findfont
    from PIL import ImageFont

    return ImageFont.truetype(findfont("DejaVu Sans"), TEXT_SIZE)
