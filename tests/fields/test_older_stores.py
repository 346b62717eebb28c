"""What version 0.1 at commit ceefb5b wrote is read, and its unfinished store is finished."""

import shutil
import sys
from pathlib import Path

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


@pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason="the store names functions by Python 3.11's bytecode: run it there"
)
def test_its_unfinished_store_resumes(tmp_path):
    store = tmp_path / "half.zarr"
    shutil.copytree(WRITTEN / "half.zarr", store)
    complete = gg.MetricField.read(WRITTEN / "complete.zarr")
    G = gg.load(WRITTEN / "tiny-dcgan")
    field = gg.metric_field(G, gg.distances.mse(), complete.codes, store=store, progress=False)
    assert field.provenance["computed_codes"] == 2
    assert field.status.tolist() == [1, 1, 1, 1]
    assert largest_difference(np.asarray(field.tensors), np.asarray(complete.tensors)) < 1e-6
