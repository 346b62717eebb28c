"""Metric fields on eight simulated devices, and on two processes, are those of one device."""

import re
import socket
import subprocess
import sys

import jax
import numpy as np
import pytest

import geomgan as gg
from tests.fields import device_cases
from tests.fields.device_cases import CASES, MSE, SAME, codes_of, compute
from tests.fixtures import ROOT
from tests.small_models import smooth_generator

TIMEOUT = 600  # seconds; a machine may be busy


def start(*arguments):
    command = [sys.executable, "-m", "tests.fields.device_cases", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def wait_for(*workers):
    messages = [worker.communicate(timeout=TIMEOUT)[1] for worker in workers]
    for worker, message in zip(workers, messages, strict=True):
        assert worker.returncode == 0, message[-3000:]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def eight(tmp_path_factory):
    """Folder of the results on eight devices."""
    out = tmp_path_factory.mktemp("eight")
    wait_for(start(out, 8))
    return out


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    """Folder of the results on two processes of two devices each; they also finish the store of one device."""
    out = tmp_path_factory.mktemp("processes")
    device_cases.interrupted(out / "resumed.zarr", steps=5)
    begun = gg.MetricField.read(out / "resumed.zarr").status
    np.save(out / "begun.npy", begun)
    port = free_port()
    wait_for(*(start(out, 2, 2, index, port) for index in (0, 1)))
    return out


def result(folder, name, index=0):
    return np.load(folder / f"{name}.{index}.npz")


def difference(field, other):
    """Median over codes of the largest difference of a code's tensor (else of its values), relative to the largest."""
    name = "values" if field.tensors is None else "tensors"
    a, b = (np.asarray(x).reshape(len(field.codes), -1) for x in (getattr(field, name), other[name]))
    return np.median(np.abs(a - b).max(1) / np.abs(a).max(1))


@pytest.mark.parametrize("name", CASES)
def test_eight_devices_give_the_field_of_one(eight, name):
    field, other = compute(name), result(eight, name)
    assert difference(field, other) < 1e-5
    np.testing.assert_allclose(other["values"], field.values, rtol=1e-4, atol=1e-5 * field.values.max())
    assert (other["status"] == 1).all()
    assert other["computed"] == len(field.codes)


@pytest.mark.parametrize("name", SAME)
def test_the_same_program_gives_the_same_bits(eight, name):
    few, many = result(eight, f"{name}-on-two"), result(eight, name)
    assert sorted(few.files) == sorted(many.files)
    for key in many.files:
        np.testing.assert_array_equal(many[key], few[key])


@pytest.mark.parametrize("name", [*CASES, "store", "resumed"])
def test_both_of_two_processes_hold_the_field_of_one(two_processes, eight, name):
    first, second = (result(two_processes, name, index) for index in (0, 1))
    for key in first.files:
        np.testing.assert_array_equal(first[key], second[key])
    if name in CASES:
        assert difference(compute(name), first) < 1e-5
    if name in SAME:
        for key in first.files:
            np.testing.assert_array_equal(first[key], result(eight, name)[key])


def test_two_processes_share_a_store(two_processes, tmp_path):
    whole = device_cases.stored(tmp_path / "one.zarr")
    stored = gg.MetricField.read(two_processes / "new.zarr")
    assert difference(whole, {"tensors": stored.tensors}) < 1e-5
    assert [run["processes"] for run in stored.provenance["runs"]] == [2]
    assert [run["devices"] for run in stored.provenance["runs"]] == [4]
    assert result(two_processes, "store")["computed"] == 12


def test_an_error_of_one_process_ends_both(two_processes):
    first, second = ((two_processes / f"errors.{index}.txt").read_text().splitlines() for index in (0, 1))
    assert first[0].startswith(f"{two_processes / 'new.zarr'} belongs to another run. codes: stored")
    assert first[1:] == ["no space left"]
    assert second == ["another process of this run has failed; its own message says why."] * 2
    assert gg.MetricField.read(two_processes / "full.zarr").status.tolist() == [1] * 6 + [0] * 6


def test_other_devices_finish_a_store(two_processes, eight, tmp_path):
    """One device, then two processes; and eight devices, then one."""
    whole = np.asarray(device_cases.stored(tmp_path / "one.zarr").tensors)
    done = np.load(two_processes / "begun.npy").sum()
    assert 4 <= done <= 5  # which of two batches two threads began sixth is theirs
    assert result(two_processes, "resumed")["computed"] == 12 - done
    begun = gg.MetricField.read(eight / "interrupted.zarr")
    assert begun.status.tolist() == [1] * 8 + [0] * 4
    resumed = device_cases.stored(eight / "interrupted.zarr")
    assert resumed.provenance["computed_codes"] == 4
    for folder in (two_processes / "resumed.zarr", eight / "interrupted.zarr"):
        tensors = np.asarray(gg.MetricField.read(folder).tensors)
        assert np.median(np.abs(tensors - whole).max((1, 2)) / np.abs(whole).max((1, 2))) < 1e-5


def test_the_script_of_the_documentation_runs(tmp_path):
    text = (ROOT / "docs" / "scaling.md").read_text()
    script = next(block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "initialize()" in block)
    assert len(script.splitlines()) <= 16
    script = script.replace("/shared/", f"{tmp_path}/").replace("1000", "3").replace("resize=64", "resize=32")
    (tmp_path / "field.py").write_text(script)
    command = [sys.executable, str(tmp_path / "field.py"), "--one"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert result.returncode == 0, result.stderr[-3000:]
    assert result.stdout.strip().endswith("0 codes failed")
    assert (gg.MetricField.read(tmp_path / "run.zarr").status == 1).all()


def test_compilations_do_not_grow_with_codes():
    compiled = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, seconds, **_: compiled.append(event) if "backend_compile" in event else None
    )

    def compilations(G, n, **options):
        compiled.clear()
        gg.metric_field(G, MSE, codes_of(5, n), batch=2, progress=False, **options)
        return len(compiled)

    for options in ({}, {"k": 1, "solver": "block"}):
        few, many = smooth_generator(5, hidden=13), smooth_generator(5, hidden=17)
        first = compilations(few, 4, **options)
        assert 1 <= first <= 8
        assert compilations(many, 64, **options) <= first  # what does not depend on the network is compiled by now
        assert compilations(many, 64, **options) == 0
        assert compilations(smooth_generator(5, hidden=17, seed=1), 16, **options) == 0  # other weights
