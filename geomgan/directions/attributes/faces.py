"""Attributes of faces, by networks of other people: where a face is, how the head is turned, and the published others.

The box of the surest face is taken; a picture without one has no such attributes. Boxes are in sides of the picture.

``face``          share of the picture's width and height that the face takes, and how sure the detector is;
``head-pose``     yaw, pitch and roll in degrees: FSA-Net on a square around the box, mean of its two networks;
``hopenet``       the same by Hopenet, ``Σ softmax · 3 i - 99``, on the whole picture as published;
``identity``      cosine of ArcFace's embedding with that of the walk's own code;
``age``, ``gender``, ``race``  FairFace: most probable class and its probability, over the number of classes; of gender
                  the probability of the second class;
``action-units``  largest value of each of 12 heat maps, 0 to 5;
``bangs``, ``eyeglasses``, ``beard``, ``smiling``, ``young``  most probable of 6 degrees and its probability, over 6.

Pre-processing of all but the first two is that of WarpedGANSpace, whose crops are transposed by mistake and are not
here: 256 pixels, and of these the part and the size that the network was trained with.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import numpy as np

from geomgan.directions.attributes.attribute import Attribute
from geomgan.directions.attributes.networks import SLOTS, Run, opened

SURE = 0.5  # probability from which a box is a face
MARGIN = 0.1  # of the box's larger side, around it, for the head pose
SIDE = 256  # of pictures as the published pre-processing has them
ARCFACE = (slice(35, 223), slice(32, 220))  # rows and columns of these
PADDING = 0.25  # of the box, for FairFace
IMAGENET = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
UNITS = (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)
CELEBA = ("bangs", "eyeglasses", "beard", "smiling", "young")
DEGREES = (-63.0, 63.0), (-28.6, 28.6), (-17.2, 17.2)  # of yaw, pitch, roll: the published radians
_POSE, _UNIT = ("yaw", "pitch", "roll"), (0.0, 1.0)


def resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """A picture ``(H, W, 3)`` in ``[0, 1]`` at another size, bilinear; reduced ones are averaged."""
    from PIL import Image

    channels = [
        Image.fromarray(np.ascontiguousarray(image[..., i], np.float32)).resize(
            (width, height), Image.Resampling.BILINEAR
        )
        for i in range(3)
    ]
    return np.stack([np.asarray(channel) for channel in channels], axis=-1)


def inputs(images: Sequence[np.ndarray] | np.ndarray, mean: object, spread: object) -> np.ndarray:
    """Pictures of one size as a network takes them, ``(n, 3, H, W)``: ``(255 x - mean) / spread``."""
    return ((255 * np.stack(list(images)) - mean) / spread).transpose(0, 3, 1, 2).astype(np.float32)


def boxes(images: np.ndarray, detect: Run) -> np.ndarray:
    """The surest face of each picture: ``(n, 5)``, left, top, right, bottom, and the probability; NaN for none."""
    _, height, width = SLOTS["face"].shape
    n, rows, columns, _ = images.shape
    scale = min(height / rows, width / columns)
    size = max(1, round(scale * rows)), max(1, round(scale * columns))
    top, left = (height - size[0]) // 2, (width - size[1]) // 2
    canvas = np.zeros((n, height, width, 3), np.float32)
    for i, image in enumerate(images):
        canvas[i, top : top + size[0], left : left + size[1]] = resized(image, *size)
    scores, corners = detect(inputs(canvas, 127.0, 128.0))[:2]
    best = scores[..., 1].argmax(axis=1)
    found = corners[np.arange(n), best] * [width, height, width, height]
    found = (found - [left, top, left, top]) / [size[1], size[0], size[1], size[0]]
    sure = scores[np.arange(n), best, 1]
    return np.where(sure[:, None] >= SURE, np.concatenate([found, sure[:, None]], axis=1), np.nan)


def square(image: np.ndarray, box: np.ndarray, margin: float) -> np.ndarray:
    """The square around a box, with a margin on all sides; what is outside of the picture is its edge."""
    height, width = image.shape[:2]
    left, top, right, bottom = box[:4] * [width, height, width, height]
    half = max(right - left, bottom - top) * (0.5 + margin)
    rows, columns = (
        np.arange(int(np.floor(middle - half)), int(np.ceil(middle + half)))
        for middle in ((top + bottom) / 2, (left + right) / 2)
    )
    return image[np.clip(rows, 0, height - 1)[:, None], np.clip(columns, 0, width - 1)]


def face_box(images: np.ndarray, detect: Run) -> np.ndarray:
    """``(n, 3)``: width and height of the face, and how sure it is."""
    found = boxes(images, detect)
    return np.stack([found[:, 2] - found[:, 0], found[:, 3] - found[:, 1], found[:, 4]], axis=1)


def head_pose(images: np.ndarray, detect: Run, poses: Sequence[Run]) -> np.ndarray:
    """``(n, 3)``: yaw, pitch and roll in degrees."""
    found = boxes(images, detect)
    there = np.flatnonzero(np.isfinite(found[:, 4]))
    values = np.full((len(images), 3), np.nan)
    if there.size:
        side = SLOTS["head-pose"].shape[-1]
        crops = [resized(square(images[i], found[i], MARGIN), side, side)[..., ::-1] for i in there]  # BGR
        values[there] = np.mean([pose(inputs(crops, 127.5, 128.0))[0] for pose in poses], axis=0)
    return values


def hopenet(images: np.ndarray, run: Run) -> np.ndarray:
    """``(n, 3)``: yaw, pitch and roll in degrees, from three outputs of 66 bins."""
    outputs = run(_imagenet(_of_side(images), 224))
    return np.stack([_softmax(bins) @ (3.0 * np.arange(66) - 99) for bins in outputs[:3]], axis=1)


def identity(images: np.ndarray, run: Run) -> np.ndarray:
    """ArcFace's embeddings ``(n, 512)``."""
    crops = [resized(image[ARCFACE], 112, 112) for image in _of_side(images)]
    return np.asarray(run(inputs(crops, 127.5, 127.5))[0]).reshape(len(images), -1)


