"""Real test images as a generator makes its samples."""

from __future__ import annotations

import os
from pathlib import Path

import jax
import numpy as np

from geomgan.errors import OptionError, check_count
from geomgan.generators import Generator
from geomgan.optimize import read_images
from geomgan.runs.files import local_path
from geomgan.training import load_images
from geomgan.training.image_folders import SUFFIXES

BORDER = 2  # pixels of background that images of 28 are padded with for models of 32


def real_images(
    data: str | os.PathLike[str], G: Generator, count: int, key: jax.Array, *, at_least: int | None = None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Some test images of a data set, drawn without replacement.

    Args:
        data: a folder of images, all of which are test images; or what :func:`geomgan.training.load_images` takes:
            ``"mnist"`` and other known names, IDX files, ``mnist.npz``.
        G: the generator, whose size and range they are brought to: images of 28 pixels are padded to 32 for one of
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
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES) if path.is_dir() else []
    if files:
        chosen = [files[i] for i in _drawn(key, len(files), count, at_least, data)]
        return read_images(chosen, G), tuple(str(file.relative_to(path)) for file in chosen)
    known = load_images(data)
    rows = _drawn(key, len(known.test_images), count, at_least, data)
    images = known.test_images[rows]
    names = tuple(f"{known.classes[known.test_labels[i]]} (#{i})" for i in rows)
    edge = (G.sample_shape.shape[0] - images.shape[1]) // 2
    framed = np.pad(images, ((0, 0), (edge, edge), (edge, edge), (0, 0))) if edge in (0, BORDER) else images
    return read_images(framed, G), names


def _drawn(key: jax.Array, known: int, count: int, at_least: int | None, data: str | os.PathLike[str]) -> np.ndarray:
    least = count if at_least is None else at_least
    if least > known:
        raise OptionError(f"{Path(data).name} has {known} test images; expected at least {least}. Take fewer.")
    return np.asarray(jax.random.permutation(key, known))[:count]
