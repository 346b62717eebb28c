"""Convolutions of one sample, channels last: ``(..., C)`` with kernels ``(..., in, out)``, plain or prepared.

The way of each is chosen by shapes: as XLA has it, as a matrix product, or by phases of the output. Kernels may be
:class:`geomgan.generators.prepared.Prepared`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from geomgan.backend import backend
from geomgan.generators.phases import interleaved
from geomgan.generators.prepared import Kernel, unprepared, with_fast_tangents
from geomgan.generators.winograd import PLAIN_3, TRANSPOSED_4, UPSAMPLED_3

ABSENT = np.iinfo(np.int64).max  # a tap that a phase does not see


def convolve(x: jax.Array, kernel: Kernel, stride: int = 1, padding: int | Sequence[tuple[int, int]] = 0) -> jax.Array:
    """The cross-correlation of one sample ``(..., C)`` with ``kernel (..., in, out)`` over its one or two axes.

    ``padding`` is zeros on both ends, or (before, after) of every axis.
    """
    axes = x.ndim - 1
    ends = [(padding, padding)] * axes if isinstance(padding, int) else list(padding)
    weights = unprepared(kernel)
    busy, ends = _without_idle_taps(x.shape[:-1], weights, stride, ends)
    if busy.shape[:axes] == (1,) * axes and stride == 1 and ends == [(0, 0)] * axes:
        return x @ busy.reshape(busy.shape[axes:])  # on CPU up to five times faster than as a convolution
    wider = any(size > side for size, side in zip(busy.shape, x.shape[:-1], strict=False))
    way = _by_patches if wider and backend().patches else _convolve
    if busy.shape[:axes] == (3,) * axes and stride == 1 and ends == [(1, 1)] * axes:
        plain = partial(way, padding=ends)
        return with_fast_tangents(plain, PLAIN_3, x, kernel if busy is weights else busy)
    return way(x, busy, stride, ends)


def _without_idle_taps(
    sides: Sequence[int], kernel: jax.Array, stride: int, ends: list[tuple[int, int]]
) -> tuple[jax.Array, list[tuple[int, int]]]:
    """The kernel without taps that meet only padding, and the padding that gives the same output.

    Of a 3 x 3 kernel over a map of one pixel, for example, the centre is left.
    """
    ends = list(ends)
    for axis, (side, (before, after)) in enumerate(zip(sides, ends, strict=True)):
        size = kernel.shape[axis]
        count = (side + before + after - size) // stride + 1
        at = np.arange(count)[:, None] * stride + np.arange(size) - before
        busy = np.flatnonzero(((at >= 0) & (at < side)).any(axis=0))
        if 0 < len(busy) < size:
            first, width = int(busy[0]), int(busy[-1] - busy[0]) + 1
            kernel = lax.slice_in_dim(kernel, first, first + width, axis=axis)
            before -= first
            ends[axis] = (before, (count - 1) * stride + width - side - before)
    return kernel, ends


def _by_patches(x: jax.Array, kernel: jax.Array, stride: int = 1, padding: Sequence[tuple[int, int]] = ()) -> jax.Array:
    """The product of the patches under the kernel with it: of a kernel that is wider than the map."""
    axes = x.ndim - 1
    x = lax.pad(x, jnp.zeros((), x.dtype), [*((before, after, 0) for before, after in padding), (0, 0, 0)])
    counts = [(side - size) // stride + 1 for side, size in zip(x.shape, kernel.shape[:axes], strict=False)]
    patches = [
        lax.slice(
            x,
            (*at, 0),
            (*(i + stride * (n - 1) + 1 for i, n in zip(at, counts, strict=True)), x.shape[-1]),
            (stride,) * axes + (1,),
        )
        for at in np.ndindex(kernel.shape[:axes])
    ]
    flat = jnp.stack(patches, axis=-2).reshape(int(np.prod(counts)), -1)
    return (flat @ kernel.reshape(-1, kernel.shape[-1])).reshape(*counts, kernel.shape[-1])


def _convolve(
    x: jax.Array, kernel: jax.Array, stride: int = 1, padding: Sequence[tuple[int, int]] = (), dilation: int = 1
) -> jax.Array:
    """XLA's own, of an input with ``dilation - 1`` zeros between its pixels."""
    axes = x.ndim - 1
    spatial = "HW"[2 - axes :]
    return lax.conv_general_dilated(
        x[None],
        kernel,
        window_strides=(stride,) * axes,
        padding=padding,
        lhs_dilation=(dilation,) * axes,
        dimension_numbers=(f"N{spatial}C", f"{spatial}IO", f"N{spatial}C"),
    )[0]


