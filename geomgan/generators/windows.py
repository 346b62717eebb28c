"""Which part of each map a part of the image needs, layer by layer: a decoder may compute no more than that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import jax

Ends = tuple[int, int]
Window = tuple[Ends, Ends]  # (top, bottom), (left, right)


@dataclass(frozen=True)
class Reach:
    """What one layer of a decoder does to maps.

    Attributes:
        halo: pixels around an output pixel that it sees, after the upsampling; None where it sees all.
        upsample: the factor before it.
    """

    halo: int | None = 0
    upsample: int = 1


def needed(layers: Sequence[Reach], window: Window, sides: tuple[int, int]) -> list[Window]:
    """The window of each layer's input, the output's last, for images of ``sides`` of which ``window`` is wanted."""
    windows = [window]
    for layer in reversed(layers):
        axes = []
        for (low, high), side in zip(windows[0], sides, strict=True):
            if layer.halo is None:
                low, high = 0, side
            else:
                low, high = max(0, low - layer.halo), min(side, high + layer.halo)
            axes.append((low // layer.upsample, -(-high // layer.upsample)))
        sides = (sides[0] // layer.upsample, sides[1] // layer.upsample)
        windows.insert(0, (axes[0], axes[1]))
    return windows


def cut(x: jax.Array, has: Window, wanted: Window) -> jax.Array:
    """Of a map that covers the window ``has`` what lies in ``wanted``."""
    places = [slice(low - start, high - start) for (start, _), (low, high) in zip(has, wanted, strict=True)]
    return x[tuple(places)]


def enlarged(window: Window, factor: int) -> Window:
    """The same window after upsampling."""
    (top, bottom), (left, right) = window
    return (factor * top, factor * bottom), (factor * left, factor * right)
