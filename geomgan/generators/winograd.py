"""Convolutions of many tangents at once, with fewer multiplications than their definition (Winograd's way).

A metric pushes hundreds of tangents through the same kernels, so that kernels may be prepared at a price. Along one
axis a tile of outputs is ``A ((K w) * (B x))``: combinations ``B`` of the inputs, times combinations ``K`` of the
kernel's taps, combined by ``A``; along two axes these nest, and each product is a matrix product over channels. All
entries are small, so that rounding grows by two or three bits at most.

Who takes it is decided in :mod:`geomgan.generators.prepared`.

Source: Winograd (1980), Arithmetic Complexity of Computations; Lavin and Gray (CVPR 2016), Fast Algorithms for
Convolutional Neural Networks. The form for upsampled inputs is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

Matrix = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Scheme:
    """One axis of an algorithm.

    Attributes:
        name: of the scheme.
        step: inputs from one tile to the next; a tile's window begins one input before it.
        inputs: ``B (combinations, window)``.
        takes: for every product, the row of ``inputs`` that it takes.
        taps: ``K (products, taps)``.
        outputs: ``A (outputs, products)``.
        width: channels (geometric mean of input and output) from which it is faster, as measured.
    """

    name: str
    step: int
    inputs: Matrix
    takes: tuple[int, ...]
    taps: Matrix
    outputs: Matrix
    width: int


PLAIN_3 = Scheme(  # 3 taps, zeros around: F(2, 3), 16 products for 36
    name="plain_3",
    step=2,
    inputs=((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1)),
    takes=(0, 1, 2, 3),
    taps=((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1)),
    outputs=((1, 1, 1, 0), (0, 1, -1, -1)),
    width=64,
)
UPSAMPLED_3 = Scheme(  # the same of an input that is repeated twice: 9 products for 36
    name="upsampled_3",
    step=1,  # y[2i] = x[i] (w0 + w1 + w2) - (x[i] - x[i-1]) w0; y[2i+1] likewise with x[i+1] - x[i] and w2
    inputs=((0, 1, 0), (-1, 1, 0), (0, -1, 1)),
    takes=(0, 1, 2),
    taps=((1, 1, 1), (-1, 0, 0), (0, 0, 1)),
    outputs=((1, 1, 0), (1, 0, 1)),
    width=64,
)
TRANSPOSED_4 = Scheme(  # 4 taps, stride 2, padding 1: F(2, 2) for each phase, 36 products for 64
    name="transposed_4",
    step=2,
    inputs=((1, -1, 0, 0), (0, 1, 0, 0), (0, -1, 1, 0), (0, 0, 1, 0), (0, 0, -1, 1)),
    takes=(0, 1, 2, 2, 3, 4),
    taps=((1, 0, 0, 0), (1, 0, 1, 0), (0, 0, 1, 0), (0, -1, 0, 0), (0, 1, 0, 1), (0, 0, 0, 1)),
    outputs=((1, 1, 0, 0, 0, 0), (0, 0, 0, 1, 1, 0), (0, 1, 1, 0, 0, 0), (0, 0, 0, 0, 1, 1)),
    width=88,
)

SCHEMES = {scheme.name: scheme for scheme in (PLAIN_3, UPSAMPLED_3, TRANSPOSED_4)}
Combinations = dict[tuple[int, ...], jax.Array]  # by a row of a matrix for every axis


def combined_taps(scheme: Scheme, kernel: jax.Array) -> Combinations:
    """Combinations ``K`` of the taps of ``kernel (..., in, out)``."""
    kernels: Combinations = {(): kernel}
    for _ in range(kernel.ndim - 2):
        kernels = {(*key, row): _combined(w, k) for key, k in kernels.items() for row, w in enumerate(scheme.taps)}
    return kernels


def winograd(scheme: Scheme, x: jax.Array, kernels: Combinations) -> jax.Array:
    """The convolution that ``scheme`` describes, of one sample ``x (..., in)``."""
    axes, step = x.ndim - 1, scheme.step
    tiles = [-(-side // step) for side in x.shape[:-1]]
    beyond = [step * (n - 1) + len(scheme.inputs[0]) - 1 - side for n, side in zip(tiles, x.shape[:-1], strict=True)]
    inputs: Combinations = {(): jnp.pad(x, [*((1, n) for n in beyond), (0, 0)])}
    for axis, n in enumerate(tiles):
        windows = partial(lax.slice_in_dim, stride=step, axis=axis)
        inputs = {
            (*key, row): _combined(weights, [windows(a, i, i + step * (n - 1) + 1) for i in range(len(weights))])
            for key, a in inputs.items()
            for row, weights in enumerate(scheme.inputs)
        }
    terms = {key: jnp.tensordot(inputs[tuple(scheme.takes[i] for i in key)], k, 1) for key, k in kernels.items()}
    for _ in tiles:  # the first axis of the keys becomes the last
        terms = {
            (*rest, row): _combined(weights, [terms[i, *rest] for i in range(len(weights))])
            for rest in {key[1:]: None for key in terms}
            for row, weights in enumerate(scheme.outputs)
        }
    y = _interleaved(terms, axes, len(scheme.outputs))
    return y[tuple(slice(side * len(scheme.outputs) // step) for side in x.shape[:-1])]


def pulled_taps(scheme: Scheme, kernel: jax.Array) -> Combinations:
    """What :func:`pulled_winograd` takes: combinations of the taps, from outputs to inputs."""
    if scheme is PLAIN_3:  # the same convolution, of the kernel turned round
        return combined_taps(scheme, jnp.flip(kernel, range(kernel.ndim - 2)).swapaxes(-1, -2))
    return {key: k.T for key, k in combined_taps(scheme, kernel).items()}


def pulled_winograd(scheme: Scheme, dy: jax.Array, kernels: Combinations) -> jax.Array:
    """The transpose of :func:`winograd`, of one cotangent ``(..., out)``: what a reverse pass computes."""
    if scheme is PLAIN_3:
        return winograd(scheme, dy, kernels)
    sides = [side * scheme.step // len(scheme.outputs) for side in dy.shape[:-1]]
    channels = next(iter(kernels.values())).shape[-1]
    x = jax.ShapeDtypeStruct((*sides, channels), dy.dtype)
    forth = {key: k.T for key, k in kernels.items()}
    return jax.linear_transpose(lambda x: winograd(scheme, x, forth), x)(dy)[0]


def _combined(weights: Sequence[float], arrays: Sequence[jax.Array] | jax.Array) -> jax.Array:
    """``Σ_i weights[i] arrays[i]`` without what is zero."""
    terms = [a if w == 1 else -a if w == -1 else w * a for w, a in zip(weights, arrays, strict=True) if w]
    return sum(terms[1:], start=terms[0])


def _interleaved(places: Combinations, axes: int, count: int) -> jax.Array:
    """The map whose tiles, of ``count`` a side, hold ``places[a, b]`` at place ``(a, b)``."""
    for axis in reversed(range(axes)):  # (H, W, C) -> (H, W, count, C) -> (H, count, W, count, C)
        places = {
            key: jnp.stack([places[*key, i] for i in range(count)], axis=axis + 1)
            for key in {key[:-1]: None for key in places}
        }
    y = places[()]
    return y.reshape(*(count * side for side in y.shape[: 2 * axes : 2]), -1)
