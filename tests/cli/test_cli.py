"""The command line, as a user meets it."""

import argparse
import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

import geomgan as gg
from geomgan.cli import main, options
from geomgan.runs.journal import Journal

ARGUMENTS = ["analyze", "digits-dcgan", "--distance", "mse", "--codes", "3", "--top", "2", "--seed", "1"]


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("GEOMGAN_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a finished run, and what was said."""
    out, said = tmp_path_factory.mktemp("finished") / "run", io.StringIO()
    with contextlib.redirect_stdout(said):
        assert main([*ARGUMENTS, "--out", str(out)]) == 0
    return out, said.getvalue()


def test_models_are_listed_with_what_to_do(capsys):
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.search(r"digits-dcgan +dcgan-tutorial +z 64 +32 .*here$", "\n".join(lines), re.MULTILINE)
    assert next(line for line in lines if line.startswith("faces64")).split()[-2:] == ["MIT", "fetch"]
    audio = next(line for line in lines if line.startswith("wavegan-piano"))
    assert audio.split()[-3:] == ["none", "stated", "convert"]
    assert max(map(len, lines)) <= 120


def test_a_card_is_shown(capsys):
    assert main(["models", "digits-dcgan"]) == 0
    lines = dict(re.split(": +", line, maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines["licence of the weights"] == "Apache-2.0 (trained on MNIST, CC BY-SA 3.0)"
    assert lines["licence of the code"] == "Apache-2.0"
    assert (lines["prior"], lines["output range"]) == ("z ~ N(0, I)", "[-1, 1]")
    parameters = sum(leaf.size for leaf in jax.tree.leaves(gg.load("digits-dcgan").params))
    assert lines["parameters"] == f"generator {parameters:,}"
    multiplications = 192 * 64 * 16 + 4 * 96 * 192 * 4 * 16 + 4 * 48 * 96 * 4 * 64 + 4 * 1 * 48 * 4 * 256
    assert lines["forward pass"] == f"{2 * multiplications / 1e9:.4g} GFLOP"


def test_the_card_of_a_model_that_is_not_here_says_how_to_get_it(capsys):
    assert main(["models", "wavegan-piano"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("how to get it:")
    assert "geomgan convert wavegan gan_exp1.tar" in lines[-1]


def test_check_compares_every_model_and_says_what_is_wrong(tmp_path, capsys):
    assert main(["models", "--check"]) == 0
    lines = capsys.readouterr().out.splitlines()
    embedded = [name for name, entry in gg.zoo.catalogue().items() if entry.embedded]
    assert {"digits-dcgan", "digits-classifier", "shapes"} <= {*embedded}
    assert [line.split()[0] for line in lines] == ["name", *embedded]
    assert all(re.search(r"its training +\d\.\de[-+]\d\d  ok$", line) for line in lines[1:])
    (tmp_path / "home" / "models" / "mine").mkdir(parents=True)
    assert main(["models", "--check"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].endswith("ok")
    assert "damaged: " in lines[1 + len(embedded)]
    assert main(["models", "digits-dcgan", "--check"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_analyze_writes_everything_and_says_what_it_found(finished):
    out, closing = finished[0], finished[1].strip()
    assert {p.name for p in out.iterdir()} == {"field.zarr", "control.zarr", "summary.json", "report.html", "figures",
                                               "parts", "journal.json", "directions.npz", "axes-mean.npz",
                                               "axes-code0.npz"}  # fmt: skip
    summary = json.loads((out / "summary.json").read_text())
    assert closing == f"{summary['finding']} See {out / 'report.html'}."

    G = gg.load("digits-dcgan")
    field = gg.MetricField.read(out / "field.zarr")
    np.testing.assert_allclose(summary["mean_eigenvalues"], field.values.mean(0))
    g = gg.metric_tensor(G, gg.distances.mse(), field.codes[1])
    np.testing.assert_allclose(field.tensors[1], g, atol=1e-5 * float(g.max()))
    cumulative = np.cumsum(field.values, 1) / field.values.sum(1, keepdims=True)
    dimensions = float(np.median((cumulative < 0.99).sum(1) + 1))
    assert summary["anisotropy"]["digits-dcgan"]["dimensions_0.99"][0] == dimensions
    alike = gg.analysis.consistency(field, above_floor=True).summary("log").mean
    np.testing.assert_allclose(summary["consistency"]["digits-dcgan"]["log"][0], alike)
    assert alike > summary["consistency"]["shuffled weights"]["log"][0] + 0.3
    assert f"{dimensions:g} hold 99 %" in closing
    shared = gg.analysis.shared_trace(field)[~np.eye(3, dtype=bool)].mean()
    assert f"hold {100 * shared:.0f} % of another's" in closing
    page = (out / "report.html").read_text()
    assert "://" not in re.sub(r"base64,[^\"]*", "", page)
    shown = {p.stem for p in (out / "figures").glob("*.png")}
    assert len(shown) == len(re.findall(r'<figure><img [^>]*src="data:image/png', page)) == 13
    assert {p.stem for p in (out / "figures").glob("*.csv")} >= shown
    spectrum = np.genfromtxt(out / "figures" / "spectrum.csv", delimiter=",", names=True)
    np.testing.assert_allclose(spectrum["digitsdcgan_mean"], field.values.mean(0))
    assert "geomgan analyze digits-dcgan --distance mse --codes 3 --top 2 --seed 1" in page


def test_the_command_on_the_page_is_what_was_asked():
    parser = argparse.ArgumentParser()
    options.model(parser)
    words = ["stylegan2", "--space", "w", "--truncation", "0.7", "--layers-range", "2", "6", "--option", "noise=0"]
    given = options.model_options(parser.parse_args(words))
    assert options.model_words(given) == words[1:]


def test_running_again_recomputes_nothing(finished, capsys, monkeypatch):
    out, first = finished
    times = {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()}
    monkeypatch.setattr(Journal, "part", lambda *_: pytest.fail("computed again"))
    assert main([*ARGUMENTS, "--out", str(out)]) == 0
    assert capsys.readouterr().out == first
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()} == times


def test_other_settings_in_the_same_folder_are_refused(finished, capsys):
    out = finished[0]
    before = (out / "report.html").read_bytes()
    assert main([*ARGUMENTS, "--out", str(out), "--distance", "euclidean"]) == 2
    error = capsys.readouterr().err
    assert "belongs to another run" in error
    assert error.endswith("or name another folder with --out.\n")
    assert (out / "report.html").read_bytes() == before


def test_a_plan_is_printed_and_nothing_computed(capsys, monkeypatch):
    monkeypatch.setattr("geomgan.fields.steps.launch", lambda *_, **__: pytest.fail("computed"))
    command = ["plan", "digits-dcgan", "--distance", "mse", "--codes", "40", "--memory", "2GB"]
    assert main(command) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert list(lines) == ["codes", "method", "together", "devices", "memory", "store", "work", "time"]
    assert lines["codes"] == "40 of dimension 64"
    assert lines["method"].startswith("dense, 64 eigenpairs each: about")
    assert lines["memory"].endswith("of 2.0 GiB")
    assert main([*command, "--top", "3", "--solver", "block"]) == 0
    assert "block, 3 eigenpairs each: asked for" in capsys.readouterr().out
    assert main([*command, "--precision", "tf32"]) == 0
    assert "of tangents in TF32" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["analyze", "digit-dcgan"], "Did you mean 'digits-dcgan'"),
        *(
            ([c, "digits-classifier"], "is a network of a distance, not a generator")
            for c in ("analyze", "plan", "study")
        ),
        (["analyze", "digits-dcgan", "--distance", "lpips-alx"], "Did you mean 'lpips-alex'"),
        (["analyze", "digits-dcgan", "--top", "65"], "expected 1 to 64"),
        (["analyze", "digits-dcgan", "--codes", "0"], "codes is 0; expected a positive integer"),
        (["analyze", "digits-dcgan", "--distance", "mse", "--resize", "64"], "Leave it out"),
        (["analyze", "digits-dcgan", "--distance", "mse", "--memory", "much"], "a text such as '8GB'"),
        (["plan", "digits-dcgan", "--distance", "mse", "--memory", "0"], "a text such as '8GB'"),
        (["plan", "digits-dcgan", "--memory", "8"], "8 bytes; expected at least 1.0 MiB. Did you mean '8GB'?"),
        (["plan", "digits-dcgan", "--memory", "8000"], "Did you mean '8000MB'?"),
        (["plan", "digits-dcgan", "--distance", "mse", "--solver", "blok"], "Did you mean 'block'"),
        (["plan", "digits-dcgan", "--distance", "mse", "--top", "65"], "from 1 to 64"),
        (["plan", "digits-dcgan", "--distance", "mse", "--codes", "0"], "positive integer"),
        (["analyze", "faces64"], "run `geomgan fetch faces64`"),
        (["fetch", "face64"], "Did you mean 'faces64'"),
        (["models", "qqqq"], "model='qqqq' is not known. It is no folder here; `geomgan models` lists the known."),
        (["models", "face64"], "Did you mean 'faces64'"),
        (["models", "faces64", "--check"], "run `geomgan fetch faces64`"),
        (["fetch", "mnist-vae"], "cannot be fetched: get the folder TrainedModels"),
        (["convert", "dcgan", "nowhere.pth", "out"], "or 'dcgan-tutorial'?"),
        (["convert", "dcgan-tutorial", "nowhere.pth", "out"], "nowhere.pth is not a file"),
    ],
)
def test_mistakes_get_one_clear_line(arguments, message, tmp_path, capsys):
    arguments = [*arguments, "--out", str(tmp_path / "run")] if arguments[0] in ("analyze", "study") else arguments
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_ctrl_c_is_said_and_the_same_command_goes_on(tmp_path):
    out = tmp_path / "run"
    command = [sys.executable, "-m", "geomgan.cli", "analyze", "digits-dcgan", "--distance", "lpips-alex"]
    command += ["--codes", "80", "--top", "2", "--no-control", "--no-layers", "--out", str(out)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background ignores Ctrl-C
    )
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
    assert 2 <= done < 80
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "hold 99 %" in again.stdout
    assert stored() == 80
