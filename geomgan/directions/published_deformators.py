"""Weights of deformators, warps and shift predictors under the names of the published code, in numpy.

GANLatentDiscovery calls the parts of its LeNet ``convnet``, ``fc_logits`` and ``fc_shift``, WarpedGANSpace
``feature_extractor``, ``path_indices`` and ``shift_magnitudes``; either is read. Every tensor is used once, or is one
of those that say nothing: counts of batches, and the classifier of ImageNet that ResNet-18 brings along.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.directions.deformators import FC, Deformator
from geomgan.directions.predictors import LENET, Predictor, norm_of, resnet_layers
from geomgan.directions.warps import Warps
from geomgan.errors import CheckpointError, check_choice, nearest
from geomgan.generators import layouts

Tensors = Mapping[str, np.ndarray]
KINDS = {"id": "id", "linear": "linear", "proj": "projective", "ortho": "ortho", "fc": "fc", "random": "random"}
PREDICTORS = {"LeNet": "lenet", "ResNet": "resnet"}
_LENET = {"features": ("convnet", "feature_extractor"), "path": ("fc_logits", "path_indices")}
_LENET |= {"magnitude": ("fc_shift", "shift_magnitudes")}
_RESNET = {"path": ("type_estimator", "path_indices"), "magnitude": ("shift_estimator", "shift_magnitudes")}
_NORM = {"weight": "scale", "bias": "bias", "running_mean": "mean", "running_var": "var"}


class _Taken:
    """Tensors of a state dict, each taken once."""

    def __init__(self, tensors: Tensors, what: str) -> None:
        self.what, self.left = what, dict(tensors)

    def one(self, name: str, shape: tuple[int | None, ...]) -> np.ndarray:
        """The tensor of this name; sizes that are None are free."""
        if name not in self.left:
            raise CheckpointError(f"{self.what} has no tensor {name!r}. {nearest(name, self.left)}")
        tensor = self.left.pop(name)
        if tensor.ndim != len(shape) or any(n is not None and n != m for n, m in zip(shape, tensor.shape, strict=True)):
            raise CheckpointError(f"{name} of {self.what} has shape {tensor.shape}; expected {shape}")
        if not np.isfinite(tensor).all():
            raise CheckpointError(f"{name} of {self.what} holds numbers that are not finite")
        return np.array(tensor, np.float32)

    def dense(self, name: str, inputs: int | None, outputs: int | None) -> dict[str, np.ndarray]:
        kernel = self.one(f"{name}.weight", (outputs, inputs))
        return {"kernel": kernel.T, "bias": self.one(f"{name}.bias", (len(kernel),))}

    def norm(self, name: str, size: int) -> dict[str, np.ndarray]:
        return {ours: self.one(f"{name}.{theirs}", (size,)) for theirs, ours in _NORM.items()}

    def first_of(self, prefixes: tuple[str, ...]) -> str:
        """The one of two names that is used."""
        return next((p for p in prefixes if any(name.startswith(f"{p}.") for name in self.left)), prefixes[0])

    def end(self, ignored: tuple[str, ...] = ()) -> None:
        """Raise unless every tensor was taken."""
        left = [n for n in self.left if not n.endswith("num_batches_tracked") and not n.startswith(ignored or ("\0",))]
        if left:
            raise CheckpointError(f"{self.what} has tensors that no network of its kind has: {', '.join(left[:5])}")


def deformator_of(tensors: Tensors, dim: int, kind: str | None = None, paths: int | None = None) -> Deformator:
    """A deformator from its published state dict.

    Args:
        tensors: by name.
        dim: dimensions of a code of its generator.
        kind: ``"fc"``, ``"linear"``, ``"id"``, ``"ortho"``, ``"proj"`` or ``"random"``, as the published options have
            it; None reads it from the names, which ``"proj"`` shares with ``"linear"``.
        paths: how many, where no tensor says it (``"id"``).

    Raises:
        CheckpointError: names or shapes are not those of the kind; or it is ``"random"``, whose matrix the published
            code does not save.
        OptionError: ``kind`` is unknown.
    """
    names = {"log_mat_half": "ortho", "linear.weight": "linear", "fc1.weight": "fc"}
    kind = kind or next((k for name, k in names.items() if name in tensors), "id")
    check_choice(kind, KINDS, "deformator")
    taken, learnt, kept = _Taken(tensors, f"the deformator ({kind})"), dict[str, Any](), dict[str, Any]()
    if kind == "random":
        raise CheckpointError(
            "the deformator is random, and its matrix is not in the file: the published code does not save it. Train "
            "one here, train_deformator(G, key, kind='random'), whose matrix is kept."
        )
    if kind == "ortho":
        learnt["log_half"] = taken.one("log_mat_half", (None, None))
        paths = len(learnt["log_half"])
        if learnt["log_half"].shape != (paths, paths):
            raise CheckpointError(f"log_mat_half has shape {learnt['log_half'].shape}; expected a square matrix")
    elif kind in ("linear", "proj"):
        learnt["linear"] = taken.dense("linear", None, None)
        paths = len(learnt["linear"]["kernel"])
    elif kind == "fc":
        learnt = {name: taken.dense(name, None, None) for name in FC}
        paths = len(learnt["fc1"]["kernel"])
        _add_norms(taken, learnt, kept, {f"norm{i}": f"bn{i}" for i in (1, 2, 3)}, learnt["fc1"]["kernel"].shape[1])
        sizes = [learnt[name]["kernel"].shape for name in FC]
        if any(before[1] != after[0] for before, after in pairwise(sizes)):
            raise CheckpointError(f"the layers of the deformator are {sizes}, which do not follow on each other")
    taken.end()
    learnt, kept = jax.tree.map(jnp.asarray, (learnt, kept))
    return Deformator(learnt, kept, KINDS[kind], paths or dim, dim)


def predictor_of(tensors: Tensors, kind: str | None = None, resize: int | None = None) -> Predictor:
    """A shift predictor (a reconstructor) from its published state dict.

    Args:
        tensors: by name.
        kind: ``"LeNet"`` or ``"ResNet"``, as the published options have it; None reads it from the names.
        resize: side to which it has images brought; the published option ``shift_predictor_size``.

    Raises:
        CheckpointError: names or shapes are not those of the kind.
        OptionError: ``kind`` is unknown.
    """
    kind = kind or ("ResNet" if any(name.startswith("features_extractor.") for name in tensors) else "LeNet")
    check_choice(kind, PREDICTORS, "shift_predictor")
    taken, learnt, kept = _Taken(tensors, f"the shift predictor ({kind})"), dict[str, Any](), dict[str, Any]()
    if kind == "LeNet":
        _take_lenet(taken, learnt, kept)
        taken.end()
    else:
        for name, (side, _, inputs, outputs) in resnet_layers(0).items():
            weight = taken.one(f"features_extractor.{_published(name)}.weight", (outputs, inputs or None, side, side))
            learnt[name] = {"kernel": layouts.kernel(weight, "conv")}
            norm = {norm_of(name): f"features_extractor.{_published(norm_of(name))}"}
            _add_norms(taken, learnt, kept, norm, outputs)
        for head, names in _RESNET.items():
            learnt[head] = taken.dense(taken.first_of(names), 512, 1 if head == "magnitude" else None)
        taken.end(("features_extractor.fc.",))
    learnt, kept = jax.tree.map(jnp.asarray, (learnt, kept))
    return Predictor(learnt, kept, PREDICTORS[kind], resize)


def warps_of(tensors: Tensors, dim: int) -> Warps:
    """Warps from the published state dict of WarpedGANSpace's support sets.

    Args:
        tensors: ``SUPPORT_SETS (K, 2 D d)``, ``ALPHAS (K, 2 D)`` and ``LOGGAMMA (K, 1)``.
        dim: ``d``, dimensions of a code of its generator.

    Raises:
        CheckpointError: names or shapes are others, also those of another ``d``.
    """
    taken = _Taken(tensors, "the support sets")
    weights = taken.one("ALPHAS", (None, None))
    paths, count = weights.shape
    supports = taken.one("SUPPORT_SETS", (paths, count * dim)).reshape(paths, count, dim)
    log_widths = taken.one("LOGGAMMA", (paths, 1))[:, 0]
    taken.end()
    learnt = {"supports": supports, "weights": weights, "log_widths": log_widths}
    return Warps(jax.tree.map(jnp.asarray, learnt), {}, paths)


def _take_lenet(taken: _Taken, learnt: dict[str, Any], kept: dict[str, Any]) -> None:
    features, inputs = taken.first_of(_LENET["features"]), None
    for i, (name, (side, outputs)) in enumerate(LENET.items()):
        weight = taken.one(f"{features}.{4 * i}.weight", (outputs, inputs, side, side))
        bias = taken.one(f"{features}.{4 * i}.bias", (outputs,))
        learnt[name] = {"kernel": layouts.kernel(weight, "conv"), "bias": bias}
        _add_norms(taken, learnt, kept, {f"norm{i + 1}": f"{features}.{4 * i + 1}"}, outputs)
        inputs = outputs
    for head in ("path", "magnitude"):
        prefix = taken.first_of(_LENET[head])
        learnt[f"{head}1"] = taken.dense(f"{prefix}.0", inputs, 84)
        _add_norms(taken, learnt, kept, {f"{head}_norm": f"{prefix}.1"}, 84)
        learnt[f"{head}2"] = taken.dense(f"{prefix}.3", 84, 1 if head == "magnitude" else None)


def _add_norms(
    taken: _Taken, learnt: dict[str, Any], kept: dict[str, Any], names: Mapping[str, str], size: int
) -> None:
    """Take batch norms, ours -> theirs, into weights and statistics."""
    for ours, theirs in names.items():
        values = taken.norm(theirs, size)
        learnt[ours] = {name: values[name] for name in ("scale", "bias")}
        kept[ours] = {name: values[name] for name in ("mean", "var")}


def _published(name: str) -> str:
    """``"layer2.0.downsample_norm" -> "layer2.0.downsample.1"``, ``"norm1" -> "bn1"``."""
    name = name.replace("downsample_norm", "downsample.1").replace("norm", "bn")
    return f"{name}.0" if name.endswith("downsample") else name
