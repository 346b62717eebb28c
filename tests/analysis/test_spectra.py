"""Statistics of spectra, against closed forms."""

import dataclasses

import jax
import numpy as np
import pytest

import geomgan as gg
from geomgan.analysis import anisotropy, mean_spectrum, original_dimensions
from tests.analysis.tensors import field_of as field_with
from tests.analysis.tensors import random_tensors
from tests.small_models import linear_generator

KEY = jax.random.key(0)


def field_of(*singular_values):
    G = linear_generator(np.diag(singular_values).astype(np.float32))
    return gg.metric_field(G, gg.distances.euclidean(), np.zeros((3, len(singular_values))), progress=False)


def test_a_sphere_uses_every_dimension():
    shape = anisotropy(field_of(2, 2, 2, 2), shares=(0.5, 0.99), key=KEY)
    np.testing.assert_allclose(shape.participation_ratio, 4)
    np.testing.assert_allclose(shape.entropy_dimension, 4)
    assert shape.dimensions.tolist() == [[2, 2, 2], [4, 4, 4]]
    np.testing.assert_allclose(shape.orders, 0, atol=1e-12)


def test_a_cigar_has_few_dimensions():
    shape = anisotropy(field_of(10, 1, 1e-2, 0), shares=(0.9, 0.999), key=KEY)
    p = np.array([100, 1, 1e-4]) / 101.0001
    np.testing.assert_allclose(shape.participation_ratio, 1 / (p**2).sum(), rtol=1e-6)
    np.testing.assert_allclose(shape.entropy_dimension, np.exp(-(p * np.log(p)).sum()), rtol=1e-6)
    assert shape.dimensions[:, 0].tolist() == [1, 2]
    np.testing.assert_allclose(shape.orders, 6, rtol=1e-5)  # the zero is below the noise floor


def test_mean_and_band():
    field = field_of(3, 1)
    field = dataclasses.replace(field, values=np.array([[4.0, 1], [8, 2], [12, 9]]))
    result = mean_spectrum(field, percentiles=(0, 100))
    np.testing.assert_array_equal(result.mean, [8, 4])
    np.testing.assert_array_equal(result.low, [4, 1])
    np.testing.assert_array_equal(result.high, [12, 9])


def test_median_and_magnitudes(rng):
    tensors = random_tensors(rng, count=5, dim=4, negative=2)
    values = np.linalg.eigvalsh(tensors)[:, ::-1]
    result = mean_spectrum(tensors, (10, 90), "median")
    np.testing.assert_allclose(result.mean, np.median(values, axis=0), atol=1e-15)
    np.testing.assert_allclose(result.low, np.percentile(values, 10, axis=0), atol=1e-15)
    assert (result.kind, result.count, result.left_out) == ("median", 5, 0)
    assert result.noise_floor == pytest.approx(4 * 2.0**-52 * np.median(np.abs(values).max(axis=1)))
    magnitudes = -np.sort(-np.abs(values), axis=1)
    np.testing.assert_allclose(mean_spectrum(tensors, absolute=True).mean, magnitudes.mean(axis=0), atol=1e-15)


def test_anisotropy_equals_its_definition(rng):
    tensors = random_tensors(rng, count=9, dim=12, decades=6)
    shape = anisotropy(field_with(tensors, failed=(2,), floor=1e-4), key=KEY)
    assert shape.left_out == 1
    assert shape.indices.tolist() == [0, 1, 3, 4, 5, 6, 7, 8]
    for p, code in enumerate(shape.indices):
        values = np.linalg.eigvalsh(tensors[code])[::-1]
        for share, row in zip(shape.shares, shape.dimensions, strict=True):
            count = 1
            while values[:count].sum() < share * values.sum():
                count += 1
            assert row[p] == count
        assert shape.orders[p] == pytest.approx(np.log10(values[0] / values[values > 1e-4].min()))
        share = values / values.sum()
        assert shape.entropy_dimension[p] == pytest.approx(np.exp(-(share * np.log(share)).sum()))
        assert shape.participation_ratio[p] == pytest.approx(values.sum() ** 2 / (values**2).sum())


def test_intervals_are_of_the_median_over_codes(rng):
    tensors = random_tensors(rng, count=40, dim=6)
    shape = anisotropy(tensors, draws=4000, key=KEY)
    estimate, low, high = shape.intervals["orders"]
    assert estimate == np.median(shape.orders)
    exact = np.sort(shape.orders)[[13, 26]]  # of the median of 40 by the binomial distribution: 0.962
    np.testing.assert_allclose([low, high], exact, atol=0.1)
    assert set(shape.intervals) == {
        *("participation_ratio", "entropy_dimension", "orders"),
        *(f"dimensions_{share}" for share in ("0.9", "0.99", "0.999", "0.9999", "0.99999")),
    }
    assert anisotropy(tensors, key=KEY).intervals == anisotropy(tensors, key=KEY).intervals
    for share, row in zip(shape.shares, shape.dimensions, strict=True):  # of 40 codes: an even number
        counts = shape.intervals[f"dimensions_{share:g}"]
        assert all(type(count) is int for count in counts)
        assert counts[0] == np.sort(row)[19]  # so many do for 20 of them, no fewer
        assert counts[1] <= counts[0] <= counts[2]
    one = anisotropy(tensors[:1], key=KEY).intervals["orders"]
    assert one[0] == shape.orders[0]
    assert np.isnan(one[1:]).all()


def test_the_originals_table(rng):
    tensors = random_tensors(rng, count=5, dim=16, decades=5)
    values = np.sort(np.abs(np.linalg.eigvalsh(tensors).mean(axis=0)))[::-1]
    explained = np.cumsum(values) / values.sum()
    shares = (0.99, 0.999, 0.9999, 0.99999)
    assert original_dimensions(tensors).tolist() == [(explained < share).sum() for share in shares]
    sphere = np.eye(4)[None]
    assert original_dimensions(sphere, (0.6,)).tolist() == [2]  # one fewer than are needed
    assert anisotropy(sphere, KEY, (0.6,)).dimensions.tolist() == [[3]]


def test_a_metric_that_is_zero_has_no_shape():
    tensors = np.stack([np.zeros((3, 3)), np.eye(3)])
    shape = anisotropy(tensors, key=KEY)
    assert shape.left_out == 1
    assert shape.indices.tolist() == [1]
    with pytest.raises(ValueError, match="no metric has a positive eigenvalue"):
        anisotropy(tensors[:1], key=KEY)


def test_options_out_of_range():
    sphere = np.eye(3)[None]
    with pytest.raises(ValueError, match=r"shares is \(99,\)"):
        anisotropy(sphere, KEY, (99,))
    with pytest.raises(ValueError, match=r"percentiles is \(95, 5\)"):
        mean_spectrum(sphere, (95, 5))
    with pytest.raises(gg.errors.OptionError, match="'median'"):
        mean_spectrum(sphere, kind="medan")


def test_partial_spectra_have_no_trace():
    field = gg.metric_field(
        linear_generator(np.eye(3, dtype=np.float32)), gg.distances.mse(), np.zeros((2, 3)), k=1, progress=False
    )
    with pytest.raises(ValueError, match="k=None"):
        anisotropy(field, key=KEY)
    with pytest.raises(ValueError, match="no finished code"):
        mean_spectrum(dataclasses.replace(field, status=np.zeros(2, np.int8)))
