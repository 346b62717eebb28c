"""Weight norm and spectral norm, in torch's old and new spelling, folded into the weights that they stand for."""

from __future__ import annotations

import re
from collections.abc import Collection

import numpy as np

from geomgan.errors import CheckpointError
from geomgan.generators.layouts import spectral_norm
from weights_convert.modules import StateDict

PARAMETRIZED = re.compile(r"(?P<path>.*\.|)parametrizations\.(?P<name>\w+)\.(?P<part>original[01]?|0\._[uv])")
HOOKED = re.compile(r"(?P<path>.*\.|)(?P<name>\w+)_(?P<part>orig|u|v|g)")
PARTS = {"original": "orig", "0._u": "u", "0._v": "v", "original0": "g", "original1": "v"}  # new spelling -> old


def folded(tensors: StateDict, transposed: Collection[str] = ()) -> StateDict:
    """The tensors with ``weight`` in place of ``weight_g`` and ``weight_v``, or of ``weight_orig`` and its vectors.

    ``W = g v / ‖v‖`` with the norm over the axes that ``g`` has not, and ``W / (uᵀ W v)``, as ``torch.nn.utils`` has
    it outside of training; also of ``parametrizations.weight.original``.

    Args:
        tensors: of a file.
        transposed: paths of transposed convolutions, whose second axis makes the rows of the matrix ``W``.

    Raises:
        CheckpointError: the parts do not fit each other.
    """
    groups: dict[str, dict[str, str]] = {}
    for name in tensors:
        if match := PARAMETRIZED.fullmatch(name):
            part = PARTS[match["part"]]
        elif match := HOOKED.fullmatch(name):
            part = match["part"]
        else:
            continue
        groups.setdefault(f"{match['path']}{match['name']}", {})[part] = name
    made: dict[str, np.ndarray] = {}
    gone: dict[str, str] = {}
    for target, names in groups.items():
        parts = {part: np.asarray(tensors[name], np.float64) for part, name in names.items()}
        weight = None
        with np.errstate(all="ignore"):
            if {"g", "v"} == set(parts):
                weight = _weight_norm(parts["g"], parts["v"], target)
            elif {"orig", "u"} <= set(parts):
                path = target.rpartition(".")[0]
                weight = _spectral_norm(parts["orig"], parts["u"], parts.get("v"), path in transposed, target)
        if weight is not None:
            made[target] = weight.astype(np.float32)
            gone |= dict.fromkeys(names.values(), target)
    kept = {gone.get(name, name): made[gone[name]] if name in gone else array for name, array in tensors.items()}
    return StateDict(kept, tensors.parts) if made else tensors


def _weight_norm(g: np.ndarray, v: np.ndarray, target: str) -> np.ndarray:
    if g.ndim not in (0, v.ndim) or any(a not in (1, b) for a, b in zip(g.shape, v.shape, strict=False)):
        raise CheckpointError(f"{target} has a direction {v.shape} and lengths {g.shape}, which do not fit each other.")
    axes = tuple(i for i in range(v.ndim) if g.ndim == 0 or g.shape[i] == 1)
    return np.asarray(v * (g / np.sqrt((v**2).sum(axes, keepdims=g.ndim > 0))))


def _spectral_norm(
    weight: np.ndarray, u: np.ndarray, v: np.ndarray | None, transposed: bool, target: str
) -> np.ndarray:
    axis = 1 if transposed and weight.ndim > 2 else 0
    if weight.ndim < 2 or u.shape != weight.shape[axis : axis + 1]:
        axis = 1 - axis  # a dense layer, or what the shapes alone say
    if (
        weight.ndim < 2
        or u.shape != weight.shape[axis : axis + 1]
        or (v is not None and v.size * u.size != weight.size)
    ):
        raise CheckpointError(f"{target} of shape {weight.shape} does not fit its vectors of the spectral norm.")
    return spectral_norm(weight, u, v, output_axis=axis)
