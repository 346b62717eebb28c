"""What a metric field survives: kills, full disks, damaged files, networks that are not finite, too little memory."""

import dataclasses
import itertools
import multiprocessing
import shutil
import subprocess
import sys
import time

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan import backend
from geomgan.fields import solve
from geomgan.fields.field import compute_field
from geomgan.generators.layers import tap
from geomgan.runs.store import open_store, read_attributes
from tests.fields import killed_worker
from tests.small_models import largest_difference, same_field, small_dcgan, smooth_generator

MSE = gg.distances.mse()


@pytest.fixture
def codes(rng):
    return rng.standard_normal((7, 8)).astype(np.float32)


def test_an_interrupted_run_resumes_bit_for_bit(codes, tmp_path):
    whole = gg.metric_field(small_dcgan(), MSE, codes, batch=2, progress=False)
    calls = itertools.count(1)  # of two threads, each counts by itself

    def interrupted(*arguments):
        if next(calls) == 3:
            raise KeyboardInterrupt
        return solve.execute(*arguments)

    with pytest.raises(KeyboardInterrupt):
        compute_field(small_dcgan(), MSE, codes, store=tmp_path / "run.zarr", batch=2, execute=interrupted)
    status = gg.MetricField.read(tmp_path / "run.zarr").status.tolist()
    assert status == sorted(status, reverse=True)  # which of the batches two threads began third is theirs
    assert 0 < sum(status) < 7
    resumed = gg.metric_field(small_dcgan(), MSE, codes, store=tmp_path / "run.zarr", batch=2, progress=False)
    assert resumed.provenance["computed_codes"] == status.count(0)
    assert same_field(resumed, whole)


def test_a_second_writer_is_refused(codes, tmp_path):
    gg.metric_field(small_dcgan(), MSE, codes, store=tmp_path / "run.zarr", progress=False)
    settings = read_attributes(tmp_path / "run.zarr")["settings"]
    with (
        open_store(tmp_path / "run.zarr", settings, {}, {}, 7),
        pytest.raises(gg.StoreError, match="being written by another process"),
    ):
        gg.metric_field(small_dcgan(), MSE, codes, store=tmp_path / "run.zarr", progress=False)


@pytest.fixture(scope="module")
def workers():
    """Starts processes that have imported everything: a kill costs little more than the field."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.conftest", "tests.fields.killed_worker"])
    return context


@pytest.fixture(scope="module")
def uninterrupted():
    return killed_worker.compute()


def killed(workers, folder, seconds=None, batches=0, pause=0.0):
    """A store whose run was killed so many seconds after its start, or after so many batches, and its journal."""
    path, log = folder / "run.zarr", folder / "log"
    folder.mkdir()
    worker = workers.Process(target=killed_worker.run, args=(path, log, pause))
    worker.start()
    journal = lambda: log.read_bytes() if log.exists() else b""
    while not journal() and worker.is_alive():
        time.sleep(0.001)
    if seconds is not None:
        worker.join(seconds)
    while seconds is None and journal().count(b"b") < batches and worker.is_alive():
        time.sleep(0.001)
    worker.kill()
    worker.join()
    return path, journal().count(b"b")


def resumes(path, written, uninterrupted):
    """A killed run is finished here: nothing that was written is computed again, and no bit differs."""
    done = int((gg.MetricField.read(path).status > 0).sum()) if (path / "zarr.json").exists() else 0
    assert written <= done <= written + 1  # the kill may fall between the last write and its entry in the journal
    field = killed_worker.compute(path)
    assert field.provenance["computed_codes"] == killed_worker.CODES - done
    assert same_field(field, uninterrupted)
    shutil.rmtree(path)
    return done


@pytest.mark.parametrize("batches", [1, 4, 9])
def test_kill_9_loses_only_the_batch_at_hand(workers, uninterrupted, tmp_path, batches):
    path, written = killed(workers, tmp_path / "run", batches=batches, pause=0.02)
    assert written >= batches
    assert batches <= resumes(path, written, uninterrupted) <= killed_worker.CODES


@pytest.mark.slow
def test_kill_9_at_a_hundred_random_moments(workers, uninterrupted, tmp_path):
    started = time.perf_counter()
    resumes(*killed(workers, tmp_path / "whole", seconds=600), uninterrupted)
    longest = time.perf_counter() - started
    rng, done = np.random.default_rng(1), []
    for i in range(100):
        path, written = killed(workers, tmp_path / str(i), seconds=float(rng.uniform(0, longest)))
        done.append(resumes(path, written, uninterrupted))
    assert len(set(done)) >= 4, done  # the kills fell into the run, not all before or after it


FULL_DISK = """
import numpy as np, sys
import geomgan as gg
from tests.small_models import small_dcgan
codes = np.random.default_rng(0).standard_normal((600, 8)).astype(np.float32)
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
        assert 0 < done.sum() < 600
        shutil.copytree(disk / "run.zarr", tmp_path / "elsewhere.zarr")
    finally:
        subprocess.run(["umount", str(disk)], check=False)
    codes = np.random.default_rng(0).standard_normal((600, 8)).astype(np.float32)
    resumed = gg.metric_field(small_dcgan(), MSE, codes, store=tmp_path / "elsewhere.zarr", batch=8, progress=False)
    assert resumed.provenance["computed_codes"] == 600 - done.sum()
    assert same_field(resumed, gg.metric_field(small_dcgan(), MSE, codes, batch=8, progress=False))


