"""The share of one code's metric in the axes of another."""

import jax
import numpy as np
import pytest

from geomgan.analysis import pair_interval, shared_trace
from tests.analysis.tensors import random_tensors

KEY = jax.random.key(0)


def test_agrees_with_its_definition():
    tensors = random_tensors(np.random.default_rng(0), 4, 6)
    shares = shared_trace(tensors, 0.9)
    for i, g in enumerate(tensors):
        values, vectors = np.linalg.eigh(g)
        values, vectors = values[::-1], vectors[:, ::-1]
        count = int((np.cumsum(values) / values.sum() < 0.9).sum()) + 1
        frame = vectors[:, :count]
        expected = [np.trace(frame.T @ h @ frame) / np.trace(h) for h in tensors]
        np.testing.assert_allclose(shares[i], expected, rtol=1e-9)
    assert (np.diag(shares) >= 0.9).all()


def test_same_axes_share_all_and_exchanged_axes_nothing():
    steep = np.diag([1.0, 1e-6, 1e-9])
    other = np.diag([1e-9, 1e-6, 1.0])
    np.testing.assert_allclose(shared_trace(np.stack([steep, 2 * steep])), 1, rtol=1e-5)
    np.testing.assert_allclose(shared_trace(np.stack([steep, other]))[0, 1], 1e-9, rtol=1e-3)


def test_interval_of_pairs_is_that_of_all_codes():
    matrix = np.arange(36.0).reshape(6, 6)
    mean, low, high = pair_interval(matrix, key=KEY)
    assert mean == pytest.approx(matrix[~np.eye(6, dtype=bool)].mean())
    assert low < mean < high


def test_a_share_beyond_one_is_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        shared_trace(np.stack([np.eye(2)] * 2), 1.5)
    with pytest.raises(ValueError, match=r"2|two"):
        shared_trace(np.eye(2)[None])
