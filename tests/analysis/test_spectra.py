"""Statistics of spectra, against closed forms."""

import dataclasses

import numpy as np
import pytest

import geomgan as gg
from geomgan.analysis import anisotropy, mean_spectrum
from tests.models import linear_generator


def field_of(*singular_values):
    G = linear_generator(np.diag(singular_values).astype(np.float32))
    return gg.metric_field(G, gg.distances.euclidean(), np.zeros((3, len(singular_values))), progress=False)


def test_a_sphere_uses_every_dimension():
    shape = anisotropy(field_of(2, 2, 2, 2), shares=(0.5, 0.99))
    np.testing.assert_allclose(shape.participation_ratio, 4)
    np.testing.assert_allclose(shape.entropy_dimension, 4)
    assert shape.dimensions.tolist() == [[2, 2, 2], [4, 4, 4]]
    np.testing.assert_allclose(shape.orders, 0, atol=1e-12)


def test_a_cigar_has_few_dimensions():
    shape = anisotropy(field_of(10, 1, 1e-2, 0), shares=(0.9, 0.999))
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


def test_partial_spectra_have_no_trace():
    field = gg.metric_field(
        linear_generator(np.eye(3, dtype=np.float32)), gg.distances.mse(), np.zeros((2, 3)), k=1, progress=False
    )
    with pytest.raises(ValueError, match="k=None"):
        anisotropy(field)
    with pytest.raises(ValueError, match="no finished code"):
        mean_spectrum(dataclasses.replace(field, status=np.zeros(2, np.int8)))
