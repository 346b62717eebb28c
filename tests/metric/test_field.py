"""Metric fields, and what their stores survive."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import geomgan as gg
from tests.models import largest_difference, linear_generator, small_dcgan

MSE = gg.distances.mse()


@pytest.fixture
def codes(rng):
    return rng.standard_normal((7, 8)).astype(np.float32)


def same(a, b):
    names = ("codes", "tensors", "values", "vectors", "residuals", "noise_floor", "status")
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in names)


def test_field_agrees_with_one_code_at_a_time(codes):
    G = small_dcgan()
    for batch in (1, 3, None):
        field = gg.metric_field(G, MSE, codes, batch=batch, progress=False)
        for i, z in enumerate(codes):
            assert largest_difference(field.tensors[i], gg.metric_tensor(G, MSE, z)) < 1e-5
            np.testing.assert_allclose(field.values[i], gg.eigenpairs(field.tensors[i]).values, rtol=1e-9)
        assert (field.status == 1).all()
    assert field.values.shape == (7, 8)
    assert field.provenance["solver"] == "dense"


@pytest.mark.parametrize("solver", ["block", "arpack"])
def test_iterative_fields_hold_the_largest_pairs(codes, solver):
    dense = gg.metric_field(small_dcgan(), MSE, codes[:3], progress=False)
    field = gg.metric_field(small_dcgan(), MSE, codes[:3], k=2, solver=solver, progress=False)
    assert field.tensors is None
    assert field.vectors.shape == (3, 8, 2)
    np.testing.assert_allclose(field.values, dense.values[:, :2], rtol=1e-4)


def test_general_distances_and_finite_differences(codes):
    expected = gg.metric_field(small_dcgan(), MSE, codes[:2], progress=False)
    D = gg.distances.from_function(lambda p, x, y: ((x - y) ** 2).mean())
    field = gg.metric_field(small_dcgan(), D, codes[:2], progress=False)
    assert largest_difference(field.tensors, expected.tensors) < 1e-5


def test_a_finished_store_computes_nothing_again(codes, tmp_path, monkeypatch):
    G = small_dcgan()
    first = gg.metric_field(G, MSE, codes, store=tmp_path / "run.zarr", batch=3, progress=False)
    assert first.provenance["computed_codes"] == 7
    monkeypatch.setattr("geomgan.metric.engine.launch", lambda *_, **__: pytest.fail("computed again"))
    again = gg.metric_field(G, MSE, codes, store=tmp_path / "run.zarr", batch=3, progress=False)
    assert again.provenance["computed_codes"] == 0
    assert same(first, again)
    assert same(first, gg.MetricField.read(tmp_path / "run.zarr"))


def test_an_interrupted_run_resumes_bit_for_bit(codes, tmp_path, monkeypatch):
    from geomgan.metric import engine as module

    whole = gg.metric_field(small_dcgan(), MSE, codes, batch=2, progress=False)
    real, calls = module.launch, []

    def interrupted(*arguments, **options):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    monkeypatch.setattr(module, "launch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        gg.metric_field(small_dcgan(), MSE, codes, store=tmp_path / "run.zarr", batch=2, progress=False)
    assert gg.MetricField.read(tmp_path / "run.zarr").status.tolist() == [1, 1, 1, 1, 0, 0, 0]
    monkeypatch.setattr(module, "launch", real)
    resumed = gg.metric_field(small_dcgan(), MSE, codes, store=tmp_path / "run.zarr", batch=2, progress=False)
    assert resumed.provenance["computed_codes"] == 3
    assert same(resumed, whole)


def test_plain_zarr_reads_the_store(codes, tmp_path):
    import zarr

    field = gg.metric_field(small_dcgan(), MSE, codes, store=tmp_path / "run.zarr", progress=False)
    group = zarr.open_group(tmp_path / "run.zarr", mode="r")
    for name in ("codes", "tensors", "values", "vectors", "residuals", "noise_floor", "status"):
        np.testing.assert_array_equal(group[name][:], getattr(field, name))
    assert group.attrs["settings"]["distance"] == field.provenance["distance"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"D": gg.distances.euclidean()}, "distance: stored 'mse#.*now 'euclidean#"),
        ({"G": small_dcgan(seed=1)}, "generator: stored 'small-dcgan#"),
        ({"k": 3}, "k: stored 8, now 3"),
        ({"codes": np.zeros((7, 8), np.float32)}, "codes: stored"),
    ],
)
def test_a_store_of_another_run_is_refused(codes, tmp_path, change, named):
    arguments = {"G": small_dcgan(), "D": MSE, "codes": codes}
    gg.metric_field(**arguments, store=tmp_path / "run.zarr", progress=False)
    with pytest.raises(gg.StoreError, match=f"belongs to another run.*{named}"):
        gg.metric_field(**arguments | change, store=tmp_path / "run.zarr", progress=False)


def test_a_folder_that_is_no_store_is_left_alone(codes, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(gg.StoreError, match="not a metric field"):
        gg.metric_field(small_dcgan(), MSE, codes, store=tmp_path, progress=False)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(gg.StoreError, match="not a metric field"):
        gg.MetricField.read(tmp_path)


def test_a_second_writer_is_refused(codes, tmp_path):
    from geomgan.metric.store import open_store

    gg.metric_field(small_dcgan(), MSE, codes, store=tmp_path / "run.zarr", progress=False)
    settings = gg.MetricField.read(tmp_path / "run.zarr").provenance
    names = ["generator", "distance", "codes", "n", "k", "solver", "chunk", "batch", "precision", "hvp", "tol", "seed"]
    with (
        open_store(tmp_path / "run.zarr", {name: settings[name] for name in names}, {}, {}, 7),
        pytest.raises(gg.StoreError, match="being written by another process"),
    ):
        gg.metric_field(small_dcgan(), MSE, codes, store=tmp_path / "run.zarr", progress=False)


WORKER = """
import numpy as np, sys, time
import geomgan as gg
from geomgan.metric import engine
from tests.models import small_dcgan
real = engine.launch
def slow(*arguments, **options):
    time.sleep({pause})
    return real(*arguments, **options)
