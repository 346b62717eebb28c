"""Animations of walks: GIF, animated PNG and MP4."""

from __future__ import annotations

import functools
import io
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from geomgan.errors import StoreError, check_choice, check_finite
from geomgan.paths.axes import AxisWalks
from geomgan.plot.axes import FORMULA, UNIT, rank_labels
from geomgan.plot.images import check_images, pixels, shared_range
from geomgan.plot.style import ACCENT, INK, SOFT
from geomgan.runs.files import write_whole

SUFFIXES = (".gif", ".png", ".apng", ".mp4")
MARGIN, TEXT_SIZE, LINE, TRACK = 10, 13, 18, 34  # pixels; the track is the scale under a panel
NUMBERED = 110  # pixels: the room that the numbers of a track need
PALETTE_FRAMES = 8  # frames from which the one palette of a GIF is made
BT709, STUDIO = 1, 1  # FFmpeg's numbers of the colour coding of high-definition video, and of its range of values
FASTEST_GIF = 50  # frames a second: browsers slow down what is faster


def animate(
    path: str | os.PathLike,
    walks: AxisWalks | Any,
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

    Walks from :func:`geomgan.paths.axes.constant_speed_walk` move at constant perceptual speed. Under each axis a
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
    encode = _encoder(path, fps)
    samples = np.asarray(walks.samples if isinstance(walks, AxisWalks) else walks)
    samples = samples[None] if samples.ndim == 4 else samples
    _check(samples, size, columns)
    check_finite(samples, "the frames")
    n = len(samples)
    if labels is None:
        labels = [""] * n if values is None else rank_labels(values, ranks, n, ", ")
    if len(labels) != n:
        raise ValueError(f"there are {len(labels)} labels for {n} panels; expected one for each.")
    if not path.parent.is_dir():
        raise StoreError(f"cannot write {path}: there is no folder {path.parent}. Make it first.")
    steps = walks.steps if isinstance(walks, AxisWalks) else None
    caption = _caption(walks) if caption is None else caption
    scene = _Scene(samples, shared_range(samples, output_range), labels, caption, steps, size, min(columns, n))
    there = list(range(samples.shape[1]))
    order = there + there[-2::-1] if there_and_back else there
    encoded = io.BytesIO()
    pictures = (scene.frame(i) for i in tqdm(order, path.name, unit="frame", disable=not progress))
    encode(encoded, scene, pictures, fps)
    write_whole(path, encoded.getvalue())
    return path


def _encoder(path: Path, fps: float) -> Callable:
    """The function that writes the format of a file's suffix; all that it needs is checked."""
    suffix = path.suffix.lower()
    check_choice(suffix, SUFFIXES, f"the suffix of {path.name}")
    if not 0 < fps <= 1000:
        raise ValueError(f"fps is {fps}; expected a positive number of frames a second.")
    if suffix == ".gif" and fps > FASTEST_GIF:
        raise ValueError(f"fps is {fps}; players slow a GIF down beyond {FASTEST_GIF}. Write .png or .mp4.")
    if suffix == ".mp4" and find_spec("av") is None:
        raise ImportError("MP4 needs PyAV: python -m pip install 'geomgan[video]'. Or write .gif or .png.")
    return {".gif": _gif, ".mp4": _mp4}.get(suffix, _apng)


def _check(samples: np.ndarray, size: int, columns: int) -> None:
    if samples.ndim != 5:
        raise ValueError(f"frames have shape {samples.shape}; expected images (T, H, W, C) or (n, T, H, W, C).")
    check_images(samples.shape[2:])
    if samples.shape[1] < 2:
        raise ValueError(f"there is {samples.shape[1]} frame; expected at least 2.")
    if size < 16 or columns < 1:
        raise ValueError(f"size is {size} and columns {columns}; expected at least 16 pixels and 1 panel.")


def _caption(walks: AxisWalks | Any) -> str:
    if not isinstance(walks, AxisWalks):
        return ""
    text = f"walks {FORMULA[walks.path]}, {UNIT[walks.path]}"
    if walks.spacing != "arc length" or walks.gaps is None:
        return text
    gaps = ", ".join(dict.fromkeys(f"{gap:.2g}" for gap in walks.gaps))
    return f"{text}, at constant speed under {walks.measure}: {gaps} from frame to frame"


@dataclass(frozen=True)
class _Scene:
    """What every frame shows."""

    samples: np.ndarray
    output_range: tuple[float, float]
    labels: Sequence[str]
    caption: str
    steps: np.ndarray | None
    size: int
    columns: int

    def frame(self, index: int) -> Any:
        """One frame as a Pillow image."""
        from PIL import Image, ImageDraw

        panels = [self._panel(i, index) for i in range(len(self.samples))]
        width, height = panels[0].size
        rows = -(-len(panels) // self.columns)
        inside = self.columns * (width + MARGIN) - MARGIN
        lines = _wrapped(self.caption, inside)
        total = (inside + 2 * MARGIN, rows * (height + MARGIN) + MARGIN + LINE * len(lines))
        total = tuple(side + side % 2 for side in total)  # H.264 takes even sides only
        canvas = Image.new("RGB", total, "white")
        for i, panel in enumerate(panels):
            row, column = divmod(i, self.columns)
            canvas.paste(panel, (MARGIN + column * (width + MARGIN), MARGIN + row * (height + MARGIN)))
        draw = ImageDraw.Draw(canvas)
        for i, line in enumerate(lines):
            draw.text((MARGIN, rows * (height + MARGIN) + MARGIN // 2 + i * LINE), line, INK, _font())
        return canvas

    def _panel(self, axis: int, index: int) -> Any:
        """A label, the image, and the scale of ``t`` with the position of this frame."""
        from PIL import Image, ImageDraw

        image = Image.fromarray(pixels(self.samples[axis, index], self.output_range, self.size))
        factor = max(1, self.size // max(image.size))
        image = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
        lines = _wrapped(self.labels[axis], image.width)
        over = LINE * max(len(_wrapped(label, image.width)) for label in self.labels)
        under = 0 if self.steps is None else TRACK
        panel = Image.new("RGB", (image.width, over + image.height + under), "white")
        draw = ImageDraw.Draw(panel)
        for i, line in enumerate(lines):
            draw.text((0, i * LINE), line, INK, _font())
        panel.paste(image, (0, over))
        if self.steps is not None:
            self._track(draw, panel.width, over + image.height, self.steps[axis], index)
        return panel

    def _track(self, draw: Any, width: int, top: int, steps: np.ndarray, index: int) -> None:
        radius, middle = 5, top + 10
        low, high = float(steps.min()), float(steps.max())
        x = lambda t: radius + (width - 1 - 2 * radius) * (float(t) - low) / ((high - low) or 1.0)
        draw.line([(radius, middle), (width - 1 - radius, middle)], SOFT, 1)
        ticks = [(low, 0.0), (high, 1.0)] + ([(0.0, 0.5)] if low < 0 < high else [])
        for t, anchor in ticks:
            draw.line([(x(t), middle - 3), (x(t), middle + 3)], SOFT, 1)
            text = f"{t:+.3g}".replace("-", "−") if t else "0"
            taken = _font(11).getlength(text)
            close = t and low < 0 < high and abs(x(t) - x(0)) < taken + 8  # the zero stays, its neighbour goes
            if width < NUMBERED or close:
                continue
            draw.text((round(x(t) - anchor * taken - (0.5 - anchor) * 2 * radius), middle + 6), text, INK, _font(11))
        centre = x(steps[index])
        draw.ellipse([centre - radius, middle - radius, centre + radius, middle + radius], ACCENT)


def _wrapped(text: str, width: int) -> list[str]:
    """``text`` in lines that are at most ``width`` pixels wide."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _font().getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


@functools.cache
def _font(size: int = TEXT_SIZE) -> Any:
    """The font of the figures, which has Greek letters."""
    from matplotlib.font_manager import findfont
    from PIL import ImageFont

    return ImageFont.truetype(findfont("DejaVu Sans"), size)


def _gif(file: Any, scene: _Scene, pictures: Iterable, fps: float) -> None:
    from PIL import Image, ImageColor

    chosen = [scene.frame(i) for i in np.unique(np.linspace(0, scene.samples.shape[1] - 1, PALETTE_FRAMES).astype(int))]
    together = Image.fromarray(np.concatenate([np.asarray(frame) for frame in chosen]))
    own = [channel for name in ("white", INK, SOFT, ACCENT) for channel in ImageColor.getrgb(name)]
    found = together.quantize(252, Image.Quantize.MEDIANCUT, kmeans=3).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette(own + found[: 3 * 252])
    first, *others = (picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures)
    duration = 10 * max(2, round(100 / fps))
    first.save(file, "GIF", save_all=True, append_images=others, duration=duration, loop=0, optimize=False)


def _apng(file: Any, _: _Scene, pictures: Iterable, fps: float) -> None:
    first, *others = pictures
    first.save(file, "PNG", save_all=True, append_images=others, duration=1000 / fps, loop=0)


def _mp4(file: Any, scene: _Scene, pictures: Iterable, fps: float) -> None:
    import av

    with av.open(file, "w", format="mp4") as container:
        rate = Fraction(fps).limit_denominator(1001)
        stream = container.add_stream("libx264", rate=rate, options={"crf": "16"})
        stream.width, stream.height = scene.frame(0).size
        stream.pix_fmt = "yuv420p"
        coding = stream.codec_context  # without these tags, players guess how colours were coded
        coding.colorspace = coding.color_primaries = coding.color_trc = BT709
        coding.color_range = STUDIO
        for picture in pictures:
            frame = av.VideoFrame.from_image(picture)
            container.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace=BT709)))
        container.mux(stream.encode())
