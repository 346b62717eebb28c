"""Opening models: the catalogue, names and folders, parts, and what damage is called."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest

import geomgan as gg
from geomgan.errors import CheckpointError, NotHereError, OptionError
from geomgan.generators import Network
from geomgan.models.families import CHECKPOINTS, NETWORKS
from geomgan.models.folder import write_model
from geomgan.zoo import show
from tests.fixtures import random_params

DCGAN = {
    "family": "dcgan-tutorial",
    "config": {"latent_dim": 3, "features": [4], "channels": 1, "resolution": 8},
    "output_range": [-1, 1],
}
BIGAN = {
    "family": "generative-latent-space-bigan",
    "config": {"latent_dim": 4, "centers": 64, "channels": 1, "resolution": 28},
    "output_range": [-1, 1],
}


def written(folder, card, parts=None):
    """A model with random weights."""
    kinds = NETWORKS[card["family"]]
    params = {
        part: random_params(kinds[part].module(card["config"]), *kinds[part].inputs(card["config"]))
        for part in parts or kinds
    }
    return write_model(folder, card, params)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("GEOMGAN_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def model(tmp_path):
    return written(tmp_path / "tiny", DCGAN)


# --- The catalogue ---


@pytest.mark.parametrize("name", list(gg.zoo.catalogue()))
def test_catalogue_entries_are_complete(name):
    entry = gg.zoo.catalogue()[name]
    assert entry.family in NETWORKS
    assert min(len(text) for text in (entry.summary, entry.licence, entry.latent)) > 0
    assert entry.resolution > 0
    assert sum([entry.embedded, bool(entry.package), bool(entry.url)]) == 1
    if entry.package:
        assert "==" in entry.package  # a version, so that the sha256 stays right
        assert len(bytes.fromhex(entry.sha256)) == 32
        assert entry.member
    if entry.url:
        assert entry.files
    if not entry.embedded:
        assert entry.family in CHECKPOINTS
    if entry.url and not CHECKPOINTS[entry.family].files:
        assert "." in entry.files.split()[0]  # a file's name, which the command in how_to_get repeats


def test_home_is_the_variable_or_the_cache_folder(tmp_path, monkeypatch):
    folder = gg.zoo.catalogue()["faces64"]
    monkeypatch.setenv("GEOMGAN_HOME", str(tmp_path / "mine"))
    assert folder.folder == tmp_path / "mine" / "models" / "faces64"
    monkeypatch.delenv("GEOMGAN_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert gg.zoo.home() == tmp_path / "cache" / "geomgan"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert gg.zoo.home() == tmp_path / ".cache" / "geomgan"
    monkeypatch.setenv("GEOMGAN_HOME", "~/models of mine")
    assert gg.zoo.home() == tmp_path / "models of mine"


# --- Names ---


def test_unknown_names_give_the_nearest(home):
    with pytest.raises(ValueError, match=r"model='face64' is not known\. Did you mean 'faces64'"):
        gg.load("face64")
    with pytest.raises(ValueError, match=r"Did you mean 'mnist-bigan'"):
        gg.zoo.card("mnist_bigan")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("faces64", "faces64 is not on this machine: run `geomgan fetch faces64`."),
        (
            "mnist-vae",
            "mnist-vae is not on this machine: get the folder TrainedModels of "
            "https://github.com/mmichelis/GenerativeLatentSpace, then run "
            "`geomgan convert generative-latent-space-vae FOLDER {home}/models/mnist-vae`.",
        ),
        (
            "wavegan-piano",
            "wavegan-piano is not on this machine: get gan_exp1.tar of "
            "https://github.com/mostafaelaraby/wavegan-pytorch, then run "
            "`geomgan convert wavegan gan_exp1.tar {home}/models/wavegan-piano`.",
        ),
        (
            "biggan-deep-128",
            "biggan-deep-128 is not on this machine: get biggan-deep-128-pytorch_model.bin and "
            "biggan-deep-128-config.json of https://github.com/huggingface/pytorch-pretrained-BigGAN, then run "
            "`geomgan convert biggan-deep biggan-deep-128-pytorch_model.bin {home}/models/biggan-deep-128` "
            "with config.json or *-config.json beside it.",
        ),
    ],
)
def test_models_that_are_not_here_say_which_command_brings_them(home, name, says):
    with pytest.raises(NotHereError) as caught:
        gg.load(name)
    assert str(caught.value) == says.format(home=home)


def test_a_model_in_the_home_folder_loads_by_name(home):
    card = DCGAN | {"config": DCGAN["config"] | {"latent_dim": 100}, "licence": "MIT"}
    written(home / "models" / "faces64", card)
    G = gg.load("faces64")
    assert (G.name, G.latent_dim, G.sample_shape.shape) == ("faces64", 100, (8, 8, 1))
    assert gg.zoo.card("faces64")["licence"] == "MIT"


@pytest.mark.parametrize("name", list(gg.zoo.catalogue()))
def test_every_model_has_a_card(home, name):
    card = gg.zoo.card(name)
    assert {"summary", "family", "source", "latent", "licence", "code_licence"} <= set(card)
    assert ("how_to_get" in card) == (not gg.zoo.catalogue()[name].is_here)


def test_a_licence_that_nobody_states_is_called_so(model):
    card = gg.zoo.card(model)
    assert (card["licence"], card["code_licence"]) == ("none stated", "none stated")


# --- Folders and parts ---


def test_a_folder_loads_with_its_weights(model, monkeypatch):
    expected = random_params(NETWORKS["dcgan-tutorial"]["generator"].module(DCGAN["config"]), (3,))
    G = gg.load(model)
    assert (G.name, G.latent_dim, G.output_range) == ("tiny", 3, (-1, 1))
    jax.tree.map(np.testing.assert_array_equal, G.params, expected)
    monkeypatch.chdir(model.parent)
    np.testing.assert_array_equal(gg.load("tiny")(np.ones(3)), G(np.ones(3)))
    np.testing.assert_array_equal(gg.load(f"{model}/")(np.ones(3)), G(np.ones(3)))


def test_parts_of_a_model(tmp_path):
    folder = written(tmp_path / "bigan", BIGAN)
    assert gg.load(folder).sample_shape.shape == (28, 28, 1)
    assert gg.load(folder, part="generator").name == "bigan"
    encoder, discriminator = gg.load(folder, part="encoder"), gg.load(folder, part="discriminator")
    assert isinstance(encoder, Network)
    assert encoder(np.zeros((28, 28, 1), "f4")).shape == (4,)
    assert 0 < float(discriminator(np.ones((28, 28, 1), "f4"), np.ones(4, "f4"))) < 1
    with pytest.raises(ValueError, match=r"part='encodre' is not known\. Did you mean 'encoder'"):
        gg.load(folder, part="encodre")


def test_a_model_without_a_generator_is_its_only_network(tmp_path):
    folder = written(tmp_path / "judge", {"family": "digit-classifier", "config": {}})
    assert gg.load(folder).name == "judge:classifier"
    assert gg.load(folder).input_shapes == ((32, 32, 1),)


def test_a_part_that_was_not_converted(tmp_path):
    folder = written(tmp_path / "bigan", BIGAN, ["generator"])
    with pytest.raises(ValueError, match="bigan was converted without its encoder"):
        gg.load(folder, part="encoder")


def test_options_that_a_family_does_not_have_are_refused(model):
    with pytest.raises(TypeError, match=r"^tiny takes no options, got class_index, truncation\. Leave them out\.$"):
        gg.load(model, truncation=0.7, class_index=3)
    with pytest.raises(TypeError, match=r"^digits-dcgan takes no options, got space\. Leave it out\.$"):
        gg.load("digits-dcgan", space="w")


# --- Damage ---


def rewrite(folder, **changes):
    path = folder / "model.json"
    card = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in card.items() if value is not None}))


def test_folders_that_are_no_models(tmp_path, monkeypatch):
    with pytest.raises(NotHereError, match=r"absent holds no model\.json: it is not a converted model\. Convert"):
        gg.load(tmp_path / "absent")
    with pytest.raises(NotHereError, match=r"absent holds no model\.json"):
        gg.load(str(tmp_path / "absent"))
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotHereError, match=r"empty holds no model\.json"):
        gg.load("empty")


@pytest.mark.parametrize("text", ["", "{", "[1]", "3", "{}", '{"format": 1'])
def test_a_damaged_card(model, text):
    (model / "model.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"model\.json is damaged .*Convert the model again"):
        gg.load(model)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"format": 2}, "has format 2; expected 1"),
        ({"family": "stylegan9"}, r"family 'stylegan9', which is no generator or network\. Update geomgan"),
        ({"family": "lpips-alex"}, r"Use it as lpips\(net, weights=FOLDER\)"),
        ({"config": None}, "do not fit each other .*'config'"),
        ({"config": {"latent_dim": 3, "channels": 1}}, "do not fit each other .*'features'"),
        ({"config": {"latent_dim": 5, "features": [4], "channels": 1}}, "do not fit each other"),
        ({"config": {"latent_dim": 3, "features": [4, 4], "channels": 1}}, "do not fit each other"),
        ({"config": {"latent_dim": -3, "features": [4], "channels": 1}}, "do not fit each other"),
        ({"output_range": [1, -1]}, "do not fit each other"),
        ({"output_range": None}, "do not fit each other"),
    ],
)
def test_a_card_that_does_not_fit(model, changes, says):
    rewrite(model, **changes)
    with pytest.raises(CheckpointError, match=says):
        gg.load(model)


FILES = {  # name -> contents, and what is said of it
    "netG.pth": (
        b"PK\x03\x04" + bytes(90),
        r"netG\.pth: found a damaged or truncated zip archive",
    ),
    "old.pt": (
        pickle.dumps(0x1950A86A20F9469CFC6C),
        r"old\.pt: byte 24 .*the file is truncated or damaged",
    ),
    "network.pkl": (pickle.dumps({"a": 1}), r"is a Python pickle\. It holds no tensors\. .*`geomgan export-recipe`"),
    "a b.safetensors": (
        b"\x08" + bytes(7) + b'{"a":{}}',
        r"a b\.safetensors: found the tensor 'a' of type None",
    ),
    "model.h5": (
        b"\x89HDF\r\n\x1a\n",
        r"model\.h5 is an HDF5 file\. It is no .* `geomgan convert auto .*model\.h5 OUT_DIR`",
    ),
    "array.npy": (b"\x93NUMPY\x01\x00", r"is a numpy \.npy file\. It has one array and no name: numpy\.savez"),
    "G.onnx": (b"\x08\x08\x12\x07pytorch", r"is a network in ONNX\. Its weights alone, with the package onnx: "),
    "G.pt2": (
        b"PK\x03\x04" + bytes(99) + b"G/models/model.json",
        r"G\.pt2: found a damaged or truncated zip archive",
    ),
    "weights.bin": (b"<!DOCTYPE html><html>", r"weights\.bin is an HTML page: the download link needs a login"),
    "lfs.pt": (b"version https://git-lfs.github.com/spec/v1", r"is a git-lfs pointer: .*`git lfs pull`\.$"),
    "empty.ckpt": (b"", r"empty\.ckpt is an empty file: the download failed\.$"),
    "odd": (bytes(100), r"odd: found no known format; expected a file written by torch\.save"),
    "model.json": (b"{}", r"model\.json is the card of a model; expected its folder\. Name "),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_told_what_it_is_and_the_shortest_way_on(tmp_path, monkeypatch, name):
    data, says = FILES[name]
    (tmp_path / name).write_bytes(data)
    monkeypatch.chdir(tmp_path)
    for model in (tmp_path / name, str(tmp_path / name), name):
        for read in (gg.load, gg.zoo.card, gg.zoo.load_generator):
            with pytest.raises(NotHereError, match=says):
                read(model)


def test_names_that_no_folder_can_have(tmp_path):
    for name, says in {
        "x" * 5000: r"model='x{5000}' is not known",
        "\0": r"model='\\x00' is not known",
        f"{tmp_path}/{'y' * 300}": "y{300} holds no model.json",
        "~nobody-of-this-name/model": "~nobody-of-this-name/model holds no model.json",
        "": r"^\. holds no model\.json",
    }.items():
        for read in (gg.load, gg.zoo.card):
            with pytest.raises((OptionError, NotHereError), match=says):
                read(name)


@pytest.mark.parametrize("name", ["with spaces", "50%25", "a#b?c", "é中", "-o", "quote'\"s"])
def test_folders_of_any_name(tmp_path, name):
    folder = written(tmp_path / name, DCGAN)
    assert gg.load(folder).name == name
    assert gg.load(str(folder)).latent_dim == 3


def test_what_has_the_name_of_a_known_model_does_not_hide_it(tmp_path, monkeypatch, recwarn):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits-dcgan").write_bytes(b"mine")
    assert gg.load("digits-dcgan").latent_dim == 64
    assert not recwarn
    (tmp_path / "digits-dcgan").unlink()
    folder = written(tmp_path / "digits-dcgan", DCGAN)
    with pytest.warns(UserWarning, match=r"digits-dcgan is a known model and a folder here.*The folder is \./digits-d"):
        assert gg.load("digits-dcgan").latent_dim == 64
    for path in ("./digits-dcgan", folder, Path("digits-dcgan")):
        assert gg.load(path).latent_dim == 3


def test_a_folder_with_the_name_of_a_known_model_that_is_not_here(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "faces64", DCGAN)
    assert gg.load("faces64").latent_dim == 3


HOSTILE = {  # a field of the card, and values that no card has
    "family": (None, 3, [], {}),
    "config": ([], "text", 3, {"latent_dim": 10**30}, {"latent_dim": float("nan")}, {"a": [[2**21]]}),
    "output_range": (3, "range", [None, 1], ["-1", "1"], [float("-inf"), 1], {}),
    "files": ({}, [1], [{"file": "a"}], [{"file": "a", "sha256": "b", "bytes": "c"}], "text"),
    "ignored": ([], {"a": 1}),
    "parameters": ([], {"generator": None}, {"generator": 0.5}, 3),
    "weights_sha256": (3, None, [], {}),
    "forward_gflop": ("many", [], float("inf")),
    "reference": (3, None, [], {"mean": "zero"}, {"mean": [], "std": {}}),
    "licence": (3, {}, None),
    "note": ([[[]]], False),
    "summary": ({"a": 1},),
    "more": (10**40, float("nan"), json.loads("[" * 100 + "]" * 100)),
}


@pytest.mark.parametrize("field", HOSTILE)
def test_a_card_of_other_types_is_refused_wherever_it_is_read(model, field):
    path = model / "model.json"
    card = json.loads(path.read_text())
    for value in HOSTILE[field]:
        path.write_text(json.dumps({**card, field: value}))
        for read in (gg.load, gg.zoo.card):
            with pytest.raises(CheckpointError, match=r"model\.json is damaged \(.*\)\. Convert the model again"):
                read(model)


def test_what_a_card_does_not_say_is_not_shown(model):
    rewrite(model, reference={"mean": 0.25}, figures={"deep": [None]}, note="", files=[])
    lines = dict(line.split(": ", 1) for line in show.card_lines(gg.zoo.card(model)))
    assert lines["reference"].strip() == "mean 0.25, and numbers of one sample, which `geomgan models --check` compares"
    assert "note" not in lines


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, '{"format": 1' + "0" * 5000 + "}", "\ufeff{}"])
def test_a_card_that_json_cannot_take(model, text):
    (model / "model.json").write_text(text, encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"model\.json is damaged \(.{3,400}\)\. Convert the model again"):
        gg.load(model)


def test_a_card_of_another_encoding_or_without_end(model):
    for data in (b"\xff\xfe\x00{", bytes(17 << 20)):
        (model / "model.json").write_bytes(data)
        with pytest.raises(CheckpointError, match=r"model\.json is damaged \("):
            gg.load(model)


def test_another_network_that_does_not_fit_its_card(tmp_path):
    folder = written(tmp_path / "bigan", BIGAN)
    rewrite(folder, config=BIGAN["config"] | {"latent_dim": 5})
    with pytest.raises(CheckpointError, match="do not fit each other"):
        gg.load(folder, part="encoder")


def test_missing_and_truncated_weights(model):
    for path in sorted((model / "weights").rglob("*")):
        if path.is_file() and path.stat().st_size > 200:
            path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CheckpointError, match=r"weights is missing or damaged .*Convert the model again"):
        gg.load(model)
    shutil.rmtree(model / "weights")
    with pytest.raises(CheckpointError, match=r"weights is missing or damaged"):
        gg.load(model)
