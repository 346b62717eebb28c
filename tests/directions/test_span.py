"""Shares of metric axes and angles between spans, in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from geomgan.directions import axis_shares, subspace_angles


def test_shares_of_a_known_metric(rng):
    axes = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    g = axes @ np.diag([8.0, 4.0, 2.0, 0.0]) @ axes.T
    vectors = axes @ np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
    shares = axis_shares(vectors, g)
    np.testing.assert_allclose(shares, [[1, 0, 0, 0], [2 / 3, 1 / 3, 0, 0], [0, 0, 0, 0]], atol=1e-12)


def test_shares_add_up_to_one_and_ignore_lengths(rng):
    A, v = rng.standard_normal((20, 6)), rng.standard_normal((6, 5))
    shares = axis_shares(v, A.T @ A)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_allclose(axis_shares(7 * v, A.T @ A), shares)


def test_angles_between_spans():
    a = np.eye(5)[:, :2]
    b = np.stack([np.eye(5)[1], np.cos(0.3) * np.eye(5)[0] + np.sin(0.3) * np.eye(5)[3], np.eye(5)[4]], axis=1)
    np.testing.assert_allclose(subspace_angles(a, b), [0, 0.3], atol=1e-8)
    np.testing.assert_allclose(subspace_angles(3 * a, b @ np.diag([2, 1, 5])), [0, 0.3], atol=1e-8)


def test_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="vectors have 3 rows; expected 4"):
        axis_shares(np.ones((3, 1)), np.eye(4))
    with pytest.raises(ValueError, match="a has 3 rows and b 4"):
        subspace_angles(np.ones((3, 1)), np.ones((4, 1)))
    with pytest.raises(ValueError, match=r"a has shape \(3,\)"):
        subspace_angles(np.ones(3), np.ones((3, 1)))
