"""What statistics are made of: the checks, and what is left out."""

import dataclasses

import numpy as np
import pytest

from geomgan.analysis.spectra_of import spectra_of
from tests.analysis.tensors import field_of, random_tensors


def test_a_stack_is_decomposed_in_descending_order(rng):
    tensors = random_tensors(rng, count=3, dim=5, negative=1)
    spectra = spectra_of(tensors, "a test")
    rebuilt = np.einsum("pik,pk,pjk->pij", spectra.vectors, spectra.values, spectra.vectors)
    np.testing.assert_allclose(rebuilt, tensors, atol=1e-15)
    assert (np.diff(spectra.values, axis=1) <= 0).all()
    largest = np.take_along_axis(spectra.vectors, np.abs(spectra.vectors).argmax(axis=1)[:, None], axis=1)
    assert (largest > 0).all()
    assert spectra.codes is None
    assert spectra.left_out == 0


def test_the_noise_floor_of_a_stack_follows_its_type(rng):
    tensors = random_tensors(rng, count=2, dim=5)
    largest = np.linalg.eigvalsh(tensors)[:, -1]
    np.testing.assert_allclose(spectra_of(tensors, "a test").noise_floor, 5 * 2.0**-52 * largest)
    np.testing.assert_allclose(
        spectra_of(tensors.astype(np.float32), "a test").noise_floor, 5 * 2.0**-23 * largest, rtol=1e-6
    )


def test_failed_codes_are_left_out_and_counted(rng):
    tensors = random_tensors(rng, count=5)
    field = field_of(tensors, failed=(1, 3))
    spectra = spectra_of(field, "a test")
    assert spectra.left_out == 2
    assert spectra.indices.tolist() == [0, 2, 4]
    np.testing.assert_array_equal(spectra.tensors, tensors[[0, 2, 4]])
    np.testing.assert_array_equal(spectra.codes, field.codes[[0, 2, 4]])
    with pytest.raises(ValueError, match="4 codes; the field holds 3 finished of 5 codes"):
        spectra_of(field, "a test", least=4)


def test_tensors_are_made_of_pairs_where_there_are_none(rng):
    tensors = random_tensors(rng, count=2)
    field = dataclasses.replace(field_of(tensors), tensors=None)
    np.testing.assert_allclose(spectra_of(field, "a test").tensors, tensors, atol=1e-15)


def test_vectors_are_not_touched_unless_needed(rng):
    field = dataclasses.replace(field_of(random_tensors(rng)), vectors=None, tensors=None)
    spectra = spectra_of(field, "a test", vectors=False)
    assert spectra.vectors.shape == (5, 6, 0)
    assert spectra.tensors.shape == (5, 0, 0)


def test_part_of_a_spectrum(rng):
    field = field_of(random_tensors(rng))
    field = dataclasses.replace(field, values=field.values[:, :2], vectors=field.vectors[:, :, :2], tensors=None)
    with pytest.raises(ValueError, match=r"2 of 6 eigenvalues; a test needs all of them. Compute it with k=None"):
        spectra_of(field, "a test")
    assert spectra_of(field, "a test", partial=True).values.shape == (5, 2)


@pytest.mark.parametrize(
    ("stack", "error", "match"),
    [
        (np.eye(3), ValueError, r"g\[None\] makes a stack of one"),
        (np.zeros((2, 3, 4)), ValueError, r"shape \(2, 3, 4\); expected a MetricField or a stack"),
        (np.zeros((0, 3, 3)), ValueError, r"shape \(0, 3, 3\)"),
        (np.zeros((2, 3, 3), int), TypeError, "floating point"),
        (np.full((2, 3, 3), np.nan), ValueError, "18 NaN or infinite"),
        (
            np.stack([np.eye(2), [[1, 2e-3], [0, 1]]]),
            ValueError,
            "tensor 1 is not symmetric: it differs from its transpose by 0.002",
        ),
    ],
)
def test_what_is_no_stack_of_metrics(stack, error, match):
    with pytest.raises(error, match=match):
        spectra_of(stack, "a test")


def test_one_code_where_two_are_needed():
    with pytest.raises(ValueError, match=r"needs at least 2 codes; the stack holds 1. .* undefined for one code"):
        spectra_of(np.eye(3)[None], "consistency", least=2)


def test_stacks_of_torch_are_stacks(rng):
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch to run this")
    stack = random_tensors(rng, count=2, dim=3)
    of_torch, of_numpy = (spectra_of(given, "a test") for given in (torch.from_numpy(stack), stack))
    np.testing.assert_array_equal(of_torch.values, of_numpy.values)
