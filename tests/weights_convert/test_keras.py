"""Keras models equal what Keras makes of them, whichever file they come in; hostile ones are refused."""

from __future__ import annotations

import io
import json
import zipfile

import jax
import numpy as np
import pytest

import geomgan as gg
from geomgan.errors import CheckpointError
from tests.fixtures import GOLDEN, assert_close
from tests.hostile import damaged, watched
from weights_convert.convert import convert
from weights_convert.keras_layers import maps
from weights_convert.keras_layers.file import read
from weights_convert.keras_layers.graph import program_of

ARCHIVE = zipfile.ZipFile(GOLDEN / "keras/files.zip")  # make_keras.py wrote them
OLD = zipfile.ZipFile(GOLDEN / "keras/old.zip")  # and these make_keras2.py
SAMPLES = {**np.load(GOLDEN / "keras/samples.npz"), **np.load(GOLDEN / "keras/old.npz")}
FILES = sorted({name.split("/")[0] for name in SAMPLES})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The files of Keras."""
    folder = tmp_path_factory.mktemp("keras")
    ARCHIVE.extractall(folder)
    OLD.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def converted(folder):
    made = {}

    def of(file):
        if file not in made:
            made[file] = convert("keras-layers", folder / file, folder / f"{file} converted")
        return made[file]

    return of


@pytest.mark.parametrize("file", [file for file in FILES if not file.startswith(("conditional", "old"))])
def test_samples_equal_those_of_keras(converted, file):
    G = gg.load(converted(file))
    theirs = SAMPLES[f"{file}/samples"]
    if file.startswith("first"):
        theirs = np.moveaxis(theirs, 1, -1)  # samples of geomgan have channels last
    assert_close(jax.vmap(G)(SAMPLES[f"{file}/input0"]), theirs, 1e-5)


@pytest.mark.parametrize("file", ["conditional.keras", "conditional.h5", "old.keras", "old.h5"])
def test_a_label_is_an_option(converted, file):
    folder = converted(file)
    labels, codes, samples = (SAMPLES[f"{file}/{name}"] for name in ("input0", "input1", "samples"))
    for label, code, theirs in zip(labels, codes, samples, strict=True):
        assert_close(gg.load(folder, label=int(label[0]))(code), theirs, 1e-5)
    with pytest.raises(gg.errors.OptionError, match=r"label=4; expected a whole number from 0 to 3"):
        gg.load(folder, label=4)


def test_names_are_those_of_the_model(converted):
    G = gg.load(converted("images.keras"))
    assert "image" in G.layers
    assert {"up_sampling2d", "concatenate", "group_normalization", "max_pooling2d"} <= set(G.layers)
    np.testing.assert_allclose(np.asarray(G(np.ones(8))), 2 * np.asarray(G.at("image")(np.ones(8))) - 1, atol=1e-6)
    assert G.output_range == (-1, 1)
    assert gg.zoo.card(converted("dcgan.keras"))["config"]["latent_dim"] == 6


def test_one_file_and_the_other_hold_the_same(folder):
    for name in ("dcgan", "images", "audio", "conditional", "old"):
        ours, theirs = (program_of(**read(folder / f"{name}.{kind}")) for kind in ("keras", "h5"))
        assert ours[0] == theirs[0]
        for weight, array in ours[1].items():
            np.testing.assert_array_equal(array, theirs[1][weight])


@pytest.mark.parametrize("kind", maps.KERNELS)
def test_wide_kernels_of_resizing(kind):
    """As JAX has them, which Keras calls."""
    image = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    method = {"bicubic": "cubic"}.get(kind, kind)
    theirs = jax.image.resize(image, (15, 8), method, antialias=False)
    assert_close(maps.resizing(5, 15, kind) @ image @ maps.resizing(4, 8, kind).T, theirs, 1e-6)


def rezipped(file: str, change) -> bytes:
    """The archive with another text of its configuration."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(ARCHIVE.read(file))) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(old.read(name)) if name == "config.json" else old.read(name))
    return out.getvalue()


def model(**changes):
    return lambda config: config.update(changes)


def graph(**changes):
    return lambda config: config["config"].update(changes)


def entry(layer, **changes):
    return lambda config: _layer(config, layer).update(changes)


def setting(layer, **changes):
    return lambda config: _layer(config, layer)["config"].update(changes)


def _layer(config, name):
    return next(entry for entry in config["config"]["layers"] if entry["config"]["name"] == name)


