"""The table of a converter: which published tensors make which of our layers.

Every tensor of a checkpoint is used exactly once or ignored for a stated reason, and every parameter is filled with
the right shape; otherwise the error names the tensor.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import jax
import numpy as np
from flax import traverse_util

from geomgan.backend import usual_promotion
from geomgan.errors import CheckpointError
from geomgan.generators import layouts

Tensors = Mapping[str, np.ndarray]
MAX_GROWTH, MAX_ADDED = 8, 1 << 25  # parameters per number in the file, and what conversion may add (noise maps)
IGNORED = {"*num_batches_tracked": "a counter of training"}  # pattern of names -> why nothing here needs it


@dataclass(frozen=True)
class Layer:
    """One row: a published linear layer, with the norms behind and around it, and its place in our parameters.

    Attributes:
        target: path of our layer, ``/`` between modules.
        source: published prefix, for example ``main.0``.
        layout: a rule of ``geomgan.generators.layouts``.
        norm: prefix of the batch norm that follows, folded into kernel and bias.
        spectral_norm: ``"stored"`` for a weight stored as ``weight_orig``, ``weight_u``, ``weight_v`` (PyTorch; a
            plain ``weight`` is taken as already folded), ``"half-step"`` for ``weight`` and ``u0`` (BigGAN-PyTorch).
        spatial: sides of the map that a dense layer makes or takes.
        bias: whether the published layer has a bias; ours is zero where it has none.
        drop_bias: our layer has no bias at all.
        scale: factor on the weight (equalised learning rate).
        bias_scale: factor on the bias.
        epsilon: of the batch norm ``norm``.
        spectral_epsilon: of the spectral norm's normalisations, for ``"half-step"``.
    """

    target: str
    source: str
    layout: str
    norm: str | None = None
    spectral_norm: str = ""
    spatial: tuple[int, ...] = ()
    bias: bool = True
    drop_bias: bool = False
    scale: float = 1.0
    bias_scale: float = 1.0
    epsilon: float = layouts.BATCH_NORM_EPSILON
    spectral_epsilon: float = 1e-12


@dataclass(frozen=True)
class Tensor:
    """One row: a published tensor that is one of our parameters, transposed or without axes of length 1 if asked."""

    target: str
    source: str
    transpose: bool = False
    squeeze: bool = False


@dataclass(frozen=True)
class Computed:
    """One row: one of our parameters from several published tensors, ``rule(*tensors)`` in float64."""

    target: str
    sources: tuple[str, ...]
    rule: Callable[..., np.ndarray]

    @property
    def source(self) -> str:
        """The first of the tensors, for messages."""
        return self.sources[0]


Row = Layer | Tensor | Computed


@np.errstate(all="ignore")  # what overflows is reported as not finite, with its name
def fill(
    tensors: Tensors,
    rows: Sequence[Row],
    template: Any,
    what: str,
    ignored: Mapping[str, str] | None = None,
) -> Any:
    """Our nested parameters from a published state dict.

    Args:
        tensors: published name -> array.
        rows: the table.
        template: our parameters as shapes, for example ``jax.eval_shape(module.init, ...)["params"]``.
        what: the model, for messages.
        ignored: pattern (``fnmatch``) of further tensors that may be there -> the reason why nothing needs them.

    Raises:
        CheckpointError: tensors are missing, left over, of another shape or not finite; they are named.
    """
    used: set[str] = set()
    missing: list[str] = []
    filled: dict[str, np.ndarray] = {}
    made_by: dict[str, Row] = {}

    def take(name: str) -> np.ndarray | None:
        used.add(name)
        if name not in tensors:
            missing.append(name)
            return None
        return np.asarray(tensors[name], np.float64)  # folding in float64, stored once in float32

    def put(row: Row, arrays: Mapping[str, np.ndarray]) -> None:
        for name, array in arrays.items():
            filled[name] = layouts.flush_denormals(array)
            made_by[name] = row

    wanted = {name: tuple(leaf.shape) for name, leaf in traverse_util.flatten_dict(template, sep="/").items()}
    _check_sizes(wanted, tensors, what)
    for row in rows:
        if isinstance(row, Layer):
            put(row, _layer(row, take, tensors))
        else:
            sources = (row.source,) if isinstance(row, Tensor) else row.sources
            arrays = [array for name in sources if (array := take(name)) is not None]
            if len(arrays) == len(sources):
                put(row, {row.target: _value(row, arrays)})
    patterns = (*IGNORED, *(ignored or ()))
    left_over = sorted(n for n in set(tensors) - used if not any(fnmatchcase(n, pattern) for pattern in patterns))
    if missing or left_over:
        raise not_of(what, missing, left_over)
    for name, array in filled.items():
        _check(made_by[name], name, array, wanted.get(name), what)
    if set(wanted) != set(filled):
        raise CheckpointError(f"{what}: parameters not filled by the table: {sorted(set(wanted) ^ set(filled))}.")
    return traverse_util.unflatten_dict(filled, sep="/")


def not_of(what: str, missing: Sequence[str], left_over: Sequence[str]) -> CheckpointError:
    """The error for tensors that are missing of the model ``what``, or are none of it."""
    said = [
        f"{len(names)} tensors {kind}: {', '.join(names[:6])}{', ...' if len(names) > 6 else ''}"
        for kind, names in (("missing", missing), ("left over", left_over))
        if names
    ]
    return CheckpointError(
        f"this is not a checkpoint of {what}: {'; '.join(said)}. Check the family: `geomgan convert --help` lists them."
    )


@usual_promotion()
def shapes(module: Any, *inputs: Any) -> Any:
    """The parameters of a Flax module as shapes; runs nothing. Inputs are shapes, or trees of ``ShapeDtypeStruct``."""
    examples = [jax.ShapeDtypeStruct(shape, np.float32) if isinstance(shape, tuple) else shape for shape in inputs]
    return jax.eval_shape(module.init, jax.random.key(0), *examples)["params"]


def _check_sizes(wanted: Mapping[str, tuple[int, ...]], tensors: Tensors, what: str) -> None:
    """Refuse a small file that claims a huge model: products of two sides that no tensor has together."""
    numbers, held = sum(map(math.prod, wanted.values())), sum(np.size(array) for array in tensors.values())
    if numbers > MAX_GROWTH * held + MAX_ADDED:
        raise CheckpointError(f"{what} of these widths has {numbers} parameters, but the file only {held} numbers.")


def _check(row: Row, name: str, array: np.ndarray, wanted: tuple[int, ...] | None, what: str) -> None:
    if wanted != array.shape:
        raise CheckpointError(
            f"{what}: published {row.source} gives {name} of shape {array.shape}; expected {wanted}. "
            "The checkpoint has another size than its other tensors say."
        )
    if bad := int((~np.isfinite(array)).sum()):
        raise CheckpointError(
            f"{what}: published {row.source} gives {name} with {bad} NaN or infinite values; expected finite "
            "numbers. The file is damaged, or its training diverged."
        )


def _value(row: Tensor | Computed, arrays: Sequence[np.ndarray]) -> np.ndarray:
    if isinstance(row, Tensor):
        array = arrays[0].squeeze() if row.squeeze else arrays[0]
        return array.T if row.transpose else array
    try:
        return np.asarray(row.rule(*arrays))
    except (ValueError, IndexError) as error:
        raise CheckpointError(f"the tensors {', '.join(row.sources)} do not fit each other: {error}.") from error


def _layer(row: Layer, take: Callable[[str], Any], tensors: Tensors) -> dict[str, np.ndarray]:
    """Kernel and bias of one row; nothing where a tensor is missing."""
    axis = layouts.OUTPUT_AXIS[row.layout]
    names = [f"{row.source}.{part}" for part in _weight_parts(row, tensors)]
    weights = [take(name) for name in names]
    offsets = [take(f"{row.source}.bias")] if row.bias else []
    parts = ("weight", "bias", "running_mean", "running_var")
    statistics = [take(f"{row.norm}.{part}") for part in parts] if row.norm else []
    if any(array is None for array in (*weights, *offsets, *statistics)):
        return {}
    try:
        if len(weights) == 1:
            weight = weights[0]
        elif row.spectral_norm == "stored":
            weight = layouts.spectral_norm(*weights, output_axis=axis)
        else:
            weight = layouts.spectral_norm_half_step(weights[0], weights[1], row.spectral_epsilon)
        weight = weight * row.scale
        offset = offsets[0] * row.bias_scale if offsets else np.zeros(weight.shape[axis])
        if len({np.shape(array) for array in statistics}) > 1:
            raise ValueError(f"the parts of {row.norm} have different shapes")
        if statistics:
            scale, shift = layouts.batch_norm(*statistics, epsilon=row.epsilon)
            if row.layout == "dense_to_map" and scale.size * math.prod(row.spatial) == weight.shape[axis]:
                scale, shift = (np.repeat(x, math.prod(row.spatial)) for x in (scale, shift))  # a norm per channel
            if scale.shape != (weight.shape[axis],):
                raise ValueError(f"{row.norm} has the shape {scale.shape} for {weight.shape[axis]} outputs")
            weight = weight * scale.reshape([-1 if i == axis else 1 for i in range(weight.ndim)])
            offset = offset * scale + shift
        filled = {f"{row.target}/kernel": layouts.kernel(weight, row.layout, row.spatial)}
        if not row.drop_bias:
            filled[f"{row.target}/bias"] = layouts.bias(offset, row.layout, row.spatial)
        return filled
    except (ValueError, IndexError) as error:
        raise CheckpointError(f"the tensors of {row.source} do not fit each other: {error}.") from error


def _weight_parts(row: Layer, tensors: Tensors) -> tuple[str, ...]:
    if row.spectral_norm == "half-step":
        return ("weight", "u0")
    if not row.spectral_norm:
        return ("weight",)
    return stored_spectral_norm(row.source, tensors)


def stored_spectral_norm(source: str, tensors: Tensors) -> tuple[str, ...]:
    """Which tensors a layer under PyTorch's spectral norm has in this file; see ``layouts.spectral_norm``."""
    if f"{source}.weight_orig" not in tensors and f"{source}.weight" in tensors:
        return ("weight",)
    if f"{source}.weight_v" not in tensors and f"{source}.weight_u" in tensors:
        return ("weight_orig", "weight_u")
    return ("weight_orig", "weight_u", "weight_v")
