"""The files for GAN-Geometry's tools, read as those tools read them."""

import re
from pathlib import Path

import numpy as np
import pytest

import geomgan as gg
from geomgan.cli import main
from geomgan.fields import solve
from geomgan.fields.export import export_npz
from geomgan.fields.field import compute_field
from tests.faults import full_disk
from tests.small_models import largest_difference, small_dcgan

MSE = gg.distances.mse()


def scan(folder):
    """As ``scan_hess_npz`` of GAN-Geometry: files by their pattern; values, vectors, codes, numbers."""
    found = [(re.findall(r"Hess_BP_(\d*).npz", str(path)), path) for path in sorted(Path(folder).iterdir())]
    matches = [(names[0], np.load(path)) for names, path in found if names]
    values, vectors, H, codes = ([data[key] for _, data in matches] for key in ("eva_BP", "evc_BP", "H_BP", "feat"))
    return np.array(values), vectors, H, np.concatenate(codes), [int(number) for number, _ in matches]


@pytest.fixture
def codes(rng):
    return rng.standard_normal((5, 8)).astype(np.float32)


def test_a_dense_field(codes, tmp_path, capsys):
    field = gg.metric_field(small_dcgan(), MSE, codes, store=tmp_path / "run.zarr", progress=False)
    assert main(["export", str(tmp_path / "run.zarr"), str(tmp_path / "npz")]) == 0
    assert capsys.readouterr().out == f"5 codes are in {tmp_path / 'npz'}.\n"
    assert sorted(p.name for p in (tmp_path / "npz").iterdir()) == [f"Hess_BP_{i:03d}.npz" for i in range(5)]
    values, vectors, H, feat, numbers = scan(tmp_path / "npz")
    assert numbers == [0, 1, 2, 3, 4]
    assert (np.diff(values, axis=1) >= 0).all()
    np.testing.assert_array_equal(values, 2 * field.values[:, ::-1])
    np.testing.assert_array_equal(feat, codes)
    for i in range(5):
        assert H[i].shape == vectors[i].shape == (8, 8)
        assert largest_difference(H[i], 2 * gg.metric_tensor(small_dcgan(), MSE, codes[i])) < 1e-5
        assert largest_difference(H[i] @ vectors[i], vectors[i] * values[i]) < 1e-5
        np.testing.assert_allclose(np.linalg.eigh(H[i])[0], values[i], atol=1e-5 * values[i].max())


def test_top_pairs_give_a_matrix_of_their_rank(codes, tmp_path):
    field = gg.metric_field(small_dcgan(), MSE, codes, k=3, solver="block", progress=False)
    assert export_npz(field, tmp_path) == (5, 0)
    values, vectors, H, _, _ = scan(tmp_path)
    assert values.shape == (5, 3)
    for i in range(5):
        assert vectors[i].shape == (8, 3)
        assert np.linalg.matrix_rank(H[i], tol=1e-5 * values[i].max()) == 3
        assert largest_difference(H[i] @ vectors[i], vectors[i] * values[i]) < 1e-5
        np.testing.assert_allclose(np.trace(H[i]), 2 * field.values[i].sum(), rtol=1e-5)


def test_failed_and_pending_codes_are_counted(codes, tmp_path, capsys):
    def execute(program, pair, batch, *others):
        code = int(np.flatnonzero((codes == np.asarray(batch)[0]).all(axis=1))[0])  # batches are under way together
        if code == 3:
            raise KeyboardInterrupt
        rows = solve.execute(program, pair, batch, *others)
        return [np.nan * leaf for leaf in rows] if code == 1 else rows

    with pytest.warns(UserWarning, match="code 1 failed"), pytest.raises(KeyboardInterrupt):
        compute_field(small_dcgan(), MSE, codes, store=tmp_path / "run.zarr", batch=1, execute=execute)
    assert main(["export", str(tmp_path / "run.zarr"), str(tmp_path / "npz")]) == 0
    assert capsys.readouterr().out == f"2 codes are in {tmp_path / 'npz'}. 3 codes are failed or not computed yet.\n"
    assert scan(tmp_path / "npz")[-1] == [0, 2]


def test_a_file_is_written_whole_or_not_at_all(codes, tmp_path):
    field = gg.metric_field(small_dcgan(), MSE, codes, progress=False)
    export_npz(field, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with full_disk(100), pytest.raises(gg.StoreError, match=r"cannot write .*Hess_BP_000\.npz: .*Free space"):
        export_npz(field, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_is_no_store_is_said(tmp_path, capsys):
    assert main(["export", str(tmp_path / "nothing.zarr"), str(tmp_path / "npz")]) == 2
    assert "is not a metric field" in capsys.readouterr().err
    assert not (tmp_path / "npz").exists()
