"""Norms, with and without weights and statistics."""

from __future__ import annotations

from typing import Any

from geomgan.generators.aten.program import Value
from weights_convert.torch_modules.arguments import Argument, either, none, number, sides, whole
from weights_convert.torch_modules.layer import Layer, Trace

EPSILON = {"eps": Argument(number(0, 1e6), 1e-5)}


def _parts(trace: Trace, *names: str) -> list[Any]:
    return [trace.weight(name) for name in names]


def batch_norm(trace: Trace, *, eps: float) -> Value:
    """With its running statistics; without any, with those of the batch of one, as an instance norm."""
    weight, bias, mean, var = _parts(trace, "weight", "bias", "running_mean", "running_var")
    if mean is not None:
        return trace.node("batch_norm", trace.x, weight, bias, mean, var, False, 0.1, eps, False)
    trace.assumed["statistics"] = f"of the one sample at {trace.path}, which has none of training"
    return trace.node("instance_norm", trace.x, weight, bias, None, None, True, 0.1, eps, False)


def instance_norm(trace: Trace, *, eps: float) -> Value:
    """Of every channel of the sample; of running statistics where it has them."""
    weight, bias, mean, var = _parts(trace, "weight", "bias", "running_mean", "running_var")
    return trace.node("instance_norm", trace.x, weight, bias, mean, var, mean is None, 0.1, eps, False)


def group_norm(trace: Trace, *, num_groups: int, eps: float) -> Value:
    """Of groups of channels."""
    return trace.node("group_norm", trace.x, num_groups, *_parts(trace, "weight", "bias"), eps, False)


def layer_norm(trace: Trace, *, normalized_shape: Any, eps: float) -> Value:
    """Of the last axes."""
    weight, bias = _parts(trace, "weight", "bias")
    shape = _shape(trace, weight, normalized_shape)
    return trace.node("layer_norm", trace.x, shape, weight, bias, eps, False)


def rms_norm(trace: Trace, *, normalized_shape: Any, eps: float | None) -> Value:
    """Of the last axes, by their root mean square."""
    (weight,) = _parts(trace, "weight")
    return trace.node("rms_norm", trace.x, _shape(trace, weight, normalized_shape), weight, eps)


def _shape(trace: Trace, weight: Any, given: Any) -> tuple[int, ...]:
    if weight is not None:
        return trace.shape_of(weight)
    if given is None:
        raise ValueError("normalized_shape is not given, and it has no weight that says it")
    return given if isinstance(given, tuple) else (given,)


_SHAPE = {"normalized_shape": Argument(either(none, sides(1)), None)}

LAYERS = {
    "BatchNorm1d": Layer(batch_norm, EPSILON),
    **{f"BatchNorm{axes}d": Layer(batch_norm, EPSILON, axes) for axes in (2, 3)},
    **{f"InstanceNorm{axes}d": Layer(instance_norm, EPSILON, axes) for axes in (1, 2, 3)},
    "GroupNorm": Layer(group_norm, {"num_groups": Argument(whole(1)), **EPSILON}),
    "LayerNorm": Layer(layer_norm, {**_SHAPE, **EPSILON}),
    "RMSNorm": Layer(rms_norm, {**_SHAPE, "eps": Argument(either(none, number(0, 1e6)), None)}),
}
