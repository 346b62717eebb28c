"""How walks bend: lines, circles and corners, whose measures are known."""

import numpy as np
import pytest

from geomgan.directions import nonlinearity


def test_a_line_has_none():
    t = np.linspace(-1, 1, 7)[:, None]
    found = nonlinearity(np.stack([[z + t * np.array([1.0, 2.0, 0.0])] for z in np.eye(3)]))
    np.testing.assert_allclose(found.arc_over_chord, 1, rtol=1e-12)
    np.testing.assert_allclose(found.turning, 0, atol=1e-5)
    np.testing.assert_allclose([found.spread, found.angle], 0, atol=1e-5)


def test_half_a_circle_and_opposite_directions():
    angles = np.linspace(0, np.pi, 181)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    found = nonlinearity(np.stack([circle, circle[::-1]])[:, None])
    np.testing.assert_allclose(found.arc_over_chord, np.pi / 2, rtol=1e-4)
    np.testing.assert_allclose(found.turning, 179, rtol=1e-6)
    np.testing.assert_allclose(found.sharpest, 1, rtol=1e-6)
    np.testing.assert_allclose(found.bend, 179, rtol=1e-6)
    assert found.spread[0] == pytest.approx(1, abs=0.02)
    assert found.angle[0] == pytest.approx(179, abs=1.1)


def test_what_cannot_be():
    with pytest.raises(ValueError, match=r"expected \(m, n, T, d\) with T of at least 3"):
        nonlinearity(np.zeros((2, 2, 5)))
    with pytest.raises(ValueError, match="a walk stands still"):
        nonlinearity(np.zeros((1, 1, 3, 2)))
