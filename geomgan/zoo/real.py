"""Real test images as a generator makes its samples."""

from __future__ import annotations

import os
from pathlib import Path

import jax
import numpy as np

from geomgan.errors import NotHereError, OptionError, check_count
from geomgan.generators import Generator
from geomgan.optimize import read_images
from geomgan.runs.files import local_path
from geomgan.training import load_mnist

IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
BORDER = 2  # pixels of background that the digits are padded with


def real_images(
    data: str | os.PathLike[str], G: Generator, count: int, key: jax.Array, *, at_least: int | None = None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Some test images of a data set, drawn without replacement.

    Args:
        data: ``mnist.npz`` or the folder that holds it, or a folder of images.
        G: the generator, whose size and range they are brought to: digits of 28 pixels are padded to 32 for one of
            32, as in training; all else is cropped to its proportions and resized.
        count: how many.
        key: typed.
        at_least: give fewer than ``count`` where there are no more, but so many; by default all of them.

    Returns:
        Images ``(count, H, W, C)``, and what each is called.

    Raises:
        NotHereError: there are no images.
        OptionError: there are too few.
        ValueError: a file is no image, or is damaged.
    """
    count, path = check_count(count, np.inf, "count"), local_path(data)
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in IMAGES) if path.is_dir() else []
    if files:
        chosen = [files[i] for i in _drawn(key, len(files), count, at_least, data)]
        return read_images(chosen, G), tuple(str(file.relative_to(path)) for file in chosen)
    if not path.exists():
        raise NotHereError(f"{data} is not there; expected mnist.npz, its folder, or a folder of images.")
    if path.is_dir() and not (path / "mnist.npz").is_file():
        raise NotHereError(f"{data} holds neither images ({', '.join(IMAGES)}) nor mnist.npz. Name another folder.")
    digits = load_mnist(path)
    rows = _drawn(key, len(digits.test_images), count, at_least, data)
    images = digits.test_images[rows]
    names = tuple(f"{digits.test_labels[i]} (#{i})" for i in rows)
    inner = images[:, BORDER:-BORDER, BORDER:-BORDER]
    for same in (images, inner):
        if same.shape[1:] == G.sample_shape.shape and G.output_range is not None:
            low, high = G.output_range
            return low + (same + 1) / 2 * (high - low), names
    return read_images(np.rint((inner + 1) * 127.5).astype(np.uint8), G), names


def _drawn(key: jax.Array, known: int, count: int, at_least: int | None, data: str | os.PathLike[str]) -> np.ndarray:
    least = count if at_least is None else at_least
    if least > known:
        raise OptionError(f"{Path(data).name} has {known} test images; expected at least {least}. Take fewer.")
    return np.asarray(jax.random.permutation(key, known))[:count]
