"""``geomgan apply`` and ``geomgan traverse``, as a user meets them."""

import dataclasses

import jax
import numpy as np
import pytest
from PIL import Image

import geomgan as gg
from geomgan.cli import main

NAMES = ("tall", "wide stroke", "third")


@pytest.fixture
def file(tmp_path):
    G = gg.load("digits-dcgan")
    found = gg.directions.direction_set(G, np.eye(64, 3), "by hand", names=NAMES, scales=[1, 2, 1])
    gg.directions.save(found, tmp_path / "three.npz")
    return tmp_path / "three.npz"


def test_samples_and_codes_are_those_of_the_directions(file, tmp_path, capsys):
    G = gg.load("digits-dcgan")
    given = ["apply", "digits-dcgan", str(file), "--name", "wide stroke", "--name", "0", "--seed", "3"]
    assert main([*given, "--step", "-1", "0", "2.5", "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "2 directions from 1 code; the walks end at most" in said
    assert "standard deviations from the prior's mean: beyond 3 the prior has hardly any codes. See" in said
    z = np.asarray(G.sample_latent(jax.random.key(3), 1))[0]
    with np.load(tmp_path / "out" / "codes.npz") as file:
        assert file["names"].tolist() == ["wide stroke", "tall"]
        np.testing.assert_allclose(file["codes"][0, 0, 2], z + 2.5 * 2 * np.eye(64)[1], atol=1e-6)
        np.testing.assert_array_equal(file["start"], z[None])
        codes = file["codes"]
    with Image.open(tmp_path / "out" / "code0_0-wide-stroke_+2.5.png") as picture:
        shown = np.asarray(picture, float)[..., None] / 127.5 - 1
    np.testing.assert_allclose(shown, np.clip(G(codes[0, 0, 2]), -1, 1), atol=1.01 / 255)
    assert len(list((tmp_path / "out").glob("code0_*.png"))) == 6
    np.save(tmp_path / "z.npy", codes[0, 0, 2])  # goes on from there
    assert main([*given, "--code", str(tmp_path / "z.npy"), "--step", "1", "--out", str(tmp_path / "on")]) == 0
    with np.load(tmp_path / "on" / "codes.npz") as file:
        np.testing.assert_allclose(file["codes"][0, 0, 0], z + 3.5 * 2 * np.eye(64)[1], atol=1e-6)


def test_walks_are_strips_and_films(file, tmp_path, capsys):
    given = ["traverse", "digits-dcgan", str(file), "--codes", "2", "--frames", "8", "--out", str(tmp_path)]
    assert main([*given, "--film", "png", "--film", "gif", "--reach", "2", "--name", "0"]) == 0
    assert f"See {tmp_path}: strips, traversal.png, traversal.gif, codes.npz." in capsys.readouterr().out
    with Image.open(tmp_path / "traversal.png") as film:
        assert film.n_frames == 8
    assert {path.name for path in tmp_path.glob("code*.png")} == {"code0.png", "code1.png"}
    with np.load(tmp_path / "codes.npz") as walked:
        np.testing.assert_allclose(walked["steps"][0, 0], np.linspace(-2, 2, 9))
    assert main([*given, "--film", "none", "--spacing", "distance", "--distance", "mse", "--name", "third"]) == 0
    with np.load(tmp_path / "codes.npz") as walked:
        assert walked["steps"][0, 0, 4] == 0
        assert np.ptp(np.diff(walked["steps"][0, 0])) > 0.01


def test_what_does_not_fit_is_said_in_one_line(file, tmp_path, monkeypatch, capsys):
    def refused(*given, says):
        assert main([*given, "--out", str(tmp_path / "out")]) == 2
        assert says in capsys.readouterr().err
        assert not (tmp_path / "out").exists()

    found = gg.directions.load(file)
    other = tmp_path / "other.npz"
    gg.directions.save(dataclasses.replace(found, model="0" * 16), other)
    refused("apply", "digits-dcgan", str(other), says="whose kernels have the hash 0000000000000000")
    assert main(["apply", "digits-dcgan", str(other), "--transfer", "--step", "0", "--out", str(tmp_path / "t")]) == 0
    capsys.readouterr()
    refused("apply", "digits-dcgan", str(file), "--name", "tal", says="Did you mean 'tall'")
    refused("traverse", "digits-dcgan", str(file), "--schedule", "smoth", says="Did you mean 'smooth'")
    refused("traverse", "digits-dcgan", str(file), "--reach", "-1", says="--reach -1.0 is not positive")
    monkeypatch.setattr("geomgan.plot.encoders.find_spec", lambda name: None)
    refused("traverse", "digits-dcgan", str(file), "--film", "gif", "--film", "mp4", says="error: MP4 needs PyAV")
    refused("apply", "digits-dcgan", str(tmp_path / "no.npz"), says="no.npz is not there; expected a file.")
    np.save(tmp_path / "short.npy", np.ones(5))
    refused(
        "apply", "digits-dcgan", str(file), "--code", str(tmp_path / "short.npy"), says="expected codes of 64 numbers"
    )
