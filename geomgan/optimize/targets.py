"""Targets and masks, checked; images of files and arrays as a generator makes its samples."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from geomgan.distances.distance import Distance
from geomgan.errors import OptionError, as_array, check_choice, check_finite, check_floating, reading
from geomgan.generators.generator import Generator
from geomgan.runs.files import local_path

OVERSHOOT = 0.5  # of the generator's range, by which targets may leave it: its own samples are not clamped
CROPS = ("centre", "none")
DEEP = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")  # modes that pillow would cut to 255


def read_images(images: Any, G: Generator, *, crop: str | Sequence[int] = "centre") -> np.ndarray:
    """Images of any size as targets of a generator: cropped, resized, in its range, ``(B, H, W, C)``.

    Args:
        images: files (PNG, JPEG and what else pillow reads), arrays of bytes ``(h, w)``, ``(h, w, 1)``, ``(h, w, 3)``
            or ``(h, w, 4)``, or a stack of them. Transparent parts are put on white; the orientation that a camera
            noted is heeded; of films the first picture is taken.
        G: the generator, of images with one or three channels.
        crop: ``"centre"`` cuts the largest part of the generator's proportions out of the middle, ``"none"`` takes the
            whole image, which is then stretched; ``(left, top, width, height)`` in pixels cuts that.

    Raises:
        ValueError: the generator makes no images, an array is none, or the crop is outside of an image.
        OptionError: a file is no image, or is damaged.
        OSError: a file is not there.
    """
    from PIL import Image

    shape = G.sample_shape.shape
    if len(shape) != 3 or shape[-1] not in (1, 3) or G.output_range is None:
        raise ValueError(f"{G.name} makes samples of shape {shape}; expected images (H, W, 1) or (H, W, 3) in a range.")
    if isinstance(crop, str):
        check_choice(crop, CROPS, "crop")
    one = isinstance(images, str | os.PathLike) or (isinstance(images, np.ndarray) and images.ndim < 4)
    several = [images] if one else list(images)
    if not several:
        raise ValueError("no image is given; expected at least one file or array.")
    low, high = G.output_range
    found = []
    for i, image in enumerate(several):
        name = os.fspath(image) if isinstance(image, str | os.PathLike) else f"image {i}"
        picture = _opened(image) if isinstance(image, str | os.PathLike) else _of_array(image, name)
        picture = picture.convert("L" if shape[-1] == 1 else "RGB")
        box = _box(picture.size, (shape[1], shape[0]), crop, name)
        resized = picture.resize((shape[1], shape[0]), Image.Resampling.LANCZOS, box=box)
        found.append(np.asarray(resized, np.float32).reshape(shape) / 255 * (high - low) + low)
    return np.stack(found)


def check_targets(G: Generator, distances: Sequence[Distance], targets: Any) -> np.ndarray:
    """``targets (B, ...)`` as an array, checked against the generator's samples.

    Raises:
        TypeError: they are not floating point.
        ValueError: they have another shape or range, or are not finite.
    """
    targets, shape = as_array(targets, "targets"), G.sample_shape.shape
    if np.shape(targets) == shape:
        raise ValueError(f"targets have shape {shape}; expected a stack (B, ...) of such. Pass targets[None].")
    if np.shape(targets)[1:] != shape or np.shape(targets)[0] == 0:
        raise ValueError(
            f"targets have shape {np.shape(targets)}; expected (B, {', '.join(map(str, shape))}): samples as {G.name} "
            "makes them. geomgan.optimize.read_images crops and resizes files and arrays to that."
        )
    if np.asarray(targets).dtype == np.uint8:
        raise TypeError("targets are bytes; expected floating point. geomgan.optimize.read_images takes bytes.")
    check_floating(targets, "targets")
    check_finite(targets, "targets")
    values = np.asarray(targets)
    if G.output_range is not None:
        low, high = G.output_range
        smallest, largest, margin = float(values.min()), float(values.max()), OVERSHOOT * (high - low)
        if smallest < low - margin or largest > high + margin:
            raise ValueError(
                f"targets have values from {smallest:.4g} to {largest:.4g}; expected {low:g} to {high:g}, the range of "
                f"{G.name}. Rescale them: of bytes, {low:g} + x / 255 * {high - low:g}."
            )
    for D in distances:
        D.check(values[0])
    return values


def check_masks(masks: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Masks ``(B, ...)`` that broadcast to samples of ``shape (B, ...)``, checked."""
    values, pixels = np.asarray(as_array(masks, "masks"), np.float64), shape[1:-1]
    forms = {pixels: values[None, ..., None], (shape[0], *pixels): values[..., None]}
    forms |= {shape[1:]: values[None], shape: values, (*pixels, 1): values[None], (shape[0], *pixels, 1): values}
    if values.shape not in forms:
        raise ValueError(
            f"masks have shape {values.shape}; expected {pixels}, or {(shape[0], *pixels)} for each of the targets. "
            "Resize them to the samples' size."
        )
    if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
        raise ValueError(
            f"masks have values from {values.min():.4g} to {values.max():.4g}; expected 0 to 1. Divide 8-bit masks by "
            "255."
        )
    full = np.broadcast_to(forms[values.shape], (shape[0], *forms[values.shape].shape[1:]))
    empty = np.flatnonzero(~full.reshape(len(full), -1).any(axis=1))
    if len(empty):
        raise ValueError(f"the mask of target {empty[0]} is zero everywhere; expected something to compare. Invert it?")
    return full


