"""Samples as pictures: which are images, and what they look like in bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np


def is_image(shape: Sequence[int]) -> bool:
    """Whether one sample of ``shape`` is an image, ``(H, W, 1)`` or ``(H, W, 3)``."""
    return len(shape) == 3 and shape[-1] in (1, 3)


def displayable(sample: Any, output_range: tuple[float, float] | None) -> np.ndarray:
    """An image ``(H, W, 3)`` in ``[0, 1]``; the one place where samples are clipped.

    Raises:
        ValueError: the sample is not an image with one or three channels.
    """
    sample = np.asarray(sample, np.float64)
    if not is_image(sample.shape):
        raise ValueError(f"sample has shape {sample.shape}; expected an image (H, W, 1) or (H, W, 3).")
    low, high = shared_range(sample, output_range)
    scaled = np.clip((sample - low) / (high - low or 1.0), 0.0, 1.0)
    return np.broadcast_to(scaled, (*sample.shape[:2], 3))


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


def png(sample: Any, output_range: tuple[float, float] | None) -> bytes:
    """A sample as a PNG of exactly its size, grey where it has one channel."""
    from PIL import Image

    shown = np.rint(255 * displayable(sample, output_range)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(shown[..., 0] if np.shape(sample)[-1] == 1 else shown).save(buffer, "PNG")
    return buffer.getvalue()
