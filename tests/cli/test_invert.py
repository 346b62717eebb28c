"""``geomgan invert``, as a user meets it."""

import json

import numpy as np
import pytest
from PIL import Image

import geomgan as gg
from geomgan.cli import main


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("GEOMGAN_HOME", str(tmp_path / "home"))


def test_images_become_codes_and_a_page(tmp_path, capsys):
    G = gg.load("digits-dcgan")
    image = np.asarray(G(np.full(64, 0.3, np.float32)))
    Image.fromarray(np.clip((image[..., 0] + 1) * 127.5, 0, 255).astype(np.uint8)).save(tmp_path / "a.png")
    given = ["invert", "digits-dcgan", str(tmp_path / "a.png"), "--distance", "mse", "--restarts", "2", "--steps", "5"]
    given += ["--pool", "32", "--out", str(tmp_path / "out")]
    assert main(given) == 0
    said = capsys.readouterr().out
    assert "1 target, 2 runs each by levenberg-marquardt" in said
    assert str(tmp_path / "out" / "report.html") in said
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    curves = np.genfromtxt(tmp_path / "out" / "figures" / "curves.csv", delimiter=",", names=True)
    ends = [curves["target_0_run_0"][-1], curves["target_0_run_1"][-1]]
    np.testing.assert_allclose(summary["runs"]["mse"], ends, rtol=1e-6)  # of two compiled programs
    assert max(summary["runs"]["mse"]) < 0.8 * curves["target_0_run_0"][0]
    assert 0 < min(summary["runs"]["lpips-alex"]) < 0.2
    with np.load(tmp_path / "out" / "codes.npz") as found:
        np.testing.assert_allclose(found["samples"][0], G(found["codes"][0]), atol=1e-5)
    assert summary["command"].startswith("geomgan invert digits-dcgan")
    assert main([*given[:-1], str(tmp_path / "out"), "--seed", "1"]) == 2  # of another run
    assert "belongs to another run" in capsys.readouterr().err


def test_what_is_no_image_is_said_in_one_line(tmp_path, capsys):
    (tmp_path / "a.png").write_text("no image")
    assert main(["invert", "digits-dcgan", str(tmp_path / "a.png"), "--out", str(tmp_path / "out")]) == 2
    assert "is no image that can be read" in capsys.readouterr().err
    assert main(["invert", "digits-dcgan", str(tmp_path / "b.png"), "--out", str(tmp_path / "out")]) == 2
    assert "is no file; expected an image" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert main(["invert", "digits-dcgan", str(tmp_path / "empty"), "--out", str(tmp_path / "out")]) == 2
    assert "empty is a folder; expected an image. Name the files in it." in capsys.readouterr().err
    assert main(["invert", "digits-dcgan", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert f"{tmp_path / 'a.png'} is no image that can be read" in capsys.readouterr().err  # a folder: its images
