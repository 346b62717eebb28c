"""The command line, as a user meets it."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import geomgan as gg
from geomgan.cli import main

ARGUMENTS = ["analyze", "digits-dcgan", "--distance", "mse", "--codes", "3", "--top", "2", "--seed", "1"]


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("GEOMGAN_HOME", str(tmp_path / "home"))


def test_models_are_listed_with_what_to_do(capsys):
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.search(r"digits-dcgan +dcgan-tutorial +z 64 +32 .*here$", "\n".join(lines), re.MULTILINE)
    assert next(line for line in lines if line.startswith("faces64")).endswith("run `geomgan fetch faces64`")


def test_analyze_writes_everything_and_says_what_it_found(tmp_path, capsys):
    out = tmp_path / "run"
    assert main([*ARGUMENTS, "--out", str(out)]) == 0
    closing = capsys.readouterr().out.strip()
    names = {"field.zarr", "summary.json", "report.html", "spectrum.png", "axes.png", "curves.png"}
    assert names == {p.name for p in out.iterdir()}
    summary = json.loads((out / "summary.json").read_text())
    assert closing == f"{summary['finding']} See {out / 'report.html'}."

    G = gg.load("digits-dcgan")
    field = gg.MetricField.read(out / "field.zarr")
    np.testing.assert_allclose(summary["mean_eigenvalues"], field.values.mean(0))
    g = gg.metric_tensor(G, gg.distances.mse(), field.codes[1])
    np.testing.assert_allclose(field.tensors[1], g, atol=1e-5 * float(g.max()))
    cumulative = np.cumsum(field.values, 1) / field.values.sum(1, keepdims=True)
    dimensions = float(np.median((cumulative < 0.99).sum(1) + 1))
    assert summary["dimensions_for_share_of_trace"]["0.99"] == dimensions
    assert f"{dimensions:g} hold 99 %" in closing
    page = (out / "report.html").read_text()
    assert "http" not in re.sub(r"base64,[^\"]*", "", page)
    assert page.count("data:image/png;base64,") == 3
    assert "geomgan analyze digits-dcgan --distance mse --codes 3 --top 2 --seed 1" in page


def test_running_again_recomputes_nothing(tmp_path, capsys, monkeypatch):
    out = tmp_path / "run"
    assert main([*ARGUMENTS, "--out", str(out)]) == 0
    first = capsys.readouterr().out
    times = {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()}
    monkeypatch.setattr("geomgan.metric.field._dense_batch", lambda *_, **__: pytest.fail("computed again"))
    monkeypatch.setattr("geomgan.analyze.walk", lambda *_, **__: pytest.fail("computed again"))
    assert main([*ARGUMENTS, "--out", str(out)]) == 0
    assert capsys.readouterr().out == first
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()} == times


def test_other_settings_in_the_same_folder_are_refused(tmp_path, capsys):
    out = tmp_path / "run"
    assert main([*ARGUMENTS, "--out", str(out)]) == 0
    before = (out / "report.html").read_bytes()
    assert main([*ARGUMENTS, "--out", str(out), "--distance", "euclidean"]) == 2
    assert "belongs to another run" in capsys.readouterr().err
    assert (out / "report.html").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["analyze", "digit-dcgan"], "Did you mean 'digits-dcgan'"),
        (["analyze", "digits-dcgan", "--distance", "lpips-alx"], "Did you mean 'lpips-alex'"),
        (["analyze", "digits-dcgan", "--top", "65"], "expected 1 to 64"),
        (["analyze", "digits-dcgan", "--codes", "0"], "at least 1"),
        (["analyze", "digits-dcgan", "--distance", "mse", "--resize", "64"], "Leave it out"),
        (["analyze", "faces64"], "run `geomgan fetch faces64`"),
        (["fetch", "face64"], "Did you mean 'faces64'"),
        (["fetch", "mnist-vae"], "cannot be fetched: get the folder TrainedModels"),
        (["convert", "dcgan", "nowhere.pth", "out"], "or 'dcgan-tutorial'?"),
        (["convert", "dcgan-tutorial", "nowhere.pth", "out"], "nowhere.pth is not a file"),
    ],
)
def test_mistakes_get_one_clear_line(arguments, message, tmp_path, capsys):
    arguments = [*arguments, "--out", str(tmp_path / "run")] if arguments[0] == "analyze" else arguments
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_ctrl_c_is_said_and_the_same_command_goes_on(tmp_path):
    out = tmp_path / "run"
    command = [sys.executable, "-m", "geomgan.cli", "analyze", "digits-dcgan", "--distance", "lpips-alex"]
    command += ["--codes", "12", "--top", "2", "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)
    stored = lambda: int((gg.MetricField.read(out / "field.zarr").status > 0).sum())
    while process.poll() is None:
        time.sleep(0.05)
        try:
            if stored() >= 2:
                break
        except (gg.StoreError, ValueError):
            continue
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors[-2000:]
    assert errors.strip().endswith("repeat the same command to go on.")
    assert "Traceback" not in errors
    done = stored()
    assert 2 <= done < 12
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "hold 99 %" in again.stdout
    assert stored() == 12
