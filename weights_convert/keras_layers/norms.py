"""Norms of Keras, whose epsilons stand in configurations only: 1e-3 where torch has 1e-5."""

from __future__ import annotations

from typing import Any

from geomgan.generators.aten.program import Value
from weights_convert.keras_layers.network import Call, real, whole

EPSILON = 1e-3


def batch_norm(call: Call, x: Value) -> Value:
    """``BatchNormalization`` with its moving statistics."""
    call.channels(call.config.get("axis", -1), x)
    if call.config.get("renorm"):
        raise ValueError("it has renorm; expected a plain batch norm")
    affine = _affine(call)
    *shifts, mean, var = call.take(*affine.values(), "moving_mean", "moving_variance")
    parts = {part: call.weight(part, array) for part, array in zip(affine, shifts, strict=True)}
    statistics = call.weight("running_mean", mean), call.weight("running_var", var)
    settings = False, 0.0, _epsilon(call), False
    return call("batch_norm", x, parts.get("weight"), parts.get("bias"), *statistics, *settings)


def group_norm(call: Call, x: Value) -> Value:
    """``GroupNormalization``; -1 groups are as many as channels."""
    call.channels(call.config.get("axis", -1), x)
    groups = whole(call.config.get("groups", 32), -1)
    weight, bias = _weight_and_bias(call)
    return call("group_norm", x, call.shape(x)[1] if groups == -1 else groups, weight, bias, _epsilon(call))


def layer_norm(call: Call, x: Value) -> Value:
    """``LayerNormalization`` over the last axis, or several that end with it."""
    if call.config.get("rms_scaling"):
        raise ValueError("it has rms_scaling; expected a plain layer norm")
    weight, bias = _weight_and_bias(call)
    x = call.as_keras(x)
    return call.as_kept(call("layer_norm", x, _last(call, x), weight, bias, _epsilon(call)))


def rms_norm(call: Call, x: Value) -> Value:
    """``RMSNormalization`` over the last axis, or several that end with it."""
    (scale,) = call.take("scale")
    x = call.as_keras(x)
    return call.as_kept(call("rms_norm", x, _last(call, x), call.weight("weight", scale), _epsilon(call, 1e-6)))


def _last(call: Call, x: Value) -> list[int]:
    """The sides of the axes that a norm acts on, which must be the last ones."""
    shape, said = call.shape(x), call.config.get("axis", -1)
    rank = len(shape)
    axes = sorted(whole(axis, -rank, rank - 1) % rank for axis in (said if isinstance(said, list) else [said]))
    if axes != list(range(rank - len(axes), rank)) or 0 in axes:
        raise ValueError(f"it acts on the axes {said}; expected the last ones")
    return [shape[axis] for axis in axes]


def _affine(call: Call) -> dict[str, str]:
    """Our names of scale and shift -> Keras's, of those that there are."""
    said = {"weight": ("gamma", "scale"), "bias": ("beta", "center")}
    return {part: name for part, (name, option) in said.items() if call.config.get(option, True) is True}


def _weight_and_bias(call: Call) -> tuple[Any, Any]:
    affine = _affine(call)
    parts = dict(zip(affine, call.take(*affine.values()), strict=True))
    weight, bias = (call.weight(part, parts[part]) if part in parts else None for part in ("weight", "bias"))
    return weight, bias


def _epsilon(call: Call, usual: float = EPSILON) -> float:
    return real(call.config.get("epsilon", usual))


LAYERS = {
    "BatchNormalization": batch_norm,
    "GroupNormalization": group_norm,
    "LayerNormalization": layer_norm,
    "RMSNormalization": rms_norm,
}
