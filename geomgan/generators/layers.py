"""Layers that several architectures share. They act on one sample, channels last: ``(H, W, C)``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from geomgan.generators.winograd import PLAIN_3, TRANSPOSED_4, UPSAMPLED_3, with_fast_tangents

ACTIVATIONS = "activations"  # the collection that `tap` fills
QUERIES = 128  # attention takes so many pixels at a time: their weights, for many tangents, stay in the cache


def tap(module: nn.Module, name: str, x: jax.Array) -> jax.Array:
    """Name an activation so that ``Generator.at(name)`` can reach it; returns ``x`` unchanged.

    Works for any value of a network's forward pass, also after a non-linearity. Names are unique in a network.
    """
    if module.is_mutable_collection(ACTIVATIONS):
        module.put_variable(ACTIVATIONS, name, x)  # not `sow`: a block and its activation may share a name
    return x


class Dense(nn.Module):
    """``x @ kernel + bias`` on a vector ``(n,)``; kernel ``(n, features)``."""

    features: int

    @nn.compact
    def __call__(self, x):
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (x.shape[-1], self.features))
        return x @ kernel + self.param("bias", nn.initializers.zeros, (self.features,))


class Conv(nn.Module):
    """PyTorch's ``Conv1d`` or ``Conv2d`` on one sample ``(T, C)`` or ``(H, W, C)``, with symmetric zero padding.

    Kernel ``(w, in, out)`` or ``(h, w, in, out)``. With ``upsample`` the input is first repeated so many times along
    every axis (nearest-neighbour upsampling).
    """

    features: int
    kernel: int
    stride: int = 1
    padding: int = 0
    bias: bool = True
    upsample: int = 1

    @nn.compact
    def __call__(self, x):
        axes = x.ndim - 1
        shape = (self.kernel,) * axes + (x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.normal(0.02), shape)
        if self.upsample == 1:
            x = convolve(x, kernel, self.stride, self.padding)
        elif self.stride == 1 and 2 * self.padding == self.kernel - 1:
            x = upsample_convolve(x, kernel, self.upsample)
        else:
            x = convolve(upsample(x, self.upsample), kernel, self.stride, self.padding)
        return x + self.param("bias", nn.initializers.zeros, (self.features,)) if self.bias else x


class ConvTranspose(nn.Module):
    """PyTorch's ``ConvTranspose1d`` or ``ConvTranspose2d`` on one sample ``(T, C)`` or ``(H, W, C)``.

    The output side is ``(H - 1) * stride - 2 * padding + kernel + output_padding``. The kernel ``(h, w, in, out)`` is
    stored as the equivalent convolution over the dilated input wants it: spatially flipped with respect to PyTorch's.
    """

    features: int
    kernel: int
    stride: int = 1
    padding: int = 0
    output_padding: int = 0
    bias: bool = True

    @nn.compact
    def __call__(self, x):
        axes = x.ndim - 1
        shape = (self.kernel,) * axes + (x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.normal(0.02), shape)
        if x.shape[:-1] == (1,) * axes and self.padding == self.output_padding == 0:
            # a projection: matrix products, no dilated zeros; the map is flipped, not the kernel, which is larger
            x = jnp.flip(jnp.tensordot(x.ravel(), kernel, axes=(0, axes)), tuple(range(axes)))
        else:
            x = transposed_convolve(x, kernel, self.stride, self.padding, self.output_padding)
        return x + self.param("bias", nn.initializers.zeros, (self.features,)) if self.bias else x


def convolve(
    x: jax.Array, kernel: jax.Array, stride: int = 1, padding: int | Sequence[tuple[int, int]] = 0
) -> jax.Array:
    """The cross-correlation of one sample ``(..., C)`` with ``kernel (..., in, out)`` over its one or two axes.

    ``padding`` is zeros on both ends, or (before, after) of every axis.
    """
    axes = x.ndim - 1
    ends = [(padding, padding)] * axes if isinstance(padding, int) else list(padding)
    kernel, ends = _without_idle_taps(x.shape[:-1], kernel, stride, ends)
    if kernel.shape[:axes] == (1,) * axes and stride == 1 and ends == [(0, 0)] * axes:
        return x @ kernel.reshape(kernel.shape[axes:])  # on CPU up to five times faster than as a convolution
    if kernel.shape[:axes] == (3,) * axes and stride == 1 and ends == [(1, 1)] * axes:
        return with_fast_tangents(partial(_convolve, padding=ends), PLAIN_3, x, kernel)
    return _convolve(x, kernel, stride, ends)


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


def upsample_convolve(x: jax.Array, kernel: jax.Array, factor: int) -> jax.Array:
    """``convolve(upsample(x, factor), kernel, padding=p)`` without the upsampled map, for kernels of ``2 p + 1`` taps.

    Output ``f i + a`` sees tap ``t`` at input ``i + ⌊(a + t - p) / f⌋``: several taps meet the same input. A 3 x 3
    kernel and ``f = 2`` take 16/36 of the multiplications. Exact up to rounding. Maps below :data:`SMALL` pixels are
    upsampled all the same: there the sums of taps, made anew in each call, cost one sample more than they save.
    """
    size = kernel.shape[0]
    if size == 1:
        return upsample(convolve(x, kernel), factor)
    plain = partial(_upsample_convolve, factor=factor)
    return with_fast_tangents(plain, UPSAMPLED_3, x, kernel) if (size, factor) == (3, 2) else plain(x, kernel)


def _upsample_convolve(x: jax.Array, kernel: jax.Array, factor: int) -> jax.Array:
    size = kernel.shape[0]
    if np.prod(x.shape[:-1]) < SMALL:
        return _convolve(upsample(x, factor), kernel, padding=[(size // 2, size // 2)] * (x.ndim - 1))
    meets = (np.arange(factor)[:, None] + np.arange(size) - size // 2) // factor
    return _by_phases(x, kernel, meets, [factor * side for side in x.shape[:-1]])


def transposed_convolve(
    x: jax.Array, kernel: jax.Array, stride: int, padding: int, output_padding: int = 0
) -> jax.Array:
    """The convolution of ``x`` with ``stride - 1`` zeros between its pixels.

    Output ``s i + a`` sees tap ``t`` at input ``i + (a + t - b) / s`` where that is whole, with ``b`` the kernel's
    size - 1 - ``padding``. Up to :data:`NARROW` channels the zeros are never made, which is up to three times faster
    on CPU; wider layers have small maps, and fast reverse passes only as they are.
    """
    plain = partial(_transposed_convolve, stride=stride, padding=padding, output_padding=output_padding)
    if (kernel.shape[0], stride, padding, output_padding) == (4, 2, 1, 0):
        return with_fast_tangents(plain, TRANSPOSED_4, x, kernel)
    return plain(x, kernel)


def _transposed_convolve(x: jax.Array, kernel: jax.Array, stride: int, padding: int, output_padding: int) -> jax.Array:
    size, axes = kernel.shape[0], x.ndim - 1
    if x.shape[-1] > NARROW:
        border = size - 1 - padding
        return _convolve(x, kernel, padding=[(border, border + output_padding)] * axes, dilation=stride)
    at = np.arange(stride)[:, None] + np.arange(size) - (size - 1 - padding)
    meets = np.where(at % stride == 0, at // stride, ABSENT)
    return _by_phases(x, kernel, meets, [(n - 1) * stride - 2 * padding + size + output_padding for n in x.shape[:-1]])


NARROW = 256  # channels
SMALL = 256  # pixels
ABSENT = np.iinfo(np.int64).max  # a tap that a phase does not see


def _by_phases(x: jax.Array, kernel: jax.Array, meets: np.ndarray, sides: Sequence[int]) -> jax.Array:
    """Output ``f i + a`` sees tap ``t`` at input ``i + meets[a, t]``, along every axis; output of ``sides``.

    Each phase ``a`` of the output is a small convolution of ``x``, with the sum of the taps that meet the same input.
    One convolution computes all phases as channels, which are then interleaved.
    """
    axes, factor = x.ndim - 1, len(meets)
    first = meets.min(axis=1)
    last = np.where(meets == ABSENT, first[:, None], meets).max(axis=1)
    width = int((last - first).max()) + 1
    phases = kernel  # (taps, ..., in, out) -> (positions, ..., in, phases, ..., out), one axis after the other
    for n in range(axes):
        summed = [
            jnp.stack([_taps(phases, n, np.flatnonzero(meets[a] == first[a] + p)) for p in range(width)], axis=n)
            for a in range(factor)
        ]
        phases = jnp.stack(summed, axis=axes + 1 + n)
    wanted = [-(-side // factor) for side in sides]  # positions of a phase
    before = -int(first.min())
    ends = [(before, int(first.max()) + width - 1 + n - size) for n, size in zip(wanted, x.shape[:-1], strict=True)]
    y = _convolve(x, phases.reshape(*phases.shape[: axes + 1], -1), padding=ends)
    y = y.reshape(*y.shape[:axes], *(factor,) * axes, -1)
    for n, count in enumerate(wanted):  # phases of an axis beside it: (H', W', f, f, C) -> (H, f, W', f, C) -> ...
        of_phase = [jnp.take(y, a, axis=n + axes) for a in range(factor)]
        starts = [before + int(start) for start in first]
        shifted = [
            lax.slice_in_dim(part, start, start + count, axis=2 * n)
            for part, start in zip(of_phase, starts, strict=True)
        ]
        y = jnp.stack(shifted, axis=2 * n + 1)
    y = y.reshape(*(factor * count for count in wanted), -1)
    return y[tuple(slice(side) for side in sides)]


def _taps(kernel: jax.Array, axis: int, taps: np.ndarray) -> jax.Array:
    """Sum of neighbouring taps along one axis."""
    if not len(taps):
        return jnp.zeros_like(jnp.take(kernel, 0, axis=axis))
    return lax.slice_in_dim(kernel, int(taps[0]), int(taps[-1]) + 1, axis=axis).sum(axis=axis)


def leaky_relu(x: jax.Array, slope: float = 0.2) -> jax.Array:
    """``x`` where positive, ``slope x`` elsewhere."""
    return jnp.where(x >= 0, x, slope * x)


def pixel_norm(x: jax.Array, epsilon: float = 1e-8) -> jax.Array:
    """``x / √(mean_c x² + ε)``: every pixel's features to unit mean square (Karras et al., 2018)."""
    return x * lax.rsqrt(jnp.mean(x**2, axis=-1, keepdims=True) + epsilon)