def _opened(file: str | os.PathLike[str]) -> Any:
    from PIL import Image, ImageOps

    path = local_path(file)
    if not path.is_file():
        what, fix = ("a folder", "Name the files in it") if path.is_dir() else ("no file", "Check the name")
        raise FileNotFoundError(f"{path} is {what}; expected an image. {fix}.")
    with reading(path, "Give a PNG or JPEG file.", error=OptionError, found="is no image that can be read"):
        with Image.open(path) as opened:
            opened.load()
            picture = ImageOps.exif_transpose(opened)
        if picture.mode in DEEP:
            deep = np.asarray(picture, np.float64)
            most = 65535 if deep.max() > 255 or picture.mode.startswith("I;16") else 255
            return Image.fromarray(np.clip(deep / most * 255, 0, 255).round().astype(np.uint8))
        return _on_white(picture)


def _of_array(image: Any, name: str) -> Any:
    from PIL import Image

    array = np.asarray(as_array(image, name))
    if (
        array.dtype != np.uint8
        or array.ndim not in (2, 3)
        or not array.size
        or array.shape[2:] not in ((), (1,), (3,), (4,))
    ):
        raise ValueError(
            f"{name} has shape {array.shape} and dtype {array.dtype}; expected bytes (h, w), (h, w, 1), (h, w, 3) or "
            "(h, w, 4). Targets that are floating point already need no read_images."
        )
    return _on_white(Image.fromarray(array[..., 0] if array.shape[2:] == (1,) else array))


def _on_white(picture: Any) -> Any:
    from PIL import Image

    if not picture.has_transparency_data:
        return picture
    picture = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)


def _box(size: tuple[int, int], proportions: tuple[int, int], crop: str | Sequence[int], name: str) -> Any:
    """The part of an image, ``(left, top, right, bottom)``."""
    width, height = size
    if crop == "none":
        return (0, 0, width, height)
    if crop == "centre":
        unit = min(width / proportions[0], height / proportions[1])
        across, down = unit * proportions[0], unit * proportions[1]
        return ((width - across) / 2, (height - down) / 2, (width + across) / 2, (height + down) / 2)
    numbers = tuple(float(x) for x in crop)
    if len(numbers) == 4:
        left, top, across, down = numbers
        if left >= 0 and top >= 0 and across > 0 and down > 0 and left + across <= width and top + down <= height:
            return (left, top, left + across, top + down)
    raise ValueError(
        f"crop is {tuple(crop)}; expected (left, top, width, height) within {width} x {height} pixels, the size of "
        f"{name}."
    )
