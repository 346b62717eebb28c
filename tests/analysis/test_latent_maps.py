"""Axes of latent maps, in closed form."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.analysis import image_areas, map_axes

SHAPE = (3, 4, 6)


def columns(*maps):
    return np.stack([np.ravel(x) / np.linalg.norm(x) for x in maps], axis=1)


def test_axes_in_closed_form():
    even, single, stripes, chessboard = (np.zeros(SHAPE) for _ in range(4))
    even[1] = 1
    single[0, 2, 3], single[2, 2, 3] = 3, 4
    stripes[0] = (-1.0) ** np.arange(6)
    chessboard[2] = (-1.0) ** np.add.outer(np.arange(4), np.arange(6))
    found = map_axes((np.array([4.0, 3, 2, 1]), columns(even, single, stripes, chessboard)), SHAPE)
    np.testing.assert_allclose(found.channels, [[0, 1, 0], [0.36, 0, 0.64], [1, 0, 0], [0, 0, 1]], atol=1e-12)
    np.testing.assert_allclose(found.area, [24, 1, 24, 24])
    frequencies = np.hypot(np.fft.fftfreq(4)[:, None], np.fft.fftfreq(6))
    np.testing.assert_allclose(found.frequency, [0, frequencies.mean(), 0.5, 0.5**0.5], atol=1e-12)
    np.testing.assert_allclose(found.channel_shares, [0.308, 0.4, 0.292])
    with pytest.raises(ValueError, match=r"for a map of \(3, 4, 5\); expected \(60, k\)"):
        map_axes((np.ones(1), columns(even)), (3, 4, 5))


def test_areas_of_images():
    """A generator that copies each number to two pixels, of three channels."""
    G = gg.Generator.from_function(lambda _, z: jnp.repeat(z.reshape(4, 6, 1), 2, axis=1) * jnp.ones(3), (), 24)
    areas = image_areas(G, np.zeros(24, np.float32), np.stack([np.eye(24)[5], np.ones(24)], axis=1))
    np.testing.assert_allclose(areas, [2, 48], rtol=1e-6)
