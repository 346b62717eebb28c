"""Damaged weights are found when they are read, once for each state of their files."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections import Counter
from dataclasses import replace

import jax
import numpy as np
import pytest

import geomgan as gg
from geomgan.errors import CheckpointError
from geomgan.models.checksum import check_weights, state_of, weights_sha256
from geomgan.models.folder import read_model, write_model
from geomgan.models.measured import write_measured
from geomgan.zoo.check import check
from tests.fixtures import random_params
from tests.zoo.test_load import BIGAN, DCGAN, NETWORKS


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("GEOMGAN_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def weights(card, seed=0):
    kinds = NETWORKS[card["family"]]
    module, inputs = (kind.module(card["config"]) for kind in kinds.values()), (kind.inputs for kind in kinds.values())
    parts = zip(kinds, module, inputs, strict=True)
    return {part: random_params(module, *inputs(card["config"]), seed=seed) for part, module, inputs in parts}


def written(folder, card=DCGAN, seed=0):
    params = weights(card, seed)
    return write_model(folder, {**card, "weights_sha256": weights_sha256(params)}, params)


def files(model):
    return sorted(path for path in (model / "weights").rglob("*") if path.is_file())


def flip(path, draw):
    data = bytearray(path.read_bytes())
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    path.write_bytes(data)


def outcome(model, reference) -> str:
    """``"refused"``, ``"same"`` or ``"WRONG"``; nothing else may come of reading."""
    try:
        _, got = read_model(model)
    except CheckpointError:
        return "refused"
    equal = jax.tree.structure(got) == jax.tree.structure(reference) and all(
        np.array_equal(a, b) for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(reference), strict=True)
    )
    return "same" if equal else "WRONG"


# --- Damage ---


def test_a_flipped_bit_in_every_file_of_an_embedded_model(tmp_path):
    source = gg.zoo.locate("digits-dcgan")[0]
    _, reference = read_model(source)
    draw, found = random.Random(0), Counter()
    for k, name in enumerate(path.relative_to(source) for path in files(source) for _ in range(3)):
        model = shutil.copytree(source, tmp_path / f"model{k}")
        flip(model / name, draw)
        found[outcome(model, reference)] += 1
        shutil.rmtree(model)
    assert found["WRONG"] == 0
    assert found["refused"] > 10  # the others are in notes that nobody reads, such as times


@pytest.mark.slow
def test_hundreds_of_flipped_bits(tmp_path):
    model = written(tmp_path / "model")
    _, reference = read_model(model)
    draw, found = random.Random(1), Counter()
    whole = {path: path.read_bytes() for path in files(model)}
    for _ in range(300):
        path = draw.choice(list(whole))
        flip(path, draw)
        found[outcome(model, reference)] += 1
        path.write_bytes(whole[path])
    assert found["WRONG"] == 0
    assert read_model(model)[0]["family"] == "dcgan-tutorial"


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99], ids=["emptied", "half", "the end lost"])
def test_truncated_files(tmp_path, kept):
    model = written(tmp_path / "model")
    _, reference = read_model(model)
    for path in files(model):
        data = path.read_bytes()
        path.write_bytes(data[: int(kept * len(data))])
        assert outcome(model, reference) in ("refused", "same")
        path.write_bytes(data)


def test_deleted_files(tmp_path):
    model = written(tmp_path / "model")
    _, reference = read_model(model)
    found = Counter()
    for path in files(model):
        path.rename(tmp_path / "away")
        found[outcome(model, reference)] += 1
        (tmp_path / "away").rename(path)
    assert found["WRONG"] == 0
    assert found["refused"] >= 3


def test_files_of_another_model_of_the_same_shapes(tmp_path):
    model, other = written(tmp_path / "model"), written(tmp_path / "other", seed=1)
    shutil.rmtree(model / "weights")
    shutil.copytree(other / "weights", model / "weights")
    with pytest.raises(CheckpointError, match=r"weights holds weights with sha256 \w+; expected \w{64}, as the card"):
        gg.load(model)


def test_files_of_two_models_in_one_folder(tmp_path):
    """A copy over another model that stopped half way, at any file."""
    other = written(tmp_path / "other", seed=1)
    for path in files(other):
        model = written(tmp_path / "model")
        _, reference = read_model(model)
        place = model / path.relative_to(other)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
        assert outcome(model, reference) in ("refused", "same")


@pytest.mark.parametrize("part", ["generator", "encoder", "discriminator"])
def test_every_part_of_a_model_is_looked_at(tmp_path, part):
    model = written(tmp_path / "bigan", BIGAN)
    card, params = read_model(model)
    leaf = jax.tree.leaves(params[part])[-1]
    leaf.flat[0] = np.nextafter(leaf.flat[0], np.float32(9))
    write_model(model, card, params)
    for wanted in ("generator", "encoder", "discriminator"):
        with pytest.raises(CheckpointError, match="holds weights with sha256"):
            gg.load(model, part=wanted)


def test_what_helps_an_embedded_model_is_another(tmp_path, monkeypatch):
    copy = shutil.copytree(gg.zoo.locate("digits-dcgan")[0], tmp_path / "digits-dcgan")
    card = json.loads((copy / "model.json").read_text())
    (copy / "model.json").write_text(json.dumps({**card, "weights_sha256": "0" * 64}))
    with pytest.raises(CheckpointError, match="Convert the model again; what `geomgan fetch` brought, delete and"):
        gg.load(copy)
    monkeypatch.setattr("geomgan.models.card.EMBEDDED", tmp_path)
    with pytest.raises(CheckpointError, match=r"It ships with geomgan: reinstall that\.$"):
        gg.load(copy)


def test_models_of_before_there_was_a_checksum(tmp_path):
    model = write_model(tmp_path / "model", DCGAN, weights(DCGAN))
    assert gg.load(model).latent_dim == 3


def test_a_check_hashes_whatever_is_remembered(tmp_path, home):
    model = write_measured(tmp_path / "model", DCGAN, weights(DCGAN))
    card, params = read_model(model)
    changed = jax.tree.map(lambda leaf: leaf + np.float32(1), params)
    write_model(model, card, changed)
    check_weights(params, card["weights_sha256"], later(state_of(model / "weights")), "")
    assert gg.load(model).latent_dim == 3  # as if the change had left no trace on the disk
    assert check(model).verdict == "DIFFERS: its weights are not those that were written"


# --- What is remembered ---


def later(state):
    """The state as it is found when the last change is long ago."""
    return replace(state, settled=True)


def test_a_state_is_hashed_once(tmp_path, home):
    model = written(tmp_path / "model")
    card, params = read_model(model)
    wrong = jax.tree.map(lambda leaf: leaf + np.float32(1), params)
    state = state_of(model / "weights")
    assert not state.settled  # a change in the same tick of a coarse clock would not be seen
    check_weights(params, card["weights_sha256"], state, "")
    assert not home.exists()
    check_weights(params, card["weights_sha256"], later(state), "")
    check_weights(wrong, card["weights_sha256"], later(state), "")  # not looked at again
    with pytest.raises(CheckpointError, match=r"expected 0000.* Mend it\.$"):
        check_weights(params, "0" * 64, later(state), "Mend it.")
    assert len(list(home.rglob("*"))) == 2  # a folder and a note
    check_weights(params, card["weights_sha256"], later(state_of(gg.zoo.locate("digits-dcgan")[0])), "")
    assert len(list(home.rglob("*"))) == 3


@pytest.mark.parametrize("change", ["flip", "flip with its time kept", "replaced", "new file", "deleted", "moved"])
def test_every_change_on_the_disk_is_seen(tmp_path, change):
    model = written(tmp_path / "model")
    card, params = read_model(model)
    state = state_of(model / "weights")
    check_weights(params, card["weights_sha256"], later(state), "")
    path = max(files(model), key=lambda path: path.stat().st_size)
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    if change.startswith("flip"):
        flip(path, random.Random(0))
        if change.endswith("kept"):
            os.utime(path, ns=times)  # the time of the last change of the entry is still another one
    elif change == "replaced":
        shutil.copy2(path, tmp_path / "copy")
        os.replace(tmp_path / "copy", path)
    elif change == "new file":
        (model / "weights" / "d" / "more").write_bytes(b"")
    elif change == "deleted":
        path.unlink()
    else:
        model = model.rename(tmp_path / "elsewhere")
    now = state_of(model / "weights")
    assert now.seal != state.seal
    wrong = jax.tree.map(lambda leaf: leaf + np.float32(1), params)
    with pytest.raises(CheckpointError, match="holds weights with sha256"):
        check_weights(wrong, card["weights_sha256"], later(now), "")


def test_folders_behind_links_are_hashed_each_time(tmp_path):
    model = written(tmp_path / "model")
    (model / "weights" / "d").rename(tmp_path / "d")
    (model / "weights" / "d").symlink_to(tmp_path / "d")
    for path in [*(model / "weights").rglob("*"), *(tmp_path / "d").rglob("*")]:
        os.utime(path, ns=(0, 0), follow_symlinks=False)
    assert not state_of(model / "weights").settled
    assert gg.load(model).latent_dim == 3


@pytest.mark.parametrize("kind", ["a file", "a note that is a folder", "no text"])
def test_a_home_that_keeps_nothing_is_harmless(tmp_path, home, kind):
    model = written(tmp_path / "model")
    card, params = read_model(model)
    state = later(state_of(model / "weights"))
    if kind == "a file":
        home.write_text("")
    else:
        check_weights(params, card["weights_sha256"], state, "")
        (note,) = (home / "verified").iterdir()
        note.unlink()
        note.mkdir() if kind == "a note that is a folder" else note.write_bytes(b"\xff\xfe")
    check_weights(params, card["weights_sha256"], state, "")
    wrong = jax.tree.map(lambda leaf: leaf + np.float32(1), params)
    if kind != "no text":  # that one is written anew
        with pytest.raises(CheckpointError):
            check_weights(wrong, card["weights_sha256"], state, "")
