"""Activations of Keras, as layers of their own and inside of others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from geomgan.generators.aten.program import Value
from weights_convert.keras_layers.network import Call, real, whole

FUNCTION_SLOPE = 0.2  # of the function leaky_relu
LAYER_SLOPE = 0.3  # of the layer LeakyReLU, in files that do not say it

Function = Callable[[Call, Value], Value]


def _operator(name: str, *arguments: Any, **options: Any) -> Function:
    return lambda call, x: call(name, x, *arguments, **options)


def _along(name: str) -> Function:
    """Along the channels, which are Keras's last axis."""
    return lambda call, x: call(name, x, call.network.axis(-1, len(call.shape(x))))


def _hard_sigmoid(call: Call, x: Value) -> Value:
    if call.network.old:
        return call("clamp", call("add", call("mul", x, 0.2), 0.5), 0, 1)
    return call("hardsigmoid", x)


FUNCTIONS: dict[str, Function] = {
    "linear": lambda _call, x: x,
    "relu": _operator("relu"),
    "relu6": _operator("hardtanh", 0.0, 6.0),
    "leaky_relu": _operator("leaky_relu", FUNCTION_SLOPE),
    "elu": _operator("elu"),
    "selu": _operator("selu"),
    "celu": _operator("celu"),
    "gelu": _operator("gelu"),
    "silu": _operator("silu"),
    "swish": _operator("silu"),
    "mish": _operator("mish"),
    "sigmoid": _operator("sigmoid"),
    "tanh": _operator("tanh"),
    "softplus": _operator("softplus"),
    "softsign": lambda call, x: call("div", x, call("add", call("abs", x), 1)),
    "exponential": _operator("exp"),
    "hard_sigmoid": _hard_sigmoid,
    "hard_silu": _operator("hardswish"),
    "hard_swish": _operator("hardswish"),
    "hard_tanh": _operator("hardtanh"),
    "log_sigmoid": _operator("log_sigmoid"),
    "tanh_shrink": lambda call, x: call("sub", x, call("tanh", x)),
    "softmax": _along("softmax"),
    "log_softmax": _along("log_softmax"),
    "glu": _along("glu"),
}


def activated(call: Call, x: Value) -> Value:
    """``x`` behind the activation that the layer's configuration names.

    Raises:
        ValueError: it is none of Keras's own.
    """
    said = call.config.get("activation")
    if isinstance(said, dict) and said.get("class_name") in LAYERS:  # a layer where a function may stand
        config = said.get("config")
        layer = replace(call, config=config if isinstance(config, dict) else {}, variables=())
        return LAYERS[said["class_name"]](layer, x)
    name = said.get("config") if isinstance(said, dict) else said
    if name is None:
        return x
    if not isinstance(name, str) or name not in FUNCTIONS:
        raise ValueError(f"its activation is {str(name)[:60]!a}; known are {', '.join(FUNCTIONS)}")
    return FUNCTIONS[name](call, x)


def leaky_relu(call: Call, x: Value) -> Value:
    """``LeakyReLU``; Keras 2 says ``alpha``."""
    slope = call.config.get("negative_slope", call.config.get("alpha", LAYER_SLOPE))
    return call("leaky_relu", x, real(slope))


def relu(call: Call, x: Value) -> Value:
    """``ReLU``: ``min(x, max_value)`` from the threshold on, ``negative_slope (x - threshold)`` below."""
    slope, threshold = (real(call.config.get(name) or 0) for name in ("negative_slope", "threshold"))
    if slope and threshold:
        raise ValueError(f"it has the slope {slope:g} below the threshold {threshold:g}; expected one of them")
    if threshold:
        x = call("threshold", x, threshold, 0)
    else:
        x = call("leaky_relu", x, slope) if slope else call("relu", x)
    most = call.config.get("max_value")
    return x if most is None else call("clamp_max", x, real(most))


def prelu(call: Call, x: Value) -> Value:
    """``PReLU``: a slope for every entry that does not share one."""
    (alpha,) = call.take("alpha")
    rank = len(call.shape(x))
    if alpha.ndim != rank - 1:
        raise ValueError(f"its slopes have the shape {alpha.shape} for a value of {rank - 1} axes")
    axes = call.network.axes(rank)
    slopes = call.weight("weight", np.transpose(alpha[None], [axes.index(i) for i in range(rank)]))
    return call("where", call("gt", x, 0), x, call("mul", x, slopes))


def softmax(call: Call, x: Value) -> Value:
    """``Softmax`` along one axis."""
    rank = len(call.shape(x))
    return call("softmax", x, call.network.axis(whole(call.config.get("axis", -1), -rank, rank), rank))


LAYERS: dict[str, Function] = {
    "Activation": activated,
    "LeakyReLU": leaky_relu,
    "ReLU": relu,
    "PReLU": prelu,
    "Softmax": softmax,
    "ELU": lambda call, x: call("elu", x, real(call.config.get("alpha", 1.0))),
    "ThresholdedReLU": lambda call, x: call("threshold", x, real(call.config.get("theta", 1.0)), 0),
}
