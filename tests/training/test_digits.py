import json
from functools import partial

import numpy as np
import pytest

import geomgan as gg
from geomgan.training import digits, gan


def test_the_command_trains_evaluates_and_saves(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(gan, "finished_generator", partial(gan.finished_generator, batches=2, batch=16))
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (20, 28, 28), dtype=np.uint8), np.arange(20) % 10
    np.savez(tmp_path / "mnist.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    command = f"--data {tmp_path} --out {tmp_path / 'out'} --steps 2 --classifier-steps 2 --batch 4 --width 4"
    digits.main([*command.split(), "--samples", "20"])
    metrics = json.loads(capsys.readouterr().out)
    assert (metrics["steps"], metrics["classifier_steps"], metrics["seed"]) == (2, 2, 0)
    assert sum(metrics["digit_shares"]) == pytest.approx(1)
    generator, classifier = (gg.load(tmp_path / "out" / name) for name in ("digits-dcgan", "digits-classifier"))
    assert generator(np.zeros(64)).shape == (32, 32, 1)
    assert classifier(generator(np.zeros(64))).shape == (10,)
    card = gg.zoo.card(tmp_path / "out" / "digits-dcgan")
    assert card["figures"]["confident_share"] == metrics["confident_share"]


def test_absent_data_end_the_command_with_the_reason(tmp_path):
    with pytest.raises(SystemExit, match=r"error: .*mnist\.npz is not there"):
        digits.main(["--data", str(tmp_path), "--out", str(tmp_path / "out")])


def test_steps_must_be_positive(capsys):
    with pytest.raises(SystemExit):
        digits.main(["--data", "a", "--out", "b", "--steps", "0"])
    assert "expected a whole number above 0" in capsys.readouterr().err
