"""Maps of other sizes: nearest, linear and cubic, with and without antialiasing, along each of one to three axes.

Every output is a weighted sum of few inputs along each axis in turn: a table of places ``(outputs, taps)`` and one of
weights. Coordinates are in single precision and follow the scale that is given, not the ratio of sizes, as in torch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from geomgan.generators.aten.operators.arguments import Operators, bounded

Table = tuple[np.ndarray, np.ndarray]
"""Places and weights, both (outputs, taps)."""
FEW = 8  # taps: more are a product with a matrix


def _ratio(side, count, factor):
    """Inputs for one output."""
    return np.float32(1 / factor) if factor else np.float32(side) / np.float32(count)


def _scale(side, count, align_corners, factor):
    if align_corners:
        return np.float32(side - 1) / np.float32(count - 1) if count > 1 else np.float32(0)
    return _ratio(side, count, factor)


def _coordinates(side, count, align_corners, factor):
    at, scale = np.arange(count, dtype=np.float32), _scale(side, count, align_corners, factor)
    return at * scale if align_corners else (at + np.float32(0.5)) * scale - np.float32(0.5)


def nearest(side: int, count: int, factor: float | None, middle: float = 0) -> Table:
    """The input below ``(i + middle) ratio``."""
    at = np.floor((np.arange(count, dtype=np.float32) + np.float32(middle)) * _ratio(side, count, factor))
    return np.minimum(at.astype(int), side - 1)[:, None], np.ones((count, 1))


def nearest_exact(side: int, count: int, factor: float | None) -> Table:
    """The input whose middle is nearest to the output's."""
    return nearest(side, count, factor, 0.5)


def linear(side: int, count: int, align_corners: bool, factor: float | None) -> Table:
    """Between the two inputs beside the coordinate."""
    at = np.maximum(_coordinates(side, count, align_corners, factor), 0)
    low = np.minimum(np.floor(at).astype(int), side - 1)
    weight = at - low
    return np.stack([low, np.minimum(low + 1, side - 1)], 1), np.stack([1 - weight, weight], 1)


def cubic_weights(distance: Any, a: float) -> Any:
    """Keys' cubic kernel of parameter ``a``, of numbers of numpy or JAX."""
    d = abs(distance)
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((d - 5) * d + 8) * d * a - 4 * a
    return (d < 1) * near + ((d >= 1) & (d < 2)) * far


def cubic(side: int, count: int, align_corners: bool, factor: float | None) -> Table:
    """Keys' cubic of ``a = -0.75`` through four inputs; beyond the edge is the edge."""
    at = _coordinates(side, count, align_corners, factor)
    places = np.floor(at).astype(int)[:, None] + np.arange(-1, 3)
    return np.clip(places, 0, side - 1), cubic_weights(at[:, None] - places, -0.75)


def _antialiased(kernel: Callable[[np.ndarray], np.ndarray], width: int) -> Callable[..., Table]:
    """The kernel, which is ``width`` wide, over all inputs that it meets when it is as wide as an output is."""

    def table(side: int, count: int, align_corners: bool, factor: float | None) -> Table:
        scale = _scale(side, count, align_corners, factor)
        stretch = max(scale, np.float32(1))
        middle = scale * (np.arange(count, dtype=np.float32) + np.float32(0.5))
        support = stretch * width / 2
        first = np.maximum((middle - support + 0.5).astype(int), 0)
        end = np.minimum((middle + support + 0.5).astype(int), side)
        widest = int((end - first).max())
        bounded(count, widest)
        at = first[:, None] + np.arange(widest)
        weights = np.where(at < end[:, None], kernel((at - middle[:, None] + 0.5) / stretch), 0)
        return np.minimum(at, side - 1), weights / weights.sum(1, keepdims=True)

    return table


linear_antialiased = _antialiased(lambda d: np.maximum(1 - np.abs(d), 0), 2)
cubic_antialiased = _antialiased(lambda d: cubic_weights(d, -0.5), 4)


def resampled(x, tables):
    """``x`` with its last axes through these tables, one for each."""
    for axis, (places, weights) in enumerate(tables, x.ndim - len(tables)):
        x = (_by_taps if places.shape[1] <= FEW else _by_matrix)(x, axis, places, weights.astype(x.dtype))
    return x


def _by_taps(x, axis, places, weights):
    along = (-1, *(1,) * (x.ndim - axis - 1))
    return sum(jnp.take(x, at, axis) * w.reshape(along) for at, w in zip(places.T, weights.T, strict=True))


def _by_matrix(x, axis, places, weights):
    bounded(len(places), x.shape[axis])
    matrix = np.zeros((x.shape[axis], len(places)), weights.dtype)
    np.add.at(matrix, (places, np.arange(len(places))[:, None]), weights)
    return jnp.moveaxis(jnp.tensordot(x, matrix, (axis, 0)), -1, axis)


def _resized(x, table, output_size, scales, *settings):
    """Spatial axes through ``table``; the sizes follow the scales where none are given."""
    sides = x.shape[2:]
    scales = scales or (None,) * len(sides)
    sizes = output_size or [int(side * scale) for side, scale in zip(sides, scales, strict=True)]
    rows = zip(sides, sizes, scales, strict=True)
    return resampled(x, [table(side, count, *settings, scale) for side, count, scale in rows])


def _of_nearest(name, table):
    return {
        name: lambda x, output_size, *scales: _resized(x, table, output_size, scales),
        f"{name}.vec": lambda input, output_size, scale_factors: _resized(input, table, output_size, scale_factors),
    }


def _of_smooth(name, table):
    def sized(x, output_size, align_corners, *scales):
        return _resized(x, table, output_size, scales, align_corners)

    def vec(input, output_size, align_corners, scale_factors):
        return _resized(input, table, output_size, scale_factors, align_corners)

    return {name: sized, f"{name}.vec": vec}


OPERATORS: Operators = {
    **_of_nearest("upsample_nearest1d", nearest),
    **_of_nearest("upsample_nearest2d", nearest),
    **_of_nearest("upsample_nearest3d", nearest),
    **_of_nearest("_upsample_nearest_exact1d", nearest_exact),
    **_of_nearest("_upsample_nearest_exact2d", nearest_exact),
    **_of_nearest("_upsample_nearest_exact3d", nearest_exact),
    **_of_smooth("upsample_linear1d", linear),
    **_of_smooth("upsample_bilinear2d", linear),
    **_of_smooth("upsample_trilinear3d", linear),
    **_of_smooth("upsample_bicubic2d", cubic),
    **_of_smooth("_upsample_bilinear2d_aa", linear_antialiased),
    **_of_smooth("_upsample_bicubic2d_aa", cubic_antialiased),
}