def upsample_convolve(x: jax.Array, kernel: Kernel, factor: int) -> jax.Array:
    """``convolve(upsample(x, factor), kernel, padding=p)`` without the upsampled map, for kernels of ``2 p + 1`` taps.

    Output ``f i + a`` sees tap ``t`` at input ``i + ⌊(a + t - p) / f⌋``: several taps meet the same input. A 3 x 3
    kernel and ``f = 2`` take 16/36 of the multiplications. Exact up to rounding. Small maps (``upsampled`` of
    :mod:`geomgan.backend`) are upsampled all the same: there the sums of taps, made anew in each call, cost one sample
    more than they save.
    """
    weights = unprepared(kernel)
    size = weights.shape[0]
    if size == 1:
        return upsample(convolve(x, weights), factor)
    plain = partial(_upsample_convolve, factor=factor)
    return with_fast_tangents(plain, UPSAMPLED_3, x, kernel) if (size, factor) == (3, 2) else plain(x, weights)


def _upsample_convolve(x: jax.Array, kernel: jax.Array, factor: int) -> jax.Array:
    size = kernel.shape[0]
    if np.prod(x.shape[:-1]) < backend().upsampled:
        return _convolve(upsample(x, factor), kernel, padding=[(size // 2, size // 2)] * (x.ndim - 1))
    meets = (np.arange(factor)[:, None] + np.arange(size) - size // 2) // factor
    return _by_phases(x, kernel, meets, [factor * side for side in x.shape[:-1]])


def transposed_convolve(x: jax.Array, kernel: Kernel, stride: int, padding: int, output_padding: int = 0) -> jax.Array:
    """The convolution of ``x`` with ``stride - 1`` zeros between its pixels.

    Output ``s i + a`` sees tap ``t`` at input ``i + (a + t - b) / s`` where that is whole, with ``b`` the kernel's
    size - 1 - ``padding``. Up to some channels (``phases`` of :mod:`geomgan.backend`) the zeros are never made, which
    is up to three times faster on CPU; wider layers have small maps, and fast reverse passes only as they are.
    """
    weights = unprepared(kernel)
    axes = x.ndim - 1
    if x.shape[:-1] == (1,) * axes and padding == output_padding == 0:
        # a projection: matrix products, no dilated zeros; the map is flipped, not the kernel, which is larger
        return jnp.flip(jnp.tensordot(x.ravel(), weights, axes=(0, axes)), tuple(range(axes)))
    plain = partial(_transposed_convolve, stride=stride, padding=padding, output_padding=output_padding)
    if (weights.shape[0], stride, padding, output_padding) == (4, 2, 1, 0):
        return with_fast_tangents(plain, TRANSPOSED_4, x, kernel)
    return plain(x, weights)


def _transposed_convolve(x: jax.Array, kernel: jax.Array, stride: int, padding: int, output_padding: int) -> jax.Array:
    size, axes = kernel.shape[0], x.ndim - 1
    wider = backend().patches and any(size > side for side in x.shape[:-1])
    if size < stride or (x.shape[-1] > backend().phases and not wider):  # the first: phases without a tap are zeros
        border = size - 1 - padding
        return _convolve(x, kernel, padding=[(border, border + output_padding)] * axes, dilation=stride)
    at = np.arange(stride)[:, None] + np.arange(size) - (size - 1 - padding)
    meets = np.where(at % stride == 0, at // stride, ABSENT)
    return _by_phases(x, kernel, meets, [(n - 1) * stride - 2 * padding + size + output_padding for n in x.shape[:-1]])


def _by_phases(x: jax.Array, kernel: jax.Array, meets: np.ndarray, sides: Sequence[int]) -> jax.Array:
    """Output ``f i + a`` sees tap ``t`` at input ``i + meets[a, t]``, along every axis; output of ``sides``.

    Each phase ``a`` of the output is a small convolution of ``x``, with the sum of the taps that meet the same input.
    One convolution computes all phases as channels. Phase ``a`` begins at position ``before + first[a]`` of its result,
    which has the phases in such an order that output ``u`` is pixel ``u + shift`` of the interleaved map.
    """
    axes, factor = x.ndim - 1, len(meets)
    first = meets.min(axis=1)
    last = np.where(meets == ABSENT, first[:, None], meets).max(axis=1)
    width, before = int((last - first).max()) + 1, -int(first.min())
    shift = int((factor * (before + first) - np.arange(factor)).max())
    order = np.argsort(np.arange(factor) + shift - factor * (before + first))
    phases = kernel  # (taps, ..., in, out) -> (positions, ..., in, phases, ..., out), one axis after the other
    for n in range(axes):
        summed = [
            jnp.stack([_taps(phases, n, np.flatnonzero(meets[a] == first[a] + p)) for p in range(width)], axis=n)
            for a in order
        ]
        phases = jnp.stack(summed, axis=axes + 1 + n)
    wanted = [-(-(side + shift) // factor) for side in sides]  # positions that are looked at
    ends = [(before, n + width - 1 - before - size) for n, size in zip(wanted, x.shape[:-1], strict=True)]
    y = _convolve(x, phases.reshape(*phases.shape[: axes + 1], -1), padding=ends)
    y = interleaved(y.reshape(*y.shape[:axes], *(factor,) * axes, -1))
    return y[tuple(slice(shift, shift + side) for side in sides)]


def _taps(kernel: jax.Array, axis: int, taps: np.ndarray) -> jax.Array:
    """Sum of neighbouring taps along one axis."""
    if not len(taps):
        return jnp.zeros_like(jnp.take(kernel, 0, axis=axis))
    return lax.slice_in_dim(kernel, int(taps[0]), int(taps[-1]) + 1, axis=axis).sum(axis=axis)


def upsample(x: jax.Array, factor: int = 2) -> jax.Array:
    """Nearest-neighbour upsampling of one sample ``(T, C)`` or ``(H, W, C)``: every pixel repeated."""
    axes = x.ndim - 1
    shape = [n for side in x.shape[:-1] for n in (side, 1)] + [x.shape[-1]]
    repeated = [n for side in x.shape[:-1] for n in (side, factor)] + [x.shape[-1]]
    return jnp.broadcast_to(x.reshape(shape), repeated).reshape(*(factor * s for s in x.shape[:axes]), x.shape[-1])


def upsample_bilinear(x: jax.Array) -> jax.Array:
    """Bilinear upsampling of ``(H, W, C)`` to twice the side, pixels as areas (PyTorch's ``align_corners=False``).

    ``y[2i] = (x[i - 1] + 3 x[i]) / 4``, ``y[2i + 1] = (3 x[i] + x[i + 1]) / 4``; beyond the border is the border.
    """
    for axis in (0, 1):
        side = x.shape[axis]
        first, last = (lax.slice_in_dim(x, i, i + 1, axis=axis) for i in (0, side - 1))
        before = jnp.concatenate([first, lax.slice_in_dim(x, 0, side - 1, axis=axis)], axis=axis)
        after = jnp.concatenate([lax.slice_in_dim(x, 1, side, axis=axis), last], axis=axis)
        pairs = jnp.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], axis=axis + 1)
        x = pairs.reshape(*x.shape[:axis], 2 * side, *x.shape[axis + 1 :])
    return x
