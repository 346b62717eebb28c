"""Dense layers, convolutions and embeddings of Keras as those of torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from geomgan.generators.aten.program import Value
from weights_convert.keras_layers.activations import activated
from weights_convert.keras_layers.network import Call, whole, wholes

Ends = Sequence[tuple[int, int]]  # in front of every axis and behind it


def dense(call: Call, x: Value) -> Value:
    """``Dense`` acts on the last axis; kernel ``(in, out)``."""
    kernel, bias = _kernel_and_bias(call)
    if kernel.ndim != 2:
        raise ValueError(f"its kernel has the shape {kernel.shape}; expected two axes")
    result = call("linear", call.as_keras(x), call.weight("weight", kernel.T), bias)
    return activated(call, call.as_kept(result))


def embedding(call: Call, x: Value) -> Value:
    """``Embedding``: rows of a table."""
    (table,) = call.take("embeddings")
    return call.as_kept(call("embedding", call.weight("weight", table), x))


def convolution(axes: int) -> Callable[[Call, Value], Value]:
    """``Conv1D``, ``Conv2D``, ``Conv3D``: kernel ``(*sides, in / groups, out)``."""

    def layer(call: Call, x: Value) -> Value:
        kernel, bias = _kernel_and_bias(call)
        weight = _turned(kernel, axes, axes + 1, axes)
        groups = whole(call.config.get("groups", 1))
        return activated(call, _convolved(call, x, call.weight("weight", weight), weight.shape[2:], bias, groups))

    return layer


def depthwise(axes: int) -> Callable[[Call, Value], Value]:
    """``DepthwiseConv1D``, ``DepthwiseConv2D``: kernel ``(*sides, in, multiplier)``."""

    def layer(call: Call, x: Value) -> Value:
        kernel, bias = _kernel_and_bias(call)
        return activated(call, _by_channel(call, x, kernel, axes, bias))

    return layer


def separable(axes: int) -> Callable[[Call, Value], Value]:
    """``SeparableConv1D``, ``SeparableConv2D``: a depthwise convolution, then one of a single pixel."""

    def layer(call: Call, x: Value) -> Value:
        biased = call.config.get("use_bias", True) is True
        kernel, points, *offset = call.take("depthwise_kernel", "pointwise_kernel", *["bias"] * biased)
        bias = call.weight("bias", offset[0]) if offset else None
        weight = call.weight("pointwise", _turned(points, axes, axes + 1, axes))
        return activated(call, call(f"conv{axes}d", _by_channel(call, x, kernel, axes, None), weight, bias))

    return layer


def transposed_convolution(axes: int) -> Callable[[Call, Value], Value]:
    """``Conv1DTranspose`` and so on: kernel ``(*sides, out, in)``.

    With "same" and stride 2 a kernel of 5 loses one row in front and two behind, where torch's ``padding=2,
    output_padding=1`` cuts two and one: here that is ``padding=1, output_padding=-1``, which our operator has too.
    """

    def layer(call: Call, x: Value) -> Value:
        kernel, bias = _kernel_and_bias(call)
        weight = _turned(kernel, axes, axes + 1, axes)
        strides, dilation = _steps(call, axes)
        spans = [d * (k - 1) + 1 for d, k in zip(dilation, weight.shape[2:], strict=True)]
        more = call.config.get("output_padding")
        padding = [None] * axes if more is None else wholes(more, axes, 0)
        same = _padding(call) == "same"
        cuts = [_cut(k, s, p, same) for k, s, p in zip(spans, strides, padding, strict=True)]
        result = call(
            f"conv_transpose{axes}d",
            x,
            call.weight("weight", weight),
            bias,
            strides,
            [front for front, _ in cuts],
            [front - behind for front, behind in cuts],
            1,
            dilation,
        )
        return activated(call, result)

    return layer


def _cut(span: int, stride: int, padding: int | None, same: bool) -> tuple[int, int]:
    """How much of the whole transposed convolution, ``(n - 1) stride + span`` long, is cut in front and behind."""
    if not same:
        return 0, -(max(span, stride) - span if padding is None else padding)
    kept = span + stride - 2 if padding is None else span + span % 2 - 2 + padding
    front = min(-(-kept // 2), span - 1)
    return span - 1 - front, span - 1 - (kept - front)


def padded(call: Call, x: Value, ends: Ends, value: float = 0.0) -> Value:
    """The map with so much in front of its axes and behind them; what is negative is cut."""
    flat = [side for pair in reversed(ends) for side in pair]
    return call("constant_pad_nd", x, flat, value) if any(flat) else x


def same_ends(call: Call, x: Value, spans: Sequence[int], strides: Sequence[int]) -> Ends:
    """What "same" puts around the map: outputs are ``⌈n / stride⌉``, and the odd one stands behind."""
    sizes = call.shape(x)[2:]
    if len(sizes) != len(spans):
        raise ValueError(f"it takes a map of {len(spans)} axes; got one of the shape {call.shape(x)}")
    totals = [max((-(-n // s) - 1) * s + k - n, 0) for n, s, k in zip(sizes, strides, spans, strict=True)]
    return [(total // 2, total - total // 2) for total in totals]


def _convolved(call: Call, x: Value, weight: Any, sides: Sequence[int], bias: Any, groups: int) -> Value:
    axes = len(sides)
    strides, dilation = _steps(call, axes)
    spans = [d * (k - 1) + 1 for d, k in zip(dilation, sides, strict=True)]
    padding = _padding(call)
    ends: Ends = [(0, 0)] * axes
    if padding == "same":
        ends = same_ends(call, x, spans, strides)
    elif padding == "causal":
        ends = [(spans[0] - 1, 0)]
    even = all(front == behind for front, behind in ends)
    x = x if even else padded(call, x, ends)
    around = [front if even else 0 for front, _ in ends]
    return call(f"conv{axes}d", x, weight, bias, strides, around, dilation, groups)


def _by_channel(call: Call, x: Value, kernel: np.ndarray, axes: int, bias: Any) -> Value:
    turned = _turned(kernel, axes, axes, axes + 1)
    weight = turned.reshape(-1, 1, *turned.shape[2:])
    return _convolved(call, x, call.weight("weight", weight), weight.shape[2:], bias, turned.shape[0])


def _turned(kernel: np.ndarray, axes: int, first: int, second: int) -> np.ndarray:
    """A kernel whose sides come first with two of its axes in front of them."""
    if kernel.ndim != axes + 2:
        raise ValueError(f"its kernel has the shape {kernel.shape}; expected {axes + 2} axes")
    return kernel.transpose(first, second, *range(axes))


def _kernel_and_bias(call: Call) -> tuple[np.ndarray, Any]:
    biased = call.config.get("use_bias", True) is True
    kernel, *offset = call.take("kernel", *["bias"] * biased)
    return kernel, call.weight("bias", offset[0]) if offset else None


def _steps(call: Call, axes: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    config = call.config
    return wholes(config.get("strides", 1), axes), wholes(config.get("dilation_rate", 1), axes)


def _padding(call: Call) -> str:
    padding = call.config.get("padding", "valid")
    if padding not in ("valid", "same", "causal"):
        raise ValueError(f"its padding is {str(padding)[:40]!r}; expected valid, same or causal")
    return str(padding)


LAYERS = {
    "Dense": dense,
    "Embedding": embedding,
    **{f"Conv{axes}D": convolution(axes) for axes in (1, 2, 3)},
    **{f"Conv{axes}DTranspose": transposed_convolution(axes) for axes in (1, 2, 3)},
    **{f"DepthwiseConv{axes}D": depthwise(axes) for axes in (1, 2)},
    **{f"SeparableConv{axes}D": separable(axes) for axes in (1, 2)},
}
