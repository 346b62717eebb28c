"""Non-linearities, each with the arguments of torch's constructor in the order of its operator."""

from __future__ import annotations

from typing import Any

from geomgan.generators.aten.program import Value
from weights_convert.torch_modules.arguments import Argument, either, none, number, whole, word
from weights_convert.torch_modules.layer import Layer, Trace

_NUMBER, _DIM = number(), whole(-8, 8)

SIMPLE: dict[str, tuple[str, dict[str, Argument]]] = {
    "ReLU": ("relu", {}),
    "ReLU6": ("relu6", {}),
    "LeakyReLU": ("leaky_relu", {"negative_slope": Argument(_NUMBER, 0.01)}),
    "ELU": ("elu", {"alpha": Argument(_NUMBER, 1.0)}),
    "CELU": ("celu", {"alpha": Argument(_NUMBER, 1.0)}),
    "SELU": ("selu", {}),
    "SiLU": ("silu", {}),
    "Mish": ("mish", {}),
    "Sigmoid": ("sigmoid", {}),
    "LogSigmoid": ("log_sigmoid", {}),
    "Tanh": ("tanh", {}),
    "Hardsigmoid": ("hardsigmoid", {}),
    "Hardswish": ("hardswish", {}),
    "Hardtanh": ("hardtanh", {"min_val": Argument(_NUMBER, -1.0), "max_val": Argument(_NUMBER, 1.0)}),
    "Softplus": ("softplus", {"beta": Argument(_NUMBER, 1.0), "threshold": Argument(_NUMBER, 20.0)}),
    "GLU": ("glu", {"dim": Argument(_DIM, -1)}),
}


def _simple(operator: str) -> Any:
    return lambda trace, **settings: trace.node(operator, trace.x, *settings.values())


def gelu(trace: Trace, *, approximate: str) -> Value:
    """Exact, or by a hyperbolic tangent."""
    return trace.node("gelu", trace.x, approximate=approximate)


def softmax(trace: Trace, *, dim: int | None) -> Value:
    """Without ``dim`` over the axis that torch takes then: the first of one or three axes, else the second."""
    axis = dim if dim is not None else 0 if len(trace.shape) in (0, 1, 3) else 1
    return trace.node("softmax", trace.x, axis)


def softsign(trace: Trace) -> Value:
    """``x / (1 + |x|)``."""
    return trace.node("div", trace.x, trace.node("add", trace.node("abs", trace.x), 1.0))


def tanhshrink(trace: Trace) -> Value:
    """``x - tanh x``."""
    return trace.node("sub", trace.x, trace.node("tanh", trace.x))


def prelu(trace: Trace) -> Value:
    """A leaky ReLU with learned slopes."""
    return trace.node("prelu", trace.x, trace.needed("weight"))


LAYERS = {
    **{kind: Layer(_simple(operator), arguments) for kind, (operator, arguments) in SIMPLE.items()},
    "GELU": Layer(gelu, {"approximate": Argument(word("none", "tanh"), "none")}),
    "Softmax": Layer(softmax, {"dim": Argument(either(none, _DIM), None)}),
    "Softmax2d": Layer(lambda trace: softmax(trace, dim=-3)),
    "Softsign": Layer(softsign),
    "Tanhshrink": Layer(tanhshrink),
    "PReLU": Layer(prelu),
}
