"""Convolutions, transposed ones, dense layers and embeddings."""

from __future__ import annotations

import math
from typing import Any

from geomgan.generators.aten.program import Value
from weights_convert.torch_modules.arguments import Argument, each, either, sides, whole, word
from weights_convert.torch_modules.layer import Layer, Trace

PADDING_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "replicate", "circular": "circular"}


def linear(trace: Trace) -> Value:
    """``x Wᵀ + b`` on the last axis."""
    return trace.node("linear", trace.x, trace.needed("weight"), trace.weight("bias"))


def embedding(trace: Trace) -> Value:
    """The rows of a table by integers."""
    if not trace.integer:
        raise ValueError("an embedding takes a class, not numbers: the line `Class` comes before it")
    return trace.node("embedding", trace.needed("weight"), trace.x)


def convolution(axes: int) -> Layer:
    """``Conv1d``, ``Conv2d`` or ``Conv3d``."""

    def build(trace: Trace, *, stride: Any, padding: Any, dilation: Any, groups: int, padding_mode: str) -> Value:
        weight, x = trace.needed("weight"), trace.x
        if padding_mode != "zeros":  # torch pads by that mode, then convolves without padding
            spans = [d * (k - 1) for d, k in zip(each(dilation, axes), trace.shape_of(weight)[2:], strict=True)]
            before = [s // 2 for s in spans] if padding == "same" else each(0 if padding == "valid" else padding, axes)
            behind = [s - b for s, b in zip(spans, before, strict=True)] if padding == "same" else before
            both = list(zip(before, behind, strict=True))
            x = trace.node("pad", x, [end for ends in reversed(both) for end in ends], PADDING_MODES[padding_mode])
            padding = 0
        ends = padding if isinstance(padding, str) else each(padding, axes)
        bias = trace.weight("bias")
        return trace.node(f"conv{axes}d", x, weight, bias, each(stride, axes), ends, each(dilation, axes), groups)

    arguments = {
        "stride": Argument(sides(1), 1),
        "padding": Argument(either(sides(), word("same", "valid")), 0),
        "dilation": Argument(sides(1), 1),
        "groups": Argument(whole(1), 1),
        "padding_mode": Argument(word(*PADDING_MODES), "zeros"),
    }
    return Layer(build, arguments, axes)


def transposed(axes: int) -> Layer:
    """``ConvTranspose1d``, ``ConvTranspose2d`` or ``ConvTranspose3d``."""

    def build(
        trace: Trace, *, stride: Any, padding: Any, output_padding: Any, groups: int, dilation: Any, padding_mode: str
    ) -> Value:
        del padding_mode  # torch knows one
        per_axis = [each(value, axes) for value in (stride, padding, output_padding, dilation)]
        for s, _, more, d in zip(*per_axis, strict=True):
            if more >= max(s, d):
                raise ValueError(f"output_padding {more} is not less than its stride {s} or dilation {d}")
        s, p, more, d = per_axis
        weight, bias = trace.needed("weight"), trace.weight("bias")
        return trace.node(f"conv_transpose{axes}d", trace.x, weight, bias, s, p, more, groups, d)

    arguments = {
        "stride": Argument(sides(1), 1),
        "padding": Argument(sides(), 0),
        "output_padding": Argument(sides(), 0),
        "groups": Argument(whole(1), 1),
        "dilation": Argument(sides(1), 1),
        "padding_mode": Argument(word("zeros"), "zeros"),
    }
    return Layer(build, arguments, axes)


def side_after(side: int, kernel: int, stride: int, padding: int, more: int) -> int:
    """The side of the map that a transposed convolution makes."""
    return (side - 1) * stride - 2 * padding + kernel + more


def square(numbers: int, channels: int, axes: int) -> tuple[int, ...] | None:
    """The shape ``(channels, s, ..., s)`` of so many numbers, if there is one."""
    if channels < 1 or numbers % channels:
        return None
    side = round((numbers // channels) ** (1 / axes))
    shape = (channels, *(side,) * axes)
    return shape if math.prod(shape) == numbers else None


LAYERS = {
    "Linear": Layer(linear, {}, 0),
    "Embedding": Layer(embedding),
    **{f"Conv{axes}d": convolution(axes) for axes in (1, 2, 3)},
    **{f"ConvTranspose{axes}d": transposed(axes) for axes in (1, 2, 3)},
}
