"""Layers of Keras that rearrange, pad, cut, resize and pool."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from geomgan.generators.aten.program import Value
from weights_convert.keras_layers.linear import padded, same_ends
from weights_convert.keras_layers.network import Call, whole, wholes

Layer = Callable[[Call, Value], Value]
CUBIC = -0.5  # Keys' parameter; torch's own bicubic has -0.75, so that this one is a product of matrices
MOST = 1 << 20  # pixels


def reshape(call: Call, x: Value) -> Value:
    """``Reshape``, in Keras's order of axes; one side may be -1."""
    target = call.config.get("target_shape")
    if not isinstance(target, list):
        raise ValueError(f"its target_shape is {str(target)[:40]!r}; expected a list")
    sides = [side if side == -1 else whole(side, 1, 1 << 28) for side in target]
    return call.as_kept(call("view", call.as_keras(x), [1, *sides]))


def flatten(call: Call, x: Value) -> Value:
    """``Flatten``: channels vary fastest, also where they stand first."""
    x = call.as_keras(x)
    rank = len(call.shape(x))
    if call.network.channels_first and rank > 2 and call.config.get("data_format") == "channels_first":
        x = call("permute", x, [0, *range(2, rank), 1])
    return call("view", x, [1, int(np.prod(call.shape(x)))])


def permute(call: Call, x: Value) -> Value:
    """``Permute``: dims count from 1, without the batch."""
    rank = len(call.shape(x))
    dims = wholes(call.config.get("dims"), rank - 1)
    return call.as_kept(call("permute", call.as_keras(x), [0, *dims]))


def repeat_vector(call: Call, x: Value) -> Value:
    """``RepeatVector``: ``(F,) -> (n, F)``."""
    (_, features), count = call.shape(x), whole(call.config.get("n"))
    return call.as_kept(call("expand", call("unsqueeze", x, 1), [1, count, features]))


def zero_padding(axes: int) -> Layer:
    """``ZeroPadding1D`` and so on."""
    return lambda call, x: padded(call, x, _ends(call, "padding", axes))


def cropping(axes: int) -> Layer:
    """``Cropping1D`` and so on."""
    return lambda call, x: padded(call, x, [(-front, -behind) for front, behind in _ends(call, "cropping", axes)])


def _ends(call: Call, name: str, axes: int) -> list[tuple[int, int]]:
    said = call.config.get(name)
    said = [said] if axes == 1 and isinstance(said, list) and all(type(n) is int for n in said) else said
    if not isinstance(said, list) or len(said) != axes:
        raise ValueError(f"its {name} is {str(said)[:40]!r}; expected a pair for each of {axes} axes")
    pairs = [wholes(side, 2, 0) for side in said]
    return [(front, behind) for front, behind in pairs]


def upsampling(axes: int) -> Layer:
    """``UpSampling1D`` and so on, with half-pixel centres: rows repeated, bilinear, or by a wider kernel."""

    def layer(call: Call, x: Value) -> Value:
        sides = wholes(call.config.get("size", 2), axes)
        sizes = [n * factor for n, factor in zip(call.shape(x)[2:], sides, strict=True)]
        kind = call.config.get("interpolation", "nearest")
        if kind == "nearest":
            return call(f"upsample_nearest{axes}d", x, sizes)
        if kind == "bilinear" and axes == 2:
            return call("upsample_bilinear2d", x, sizes, False)
        if kind in KERNELS and axes == 2:
            rows, columns = (resizing(n, size, kind) for n, size in zip(call.shape(x)[2:], sizes, strict=True))
            tall = call("matmul", call.weight("rows", rows), x)
            return call("matmul", tall, call.weight("columns", columns.T))
        raise ValueError(f"its interpolation is {str(kind)[:40]!r}; expected nearest, bilinear, {', '.join(KERNELS)}")

    return layer


def resizing(n: int, size: int, kind: str) -> np.ndarray:
    """The matrix ``(size, n)`` that resizes one axis: weights of the kernel at half-pixel centres, of sum 1.

    Raises:
        ValueError: it is too large.
    """
    if n * size > MOST:
        raise ValueError(f"it resizes {n} pixels to {size}; expected fewer")
    centres = (np.arange(size) + 0.5) * n / size - 0.5
    weights = KERNELS[kind](np.abs(centres[:, None] - np.arange(n)))
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def _cubic(x: np.ndarray) -> np.ndarray:
    near = (CUBIC + 2) * x**3 - (CUBIC + 3) * x**2 + 1
    far = CUBIC * (x**3 - 5 * x**2 + 8 * x - 4)
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def _lanczos(radius: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: np.where(x < radius, np.sinc(x) * np.sinc(x / radius), 0.0)


KERNELS = {"bicubic": _cubic, "lanczos3": _lanczos(3), "lanczos5": _lanczos(5)}


def pooling(axes: int, operator: str) -> Layer:
    """``MaxPooling1D``, ``AveragePooling1D`` and so on; what "same" puts around a map is no part of an average."""

    def layer(call: Call, x: Value) -> Value:
        size = wholes(call.config.get("pool_size", 2), axes)
        strides = wholes(call.config.get("strides") or list(size), axes)
        largest = operator == "max"
        ends: Sequence[tuple[int, int]] = [(0, 0)] * axes
        if call.config.get("padding", "valid") == "same":
            ends = same_ends(call, x, size, strides)
        if largest:
            return call(f"max_pool{axes}d", padded(call, x, ends, -float("inf")), size, strides)
        total = call(f"avg_pool{axes}d", padded(call, x, ends), size, strides)
        if not any(map(any, ends)):
            return total
        inside = np.pad(np.ones((1, 1, *call.shape(x)[2:]), np.float32), [(0, 0), (0, 0), *ends])
        share = call(f"avg_pool{axes}d", call.weight("inside", inside), size, strides)
        return call("div", total, share)

    return layer


def pooled(operator: str) -> Layer:
    """``GlobalAveragePooling1D``, ``GlobalMaxPooling1D`` and so on."""

    def layer(call: Call, x: Value) -> Value:
        axes = tuple(range(2, len(call.shape(x))))
        return call(operator, x, axes, call.config.get("keepdims", False) is True)

    return layer


def _each_of(names: Any, layer: Callable[..., Layer], *arguments: Any) -> dict[str, Layer]:
    return {names.format(axes): layer(axes, *arguments) for axes in (1, 2, 3)}


LAYERS: dict[str, Layer] = {
    "Reshape": reshape,
    "Flatten": flatten,
    "Permute": permute,
    "RepeatVector": repeat_vector,
    **_each_of("ZeroPadding{}D", zero_padding),
    **_each_of("Cropping{}D", cropping),
    **_each_of("UpSampling{}D", upsampling),
    **_each_of("MaxPooling{}D", pooling, "max"),
    **_each_of("AveragePooling{}D", pooling, "average"),
    **{f"GlobalAveragePooling{axes}D": pooled("mean") for axes in (1, 2, 3)},
    **{f"GlobalMaxPooling{axes}D": pooled("amax") for axes in (1, 2, 3)},
}
