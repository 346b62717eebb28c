"""Filters and upsampling convolutions against their definitions: zeros inserted, then convolved."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from geomgan.generators.layers import convolve
from geomgan.generators.style_layers import (
    Style,
    Styles,
    demodulation,
    filter_phases,
    split_styles,
    transposed_phases,
    upfirdn,
    upsampling_convolution,
)
from tests.fixtures import assert_close


def filtered(u: np.ndarray, taps: tuple[float, ...], padding: tuple[int, int]) -> np.ndarray:
    """``y[j] = Σ_k taps[k] u[j + k - before]`` along the first axis, one sum at a time."""
    before, after = padding
    u = np.pad(u, [(before, after)] + [(0, 0)] * (u.ndim - 1))
    return np.stack(
        [sum(tap * u[j + k] for k, tap in enumerate(taps)) for j in range(len(u) - len(taps) + 1)],
    )


def spread(u: np.ndarray, up: int) -> np.ndarray:
    """``up - 1`` zeros behind every entry of the first axis."""
    wide = np.zeros((up * len(u), *u.shape[1:]))
    wide[::up] = u
    return wide


def both_axes(function, x: np.ndarray) -> np.ndarray:
    rows = function(x)
    return np.swapaxes(function(np.swapaxes(rows, 0, 1)), 0, 1)


@pytest.mark.parametrize(
    ("up", "taps", "padding"),
    [
        (1, (1.0, 2.0, -3.0), (1, 1)),
        (2, (0.25, 0.75, 0.7, 0.3), (2, 1)),
        (2, (1.0, 2.0), (0, 1)),
        (3, (1.0, 2.0, 3.0, 4.0, 5.0, 6.0), (3, 2)),
        (4, tuple(np.linspace(-1, 2, 12)), (7, 4)),
    ],
)
def test_upfirdn_inserts_zeros_and_filters(rng, up, taps, padding):
    x = rng.standard_normal((5, 6, 2))
    theirs = both_axes(lambda u: filtered(spread(u, up), taps, padding), x)
    assert_close(upfirdn(x.astype(np.float32), taps, up, padding), theirs, 1e-6)


@pytest.mark.parametrize("padding", [(0, 0), (1, 1), (2, 0)])
@pytest.mark.parametrize("length", [8, 9])
def test_phases_of_a_filtered_signal(rng, length, padding):
    u, taps = rng.standard_normal(length).astype(np.float32), (0.5, -1.0, 2.0)
    theirs = filtered(u, taps, padding)
    even, odd = filter_phases((u[::2], u[1::2]), taps, 0, padding)
    assert_close(even, theirs[::2], 1e-6)
    assert_close(odd, theirs[1::2], 1e-6)


def test_transposed_convolution_in_phases(rng):
    x = rng.standard_normal((4, 5, 3)).astype(np.float32)
    kernel = rng.standard_normal((3, 3, 3, 2)).astype(np.float32)
    spread = np.zeros((7, 9, 3), np.float32)
    spread[::2, ::2] = x  # zeros between the pixels
    whole = np.asarray(convolve(spread, kernel, padding=2))
    assert whole.shape == (9, 11, 2)
    for row, phases in enumerate(transposed_phases(x, kernel)):
        for column, phase in enumerate(phases):
            assert_close(phase, whole[row::2, column::2], 1e-6)
    taps = (0.3, 0.5, 0.9, 0.2)
    theirs = both_axes(lambda u: filtered(u, taps, (1, 1)), whole)
    assert theirs.shape == (8, 10, 2)
    assert_close(upsampling_convolution(x, kernel, [(taps, (1, 1))]), theirs, 1e-6)
    in_two = both_axes(lambda u: filtered(filtered(u, (1, 2), (0, 0)), (1, 2, 3), (1, 1)), whole)
    assert_close(upsampling_convolution(x, kernel, [((1, 2), (0, 0)), ((1, 2, 3), (1, 1))]), in_two, 1e-6)


def test_demodulated_weights_have_unit_norm(rng):
    style, kernel = rng.standard_normal(4), rng.standard_normal((3, 3, 4, 5))
    weights = kernel * style[:, None] * np.asarray(demodulation(style, kernel))
    np.testing.assert_allclose((weights**2).sum((0, 1, 2)), 1, rtol=1e-5)


def test_styles_lie_in_network_order(rng):
    styles = (Style("a", 0, 3), Style("b", 1, 2), Style("c", 1, 4))
    module, w_plus = Styles(styles), rng.standard_normal((2, 6)).astype(np.float32)
    variables = module.init(jax.random.key(0), w_plus)
    s = module.apply(variables, w_plus)
    assert module.depth == 2
    assert {name: part.shape for name, part in split_styles(s, styles).items()} == {"a": (3,), "b": (2,), "c": (4,)}
    assert_close(split_styles(s, styles)["c"], w_plus[1] @ variables["params"]["c"]["kernel"], 1e-6)
