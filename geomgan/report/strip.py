"""A walk as a strip of pictures, which a hand moves along on the page: there is no server behind a report."""

from __future__ import annotations

import base64
import html
import io
from dataclasses import dataclass

import numpy as np

QUALITY, WORTH = 90, 2  # of WebP; how many times its bytes a PNG may take, which is exact
ROW = 64  # pixels of the height of a row of pictures, at least


@dataclass(frozen=True)
class Strip:
    """Pictures side by side, each as far from its neighbours in distance.

    Attributes:
        name: of the walk.
        picture: ``frames`` pictures in a row, as a file.
        kind: of the file, ``"image/png"`` or ``"image/webp"``.
        frames: how many.
        size: ``(height, width)`` of one, in pixels.
        zero: which of them is the start.
        gap: distance between neighbours.
        trust: how far the metric speaks for the pictures, ``(low, high)`` as signed distance; infinite where it does
            all the way.
    """

    name: str
    picture: bytes
    kind: str
    frames: int
    size: tuple[int, int]
    zero: int
    gap: float
    trust: tuple[float, float] = (-np.inf, np.inf)


def strip_of(
    name: str, images: np.ndarray, zero: int, gap: float, trust: tuple[float, float] = (-np.inf, np.inf)
) -> Strip:
    """A strip of images ``(T, h, w, 3)`` in bytes, as a PNG, or as a WebP where that takes less than half."""
    frames, height, width = images.shape[:3]
    kind, picture = _encoded(np.concatenate(list(images), axis=1))
    return Strip(name, picture, kind, frames, (height, width), zero, gap, trust)


def _encoded(row: np.ndarray) -> tuple[str, bytes]:
    from PIL import Image, features

    grey = bool((row == row[..., :1]).all())
    image = Image.fromarray(row[..., 0] if grey else row)
    exact, small = io.BytesIO(), io.BytesIO()
    image.save(exact, "PNG", optimize=True)
    if features.check("webp"):  # builds of Pillow may be without
        image.save(small, "WEBP", quality=QUALITY)
    if small.tell() and exact.tell() > WORTH * small.tell():
        return "image/webp", small.getvalue()
    return "image/png", exact.getvalue()


def strip_html(strip: Strip) -> str:
    """A figure: without JavaScript the row of pictures, whose start has a frame; with it, a picture and a slider."""
    height, width = strip.size
    first, last = -strip.zero * strip.gap, (strip.frames - 1 - strip.zero) * strip.gap
    name = html.escape(strip.name)
    data = {"frames": strip.frames, "zero": strip.zero, "gap": repr(float(strip.gap)), "width": width, "height": height}
    data |= {end: _number(s) for end, s in zip(("low", "high"), strip.trust, strict=True)}
    fields = " ".join(f'data-{field}="{value}"' for field, value in data.items())
    said = (
        f"{strip.frames} pictures, each {strip.gap:.2g} further, from {_signed(first)} to {_signed(last)} of distance"
    )
    shown = max(1, -(-ROW // height)) * height
    small = ' class="small"' if height <= ROW else ""
    source = f"data:{strip.kind};base64,{base64.b64encode(strip.picture).decode()}"
    return (
        f'<figure class="strip" style="--frames:{strip.frames};--zero:{strip.zero}" {fields}>'
        f"<figcaption>{name}</figcaption>"
        f'<div class="row" tabindex="0" role="group" aria-label="{name}: pictures"><div>'
        f'<img{small} alt="{name}: {said}" style="height:{shown}px" src="{source}"><i></i></div></div>'
        f'<p class="ends"><span>{_signed(first)}</span><span>{_signed(last)}</span></p></figure>'
    )


def _number(s: float) -> str:
    """As JavaScript reads it."""
    return repr(float(s)) if np.isfinite(s) else "Infinity" if s > 0 else "-Infinity"


def _signed(s: float) -> str:
    return f"{s:+.2g}".replace("-", "−") if s else "0"
