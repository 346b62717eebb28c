"""Layers of Keras that take several values, and operators in a functional model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

from geomgan.generators.aten.program import Value
from weights_convert.keras_layers.network import Call, real, whole


def concatenate(call: Call, values: Sequence[Value]) -> Value:
    """``Concatenate`` along one axis."""
    rank = _rank(call, values)
    return call("cat", list(values), call.network.axis(whole(call.config.get("axis", -1), -rank, rank), rank))


def merging(operator: str) -> Callable[[Call, Sequence[Value]], Value]:
    """``Add`` and so on: of any number of values."""

    def layer(call: Call, values: Sequence[Value]) -> Value:
        _rank(call, values)
        return reduce(lambda total, x: call(operator, total, x), values)

    return layer


def average(call: Call, values: Sequence[Value]) -> Value:
    """``Average``."""
    return call("div", merging("add")(call, values), len(values))


def rescaling(call: Call, x: Value) -> Value:
    """``Rescaling``: ``scale x + offset``."""
    scale, offset = (real(call.config.get(name, usual)) for name, usual in (("scale", 1.0), ("offset", 0.0)))
    scaled = call("mul", x, scale)
    return call("add", scaled, offset) if offset else scaled


def operation(operator: str) -> Callable[..., Value]:
    """``x + y`` and so on in a functional model, of values and numbers."""

    def layer(call: Call, *arguments: Any) -> Value:
        values = [x for x in arguments if isinstance(x, Value)]
        if not values or len(arguments) > 2:
            raise ValueError("it takes no value of the model; expected one or two")
        _rank(call, values)
        return call(operator, *(x if isinstance(x, Value) else real(x) for x in arguments))

    return layer


def _rank(call: Call, values: Any) -> int:
    """The number of axes that all values have; batches count as one."""
    several = isinstance(values, list) and values and all(isinstance(x, Value) for x in values)
    ranks = {len(call.shape(x)) for x in values} if several else set()
    if len(ranks) != 1:
        raise ValueError(f"it takes values of {' and '.join(map(str, sorted(ranks))) or 'no'} axes; expected the same")
    return ranks.pop()


LAYERS: dict[str, Callable[..., Value]] = {
    "Concatenate": concatenate,
    "Add": merging("add"),
    "Multiply": merging("mul"),
    "Subtract": merging("sub"),
    "Maximum": merging("maximum"),
    "Minimum": merging("minimum"),
    "Average": average,
    "Rescaling": rescaling,
}
OPERATIONS = {
    "Add": operation("add"),
    "Subtract": operation("sub"),
    "Multiply": operation("mul"),
    "Divide": operation("div"),
    "TrueDivide": operation("div"),
    "Maximum": operation("maximum"),
    "Minimum": operation("minimum"),
    **{name: operation(name.lower()) for name in ("Tanh", "Sigmoid", "Relu", "Silu", "Softplus", "Exp", "Sin", "Cos")},
    "Absolute": operation("abs"),
    "Negative": operation("neg"),
    "Square": operation("square"),
    "Sqrt": operation("sqrt"),
}
