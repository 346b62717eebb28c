"""The arrays of a checkpoint as Orbax itself restores them, and damage that says one thing."""

from __future__ import annotations

import json
import shutil

import jax
import ml_dtypes
import numpy as np
import orbax.checkpoint as ocp
import pytest

import geomgan as gg
from geomgan.models.arrays import TREE, read_arrays
from geomgan.models.folder import write_model
from tests.child import python

TREES = {
    "floats": {"generator": {"block1": {"kernel": np.arange(24.0).reshape(2, 3, 4), "bias": np.zeros(4, "f4")}}},
    "types": {"a": {t: np.ones((2, 3), t) for t in ("f2", "f8", "i4", "i8", "u1", "?", "c8")}},
    "bfloat16": {"a": np.arange(5).astype(ml_dtypes.bfloat16)},
    "numbers": {"statistics": {"x": np.float32(3), "y": np.int64(-2)}, "one": np.ones((1, 1, 1))},
    "names": {"a.b": {"c d": np.ones(2), "é": np.zeros(3)}, "L0_36_512": {"k": np.full(2, np.nan)}},
    "zeros": {"a": np.zeros((300, 200), "f4"), "b": {"c": {"d": {"e": np.ones(1)}}}},
}


def restored(folder):
    with ocp.PyTreeCheckpointer() as checkpointer:
        return checkpointer.restore(folder)


@pytest.mark.parametrize("name", TREES)
def test_equal_to_what_orbax_restores(tmp_path, name):
    folder = write_model(tmp_path / "model", {"family": "proggan"}, TREES[name]) / "weights"
    ours, theirs = read_arrays(folder), restored(folder)
    assert jax.tree.structure(ours) == jax.tree.structure(theirs) == jax.tree.structure(TREES[name])
    for mine, other, first in zip(*map(jax.tree.leaves, (ours, theirs, TREES[name])), strict=True):
        assert (mine.dtype, mine.shape) == (first.dtype, np.shape(first))
        np.testing.assert_array_equal(np.asarray(mine, other.dtype), other)
        np.testing.assert_array_equal(mine, first)


def test_the_embedded_models_equal_what_orbax_restores():
    for name in ("digits-dcgan", "digits-classifier", "shapes"):
        folder = gg.zoo.locate(name)[0] / "weights"
        jax.tree.map(np.testing.assert_array_equal, read_arrays(folder), restored(folder))


@pytest.mark.parametrize("ocdbt", [True, False])
@pytest.mark.parametrize("zarr3", [True, False])
def test_the_layouts_that_orbax_writes(tmp_path, ocdbt, zarr3):
    handler = ocp.PyTreeCheckpointHandler(use_ocdbt=ocdbt, use_zarr3=zarr3)
    with ocp.Checkpointer(handler) as checkpointer:
        checkpointer.save(tmp_path / "weights", TREES["floats"])
    assert (tmp_path / "weights" / "manifest.ocdbt").exists() == ocdbt
    jax.tree.map(np.testing.assert_array_equal, read_arrays(tmp_path / "weights"), TREES["floats"])


def test_an_array_that_is_named_and_not_there(tmp_path):
    folder = write_model(tmp_path / "model", {"family": "proggan"}, TREES["floats"]) / "weights"
    written = json.loads((folder / TREE).read_text())
    leaf = next(iter(written["tree_metadata"].values()))
    for key in ("absent", "../block1", 3, None):
        leaf["key_metadata"][-1]["key"] = key
        (folder / TREE).write_text(json.dumps(written))
        with pytest.raises(ValueError, match=r"NOT_FOUND|names .* expected names without /"):
            read_arrays(folder)


def test_a_file_that_is_gone_says_one_thing(tmp_path):
    source = gg.zoo.locate("digits-dcgan")[0]
    for k, path in enumerate(path for path in sorted((source / "weights").rglob("*")) if path.is_file()):
        model = shutil.copytree(source, tmp_path / str(k))
        (model / path.relative_to(source)).unlink()
    code = f"""
import contextlib, os, pathlib, sys
import geomgan as gg
os.dup2(1, 2)  # whatever libraries say below Python too
for model in sorted(pathlib.Path({str(tmp_path)!r}).iterdir()):
    try:
        gg.load(model)
    except gg.CheckpointError as error:
        print("refused", flush=True)
"""
    assert set(python(code).splitlines()) == {"refused"}
