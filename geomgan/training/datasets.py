"""Data sets for the small models: grey images in bytes with labels, from IDX files, folders of images, or the network.

Named ones are kept in ``data`` in ``geomgan.zoo.home()``, and are downloaded when they are not there.
"""

from __future__ import annotations

import os
import string
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from geomgan.brief import brief
from geomgan.errors import NotHereError, OptionError, nearest, reading
from geomgan.home import check_writable, home
from geomgan.runs.download import download
from geomgan.runs.files import written
from geomgan.training.data import read_npz
from geomgan.training.idx import read_idx
from geomgan.training.image_folders import read_image_folder

SIDE = 28


@brief
class Images(NamedTuple):
    """Labelled grey images: bytes ``(N, 28, 28, 1)``, and int32 labels ``(N,)`` that count the names in ``classes``."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Published:
    """A data set that can be downloaded.

    Attributes:
        files: name -> sha256 of each file; of one archive with all of them, if ``archive``.
        places: URLs of folders that hold the files.
        classes: names of the labels.
        licence: of the images.
        archive: name and sha256 of a zip archive that holds the files in the folder ``gzip``.
    """

    files: dict[str, str]
    places: tuple[str, ...]
    classes: tuple[str, ...]
    licence: str
    archive: tuple[str, str] | None = None


DIGITS = tuple(string.digits)
PUBLISHED = {
    "mnist": Published(
        {
            "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        },
        ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
        DIGITS,
        "MNIST, CC BY-SA 3.0",
    ),
    "fashion-mnist": Published(
        {
            "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        },
        (
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        ),
        ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"),
        "Fashion-MNIST, MIT",
    ),
    "emnist": Published(
        {
            f"emnist-byclass-{part}-{kind}-ubyte.gz": ""
            for part in ("train", "test")
            for kind in ("images-idx3", "labels-idx1")
        },
        ("https://biometrics.nist.gov/cs_links/EMNIST/",),
        (*DIGITS, *string.ascii_uppercase, *string.ascii_lowercase),
        "EMNIST, of NIST",
        archive=("gzip.zip", "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e"),
    ),
}


def load_images(
    source: str | os.PathLike[str],
    *,
    digits: Sequence[int] | None = None,
    per_label: int | None = None,
    progress: bool = True,
) -> Images:
    """Images to train on.

    Args:
        source: ``"mnist"``, ``"fashion-mnist"`` or ``"emnist"`` (its split by class; its images are turned upright);
            or a folder that holds four IDX files, packed or not, or ``mnist.npz``, or images, one sub-folder for each
            label or all of one kind; or ``mnist.npz`` itself. Images in files are made grey, their middle square is
            taken and resized to 28 pixels; every tenth is a test image.
        digits: the labels to keep, by number; they are counted anew, in this order.
        per_label: training images to keep of each label, the first ones; the published trainings take 3000.
        progress: whether to show what takes long.

    Raises:
        NotHereError: no such folder, or it cannot be downloaded.
        ValueError: a file is damaged or of another format, or there are no images with such labels.
    """
    name = os.fspath(source)
    path = Path(name).expanduser()
    if name in PUBLISHED:
        known = PUBLISHED[name]
        data = _from_idx(_fetched(name, known, progress), known.classes)
    elif path.is_dir() or path.is_file():
        data = _from_path(path, progress)
    else:
        raise NotHereError(f"data={name!r} is neither a folder nor a known data set. {nearest(name, PUBLISHED)}")
    return _chosen(data, digits, per_label)


def licence_of(source: str | os.PathLike[str]) -> str | None:
    """The name and licence of a known data set; None of one's own."""
    return PUBLISHED[str(source)].licence if str(source) in PUBLISHED else None


def _fetched(name: str, known: Published, progress: bool) -> Path:
    """The folder of a known data set, which is downloaded where a file is not there."""
    folder = home() / "data" / name
    missing = {file: sha for file, sha in known.files.items() if not (folder / file).is_file()}
    plain = {file for file in missing if (folder / file.removesuffix(".gz")).is_file()}
    if missing.keys() - plain:
        check_writable()
    if known.archive is not None and missing.keys() - plain:
        archive, sha256 = known.archive
        path = download([place + archive for place in known.places], folder / archive, sha256, progress=progress)
        with reading(path, "Delete it, and repeat.", error=ValueError), zipfile.ZipFile(path) as members:
            for file in known.files:
                with written(folder / file) as temporary:
                    temporary.write_bytes(members.read(f"gzip/{file}"))
        path.unlink()
        return folder
    for file in missing.keys() - plain:
        download([place + file for place in known.places], folder / file, missing[file], progress=progress)
    return folder


