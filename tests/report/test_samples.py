"""Samples as files: pixel for pixel what the generator makes, and a distance from real images that can be repeated."""

import json

import jax
import numpy as np
import pytest
from PIL import Image

import geomgan as gg
from geomgan.cli import main
from geomgan.report.samples import write_samples
from geomgan.training import digit_features, frechet_distance
from tests.small_models import small_dcgan

KEY = jax.random.key(4)


def read(folder, count):
    return np.stack([np.asarray(Image.open(folder / f"{i:05d}.png")) for i in range(count)])


def test_files_are_the_samples_and_the_distance_is_that_of_the_files(tmp_path):
    G = gg.load("digits-dcgan")
    real = np.asarray(jax.vmap(G)(G.sample_latent(jax.random.key(9), 24)))
    found = write_samples(G, 12, KEY, tmp_path, real=lambda n: real[:n], progress=False)
    with np.load(tmp_path / "codes.npz") as file:
        codes = file["codes"]
    np.testing.assert_array_equal(codes, G.sample_latent(KEY, 12))
    pngs, theirs = read(tmp_path / "samples", 12), read(tmp_path / "real", 12)
    assert pngs.shape == (12, 32, 32)  # grey, of exactly the size
    shown = np.clip(127.5 * (np.stack([G(z) for z in codes])[..., 0].astype(np.float64) + 1), 0, 255)
    assert np.abs(pngs - shown).max() < 0.501
    assert np.abs(theirs - np.clip(127.5 * (real[:12, ..., 0].astype(np.float64) + 1), 0, 255)).max() < 0.501
    features = lambda x: digit_features((x / np.float32(127.5) - np.float32(1))[..., None])
    np.testing.assert_allclose(found.frechet, frechet_distance(features(pngs), features(theirs)), rtol=1e-6)
    assert found.floor > 0
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["count"], summary["frechet"], summary["floor"]) == (12, found.frechet, found.floor)
    assert summary["judged"]["samples"] == 12
    assert len(list(tmp_path.rglob("*.png"))) == 25  # and the grid
    again = write_samples(G, 12, KEY, tmp_path, real=lambda n: real[:n], progress=False)
    assert again == found


def test_a_judge_is_not_given_images_of_another_run(tmp_path):
    G = small_dcgan()
    write_samples(G, 3, KEY, tmp_path, progress=False)
    assert np.asarray(Image.open(tmp_path / "samples" / "00000.png")).shape == (*G.sample_shape.shape[:2], 3)
    with pytest.raises(gg.StoreError, match=r"belongs to another run. count: stored 3, now 2"):
        write_samples(G, 2, KEY, tmp_path, progress=False)
    (tmp_path / "samples" / "mine.png").write_bytes(b"")
    with pytest.raises(gg.StoreError, match=r"samples holds other images, such as mine.png"):
        write_samples(G, 3, KEY, tmp_path, progress=False)
    sound = gg.Generator.from_function(lambda params, z: z[:, None] * params, 1.0, 8, output_range=None)
    with pytest.raises(ValueError, match=r"samples have shape \(8, 1\); expected images"):
        write_samples(sound, 3, KEY, tmp_path / "sound", progress=False)


def test_colour_is_judged_by_alexnet(tmp_path):
    G = small_dcgan(scale=0.3)
    real = np.asarray(jax.vmap(G)(G.sample_latent(jax.random.key(9), 4)))
    found = write_samples(G, 4, KEY, tmp_path, real=lambda n: real[:n], progress=False)
    assert found.floor is None  # there are no others
    D = gg.distances.classifier_features("alex", "relu5", resize=64)
    features = lambda x: np.stack([np.asarray(D.embed(y / np.float32(127.5) - 1)).reshape(-1, 256).mean(0) for y in x])
    expected = frechet_distance(features(read(tmp_path / "samples", 4)), features(read(tmp_path / "real", 4)))
    np.testing.assert_allclose(found.frechet, expected, rtol=1e-4)
    assert "AlexNet's relu5" in str(found)


def test_the_command(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("GEOMGAN_HOME", str(tmp_path / "home"))
    (tmp_path / "data").mkdir()
    for i in range(5):
        Image.fromarray(np.full((40, 40), 50 * i, np.uint8)).save(tmp_path / "data" / f"{i}.png")
    given = ["sample", "digits-dcgan", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "out")]
    assert main([*given, "--count", "5"]) == 0
    said = capsys.readouterr().out
    assert f"5 samples are in {tmp_path / 'out' / 'samples'}" in said
    assert "Fréchet distance from as many real images, on dense1 of the digit classifier" in said
    assert sorted(read(tmp_path / "out" / "real", 5)[:, 0, 0].tolist()) == [0, 50, 100, 150, 200]
    assert main([*given[:-1], str(tmp_path / "other"), "--count", "6"]) == 2
    assert "has 5 test images; expected at least 6" in capsys.readouterr().err
