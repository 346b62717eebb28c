"""Folders of images as data: one sub-folder for each label, or all of one kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tqdm import tqdm

from geomgan.errors import reading

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm")
TEST_EVERY = 10  # of ten images one is for tests


def read_image_folder(
    folder: Path, side: int, *, progress: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, tuple[str, ...]]:
    """Training and test images ``(N, side, side, 1)`` in bytes with their labels, and the names of the labels.

    Files are taken in the order of their names; of each label the tenth, twentieth, ... is a test image.

    Raises:
        ValueError: there are too few images, or a file that is called an image cannot be read.
    """
    files = {name: images_in(folder / name if name else folder) for name in _labels(folder)}
    count = sum(map(len, files.values()))
    if any(len(of_label) < TEST_EVERY for of_label in files.values()) or count == 0:
        few = {name or folder.name: len(of_label) for name, of_label in files.items() if len(of_label) < TEST_EVERY}
        raise ValueError(
            f"{folder} holds no IDX files and {count} images; expected at least {TEST_EVERY} images of each label"
            f"{f', got {few}' if few and count else ''}. Name a folder with images, or with a sub-folder a label."
        )
    images, labels, is_test = [], [], []
    with tqdm(total=count, desc="images", disable=not progress or count < 2000) as bar:
        for label, of_label in enumerate(files.values()):
            for i, file in enumerate(of_label):
                images.append(_grey_square(file, side))
                labels.append(label)
                is_test.append((i + 1) % TEST_EVERY == 0)
                bar.update()
    x, y, test = np.stack(images)[..., None], np.array(labels, np.int32), np.array(is_test)
    return x[~test], y[~test], x[test], y[test], tuple(name or folder.resolve().name for name in files)


def _labels(folder: Path) -> list[str]:
    """The names of sub-folders with images; one empty name where the folder itself has the images."""
    if not folder.is_dir() or images_in(folder):
        return [""]
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and images_in(path)) or [""]


def images_in(folder: Path) -> list[Path]:
    """The images of a folder itself, in the order of their names; none where it is no folder."""
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))


def _grey_square(file: Path, side: int) -> np.ndarray:
    """The middle square of an image in grey bytes ``(side, side)``."""
    from PIL import Image

    again = "Remove it, or get it again."
    with reading(file, again, error=ValueError, found="is no readable image"), Image.open(file) as image:
        edge = min(image.size)
        left, top = ((length - edge) // 2 for length in image.size)
        square = image.convert("L").crop((left, top, left + edge, top + edge))
        return np.asarray(square.resize((side, side), Image.Resampling.LANCZOS))
