"""``geomgan discover``, as a user meets it."""

import json

import numpy as np
import pytest

import geomgan as gg
from geomgan.cli import main
from geomgan.cli.discover import class_rows
from tests.parity import write_config
from weights_convert.convert import convert


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("GEOMGAN_HOME", str(tmp_path / "home"))


def test_methods_become_sets_scores_and_a_page(tmp_path, capsys):
    out = tmp_path / "out"
    given = ["discover", "shapes", "--distance", "mse", "--methods", "metric,sefa", "--codes", "8"]
    given += ["--predictor-steps", "0", "--show", "1", "--out", str(out)]
    assert main(given) == 0
    said = capsys.readouterr().out
    assert "20 directions by 2 methods: metric, sefa." in said
    assert str(out / "report.html") in said
    summary = json.loads((out / "summary.json").read_text())
    assert min(summary["truth"][factor][0] for factor in ("x", "y", "size", "hue", "rotation")) >= 0.85
    assert summary["truth"]["FactorVAE"][0] == 1
    table = np.genfromtxt(out / "scoreboard.csv", delimiter=",", names=True, dtype=None, encoding="utf-8")
    metric = table[table["method"] == "metric"]
    assert sum(metric["energy"]) == pytest.approx(1, abs=1e-3)  # ten orthonormal directions of ten dimensions
    assert (np.diff(metric["speed"]) < 0).all()
    assert (out / "scoreboard.md").read_text().count("\n") == 22
    G = gg.load("shapes")
    found = gg.directions.load(out / "directions" / "sefa.npz", G)
    assert found.method == "sefa"
    before = {file: file.stat().st_mtime_ns for file in (out / "scores" / "parts").iterdir()}
    assert main(given) == 0  # all of it is read
    assert before == {file: file.stat().st_mtime_ns for file in (out / "scores" / "parts").iterdir()}
    assert main([*given, "--seed", "1"]) == 2
    assert "belongs to another run" in capsys.readouterr().err


def test_classes_by_number(tmp_path):
    from tests.weights_convert.torch_biggan_deep import SMALL, deep_state
    from tests.weights_convert.torch_models import saved

    write_config(tmp_path, SMALL)
    (tmp_path / "pytorch_model.bin").write_bytes(saved(state := deep_state()))
    folder = str(convert("biggan-deep", tmp_path / "pytorch_model.bin", tmp_path / "model"))
    table = state["embeddings.weight"].numpy().T
    np.testing.assert_array_equal(class_rows(folder, "all"), table)
    np.testing.assert_array_equal(class_rows(folder, "5,2"), table[[5, 2]])
    with pytest.raises(gg.OptionError, match="class_index='7' is no class of this model"):
        class_rows(folder, "1,7")
    with pytest.raises(TypeError, match="space"):
        class_rows("shapes", "all")


@pytest.mark.slow
def test_trainings_leave_pictures_and_curves(tmp_path):
    out = tmp_path / "out"
    given = ["discover", "shapes", "--distance", "mse", "--methods", "warps", "--codes", "2", "--k", "2"]
    assert main([*given, "--steps", "2", "--predictor-steps", "0", "--reach", "4", "--out", str(out)]) == 0
    assert (out / "training" / "warps" / "000002.png").stat().st_size > 1000
    assert (out / "training" / "warps" / "curve.png").stat().st_size > 1000
    assert gg.directions.load(out / "directions" / "warps.npz", gg.load("shapes")).method == "warps"


def test_a_method_that_is_unknown_is_said_before_any_work(tmp_path, capsys):
    assert main(["discover", "shapes", "--distance", "mse", "--methods", "safe", "--out", str(tmp_path)]) == 2
    assert "Did you mean 'sefa'" in capsys.readouterr().err
    assert not (tmp_path / "found").exists()