def upsample(x: jax.Array, factor: int = 2) -> jax.Array:
    """Nearest-neighbour upsampling of one sample ``(T, C)`` or ``(H, W, C)``: every pixel repeated."""
    axes = x.ndim - 1
    shape = [n for side in x.shape[:-1] for n in (side, 1)] + [x.shape[-1]]
    repeated = [n for side in x.shape[:-1] for n in (side, factor)] + [x.shape[-1]]
    return jnp.broadcast_to(x.reshape(shape), repeated).reshape(*(factor * s for s in x.shape[:axes]), x.shape[-1])


def resize_align_corners(x: jax.Array, side: int) -> jax.Array:
    """Bilinear resizing of ``(H, W, C)`` to ``side`` pixels a side, corners on corners (not ``jax.image.resize``)."""

    def matrix(size: int) -> np.ndarray:
        at = np.arange(side) * ((size - 1) / max(side - 1, 1))
        low = np.minimum(at.astype(int), max(size - 2, 0))
        weights = np.zeros((side, size), np.float32)
        weights[np.arange(side), low] = 1 - (at - low)
        weights[np.arange(side), np.minimum(low + 1, size - 1)] += at - low
        return weights

    if x.shape[:2] == (side, side):
        return x
    return jnp.einsum("ih,jw,hwc->ijc", matrix(x.shape[0]), matrix(x.shape[1]), x)


