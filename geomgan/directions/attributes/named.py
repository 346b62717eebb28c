"""Attributes by their names, and the groups in which they are ranked."""

from __future__ import annotations

import os
from collections.abc import Iterable

from geomgan.directions.attributes.attribute import Attribute
from geomgan.directions.attributes.digits import DIGITS
from geomgan.directions.attributes.faces import FACES, face_attributes
from geomgan.directions.attributes.pictures import PICTURES
from geomgan.errors import OptionError, check_choice

NAMES = (*PICTURES, *DIGITS, *FACES)
GROUPS = {
    "light": ("brightness", "contrast", "saturation", "hue", "sharpness"),
    "shape": ("centroid", "size", "orientation", "symmetry"),
    "digits": ("thickness", "orientation", "size", "centroid", "digits"),
    "head": ("head-pose", "face", "brightness"),
    # those of WarpedGANSpace, by their names there
    "Face-W": ("face", "identity", "gender", "age", "race"),
    "Face-H": ("face", "identity", "gender", "age", "race"),
    "Face-WH": ("face", "identity", "gender", "age", "race"),
    "Age-FareFace": ("age", "identity", "gender", "race"),
    "Age-CelebA": ("young", "identity", "gender", "race"),
    "Gender": ("gender", "identity", "age", "race"),
    "Rotation": ("hopenet", "identity", "gender", "age", "race"),
    "Smiling-AU12": ("action-units", "identity", "gender", "age", "race"),
    "Smiling-CelebA": ("smiling", "identity", "gender", "age", "race"),
    "Brow-Lowerer-AU4": ("action-units", "identity", "gender", "age", "race"),
    "Bangs": ("bangs", "identity", "gender", "age", "race"),
    "Beard": ("beard", "identity", "gender", "age", "race"),
}


def named_attributes(
    names: str | Iterable[str], networks: str | os.PathLike[str] | None = None
) -> dict[str, Attribute]:
    """Attributes by their names, or those of a group.

    Args:
        names: some of :data:`NAMES`, or one of :data:`GROUPS`.
        networks: folder of the ONNX networks; by default ``attributes`` in ``geomgan.zoo.home()``.

    Raises:
        OptionError: a name is unknown; the nearest are given.
        NotHereError: a network is missing; says where it comes from.
        ImportError: onnxruntime is not installed.
    """
    chosen = list(GROUPS.get(names, (names,)) if isinstance(names, str) else names)
    if not chosen:
        raise OptionError(f"there is no attribute; expected some of {', '.join(NAMES)}.")
    for name in chosen:
        check_choice(name, NAMES, "attribute")
    ready = {**PICTURES, **DIGITS}
    return {name: ready[name] if name in ready else face_attributes(name, networks) for name in chosen}
