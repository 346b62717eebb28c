"""ONNX networks of other people, opened where they are used: which files, from where, and which are here.

They lie in one folder, by default ``attributes`` in ``geomgan.zoo.home()``. Nothing is downloaded. onnxruntime comes
with ``geomgan[attributes]``.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.errors import CheckpointError, NotHereError, reading
from geomgan.home import home
from geomgan.runs.files import local_path

FOLDER = "attributes"
WARPED = "chi0tzp/WarpedGANSpace, `python download_models.py`, exported with torch.onnx.export"
Run = Callable[[np.ndarray], Sequence[np.ndarray]]


@dataclass(frozen=True)
class Slot:
    """A network that has a place here.

    Attributes:
        files: names in the folder; of several the outputs are averaged.
        source: where they come from.
        licence: as stated there.
        shape: of one input, ``(3, H, W)``.
        outputs: how many the first output holds of one picture, at least.
    """

    files: tuple[str, ...]
    source: str
    licence: str
    shape: tuple[int, int, int]
    outputs: int


SLOTS = {
    "face": Slot(
        ("version-RFB-320.onnx",),
        "github.com/Linzaer/Ultra-Light-Fast-Generic-Face-Detector-1MB, models/onnx",
        "MIT",
        (3, 240, 320),
        2,
    ),
    "head-pose": Slot(
        ("fsanet-1x1-iter-688590.onnx", "fsanet-var-iter-688590.onnx"),
        "github.com/omasaht/headpose-fsanet-pytorch, pretrained",
        "MIT",
        (3, 64, 64),
        3,
    ),
    "identity": Slot(("arcface-ir-se50.onnx",), f"{WARPED}: model_ir_se50.pth", "MIT", (3, 112, 112), 512),
    "fairface": Slot(
        ("fairface-4race.onnx",), f"{WARPED}: fairface_alldata_4race_20191111.pt", "CC BY 4.0", (3, 224, 224), 18
    ),
    "action-units": Slot(("fanau-disfa.onnx",), f"{WARPED}: disfa_adaptation_f0.pth", "none stated", (3, 256, 256), 12),
    "celeba": Slot(("celeba-attributes.onnx",), f"{WARPED}: eval_predictor.pth.tar", "none stated", (3, 224, 224), 6),
    "hopenet": Slot(("hopenet-alpha2.onnx",), f"{WARPED}: hopenet_alpha2.pkl", "none stated", (3, 224, 224), 66),
}


def network_folder(folder: str | os.PathLike[str] | None = None) -> Path:
    """The folder of the networks."""
    return home() / FOLDER if folder is None else local_path(folder)


def opened(slot: str, folder: str | os.PathLike[str] | None = None) -> tuple[Run, ...]:
    """The networks of a slot, as functions ``inputs (n, 3, H, W) -> outputs``.

    Raises:
        NotHereError: a file is missing; says where it comes from.
        ImportError: onnxruntime is not installed.
        CheckpointError: a file is damaged, or takes pictures of another size.
    """
    place, wanted = network_folder(folder), SLOTS[slot]
    missing = [name for name in wanted.files if not (place / name).is_file()]
    if missing:
        raise NotHereError(
            f"the attribute network {slot!r} is not here: {', '.join(missing)} of {wanted.source} (licence: "
            f"{wanted.licence}). Put {'it' if len(missing) == 1 else 'them'} into {place}."
        )
    if find_spec("onnxruntime") is None:
        raise ImportError(f"{slot!r} needs onnxruntime: python -m pip install 'geomgan[attributes]'.")
    return tuple(_opened(place / name, wanted.shape) for name in wanted.files)


@functools.lru_cache(maxsize=8)
def _opened(file: Path, shape: tuple[int, int, int]) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # its warnings are about how the file was written
    options.intra_op_num_threads = 1  # small networks; idle threads of a pool spin
    with reading(file, "Get it again.", error=CheckpointError, found="is no readable ONNX network"):
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        taken = session.get_inputs()[0]
        sides = [side for side in taken.shape[1:] if isinstance(side, int)]
        if len(taken.shape) != 4 or any(a != b for a, b in zip(sides, shape[-len(sides) :], strict=True) if sides):
            raise ValueError(f"it takes {taken.shape}; expected (n, {', '.join(map(str, shape))})")
    together = taken.shape[0] if isinstance(taken.shape[0], int) else None

    def run(inputs: np.ndarray) -> list[np.ndarray]:
        size = together or len(inputs)
        blocks = [inputs[i : i + size].astype(np.float32) for i in range(0, len(inputs), size)]
        parts = [session.run(None, {taken.name: np.resize(block, (size, *block.shape[1:]))}) for block in blocks]
        outputs: list[Any] = [np.concatenate(rows)[: len(inputs)] for rows in zip(*parts, strict=True)]
        return outputs

    return run
