"""Directions of one model in one file."""

import dataclasses
import json
import pickle
import zipfile

import numpy as np
import pytest

import geomgan as gg
from geomgan.directions import direction_set, load, model_hash, save
from geomgan.runs.results import write_result
from tests.generators.test_style_spaces import WIDTH as W
from tests.generators.test_style_spaces import loaded as small_style
from tests.small_models import linear_generator, small_dcgan

RNG = np.random.default_rng(0)
G = small_dcgan()
V = np.linalg.qr(RNG.standard_normal((8, 3)))[0]


def some(**options):
    options = {"settings": {"k": 3}, "scores": {"eigenvalue": [3, 2, 1]}, "scales": [1, 2, 0.5], **options}
    return direction_set(G, V, "by hand", origin=np.arange(8.0), **options)


def test_a_file_gives_back_what_was_saved(tmp_path):
    found = some(names=("smile", "hat", "hair"), orthonormal=True)
    save(found, tmp_path / "d.npz")
    read = load(tmp_path / "d.npz", G)
    for field in dataclasses.fields(found):
        a, b = getattr(found, field.name), getattr(read, field.name)
        np.testing.assert_equal(b, a, err_msg=field.name)
    with np.load(tmp_path / "d.npz", allow_pickle=False) as file:  # any program reads it
        np.testing.assert_array_equal(file["vectors"], V.astype(np.float32))
        assert json.loads(file["header.json"])["result"]["dataclass"] == "DirectionSet"


def test_one_direction_by_number_and_name():
    found = some().named({1: "hat"})
    assert [d.name for d in found] == ["0", "hat", "2"]
    assert len(found) == 3
    np.testing.assert_array_equal(found["hat"].vector, V[:, 1].astype(np.float32))
    assert found[-2].scale == 2
    picked = found.select(["2", 1])
    assert picked.names == ("2", "hat")
    np.testing.assert_array_equal(picked.scores["eigenvalue"], [1, 2])
    with pytest.raises(gg.OptionError, match=r"no direction 'hta'\. Did you mean 'hat'"):
        found["hta"]
    with pytest.raises(IndexError, match="no direction 3: there are 3"):
        found[3]


def test_the_hash_is_of_the_network_alone():
    assert model_hash(G) == model_hash(G.at(G.layers[1])) != model_hash(small_dcgan(seed=1))
    hashes = [model_hash(small_style(space)) for space in ("z", "w", "w+", "s")]
    hashes += [model_hash(small_style("z", truncation=0.5)), model_hash(small_style("w", layers=(0, 2)))]
    assert len(set(hashes)) == 1
    double, triple = (gg.Generator.from_function(lambda _, z, f=f: f * z, (), 4) for f in (2.0, 3.0))
    assert model_hash(double) != model_hash(triple)  # no weights: the program


def test_directions_of_another_model_or_space_are_refused_and_transferred_where_sizes_fit(tmp_path):
    file = tmp_path / "d.npz"
    save(some(), file)
    other = small_dcgan(seed=1)
    with pytest.raises(gg.OptionError, match=r"of small-dcgan, whose kernels have the hash \w{16}.*transfer=True"):
        load(file, other)
    assert load(file, other, transfer=True).model == model_hash(G)
    with pytest.raises(gg.OptionError, match="8 dimensions, and the codes of linear 5"):
        load(file, linear_generator(np.eye(5, dtype=np.float32)), transfer=True)


def test_directions_of_w_go_with_w_plus_and_not_with_z(tmp_path):
    S = {space: small_style(space) for space in ("z", "w", "w+")}
    file = tmp_path / "w.npz"
    save(direction_set(S["z"], np.eye(W, 2), "by hand", space="w"), file)
    assert load(file, S["w"]).space == load(file, S["w+"]).space == "w"
    with pytest.raises(
        gg.OptionError, match=r"in w, and the codes of small-stylegan2 in z. Load .* space='w\+' or 'w'"
    ):
        load(file, S["z"])
    save(direction_set(S["w"], np.eye(W, 2), "by hand", layers=(0, 2)), file)
    assert load(file, S["w+"]).layers == ((0, 2), (0, 2))
    with pytest.raises(gg.OptionError, match="move single layers, and codes of w all"):
        load(file, S["w"])
    with pytest.raises(gg.OptionError, match="drives style layers 1 to 2 only"):
        load(file, small_style("w+", layers=(1, 3)))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"orthonormal": True, "vectors": np.ones((8, 3), np.float32)}, "not orthonormal"),
        ({"orthonormal": True, "vectors": np.ones((2, 3), np.float32), "origin": None}, "3 directions in 2 dimensions"),
        ({"vectors": np.ones((8, 3))}, "vectors are float64"),
        ({"vectors": np.full((8, 3), np.nan, np.float32)}, "vectors hold NaN"),
        ({"names": ("a", "a", "b")}, "2 different names"),
        ({"names": ["a", "b", "c"]}, "names is a list"),
        ({"scores": {"x": np.ones(2)}}, r"scores\['x'\] has shape \(2,\); expected \(3,\)"),
        ({"layers": ((0, 1), None, None), "space": "s"}, "are of directions of 'w' or 'z'"),
        ({"previews": np.zeros((3, 2, 4, 4, 3)), "preview_steps": np.zeros(2)}, "previews"),
        ({"space": 3}, "space is a int"),
    ],
)
def test_a_file_that_is_no_such_set_is_refused(tmp_path, change, says):
    file = tmp_path / "d.npz"
    write_result(file, dataclasses.replace(some(), **change), gg.directions.DirectionSet)
    with pytest.raises(gg.StoreError, match=f"d.npz holds no directions that can be used .*{says}"):
        load(file)


def test_damaged_files_and_pickles_are_refused(tmp_path):
    file = tmp_path / "d.npz"
    save(some(), file)
    whole = file.read_bytes()
    for data in (b"", whole[:100], whole[:-30], whole.replace(b"by hand", b"by hamd"), pickle.dumps({"vectors": V})):
        file.write_bytes(data)
        with pytest.raises(gg.StoreError, match="cannot be read"):
            load(file)
    np.savez(file, vectors=np.array([object()], dtype=object))
    with pytest.raises(gg.StoreError, match="cannot be read"):
        load(file)
    file.write_bytes(whole)
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    np.savez(tmp_path / "o.npz", vectors=np.array([{"a": 1}], dtype=object))
    with zipfile.ZipFile(tmp_path / "o.npz") as archive:
        members["vectors.npy"] = archive.read("vectors.npy")
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(gg.StoreError, match="Object arrays cannot be loaded"):
        load(file)
    with pytest.raises(gg.StoreError, match=r"missing.npz"):
        load(tmp_path / "missing.npz")


def test_slips_are_named_before_any_work():
    with pytest.raises(ValueError, match="vectors have 5 rows; expected 8"):
        direction_set(G, np.ones((5, 2)), "x")
    with pytest.raises(ValueError, match=r"shape \(8,\); expected \(d, n\)"):
        direction_set(G, np.ones(8), "x")
    with pytest.raises(ValueError, match="12 directions in 8 dimensions cannot be orthonormal"):
        direction_set(G, np.ones((8, 12)), "x", orthonormal=True)
    with pytest.raises(TypeError, match="settings"):
        direction_set(G, V, "x", settings={"f": object()})
    with pytest.raises(TypeError, match="found is ndarray; expected a DirectionSet"):
        save(V, "never.npz")
