"""MNIST as the networks of this package want it: 32 pixels a side, channels last, in ``(-1, 1)``."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from geomgan.brief import brief
from geomgan.errors import reading

SIDE = 32  # the digits are 28 pixels a side; two pixels of background all around make sides halve down to 4
_KEYS = ("x_train", "y_train", "x_test", "y_test")


@brief
class Digits(NamedTuple):
    """Labelled images: float32 ``(N, 32, 32, 1)`` in ``(-1, 1)`` and int32 labels ``(N,)`` in 0..9."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def load_mnist(path: str | Path) -> Digits:
    """Read MNIST (LeCun et al., 1998) from the ``mnist.npz`` that Keras distributes.

    A pixel ``p`` in 0..255 becomes ``p / 127.5 - 1``; the border of 2 pixels holds the background, ``-1``.

    Args:
        path: The ``.npz`` file, or the folder that holds ``mnist.npz``. Pickled arrays in it are refused.

    Returns:
        Training and test images ``(N, 32, 32, 1)`` float32 with their labels ``(N,)`` int32.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no ``.npz``, lacks an array, or an array has the wrong shape, dtype or range.
    """
    path = Path(path)
    file = path / "mnist.npz" if path.is_dir() else path
    if not file.is_file():
        raise FileNotFoundError(
            f"{file} is not there; expected MNIST as an npz file. Pass the path of mnist.npz or of its folder."
        )
    train_images, train_labels, test_images, test_labels = read_npz(file)
    return Digits(to_network(train_images), train_labels, to_network(test_images), test_labels)


def to_network(images: np.ndarray) -> np.ndarray:
    """Bytes ``(N, 28, 28)`` to float32 ``(N, 32, 32, 1)`` in ``(-1, 1)``, padded with background."""
    border = (SIDE - images.shape[1]) // 2
    padded = np.pad(images, ((0, 0), (border, border), (border, border)))
    return (padded.astype(np.float32) / np.float32(127.5) - np.float32(1))[..., None]


def read_npz(file: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training and test images as bytes ``(N, 28, 28)``, each with its labels, from an existing ``mnist.npz``."""
    arrays = _read(file)
    return (
        *_check(file, "train", arrays["x_train"], arrays["y_train"]),
        *_check(file, "test", arrays["x_test"], arrays["y_test"]),
    )


def _read(file: Path) -> dict[str, np.ndarray]:
    if not zipfile.is_zipfile(file):
        raise ValueError(f"{file} is not an npz archive; expected MNIST as one. Pass the path of mnist.npz.")
    with np.load(file, allow_pickle=False) as archive:
        missing = [key for key in _KEYS if key not in archive.files]
        if missing:
            raise ValueError(
                f"{file} holds {sorted(archive.files)}; expected {list(_KEYS)}, so {missing} are missing. "
                "Pass the mnist.npz that Keras distributes."
            )
        fix = "Expected plain numbers: fetch mnist.npz again."
        with reading(file, fix, error=ValueError, found="holds an array that cannot be read"):
            return {key: archive[key] for key in _KEYS}


def _check(file: Path, part: str, images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if images.ndim != 3 or images.shape[1:] != (28, 28) or images.dtype != np.uint8 or len(images) == 0:
        raise ValueError(
            f"x_{part} in {file} has shape {images.shape} and dtype {images.dtype}; "
            "expected (N, 28, 28) uint8. Store the images as bytes, one grey value a pixel."
        )
    integer = np.issubdtype(labels.dtype, np.integer)
    if labels.shape != (len(images),) or not integer or labels.min() < 0 or labels.max() > 9:
        raise ValueError(
            f"y_{part} in {file} has shape {labels.shape} and dtype {labels.dtype}; "
            f"expected ({len(images)},) integers in 0..9, one label an image."
        )
    return images, labels.astype(np.int32)
