"""Our own layers as operators of a lowered program: kernels in our layout, values channels last.

A program has them in place of ATen's where :mod:`geomgan.generators.aten.lowering` finds that they compute the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from geomgan.generators import convolutions
from geomgan.generators.aten.layout import ChannelsLast, channels_first, channels_last
from geomgan.generators.prepared import unprepared

MOST_TAPS, MOST_STEPS = 1024, 64  # layers are written out tap by tap, and output phase by output phase


def written_out(sizes: Sequence[int], step: int) -> bool:
    """Whether a kernel of these sizes, with this stride or factor, is small enough for our layers."""
    return math.prod(sizes) <= MOST_TAPS and step <= MOST_STEPS


def convolve(x, kernel, bias, stride: int, padding: Sequence[Sequence[int]]):
    """``conv1d`` and ``conv2d`` of one group; ``padding`` is (before, after) of every axis."""
    _check(kernel, stride)
    return _last(convolutions.convolve(channels_last(x)[0], kernel, stride, [(a, b) for a, b in padding]), bias)


def upsample_convolve(x, kernel, bias, factor: int):
    """Nearest upsampling and a convolution that keeps the side; an odd, square kernel."""
    _check(kernel, factor)
    return _last(convolutions.upsample_convolve(channels_last(x)[0], kernel, factor), bias)


def transposed_convolve(x, kernel, bias, stride: int, padding: int, output_padding: int):
    """``conv_transpose1d`` and ``conv_transpose2d`` of one group and a square kernel, flipped."""
    _check(kernel, stride)
    return _last(convolutions.transposed_convolve(channels_last(x)[0], kernel, stride, padding, output_padding), bias)


def dense(x, kernel, bias):
    """``linear`` with ``kernel (in, out)``."""
    y = channels_first(x) @ unprepared(kernel)
    return y if bias is None else y + bias


def affine(x, scale, shift):
    """``scale x + shift`` for every channel: a batch norm that is no part of the layer before it."""
    return ChannelsLast(channels_last(x) * scale + shift)


def _check(kernel, step):
    sizes = unprepared(kernel).shape[:-2]
    if not written_out(sizes, step):
        raise ValueError(
            f"a kernel of {sizes} with steps of {step}, expected {MOST_TAPS} taps and {MOST_STEPS} at most"
        )


def _last(y, bias):
    return ChannelsLast((y if bias is None else y + bias)[None])


LAYERS: dict[str, Callable[..., Any]] = {
    f"geomgan.{layer.__name__}": layer for layer in (convolve, upsample_convolve, transposed_convolve, dense, affine)
}
