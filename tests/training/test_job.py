"""From images to a model folder, and the command."""

import json

import jax
import numpy as np
import pytest

import geomgan as gg
from geomgan.cli import main
from geomgan.errors import CheckpointError, OptionError, StoreError
from geomgan.runs.lock import locked
from geomgan.training import Images, gan, job

TINY = {"epochs": 1, "batch": 8, "latent_dim": 3}


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (24, 28, 28, 1), dtype=np.uint8)
    labels = (np.arange(24) % 2).astype(np.int32)
    return Images(x[:16], labels[:16], x[16:], labels[16:], ("0", "1"))


def test_a_training_ends_as_a_folder_that_opens(images, tmp_path):
    seen = []
    how = {"key": jax.random.key(4), "out": tmp_path / "run", "options": TINY, "progress": False}
    folder = job.train("bigan", images, picture=lambda *seen_now: seen.append(seen_now), picture_every=1, **how)
    assert folder == tmp_path / "run" / "model"
    assert [(step, samples.shape) for step, samples in seen] == [(1, (100, 28, 28, 1)), (2, (100, 28, 28, 1))]
    G, E = gg.load(folder), gg.load(folder, part="encoder")
    z = E(images.test_images[0] / np.float32(127.5) - 1)
    assert z.shape == (3,)
    assert G(z).shape == (28, 28, 1)
    assert 0 < float(gg.load(folder, part="discriminator")(G(z), z)) < 1
    card = gg.zoo.card(folder)
    assert card["training"]["epochs"] == 1
    assert card["figures"].keys() == {"reconstruction_mse"}  # noise is no digits
    before = gg.zoo.card(folder)["weights_sha256"]
    assert gg.zoo.card(job.train("bigan", images, **how))["weights_sha256"] == before
    for changed in ({"key": jax.random.key(5)}, {"options": {**TINY, "batch": 4}}):
        with pytest.raises(CheckpointError, match=r"belongs to another run\. (key|batch): stored"):
            job.train("bigan", images, **{**how, **changed})
    with pytest.raises(CheckpointError, match="images: stored"):
        job.train("bigan", images._replace(train_images=images.train_images[::-1]), **how)
    with locked(tmp_path / "run"), pytest.raises(StoreError, match="being written by another process"):
        job.train("bigan", images, **how)


def test_a_folder_in_the_place_of_the_model_is_left(images, tmp_path):
    (tmp_path / "model").mkdir()
    with pytest.raises(CheckpointError, match="is there and is no model"):
        job.train("vae", images, key=jax.random.key(0), out=tmp_path, options=TINY, progress=False)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("gan", {}, r"kind='gan' is not known\. Did you mean"),
        ("vae", {"epoch": 1}, r"option='epoch' is not known\. Did you mean 'epochs'"),
        ("vae", {"batch": 0}, "batch=0: expected a whole number above 0"),
        ("vae", {"batch": 2.5}, r"batch=2\.5: expected a whole number"),
        ("vae", {"variance": float("nan")}, "variance=nan: expected a number above 0"),
        ("bigan", {"average": -1}, "average=-1: expected a number from 0"),
        ("dcgan", {"epochs": 3}, "option='epochs' is not known"),
    ],
)
def test_options_are_checked_before_anything_runs(images, tmp_path, kind, options, message):
    with pytest.raises(OptionError, match=message):
        job.train(kind, images, key=jax.random.key(0), out=tmp_path / "run", options=options)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_dcgan_of_bytes_and_of_two_labels(images, tmp_path, monkeypatch):
    finished = gan.finished_generator
    monkeypatch.setattr(gan, "finished_generator", lambda state: finished(state, batches=1, batch=8))
    options = {"steps": 1, "batch": 4, "width": 4}
    folder = job.train(
        "dcgan", images, key=jax.random.key(0), out=tmp_path, options=options, progress=False, picture=lambda *_: None
    )
    assert gg.load(folder)(np.zeros(64)).shape == (32, 32, 1)


@pytest.mark.slow
def test_the_command_trains_and_draws(tmp_path, capsys):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (20, 28, 28), dtype=np.uint8), np.arange(20) % 10
    np.savez(tmp_path / "mnist.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    words = ["train", "bigan", "--data", str(tmp_path), "--out", str(tmp_path / "run"), "--digits", "3,1"]
    words += ["--epochs", "1", "--batch", "2", "--latent-dim", "3", "--picture-every", "1"]
    assert main(words) == 0
    out, _ = capsys.readouterr()
    assert f"The model is in {tmp_path / 'run' / 'model'}. Open it with geomgan.load(" in out
    written = sorted(str(p.relative_to(tmp_path / "run")) for p in (tmp_path / "run").rglob("*.*") if p.is_file())
    names = ["checkpoints/training.csv", "checkpoints/training.npz", "losses.png", "model/model.json"]
    assert set(names) <= set(written)
    assert "samples/step-0000002.png" in written
    card = json.loads((tmp_path / "run" / "model" / "model.json").read_text())
    assert card["source"].endswith("labels 3, 1")
    assert main([*words, "--seed", "1"]) == 2
    assert "belongs to another run. key: stored [0, 0], now [0, 1]" in capsys.readouterr().err
    for wrong, message in (
        (["--digits", "11"], "digits=11: expected different labels that are there"),
        (["--digits", "x"], "expected whole numbers with commas between"),
        (["--data", str(tmp_path / "absent")], "is neither a folder nor a known data set"),
        (["--checkpoint-every", "0"], "expected a positive integer"),
        (["--steps", "3"], "option='steps' is not known"),
    ):
        assert main([*words, *wrong]) == 2
        assert message in capsys.readouterr().err.replace("--digits 11", "digits=11").replace(
            "--option steps", "option='steps'"
        )