def test_a_flipped_byte_is_found_on_reading_and_can_be_mended(codes, tmp_path, rng):
    path = tmp_path / "run.zarr"
    whole = gg.metric_field(small_dcgan(), MSE, codes, store=path, batch=3, progress=False)
    expected = {name: np.asarray(getattr(whole, name)) for name in ("tensors", "vectors", "values", "codes")}
    chunks = sorted(p for p in path.glob("*/c/**/*") if p.is_file())
    assert len(chunks) == 3 * 7
    for chunk in chunks:
        name, data = chunk.relative_to(path).parts[0], chunk.read_bytes()
        damaged = bytearray(data)
        damaged[rng.integers(len(data))] ^= 1 << rng.integers(8)
        chunk.write_bytes(damaged)
        with pytest.raises(gg.StoreError, match=f"cannot be read: {name} is damaged"):
            np.asarray(getattr(gg.MetricField.read(path), name))
        chunk.write_bytes(data)
    for chunk in ("0", "2"):  # a whole one, and one that the codes fill in part
        for name in ("tensors", "status"):
            next(p for p in chunks if p.relative_to(path).parts[:3] == (name, "c", chunk)).unlink()
        with pytest.warns(UserWarning, match="computed again"):  # what the message tells to do
            mended = gg.metric_field(small_dcgan(), MSE, codes, store=path, batch=3, progress=False)
        assert mended.provenance["computed_codes"] == {"0": 3, "2": 1}[chunk]
        assert all(np.array_equal(getattr(mended, name), array) for name, array in expected.items())


class Fragile(nn.Module):
    """Not finite for some codes: each of the layers fails on its own."""

    @nn.compact
    def __call__(self, z):
        scale = self.param("scale", nn.initializers.ones, (8, z.size))
        hidden = tap(self, "first", jnp.tanh(scale @ z))
        logarithm = tap(self, "logarithm", jnp.log(5 + z[0]))
        power = tap(self, "power", jnp.exp(50 * z[1]))
        root = tap(self, "root", jnp.sqrt(jnp.abs(z[2])))
        return tap(self, "image", (hidden.sum() * z + logarithm + root).reshape(2, 2, 1) + 1e-3 * jnp.tanh(power))


def fragile():
    return gg.Generator.from_module(Fragile(), {"scale": jnp.ones((8, 4), jnp.float32)}, 4, name="fragile")