class ConditionalBatchNorm(nn.Module):
    """``(x - mean) / std · (1 + c·gain) + c·shift``: batch norm whose affine map depends on a condition ``c``.

    ``mean (C,)`` and ``inverse_std (C,)`` are the trained statistics, ``gain`` and ``shift`` ``(len(c), C)`` matrices.
    """

    @nn.compact
    def __call__(self, x, condition):
        features = x.shape[-1]
        mean = self.param("mean", nn.initializers.zeros, (features,))
        inverse_std = self.param("inverse_std", nn.initializers.ones, (features,))
        gain = self.param("gain", nn.initializers.zeros, (condition.size, features))
        shift = self.param("shift", nn.initializers.zeros, (condition.size, features))
        scale = (1 + condition @ gain) * inverse_std  # one multiplication and one addition per pixel
        return x * scale + (condition @ shift - mean * scale)


class SelfAttention(nn.Module):
    """``x + o(softmax(θ φᵀ) g)`` over the pixels of ``(H, W, C)``, with ``φ`` and ``g`` max-pooled (BigGAN).

    The layers are 1 x 1 convolutions without bias; the trained ``γ`` is folded into ``o``. Plain XLA operations, so
    that forward mode works.
    """

    @nn.compact
    def __call__(self, x):
        height, width, features = x.shape

        def project(name, size, value):
            return value @ self.param(name, nn.initializers.lecun_normal(), (value.shape[-1], size))

        def pooled(value):
            blocks = value.reshape(height // 2, 2, width // 2, 2, -1)
            return blocks.max(axis=(1, 3)).reshape(height * width // 4, -1)

        theta = project("theta", features // 8, x).reshape(height * width, -1)
        phi, g = pooled(project("phi", features // 8, x)), pooled(project("g", features // 2, x))
        attended = lax.map(lambda rows: jax.nn.softmax(rows @ phi.T, axis=-1) @ g, _in_blocks(theta, QUERIES))
        return x + project("o", features, attended.reshape(height * width, -1)).reshape(x.shape)


def _in_blocks(rows: jax.Array, most: int) -> jax.Array:
    """``(n, d) -> (n / b, b, d)`` with the largest ``b`` up to ``most`` that divides ``n``."""
    size = max(b for b in range(1, min(most, len(rows)) + 1) if len(rows) % b == 0)
    return rows.reshape(-1, size, rows.shape[1])