@pytest.mark.parametrize(
    ("file", "change", "says"),
    [
        ("dcgan", entry("dense", class_name="Lambda"), "the layer dense is a Lambda, which is not read as data"),
        ("dcgan", entry("dense", registered_name="mine>Dense"), "the layer dense is a mine>Dense, which"),
        ("dcgan", model(class_name="VAE"), r"of the class 'VAE'.*model\.decoder\.save"),
        ("dcgan", graph(layers=[]), "has no layers"),
        ("dcgan", graph(layers=[7]), "a layer without class, name or settings"),
        ("dcgan", setting("leaky_re_lu", name="dense"), "two layers of one name"),
        ("dcgan", setting("reshape", target_shape=[4, 4, 9]), r"the layer reshape \(Reshape\) does not fit"),
        ("dcgan", setting("reshape", target_shape=[1 << 30]), "expected a whole number from 1 to"),
        ("dcgan", setting("dense", use_bias=True), "it has 1 variables; expected 2"),
        ("dcgan", setting("batch_normalization", axis=[1, 2]), "does not fit"),
        ("dcgan", setting("batch_normalization", epsilon="x"), "expected a number"),
        ("dcgan", setting("conv2d_transpose", strides=[1, 10**9]), "expected a whole number"),
        ("dcgan", setting("conv2d_transpose", data_format="channels_first"), "channels first and others"),
        ("dcgan", setting("conv2d_transpose", activation="os.system"), "activation is 'os.system'; known are"),
        ("dcgan", setting("conv2d_transpose", padding={}), "expected valid, same or causal"),
        ("images", graph(output_layers=[["image", 0, 0]] * 2), r"has 2 outputs.*model\.outputs\[0\]"),
        ("images", graph(output_layers=[["image", 3, 0]]), "nothing that it makes"),
        ("images", graph(input_layers=[["nowhere", 0, 0]]), "no input layer 'nowhere'"),
        ("images", entry("reshape", inbound_nodes=[[["concatenate", 0, 0, {}]]]), "wait for each other"),
        ("images", entry("reshape", inbound_nodes=[[["nothing", 0, 0, {}]]]), "that nothing makes"),
        ("images", entry("reshape", inbound_nodes=[[["dense", 0, 0, {"training": True}]]]), "is called with"),
        ("images", entry("reshape", inbound_nodes=[[["dense", -1, 0]]]), r"expected \[layer, call, output\]"),
        ("images", setting("up_sampling2d", interpolation="area"), "expected nearest, bilinear, bicubic"),
        ("images", setting("up_sampling2d", size=[9000, 9000]), r"up_sampling2d \(UpSampling2D\) does not fit"),
        ("conditional", setting("label", batch_shape=[None, None]), "expected fixed sides behind the batch"),
    ],
)
def test_models_that_are_not_read(tmp_path, file, change, says):
    def changed(text: bytes) -> bytes:
        config = json.loads(text)
        change(config)
        return json.dumps(config).encode()

    (tmp_path / "m.keras").write_bytes(rezipped(f"{file}.keras", changed))
    with pytest.raises(CheckpointError, match=rf"(?s)m\.keras: .*{says}"):
        convert("keras-layers", tmp_path / "m.keras", tmp_path / "model")


def test_files_that_are_no_models(tmp_path, folder):
    with pytest.raises(CheckpointError, match=r"of weights alone; expected a whole model: model\.save"):
        read(folder / "plain.h5")
    (tmp_path / "x").write_bytes(b"GGUF")
    with pytest.raises(CheckpointError, match=r"a GGUF file; expected a \.keras or \.h5 file"):
        convert("keras-layers", tmp_path / "x", tmp_path / "model")
    for file in ("dcgan.h5", "dcgan.keras"):
        with pytest.raises(CheckpointError, match="geomgan convert keras-layers FILE OUT_DIR"):
            convert("dcgan-tutorial", folder / file, tmp_path / "model")


SETUP = """
import linecache
linecache.updatecache = lambda *_: []  # errors of JAX quote our source
from weights_convert.keras_layers.file import read
from weights_convert.keras_layers.graph import program_of
def attempt(path):
    program_of(**read(path))
"""


@pytest.mark.parametrize("count", [20, pytest.param(500, marks=pytest.mark.slow)])
def test_damage_raises_nothing_else(tmp_path, count):
    """Also inside of an archive whose checksums are right again."""
    good = {file: ARCHIVE.read(file) for file in ("dcgan.keras", "images.h5", "conditional.h5")}
    files = {f"{file} {i}": data for file in good for i, data in enumerate(damaged(good[file], count, seed=1))}
    text = zipfile.ZipFile(io.BytesIO(ARCHIVE.read("images.keras"))).read("config.json")
    for i, config in enumerate(damaged(text, count, seed=2)):
        files[f"config {i}"] = rezipped("images.keras", lambda _, config=config: config)
    outcomes = watched(tmp_path, SETUP, files, good["images.h5"], memory=1 << 30, converting=True)
    assert any(outcome.text != "read" for outcome in outcomes.values())
    assert max(outcome.seconds for outcome in outcomes.values()) < 20