@pytest.mark.parametrize(
    "options", [{"batch": 1}, {"batch": 3}, {"k": 2, "solver": "block"}, {"k": 2, "solver": "arpack"}]
)
def test_codes_where_the_network_is_not_finite_are_said_and_left_out(tmp_path, options):
    G, codes = fragile(), np.full((6, 4), 0.5, np.float32) + 0.01 * np.arange(24, dtype=np.float32).reshape(6, 4)
    codes[1, 0], codes[3, 1], codes[4, 2] = -6, 2, 0
    failures = {
        1: "NaN in layer logarithm",
        3: "infinity in layer power",
        4: "infinity in the derivative of layer root",
    }
    with pytest.warns(UserWarning, match="code . failed: .* The other codes are not affected") as warned:
        field = gg.metric_field(G, MSE, codes, store=tmp_path / "run.zarr", progress=False, **options)
    assert sorted(str(w.message).split(" failed: ")[0] for w in warned) == ["code 1", "code 3", "code 4"]
    assert field.failures == failures
    assert field.status.tolist() == [1, 3, 1, 3, 3, 1]
    assert np.isnan(field.values[[1, 3, 4]]).all()
    kept = [0, 2, 5]
    for i in kept:
        expected = gg.eigenpairs(gg.metric_operator(G, MSE, codes[i])).values[: field.values.shape[1]]
        np.testing.assert_allclose(field.values[i], expected, rtol=1e-4, atol=1e-9)
    again = gg.metric_field(G, MSE, codes, store=tmp_path / "run.zarr", progress=False, **options)
    assert again.provenance["computed_codes"] == 0
    assert again.failures == failures == gg.MetricField.read(tmp_path / "run.zarr").failures
    assert same_field(again, field)


def small(most, tangents=lambda program, _: program.chunk):
    """Runs programs on a device that has memory for so many tangents only."""

    def execute(program, *arguments):
        if tangents(program, arguments) > most:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 12345678 bytes.")
        return solve.execute(program, *arguments)

    return execute


@pytest.mark.filterwarnings("ignore:a device ran out of memory")
def test_a_device_out_of_memory_gets_fewer_tangents(rng):
    G, codes = smooth_generator(16), rng.standard_normal((3, 16)).astype(np.float32)
    expected = gg.metric_field(G, MSE, codes, progress=False)
    for batch in (1, 3):
        with pytest.warns(UserWarning, match="ran out of memory; going on with . tangents at a time") as warned:
            field = compute_field(G, MSE, codes, batch=batch, execute=small(4))
        assert [str(w.message).split("with ")[1][0] for w in warned] == ["8", "4"]  # and no more for the other codes
        assert largest_difference(field.tensors, expected.tensors) < 1e-5
    with (
        pytest.warns(UserWarning, match="going on with 1 tangents"),
        pytest.raises(solve.OutOfMemory, match=r"3 codes and 1 tangent at a time .*batch=1"),
    ):
        compute_field(G, MSE, codes, execute=small(0))


def test_a_device_out_of_memory_multiplies_narrower_blocks(rng):
    G, codes = smooth_generator(32), rng.standard_normal((2, 32)).astype(np.float32)
    expected = gg.metric_field(G, MSE, codes, progress=False).values[:, :3]
    columns = lambda program, arguments: arguments[2].shape[2]
    with pytest.warns(UserWarning, match="going on with 2 tangents"):
        field = compute_field(G, MSE, codes, k=3, solver="block", execute=small(2, columns))
    np.testing.assert_allclose(field.values, expected, rtol=1e-5)


def test_a_step_that_was_under_way_tries_the_smaller_chunk_first(monkeypatch, rng):
    """As on an accelerator, where the next step starts before the last one is looked at."""
    G, codes = smooth_generator(16), rng.standard_normal((3, 16)).astype(np.float32)
    monkeypatch.setattr(backend, "CPU", dataclasses.replace(backend.CPU, host_threads=False))
    with pytest.warns(UserWarning, match="ran out of memory") as warned:
        field = compute_field(G, MSE, codes, batch=1, chunk=16, execute=small(8))
    assert [str(w.message).split("with ")[1][0] for w in warned] == ["8"]
    assert (field.status == 1).all()


def test_other_errors_of_a_device_are_not_hidden(codes):
    def broken(*_):
        raise jax.errors.JaxRuntimeError("INTERNAL: the device is gone")

    with pytest.raises(jax.errors.JaxRuntimeError, match="the device is gone"):
        compute_field(small_dcgan(), MSE, codes, execute=broken)
