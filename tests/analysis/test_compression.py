"""Compression by the axes of the metric, where closed forms tell it."""

import dataclasses

import jax
import numpy as np
import pytest

import geomgan as gg
from geomgan.analysis import compression
from tests.small_models import linear_generator

KEY = jax.random.key(0)

SCALES = np.array([5.0, 3, 1, 0.2, 0])


@pytest.fixture(scope="module")
def case():
    rng = np.random.default_rng(0)
    Q = np.linalg.qr(rng.standard_normal((5, 5))).Q  # rows are the axes
    return linear_generator((SCALES[:, None] * Q).astype(np.float32)), Q.T, rng.standard_normal((7, 5))


def test_what_is_left_out_is_the_distance(case):
    G, V, z = case
    ks = [0, 1, 3, 4, 5]
    result = compression(G, gg.distances.euclidean(), z, V, ks, key=KEY)
    off = (z - z.mean(axis=0)) @ V
    expected = np.stack([np.linalg.norm(SCALES[k:] * off[:, k:], axis=1) for k in ks], axis=1)
    np.testing.assert_allclose(result.distance, expected, atol=1e-5)
    assert result.distance[:, -2].max() < 1e-5  # the last axis changes nothing
    np.testing.assert_allclose(result.kept, [(off[:, :k] ** 2).sum() / (off**2).sum() for k in ks], atol=1e-9)
    np.testing.assert_allclose(result.centre, z.mean(axis=0))
    np.testing.assert_allclose(result.samples[:, -1], result.originals, atol=1e-5)
    np.testing.assert_allclose(result.samples[2, 0], np.asarray(G(z.mean(axis=0))), atol=1e-5)


def test_random_axes_keep_less_of_the_sample_and_as_much_of_the_codes(case):
    G, V, _ = case
    z = np.random.default_rng(1).standard_normal((40, 5))
    result = compression(G, gg.distances.euclidean(), z, V, [0, 2, 5], draws=60, key=jax.random.key(3))
    assert result.control.shape == (60, 40, 3)
    mean_square = (result.control**2).mean(axis=(0, 1))
    total = ((z - z.mean(axis=0)) @ V * SCALES) ** 2
    assert mean_square[0] == pytest.approx(total.sum(axis=1).mean(), rel=1e-4)
    assert result.control[..., 2].max() < 1e-4
    assert result.control_kept[:, 1].mean() == pytest.approx(2 / 5, abs=0.05)
    assert (result.distance[:, 1].mean() < result.control[:, :, 1].mean(axis=1)).all()
    again = compression(G, gg.distances.euclidean(), z, V, [0, 2, 5], draws=60, key=jax.random.key(3))
    np.testing.assert_array_equal(again.control, result.control)


def test_the_axes_of_a_field_are_those_of_its_mean_metric(case):
    G, V, z = case
    field = gg.metric_field(G, gg.distances.euclidean(), z, progress=False)
    ours = compression(G, gg.distances.euclidean(), z, field, [1, 2], centre=np.zeros(5), key=KEY)
    given = compression(G, gg.distances.euclidean(), z, V, [1, 2], centre=np.zeros(5), key=KEY)
    np.testing.assert_allclose(ours.distance, given.distance, atol=1e-4)
    pairs = compression(
        G, gg.distances.euclidean(), z, gg.eigenpairs(field.tensors[0], k=2), [1, 2], centre=np.zeros(5), key=KEY
    )
    np.testing.assert_allclose(pairs.distance, given.distance, atol=1e-4)
    empty = dataclasses.replace(field, status=np.zeros(7, np.int8))
    with pytest.raises(ValueError, match="no finished code"):
        compression(G, gg.distances.euclidean(), z, empty, [1], key=KEY)


def test_bad_input(case):
    G, V, z = case
    D = gg.distances.euclidean()
    with pytest.raises(ValueError, match="integers from 0 to 2"):
        compression(G, D, z, V[:, :2], [1, 3], key=KEY)
    with pytest.raises(ValueError, match="integers from 0 to 5"):
        compression(G, D, z, V, [0.5], key=KEY)
    with pytest.raises(ValueError, match="not orthonormal"):
        compression(G, D, z, 2 * V, [1], key=KEY)
    with pytest.raises(ValueError, match="axes are columns"):
        compression(G, D, z, np.eye(4), [1], key=KEY)
    with pytest.raises(ValueError, match="one code is its own mean"):
        compression(G, D, z[:1], V, [1], key=KEY)
    with pytest.raises(ValueError, match=r"centre has shape \(4,\); expected \(5,\)"):
        compression(G, D, z, V, [1], centre=np.zeros(4), key=KEY)
    assert compression(G, D, z[:1], V, [5], centre=np.zeros(5), key=KEY).distance.max() < 1e-5
