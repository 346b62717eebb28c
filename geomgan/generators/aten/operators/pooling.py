"""Maxima and means over windows of the last one, two or three axes of ``(..., H, W)``.

Along every axis the windows are a table of places ``(windows, size)``; those outside the map do not count.
"""

from __future__ import annotations

import math
from functools import reduce

import jax.numpy as jnp
import numpy as np

from geomgan.generators.aten.operators.arguments import Operators, bounded, each


def _max_pool_with_indices(axes):
    def pooled(x, kernel_size, stride=(), padding=0, dilation=1, ceil_mode=False):
        return _largest(x, _places(x.shape[-axes:], kernel_size, stride, padding, dilation, ceil_mode))

    return pooled


def _max_pool(axes):
    def pooled(x, kernel_size, stride=(), padding=0, dilation=1, ceil_mode=False):
        return _max_pool_with_indices(axes)(x, kernel_size, stride, padding, dilation, ceil_mode)[0]

    return pooled


def _avg_pool(axes):
    def pooled(x, kernel_size, stride=(), padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None):
        tables = _places(x.shape[-axes:], kernel_size, stride, padding, 1, ceil_mode)
        margins = each(padding if count_include_pad else 0, axes)
        return _sums(x, tables) / (divisor_override or _counts(tables, x.shape[-axes:], margins).astype(x.dtype))

    return pooled


def _avg_pool1d(x, kernel_size, stride=(), padding=0, ceil_mode=False, count_include_pad=True):
    return _avg_pool(1)(x, kernel_size, stride, padding, ceil_mode, count_include_pad)


def _adaptive_avg_pool(axes):
    def pooled(x, output_size):
        tables = _adaptive_places(x.shape[-axes:], output_size)
        return _sums(x, tables) / _counts(tables, x.shape[-axes:], (0,) * axes).astype(x.dtype)

    return pooled


def _adaptive_max_pool(axes):
    return lambda x, output_size: _largest(x, _adaptive_places(x.shape[-axes:], output_size))


def _places(sides, kernel_size, stride, padding, dilation, ceil_mode):
    """Windows within the padded map; with ``ceil_mode`` also a last one that reaches over its end."""
    axes = len(sides)
    sizes, dilations = each(kernel_size, axes), each(dilation, axes)
    steps = each(stride, axes) if stride else sizes
    tables = []
    for side, size, step, pad, d in zip(sides, sizes, steps, each(padding, axes), dilations, strict=True):
        room = side + 2 * pad - d * (size - 1) - 1
        count = (-(-room // step) if ceil_mode else room // step) + 1
        if ceil_mode and (count - 1) * step >= side + pad:  # it would begin behind the map
            count -= 1
        bounded(count, size)
        tables.append(np.arange(count)[:, None] * step + np.arange(size) * d - pad)
    return tables


def _adaptive_places(sides, output_size):
    """``n`` windows from ``⌊i side / n⌋`` to ``⌈(i + 1) side / n⌉``, as wide as the widest; None is one for a pixel."""
    tables = []
    for side, count in zip(sides, each(output_size, len(sides)), strict=True):
        n = side if count is None else count
        i = np.arange(n)[:, None]
        first, end = i * side // n, -(-(i + 1) * side // n)
        widest = int((end - first).max())
        bounded(n, widest)
        at = first + np.arange(widest)
        tables.append(np.where(at < end, at, -1))
    return tables


def _counts(tables, sides, margins):
    """How many places of every window lie within the map and ``margins`` of padding around it."""
    inside = [((at >= -m) & (at < side + m)).sum(1) for at, side, m in zip(tables, sides, margins, strict=True)]
    return reduce(np.multiply.outer, inside)


def _windows(x, tables):
    """The windows ``(..., *windows, places)``, which places are inside, and where in the flattened map they are."""
    axes = len(tables)
    sides = x.shape[-axes:]
    bounded(*(at.size for at in tables))
    spread = [
        np.expand_dims(at, [*range(n), *range(n + 1, axes + n), *range(axes + n + 1, 2 * axes)])
        for n, at in enumerate(tables)
    ]
    clipped = [np.clip(at, 0, side - 1) for at, side in zip(spread, sides, strict=True)]
    flat = np.ravel_multi_index(np.broadcast_arrays(*clipped), sides)
    inside = np.broadcast_to(reduce(np.logical_and, [a == b for a, b in zip(spread, clipped, strict=True)]), flat.shape)
    flat, inside = (table.reshape(*flat.shape[:axes], -1) for table in (flat, inside))
    return x.reshape(*x.shape[:-axes], -1)[..., flat], inside, flat


def _sums(x, tables):
    windows, inside, _ = _windows(x, tables)
    return jnp.where(inside, windows, 0).sum(-1)


def _largest(x, tables):
    """The largest of every window, and where in the flattened map it stands."""
    windows, inside, flat = _windows(x, tables)
    best = jnp.argmax(jnp.where(inside, windows, -jnp.inf), -1)[..., None]
    places = jnp.take_along_axis(jnp.broadcast_to(flat, windows.shape), best, -1)[..., 0]
    lead = x.shape[: -len(tables)]
    values = jnp.take_along_axis(x.reshape(*lead, -1), places.reshape(*lead, -1), -1)  # tangents: of these alone
    return values.reshape(places.shape), places


def _max_unpool(axes):
    """Zeros with the entries at these places of the flattened map."""

    def spread(x, indices, output_size, stride=(), padding=()):
        flat = jnp.zeros((*x.shape[:-axes], math.prod(output_size)), x.dtype)
        entries, places = (part.reshape(*x.shape[:-axes], -1) for part in (x, indices))
        spread = jnp.put_along_axis(flat, places, entries, -1, inplace=False)
        return spread.reshape(*x.shape[:-axes], *output_size)

    return spread


OPERATORS: Operators = {
    "max_pool1d": _max_pool(1),
    "max_pool2d": _max_pool(2),
    "max_pool3d": _max_pool(3),
    "max_pool1d_with_indices": _max_pool_with_indices(1),
    "max_pool2d_with_indices": _max_pool_with_indices(2),
    "max_pool3d_with_indices": _max_pool_with_indices(3),
    "max_unpool2d": _max_unpool(2),
    "max_unpool3d": _max_unpool(3),
    "avg_pool1d": _avg_pool1d,
    "avg_pool2d": _avg_pool(2),
    "avg_pool3d": _avg_pool(3),
    "adaptive_avg_pool1d": _adaptive_avg_pool(1),
    "adaptive_avg_pool2d": _adaptive_avg_pool(2),
    "adaptive_avg_pool3d": _adaptive_avg_pool(3),
    "_adaptive_avg_pool2d": _adaptive_avg_pool(2),
    "_adaptive_avg_pool3d": _adaptive_avg_pool(3),
    "adaptive_max_pool1d": _adaptive_max_pool(1),
    "adaptive_max_pool2d": _adaptive_max_pool(2),
    "adaptive_max_pool3d": _adaptive_max_pool(3),
}