def _from_path(path: Path, progress: bool) -> Images:
    npz = path / "mnist.npz" if path.is_dir() else path
    if npz.is_file():
        train, labels, test, test_labels = read_npz(npz)
        return Images(train[..., None], labels, test[..., None], test_labels, DIGITS)
    if any(path.glob("*idx3-ubyte*")):
        return _from_idx(path, None)
    return Images(*read_image_folder(path, SIDE, progress=progress))


def _from_idx(folder: Path, classes: tuple[str, ...] | None) -> Images:
    """Four IDX files of a folder: one each of ``SETS``, with any name before."""
    arrays = []
    for part, kind in (
        ("train", "images-idx3"),
        ("train", "labels-idx1"),
        ("test", "images-idx3"),
        ("test", "labels-idx1"),
    ):
        called = (part,) if part == "train" else ("test", "t10k")
        found = sorted(p for p in folder.glob(f"*{kind}-ubyte*") if any(f"{word}-" in p.name for word in called))
        if packed := [p for p in found if p.suffix == ".gz" and p.with_suffix("") in found]:
            found = [p for p in found if p not in packed]
        if len(found) != 1:
            held = sorted(p.name for p in folder.glob("*-ubyte*"))
            raise ValueError(
                f"{folder} holds {held}; expected one file {part}-{kind}-ubyte of each kind, or .gz. Keep the four "
                "files of one data set there."
            )
        arrays.append((found[0], read_idx(found[0])))
    return Images(*_pair(*arrays[:2]), *_pair(*arrays[2:]), classes or _counted(arrays[1][1], arrays[3][1]))


def _pair(images: tuple[Path, np.ndarray], labels: tuple[Path, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Checked images with a last axis of one, upright, and labels."""
    (file, x), (label_file, y) = images, labels
    if x.shape[1:] != (SIDE, SIDE) or x.dtype != np.uint8 or len(x) == 0:
        raise ValueError(f"{file} holds {x.dtype} of shape {x.shape}; expected bytes (N, {SIDE}, {SIDE}): grey images.")
    if y.shape != x.shape[:1] or y.dtype.kind not in "iu" or y.min() < 0:
        raise ValueError(
            f"{label_file} holds {y.dtype} of shape {y.shape}; expected {len(x)} labels from 0, one an image."
        )
    upright = x.transpose(0, 2, 1) if file.name.startswith("emnist") else x
    return np.ascontiguousarray(upright)[..., None], y.astype(np.int32)


def _counted(*labels: np.ndarray) -> tuple[str, ...]:
    return tuple(map(str, range(max(int(each.max()) for each in labels) + 1)))


def _chosen(data: Images, digits: Sequence[int] | None, per_label: int | None) -> Images:
    """The images of some labels, and so many of each."""
    labels = range(len(data.classes)) if digits is None else digits
    have = set(np.unique(data.train_labels).tolist())
    absent = [label for label in labels if label not in have] if digits is not None else []
    if absent or len(set(labels)) != len(labels) or not labels:
        there = ", ".join(f"{label} ({data.classes[label]})" for label in sorted(have)[:62])
        raise OptionError(f"digits={','.join(map(str, labels))}: expected different labels that are there: {there}.")
    if per_label is not None and per_label < 1:
        raise OptionError(f"per_label={per_label}; expected a positive number.")
    if digits is None and per_label is None:
        return data

    def part(images: np.ndarray, of: np.ndarray, most: int | None) -> tuple[np.ndarray, np.ndarray]:
        places = [np.flatnonzero(of == label)[:most] for label in labels]
        kept = np.sort(np.concatenate(places))
        anew = np.full(len(data.classes), -1, np.int32)
        anew[list(labels)] = np.arange(len(labels))
        return images[kept], anew[of[kept]]

    return Images(
        *part(data.train_images, data.train_labels, per_label),
        *part(data.test_images, data.test_labels, None),
        tuple(data.classes[label] for label in labels),
    )
