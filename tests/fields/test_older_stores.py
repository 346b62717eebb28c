"""What version 0.1 at commit ceefb5b wrote is read, and its unfinished store is finished."""

import shutil
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

import geomgan as gg
from tests.small_models import largest_difference

WRITTEN = Path(__file__).parents[1] / "golden" / "written_by_ceefb5b"


def test_its_model_opens_and_gives_the_samples_that_it_gave():
    G = gg.load(WRITTEN / "tiny-dcgan")
    with np.load(WRITTEN / "tiny-dcgan" / "reference.npz") as reference:
        theirs = reference["samples"][0]
        ours = np.asarray(G(reference["codes"][0])).ravel()
    assert ours.size == theirs.size == 64
    assert largest_difference(ours, theirs) < 1e-6


def test_its_stores_open():
    complete, half = (gg.MetricField.read(WRITTEN / f"{name}.zarr") for name in ("complete", "half"))
    assert complete.status.tolist() == [1, 1, 1, 1]
    assert half.status.tolist() == [1, 1, 0, 0]
    tensors = np.asarray(complete.tensors)
    assert np.array_equal(np.asarray(half.tensors)[:2], tensors[:2])
    assert largest_difference(np.linalg.eigvalsh(tensors)[:, ::-1], complete.values) < 1e-12


@pytest.fixture
def half(tmp_path):
    shutil.copytree(WRITTEN / "half.zarr", tmp_path / "half.zarr")
    return tmp_path / "half.zarr"


def test_its_unfinished_store_resumes(half):
    complete = gg.MetricField.read(WRITTEN / "complete.zarr")
    G = gg.load(WRITTEN / "tiny-dcgan")
    with pytest.warns(UserWarning, match="cannot be verified. Of its metrics 2 were computed again and agree"):
        field = gg.metric_field(G, gg.distances.mse(), complete.codes, store=half, progress=False)
    assert field.provenance["computed_codes"] == 2
    assert field.status.tolist() == [1, 1, 1, 1]
    assert largest_difference(np.asarray(field.tensors), np.asarray(complete.tensors)) < 1e-6


def test_its_unfinished_store_is_no_other_models(half):
    codes = gg.MetricField.read(WRITTEN / "complete.zarr").codes
    G = gg.load(WRITTEN / "tiny-dcgan")
    brighter = replace(G, params=jax.tree.map(lambda leaf: 1.01 * leaf, G.params))
    with pytest.raises(gg.StoreError, match="metrics computed again differ by"):
        gg.metric_field(brighter, gg.distances.mse(), codes, store=half, progress=False)
    assert gg.MetricField.read(half).status.tolist() == [1, 1, 0, 0]
