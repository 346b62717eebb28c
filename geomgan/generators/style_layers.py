"""What the style-based generators share: mapping network, affine styles, modulated and upsampling convolutions.

Everything acts on one sample, channels last. Filters are separable and run one axis at a time. A signal that was
upsampled is kept as its *phases*, ``u[P i + r] = phases[r][i]``: the filter behind an upsampling convolution reads
them at the low resolution, no zeros are inserted, and every multiplication is one that counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from geomgan.generators.layers import Dense, leaky_relu, pixel_norm, tap
from geomgan.generators.phases import interleave
from geomgan.generators.prepared import Kernel, itself

Taps = tuple[float, ...]
Filter = tuple[Taps, tuple[int, int]]  # taps and the zeros before and after the signal
Phases = Sequence[jax.Array | None]  # None: a phase of zeros


class Mapping(nn.Module):
    """``z -> w``: ``z`` to unit mean square, then dense layers with leaky ReLU (Karras et al., 2019).

    Learning-rate multipliers and gains are folded into kernels and biases. Activations: ``layer{i}.preactivation``,
    ``layer{i}``.
    """

    features: tuple[int, ...]

    @nn.compact
    def __call__(self, z):
        x = pixel_norm(z)
        for i, features in enumerate(self.features, start=1):
            x = tap(self, f"layer{i}.preactivation", Dense(features, name=f"layer{i}")(x))
            x = tap(self, f"layer{i}", leaky_relu(x))
        return x


class Style(NamedTuple):
    """One style vector of a network: the layer that takes it, the row of ``w+`` it comes from, and its length."""

    name: str
    row: int
    size: int


class Styles(nn.Module):
    """``w+ (L, w) -> s (S,)``: one affine map per layer that takes a style, concatenated in network order."""

    styles: tuple[Style, ...]

    @property
    def depth(self) -> int:
        """``L``, the number of rows of ``w+``."""
        return 1 + max(style.row for style in self.styles)

    @nn.compact
    def __call__(self, w_plus):
        return jnp.concatenate([Dense(style.size, name=style.name)(w_plus[style.row]) for style in self.styles])


def split_styles(s: jax.Array, styles: Sequence[Style]) -> dict[str, jax.Array]:
    """The style vectors of ``s (S,)`` by the name of their layer."""
    parts, start = {}, 0
    for style in styles:
        parts[style.name] = s[start : start + style.size]
        start += style.size
    return parts


def demodulation(style: jax.Array, kernel: Kernel, epsilon: float = 1e-8) -> jax.Array:
    """``1 / √(Σ_{i,k} (s_i W_{kio})² + ε)`` per output channel: what brings modulated weights back to unit norm.

    A convolution with the weights ``s_i W d_o`` equals scaling its inputs by ``s`` and its outputs by ``d``: the
    kernel is then shared by all codes and tangents, and ``vmap`` keeps one dense convolution (Karras et al., 2020).
    """
    weights = itself(kernel)
    squares = jnp.sum(weights**2, axis=tuple(range(weights.ndim - 2)))
    return lax.rsqrt(style**2 @ squares + epsilon)


def transposed_phases(x: jax.Array, kernel: jax.Array) -> list[list[jax.Array]]:
    """The phases of a transposed convolution of ``x (H, W, in)`` with stride 2, without padding.

    Kernel ``(3, 3, in, out)``, flipped as :class:`geomgan.generators.layers.ConvTranspose` stores it. Phase ``[r][s]``
    holds ``u[2i + r, 2j + s]`` of the output ``u (2H + 1, 2W + 1, out)``. Nine products per pixel and pair of
    channels, where the convolution over the dilated input computes thirty-six.
    """

    def phase(row: int, column: int) -> jax.Array:
        border = [(1 - row, 1 - row), (1 - column, 1 - column)]
        part = kernel[row::2, column::2]
        return lax.conv_general_dilated(x[None], part, (1, 1), border, dimension_numbers=("NHWC", "HWIO", "NHWC"))[0]

    return [[phase(row, column) for column in (0, 1)] for row in (0, 1)]


def filter_phases(phases: Phases, taps: Taps, axis: int, padding: tuple[int, int]) -> list[jax.Array]:
    """The phases of ``y[j] = Σ_k taps[k] u[j + k - before]``, with ``u`` zero outside, along ``axis``.

    Args:
        phases: of ``u``; None is a phase of zeros.
        taps: of the filter.
        axis: to filter along.
        padding: zeros ``(before, after)``; ``y`` has ``len(u) + before + after - len(taps) + 1`` entries.
    """
    period, (before, after) = len(phases), padding
    sizes = [phase.shape[axis] for phase in phases if phase is not None]
    length = (sum(sizes) if len(sizes) == period else period * sizes[0]) + before + after - len(taps) + 1
    counts = [-(-(length - r) // period) for r in range(period)]
    shifts = [[divmod(r + k - before, period) for k in range(len(taps))] for r in range(period)]  # (start, source)

    def padded(source: int, phase: jax.Array) -> tuple[jax.Array, int]:
        """The phase with the zeros that its windows reach, and how many are before it."""
        windows = [(a, a + count) for row, count in zip(shifts, counts, strict=True) for a, q in row if q == source]
        low = max(0, -min(a for a, _ in windows))
        high = max(0, max(b for _, b in windows) - phase.shape[axis])
        return jnp.pad(phase, [(low, high) if i == axis else (0, 0) for i in range(phase.ndim)]), low

    inputs = {q: padded(q, phase) for q, phase in enumerate(phases) if phase is not None}

    def window(start: int, source: int, count: int) -> jax.Array:
        phase, low = inputs[source]
        return lax.slice_in_dim(phase, low + start, low + start + count, axis=axis)

    def output(row: list[tuple[int, int]], count: int) -> jax.Array:
        terms = [w * window(*shift, count) for w, shift in zip(taps, row, strict=True) if shift[1] in inputs]
        return sum(terms[1:], start=terms[0])

    return [output(row, count) for row, count in zip(shifts, counts, strict=True)]


def upfirdn(x: jax.Array, taps: Taps, up: int = 1, padding: tuple[int, int] = (0, 0)) -> jax.Array:
    """``up - 1`` zeros behind every pixel of ``x (H, W, C)``, zeros around it, then a separable filter (Karras, 2020).

    The zeros are never made; see :func:`filter_phases`.
    """
    spread = lambda phase, axis: filter_phases([phase, *[None] * (up - 1)], taps, axis, padding)
    return interleave([spread(row, 1) for row in spread(x, 0)])


def upsampling_convolution(x: jax.Array, kernel: jax.Array, filters: Sequence[Filter]) -> jax.Array:
    """A transposed convolution with stride 2, then separable filters: ``(H, W, in) -> (2H, 2W, out)``.

    Args:
        x: ``(H, W, in)``.
        kernel: ``(3, 3, in, out)``, flipped; see :func:`transposed_phases`.
        filters: one after another on the result of ``2H + 1`` pixels a side, which they shorten by one.
    """

    def filtered(phases: Sequence[jax.Array], axis: int) -> Sequence[jax.Array]:
        for taps, padding in filters:
            phases = filter_phases(phases, taps, axis, padding)
        return phases

    (ee, eo), (oe, oo) = transposed_phases(x, kernel)
    return interleave([filtered(row, 1) for row in zip(filtered((ee, oe), 0), filtered((eo, oo), 0), strict=True)])