def fairface(images: np.ndarray, detect: Run, run: Run) -> np.ndarray:
    """``(n, 3)``: age, gender, race, from 18 outputs: 7 of race, 2 of gender, 9 of age."""
    found = boxes(images, detect)
    there = np.flatnonzero(np.isfinite(found[:, 4]))
    values = np.full((len(images), 3), np.nan)
    if there.size:
        outputs = run(_imagenet([square(images[i], found[i], PADDING) for i in there], 224))[0]
        race, gender, age = np.split(outputs, [7, 9], axis=1)
        values[there] = np.stack([_ordinal(age), _softmax(gender)[:, 1], _ordinal(race)], axis=1)
    return values


def action_units(images: np.ndarray, run: Run) -> np.ndarray:
    """``(n, 12)``: the largest of each heat map ``(n, 12, 64, 64)``, of pictures stretched to ``[0, 1]`` each."""
    crops = _of_side(images)
    low, high = (edge(crops, axis=(1, 2, 3), keepdims=True) for edge in (np.min, np.max))
    stretched = (crops - low) / np.where(high > low, high - low, 1)
    heat = np.asarray(run(stretched.transpose(0, 3, 1, 2).astype(np.float32))[0])
    return heat.reshape(len(images), len(UNITS), -1).max(axis=-1)


def celeba(images: np.ndarray, run: Run) -> np.ndarray:
    """``(n, 5)``, from five outputs of 6 degrees."""
    return np.stack([_ordinal(degrees) for degrees in run(_imagenet(_of_side(images), 224))[: len(CELEBA)]], axis=1)


def face_attributes(name: str, folder: str | os.PathLike[str] | None = None) -> Attribute:
    """An attribute of faces; its networks are opened at the first picture, and looked for now.

    Args:
        name: one of :data:`FACES`.
        folder: of the networks; by default ``attributes`` in ``geomgan.zoo.home()``.

    Raises:
        NotHereError, ImportError, CheckpointError: as :func:`geomgan.directions.attributes.networks.opened`.
    """
    slots, columns, ranges, measure = FACES[name]
    runs = [run for slot in slots for run in opened(slot, folder)]
    return Attribute(lambda images: measure(images, *runs), columns, ranges, relative=name == "identity")


def _of_side(images: np.ndarray) -> np.ndarray:
    """Pictures of 256 pixels: the shorter side is brought to that, and the middle taken."""
    shown = []
    for image in images:
        height, width = image.shape[:2]
        scale = SIDE / min(height, width)
        image = resized(image, max(SIDE, round(scale * height)), max(SIDE, round(scale * width)))
        top, left = (image.shape[0] - SIDE) // 2, (image.shape[1] - SIDE) // 2
        shown.append(image[top : top + SIDE, left : left + SIDE])
    return np.stack(shown)


def _imagenet(images: Sequence[np.ndarray] | np.ndarray, side: int) -> np.ndarray:
    mean, spread = IMAGENET
    return inputs([resized(image, side, side) for image in images], 255 * mean, 255 * spread)


def _softmax(x: np.ndarray) -> np.ndarray:
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _ordinal(x: np.ndarray) -> np.ndarray:
    """``(most probable class + its probability) / classes``."""
    likely = _softmax(x)
    return (likely.argmax(axis=-1) + likely.max(axis=-1)) / x.shape[-1]


def _poses(images: np.ndarray, detect: Run, *poses: Run) -> np.ndarray:
    return head_pose(images, detect, poses)


Faces = tuple[tuple[str, ...], tuple[str, ...], tuple[tuple[float, float], ...], Callable[..., np.ndarray]]
_column = lambda i, function: lambda *given: function(*given)[:, i]
FACES: dict[str, Faces] = {
    "face": (("face",), ("face width", "face height", "face sure"), (_UNIT,) * 3, face_box),
    "head-pose": (("face", "head-pose"), _POSE, DEGREES, _poses),
    "hopenet": (("hopenet",), _POSE, DEGREES, hopenet),
    "identity": (("identity",), ("identity",), (_UNIT,), identity),
    "age": (("face", "fairface"), ("age",), (_UNIT,), _column(0, fairface)),
    "gender": (("face", "fairface"), ("gender",), (_UNIT,), _column(1, fairface)),
    "race": (("face", "fairface"), ("race",), (_UNIT,), _column(2, fairface)),
    "action-units": (("action-units",), tuple(f"AU{n}" for n in UNITS), ((0.0, 5.0),) * len(UNITS), action_units),
    **{name: (("celeba",), (name,), (_UNIT,), _column(i, celeba)) for i, name in enumerate(CELEBA)},
}
