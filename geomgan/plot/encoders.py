"""Frames as a file: GIF, animated PNG or MP4."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from importlib.util import find_spec
from typing import Any

import numpy as np

from geomgan.errors import check_choice
from geomgan.plot.style import ACCENT, INK, SOFT

SUFFIXES = (".gif", ".png", ".apng", ".mp4")
PALETTE_FRAMES = 8  # frames from which the one palette of a GIF is made
SHADES = 6  # of the ink: the edges of letters
BT709, STUDIO = 1, 1  # FFmpeg's numbers of the colour coding of high-definition video, and of its range of values
FASTEST_GIF = 50  # frames a second: browsers slow down what is faster
DISC = np.hypot(*np.mgrid[-5:6, -5:6]) <= 5.3  # the mark


@dataclass(frozen=True)
class Film:
    """Frames, as what never changes and what does.

    Attributes:
        canvas: ``(H, W, 3)`` bytes, what every frame shows.
        images: ``(n, T, h, w, 3)`` bytes, what changes.
        corners: ``(n, 2)``, row and column of each image on the canvas.
        factor: images are enlarged so many times.
        marks: ``(n, T, 2)``, row and column of the middle of each mark, or None.
        order: the frames as they are shown.
    """

    canvas: np.ndarray
    images: np.ndarray
    corners: np.ndarray
    factor: int
    marks: np.ndarray | None
    order: tuple[int, ...]


def encoder(suffix: str, name: str, fps: float) -> Callable[[Film, float], bytes]:
    """The function that writes the format of a suffix; all that it needs is checked.

    Raises:
        ValueError: the suffix is unknown, or there are too many frames a second.
        ImportError: MP4 without ``geomgan[video]``.
    """
    check_choice(suffix, SUFFIXES, f"the suffix of {name}")
    if not 0 < fps <= 1000:
        raise ValueError(f"fps is {fps}; expected a positive number of frames a second.")
    if suffix == ".gif" and fps > FASTEST_GIF:
        raise ValueError(f"fps is {fps}; players slow a GIF down beyond {FASTEST_GIF}. Write .png or .mp4.")
    if suffix == ".mp4" and find_spec("av") is None:
        raise ImportError("MP4 needs PyAV: python -m pip install 'geomgan[video]'. Or write .gif or .png.")
    return {".gif": gif, ".mp4": mp4}.get(suffix, apng)


def gif(film: Film, fps: float) -> bytes:
    """A GIF that repeats for ever, with one palette; each image is matched with it once, before it is enlarged."""
    from PIL import Image, ImageColor

    count, frames, height, width = film.images.shape[:4]
    chosen = np.unique(np.linspace(0, frames - 1, PALETTE_FRAMES).astype(int))
    white, ink, soft, accent = (np.array(ImageColor.getrgb(name)) for name in ("white", INK, SOFT, ACCENT))
    shades = [ink + (white - ink) * share for share in np.linspace(0, 1, SHADES + 2)[1:-1]]
    own = np.rint([white, ink, soft, accent, *shades]).astype(int)
    together = Image.fromarray(film.images[:, chosen].reshape(-1, width, 3))
    found = together.quantize(256 - len(own), Image.Quantize.MEDIANCUT, kmeans=3).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([*own.ravel().tolist(), *found[: 3 * (256 - len(own))]])
    matched = lambda x: np.asarray(Image.fromarray(x).quantize(palette=palette, dither=Image.Dither.NONE))
    images = matched(film.images.reshape(-1, width, 3)).reshape(count, frames, height, width)
    canvas = matched(film.canvas).copy()
    for number, colour in enumerate(own[:4]):  # exactly: Pillow takes a colour that is close
        canvas[(film.canvas == colour).all(axis=-1)] = number
    pictures = [Image.fromarray(frame) for frame in _frames(film, canvas, images, 3)]
    for picture in pictures:
        picture.putpalette(palette.getpalette() or [])
    first, *others = (pictures[i] for i in film.order)
    file = io.BytesIO()
    duration = 10 * max(2, round(100 / fps))
    first.save(file, "GIF", save_all=True, append_images=others, duration=duration, loop=0, optimize=False)
    return file.getvalue()


def apng(film: Film, fps: float) -> bytes:
    """An animated PNG, which is exact."""
    first, *others = _pictures(film)
    file = io.BytesIO()
    first.save(file, "PNG", save_all=True, append_images=others, duration=1000 / fps, loop=0)
    return file.getvalue()


def mp4(film: Film, fps: float) -> bytes:
    """An MP4 (H.264), which plays once."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        rate = Fraction(fps).limit_denominator(1001)
        stream: Any = container.add_stream("libx264", rate=rate, options={"crf": "16"})
        stream.height, stream.width = film.canvas.shape[:2]
        stream.pix_fmt = "yuv420p"
        coding = stream.codec_context  # without these tags, players guess how colours were coded
        coding.colorspace = coding.color_primaries = coding.color_trc = BT709
        coding.color_range = STUDIO
        for picture in _pictures(film):
            frame = av.VideoFrame.from_image(picture)
            container.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace=BT709)))
        container.mux(stream.encode())
    return file.getvalue()


def _pictures(film: Film) -> list[Any]:
    """The frames as they are shown, in full colour."""
    from PIL import Image, ImageColor

    accent = np.array(ImageColor.getrgb(ACCENT), np.uint8)
    pictures = [Image.fromarray(frame) for frame in _frames(film, film.canvas, film.images, accent)]
    return [pictures[i] for i in film.order]


def _frames(film: Film, canvas: np.ndarray, images: np.ndarray, accent: Any) -> Iterator[np.ndarray]:
    """Every frame once: ``images (n, T, h, w, ...)`` on a canvas ``(H, W, ...)``, in colours or in their numbers."""
    height, width = (film.factor * side for side in images.shape[2:4])
    for t in range(images.shape[1]):
        frame = canvas.copy()
        for panel, (top, left) in enumerate(film.corners):
            image = images[panel, t].repeat(film.factor, axis=0).repeat(film.factor, axis=1)
            frame[top : top + height, left : left + width] = image
            if film.marks is not None:
                row, column = film.marks[panel, t] - len(DISC) // 2
                frame[row : row + len(DISC), column : column + len(DISC)][DISC] = accent
        yield frame
