"""A model's folder appears whole or not at all, and its card says what was written."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

import numpy as np
import pytest

import geomgan as gg
from geomgan.errors import CheckpointError
from geomgan.models.card import card_text, is_model, made_by, read_card, without_reference
from geomgan.models.families import NETWORKS
from geomgan.models.folder import read_model, write_model
from tests.fixtures import random_params

CARD = {
    "family": "dcgan-tutorial",
    "config": {"latent_dim": 3, "features": [4], "channels": 1, "resolution": 8},
    "output_range": [-1, 1],
}


def weights(seed=0):
    part = NETWORKS["dcgan-tutorial"]["generator"]
    return {"generator": random_params(part.module(CARD["config"]), *part.inputs(CARD["config"]), seed=seed)}


class FailingCard(Mapping):
    """Fails when it is written, which is last."""

    def __init__(self, error):
        self.error = error

    def __iter__(self):
        return iter(CARD)

    def __len__(self):
        return len(CARD)

    def __getitem__(self, key):
        raise self.error


class FailingWeights:
    """Fail when they are read."""

    def __init__(self, error):
        self.error = error

    def __array__(self, *_, **__):
        raise self.error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ZeroDivisionError("not a number")])
@pytest.mark.parametrize("step", ["weights", "card"])
def test_an_interrupted_writing_leaves_nothing_or_the_model_that_was_there(tmp_path, step, error):
    card, params = (FailingCard(error), weights(1)) if step == "card" else (CARD, {"generator": FailingWeights(error)})
    with pytest.raises(type(error)):
        write_model(tmp_path / "model", card, params)
    assert os.listdir(tmp_path) == []
    write_model(tmp_path / "model", CARD, weights())
    before = gg.load(tmp_path / "model")(np.ones(3))
    with pytest.raises(type(error)):
        write_model(tmp_path / "model", card, params)
    np.testing.assert_array_equal(gg.load(tmp_path / "model")(np.ones(3)), before)
    assert os.listdir(tmp_path) == ["model"]


def test_a_model_is_replaced_and_nothing_else_is(tmp_path):
    write_model(tmp_path / "model", CARD, weights(), {"codes": np.ones((1, 3))})
    write_model(tmp_path / "model", CARD | {"note": "the second"}, weights(1))
    card, params = read_model(tmp_path / "model")
    assert card == {"format": 1, **CARD, "note": "the second"}
    np.testing.assert_array_equal(params["generator"]["block1"]["kernel"], weights(1)["generator"]["block1"]["kernel"])
    assert sorted(os.listdir(tmp_path / "model")) == ["model.json", "weights"]  # the reference went with the first
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    with pytest.raises(CheckpointError, match="exists and is not a converted model"):
        write_model(tmp_path / "thesis", CARD, weights())
    assert not is_model(tmp_path / "thesis")
    assert is_model(tmp_path / "model")


def test_what_a_card_says(tmp_path):
    (tmp_path / "model.json").write_text(card_text(CARD | {"files": [], "reference": {"mean": 0.5}}))
    card = read_card(tmp_path)
    assert json.loads((tmp_path / "model.json").read_text()) == card
    assert (made_by(card), without_reference(card)) == ("its conversion", None)
    assert made_by({"family": "program"}) == "its saving"
    trained = card_text(CARD | {"reference": "none: an activation takes 2.0 GiB"})
    (tmp_path / "model.json").write_text(trained)
    card = read_card(tmp_path)
    assert (made_by(card), without_reference(card)) == ("its training", "an activation takes 2.0 GiB")
    assert without_reference({"family": "proggan"}).startswith("written before there were any")
