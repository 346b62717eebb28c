"""Twelve photographs that ship with the package, for models that encode any: priors are fitted to them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

FILES = Path(__file__).parent / "photograph_files"  # whose README has their sources
SIDE = 128  # pixels


def names() -> tuple[str, ...]:
    """What they show, in the order of :func:`photographs`."""
    return tuple(sorted(path.stem for path in FILES.glob("*.jpg")))


def photographs(sides: tuple[int, int] = (SIDE, SIDE)) -> np.ndarray:
    """The photographs ``(12, H, W, 3)`` in ``(-1, 1)``, resized to ``sides``."""
    from PIL import Image

    images = []
    for name in names():
        with Image.open(FILES / f"{name}.jpg") as image:
            resized = image.convert("RGB").resize(sides[::-1], Image.Resampling.LANCZOS)
        images.append(np.asarray(resized, np.float32) / 127.5 - 1)
    return np.stack(images)