engine.launch = slow
codes = np.random.default_rng(0).standard_normal((12, 8)).astype(np.float32)
gg.metric_field(small_dcgan(), gg.distances.mse(), codes, store=sys.argv[1], batch=1, progress=False)
"""


def start(store, pause):
    environment = {**os.environ, "JAX_COMPILATION_CACHE_DIR": os.path.abspath(".jax_cache")}
    return subprocess.Popen([sys.executable, "-c", WORKER.format(pause=pause), str(store)], env=environment)


def finished(store):
    with contextlib.suppress(gg.StoreError, OSError, ValueError):
        return int((gg.MetricField.read(store).status > 0).sum())
    return 0


def kill_and_resume(store, after):
    """Kill a run once ``after`` codes are stored, then finish it here."""
    worker = start(store, pause=0.05)
    while finished(store) < after and worker.poll() is None:
        time.sleep(0.01)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    done = finished(store)
    codes = np.random.default_rng(0).standard_normal((12, 8)).astype(np.float32)
    field = gg.metric_field(small_dcgan(), MSE, codes, store=store, batch=1, progress=False)
    assert field.provenance["computed_codes"] == 12 - done
    whole = gg.metric_field(small_dcgan(), MSE, codes, batch=1, progress=False)
    assert same(field, whole)
    return done


def test_kill_9_loses_only_the_batch_at_hand(tmp_path):
    assert kill_and_resume(tmp_path / "run.zarr", after=4) >= 4


@pytest.mark.slow
def test_many_kills_at_random_moments(tmp_path):
    rng = np.random.default_rng(1)
    for i in range(25):
        worker = start(tmp_path / f"{i}.zarr", pause=0.0)
        time.sleep(float(rng.uniform(1.0, 4.0)))
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        codes = np.random.default_rng(0).standard_normal((12, 8)).astype(np.float32)
        field = gg.metric_field(small_dcgan(), MSE, codes, store=tmp_path / f"{i}.zarr", batch=1, progress=False)
        assert (field.status == 1).all()
        assert same(field, gg.metric_field(small_dcgan(), MSE, codes, batch=1, progress=False))


FULL_DISK = """
import numpy as np, sys
import geomgan as gg
from tests.models import small_dcgan
codes = np.random.default_rng(0).standard_normal((4000, 8)).astype(np.float32)
try:
    gg.metric_field(small_dcgan(), gg.distances.mse(), codes, store=sys.argv[1], batch=8, progress=False)
except gg.StoreError as error:
    print("StoreError:", error)
"""


def test_a_full_disk_is_said_and_finished_batches_are_safe(tmp_path):
    """On a file system of 1 MB; mounting one needs privileges that a plain user lacks."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("cannot mount a small file system; run as root to test a full disk")
    try:
        result = subprocess.run(
            [sys.executable, "-c", FULL_DISK, str(disk / "run.zarr")], capture_output=True, text=True, check=False
        )
        assert "StoreError: cannot write codes" in result.stdout, result.stderr[-2000:]
        assert "What was finished before is safe" in result.stdout
        field = gg.MetricField.read(disk / "run.zarr")
        done = field.status > 0
        assert 0 < done.sum() < 4000
        G = small_dcgan()
        for i in np.flatnonzero(done)[[0, -1]]:
            assert largest_difference(field.tensors[i], gg.metric_tensor(G, MSE, field.codes[i])) < 1e-5
    finally:
        subprocess.run(["umount", str(disk)], check=False)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"codes": np.zeros(8)}, ValueError, r"codes\[None\]"),
        ({"codes": np.zeros((2, 9))}, ValueError, r"\(n, 8\)"),
        ({"codes": np.zeros((0, 8))}, ValueError, "at least one"),
        ({"codes": np.zeros((2, 8), int)}, TypeError, "floating point"),
        ({"k": 9}, ValueError, "from 1 to 8"),
        ({"solver": "blok"}, ValueError, "'block'"),
        ({"precision": "half"}, ValueError, "precision"),
    ],
)
def test_bad_arguments_leave_no_store(tmp_path, change, error, message):
    arguments = {"G": small_dcgan(), "D": MSE, "codes": np.zeros((2, 8))} | change
    with pytest.raises(error, match=message):
        gg.metric_field(**arguments, store=tmp_path / "run.zarr")
    assert not (tmp_path / "run.zarr").exists()


def test_fingerprints_see_weights_and_options():
    from geomgan.metric.provenance import fingerprint

    A = np.eye(3, dtype=np.float32)
    assert fingerprint(linear_generator(A)) == fingerprint(linear_generator(A))
    assert fingerprint(linear_generator(A)) != fingerprint(linear_generator(2 * A))
    assert fingerprint(small_dcgan()) != fingerprint(small_dcgan().at("block1"))
    first, second = (gg.distances.features(f) for f in (lambda p, x: x, lambda p, x: 2 * x))
    assert fingerprint(first) != fingerprint(second)
    assert fingerprint(first) == fingerprint(gg.distances.features(lambda p, x: x))
    lpips = gg.distances.lpips
    prints = {fingerprint(D) for D in (lpips(), lpips(resize=64), lpips(scaling="gan-geometry"), lpips("vgg"))}
    assert len(prints) == 4
