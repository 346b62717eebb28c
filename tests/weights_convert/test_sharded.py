"""Checkpoints in several files: taken by their index or its folder, and refused with a reason where they lie."""

from __future__ import annotations

import json

import jax
import numpy as np
import pytest
import torch

import geomgan as gg
from geomgan.errors import CheckpointError, NotHereError
from tests.fixtures import assert_close
from tests.hostile import damaged
from tests.weights_convert.test_arrays import safetensors
from tests.weights_convert.torch_models import saved, tutorial_dcgan
from weights_convert.convert import convert
from weights_convert.files import read_file

MODULE = tutorial_dcgan(5, (6, 4), 3, seed=1)
STATE = {name: tensor for name, tensor in MODULE.state_dict().items() if tensor.is_floating_point()}
HALVES = [dict(list(STATE.items())[:5]), dict(list(STATE.items())[5:])]
NAMES = {kind: [f"model-0000{i}-of-00002.{kind}" for i in (1, 2)] for kind in ("safetensors", "bin")}


def write(folder, kind="safetensors", halves=HALVES, **weight_map):
    """Two shards and their index, as the Hub has them; ``weight_map`` replaces entries of the index."""
    said = {}
    for file, half in zip(NAMES[kind], halves, strict=True):
        arrays = {name: ("F32", tensor.numpy()) for name, tensor in half.items()}
        (folder / file).write_bytes(safetensors(arrays) if kind == "safetensors" else saved(half))
        said |= dict.fromkeys(half, file)
    stem = "model" if kind == "safetensors" else "pytorch_model"
    index = folder / f"{stem}.{kind}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 5}, "weight_map": {**said, **weight_map}}))
    return index


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("whole_folder", [True, False], ids=["folder", "index"])
def test_shards_are_one_checkpoint(tmp_path, kind, whole_folder):
    index = write(tmp_path, kind)
    folder = convert("dcgan-tutorial", tmp_path if whole_folder else index, tmp_path / "out")
    z = torch.randn(2, 5, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert_close(jax.vmap(gg.load(folder))(z.numpy()), MODULE.main(z[:, :, None, None]).movedim(1, -1).numpy())
    assert [entry["file"] for entry in gg.zoo.card(folder)["files"]] == [index.name, *NAMES[kind]]
    np.testing.assert_equal(read_file(tmp_path), {name: tensor.numpy() for name, tensor in STATE.items()})


FIRST = next(iter(STATE))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({FIRST: "gone.safetensors"}, r"1 of 3 shards are not beside .*gone\.safetensors\. Put them there"),
        ({FIRST: "../model.safetensors"}, "the name of a file beside it, without a path"),
        ({FIRST: "a\\b"}, "the name of a file beside it, without a path"),
        ({FIRST: ""}, "the name of a file beside it, without a path"),
        ({FIRST: "."}, "without a path"),
        ({FIRST: 3}, "expected the index of a sharded checkpoint"),
        ({"more": NAMES["safetensors"][0]}, "the shard model-00001-of-00002.safetensors without more"),
        ({FIRST: NAMES["safetensors"][1]}, f"the shard model-00002-of-00002.safetensors without {FIRST}|with {FIRST}"),
        ({FIRST: "model.safetensors.index.json"}, "found JSON text"),
    ],
    ids=["missing", "path", "backslash", "nameless", "dot", "number", "not there", "other place", "itself"],
)
def test_indexes_that_lie(tmp_path, changes, says):
    index = write(tmp_path, **changes)
    with pytest.raises((CheckpointError, NotHereError), match=says) as caught:
        convert("dcgan-tutorial", index, tmp_path / "out")
    assert str(index) in str(caught.value)


def test_a_tensor_in_two_shards(tmp_path):
    write(tmp_path, halves=[HALVES[0], {**HALVES[1], FIRST: STATE[FIRST]}], **{FIRST: NAMES["safetensors"][0]})
    with pytest.raises(CheckpointError, match=f"the shard model-00002-of-00002.safetensors with {FIRST}"):
        read_file(tmp_path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{}", "weight_map"),
        ('{"weight_map": {}}', "an index of 0 shards"),
        ('{"weight_map": {"a": "x", "a": "y"}}', "a name is there twice"),
        ("{" * 9999, "expected the index"),
        (b'{"\xff": 1}', "expected the index"),
    ],
)
def test_what_is_no_index(tmp_path, text, says):
    (tmp_path / "x.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(CheckpointError, match=rf"x\.json: .*{says}"):
        convert("dcgan-tutorial", tmp_path / "x.json", tmp_path / "out")


@pytest.mark.parametrize("count", [100, pytest.param(2000, marks=pytest.mark.slow)])
def test_damage_raises_nothing_else(tmp_path, count):
    index = write(tmp_path)
    for data in damaged(index.read_bytes(), count):
        index.write_bytes(data)
        try:
            read_file(index)
        except (CheckpointError, NotHereError) as error:
            assert str(index) in str(error)  # noqa: PT017  either outcome is right


def test_folders_that_do_not_say_which(tmp_path):
    with pytest.raises(NotHereError, match="without an index of shards"):
        read_file(tmp_path)
    write(tmp_path, "bin")
    write(tmp_path)
    assert set(read_file(tmp_path)) == set(STATE)  # of the two forms, the one that no pickle is in
    (tmp_path / "other.safetensors.index.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"holds 2 indexes of shards \(model\.safe.*, other"):
        convert("dcgan-tutorial", tmp_path, tmp_path / "out")
