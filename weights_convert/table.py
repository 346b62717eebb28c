"""The table of a converter: which published tensors make which of our layers.

Every tensor of a checkpoint is used exactly once or ignored for a stated reason, and every parameter is filled with
the right shape; otherwise the error names the tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import jax
import numpy as np
from flax import traverse_util

from geomgan.errors import CheckpointError
from weights_convert import layouts

Tensors = Mapping[str, np.ndarray]
IGNORED = {"*num_batches_tracked": "a counter of training"}  # pattern of names -> why nothing here needs it


@dataclass(frozen=True)
class Layer:
    """One row: a published linear layer, with the norms behind and around it, and its place in our parameters.

    Attributes:
        target: path of our layer, ``/`` between modules.
        source: published prefix, for example ``main.0``.
        layout: a rule of ``weights_convert.layouts``.
        norm: prefix of the batch norm that follows, folded into kernel and bias.
        spectral_norm: the weight is stored as ``weight_orig``, ``weight_u``, ``weight_v``.
        side: pixels a side of the map that a dense layer makes or takes.
        bias: whether the published layer has a bias; ours is zero where it has none.
    """

    target: str
    source: str
    layout: str
    norm: str | None = None
    spectral_norm: bool = False
    side: int = 0
    bias: bool = True


@dataclass(frozen=True)
class Tensor:
    """One row: a published tensor that is one of our parameters, transposed or without axes of length 1 if asked."""

    target: str
    source: str
    transpose: bool = False
    squeeze: bool = False


@np.errstate(all="ignore")  # what overflows is reported as not finite, with its name
def fill(
    tensors: Tensors,
    rows: Sequence[Layer | Tensor],
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

    def take(name: str) -> np.ndarray | None:
        used.add(name)
        if name not in tensors:
            missing.append(name)
            return None
        return np.asarray(tensors[name], np.float64)  # folding in float64, stored once in float32

    wanted = {name: tuple(leaf.shape) for name, leaf in traverse_util.flatten_dict(template, sep="/").items()}
    for row in rows:
        if isinstance(row, Tensor):
            array = take(row.source)
            if array is not None:
                array = array.squeeze() if row.squeeze else array
                filled[row.target] = array.T if row.transpose else array
        else:
            filled.update(_layer(row, take))
    patterns = (*IGNORED, *(ignored or ()))
    left_over = sorted(n for n in set(tensors) - used if not any(fnmatchcase(n, pattern) for pattern in patterns))
    if missing or left_over:
        raise CheckpointError(
            f"this is not a checkpoint of {what}: "
            + "; ".join(
                f"{len(names)} tensors {kind}: {', '.join(names[:6])}{', ...' if len(names) > 6 else ''}"
                for kind, names in (("missing", missing), ("left over", left_over))
                if names
            )
            + ". Check the family: `python -m weights_convert --help` lists them."
        )
    filled = {name: layouts.flush_denormals(array) for name, array in filled.items()}
    for row in rows:
        for name, array in filled.items():
            if name != row.target and not name.startswith(f"{row.target}/"):
                continue
            if wanted.get(name) != array.shape:
                raise CheckpointError(
                    f"{what}: published {row.source} gives {name} of shape {array.shape}; expected "
                    f"{wanted.get(name)}. The checkpoint has another size than its other tensors say."
                )
            if bad := int((~np.isfinite(array)).sum()):
                raise CheckpointError(
                    f"{what}: published {row.source} gives {name} with {bad} NaN or infinite values; expected finite "
                    "numbers. The file is damaged, or its training diverged."
                )
    if set(wanted) != set(filled):
        raise CheckpointError(f"{what}: parameters not filled by the table: {sorted(set(wanted) ^ set(filled))}.")
    return traverse_util.unflatten_dict(filled, sep="/")


def shapes(module: Any, *inputs: tuple[int, ...]) -> Any:
    """The parameters of a Flax module as shapes; runs nothing."""
    examples = [jax.ShapeDtypeStruct(shape, np.float32) for shape in inputs]
    return jax.eval_shape(module.init, jax.random.key(0), *examples)["params"]


def _layer(row: Layer, take: Callable[[str], Any]) -> dict[str, np.ndarray]:
    """Kernel and bias of one row; nothing where a tensor is missing."""
    axis = layouts.OUTPUT_AXIS[row.layout]
    names = [f"{row.source}.weight_{part}" for part in ("orig", "u", "v")]
    weights = [take(name) for name in (names if row.spectral_norm else [f"{row.source}.weight"])]
    offsets = [take(f"{row.source}.bias")] if row.bias else []
    parts = ("weight", "bias", "running_mean", "running_var")
    statistics = [take(f"{row.norm}.{part}") for part in parts] if row.norm else []
    if any(array is None for array in (*weights, *offsets, *statistics)):
        return {}
    try:
        weight = layouts.spectral_norm(*weights, output_axis=axis) if row.spectral_norm else weights[0]
        offset = offsets[0] if offsets else np.zeros(weight.shape[axis])
        if statistics:
            scale, shift = layouts.batch_norm(*statistics)
            weight = weight * scale.reshape([-1 if i == axis else 1 for i in range(weight.ndim)])
            offset = offset * scale + shift
        kernel = layouts.kernel(weight, row.layout, row.side)
        return {f"{row.target}/kernel": kernel, f"{row.target}/bias": layouts.bias(offset, row.layout, row.side)}
    except (ValueError, IndexError) as error:
        raise CheckpointError(f"the tensors of {row.source} do not fit each other: {error}.") from error
