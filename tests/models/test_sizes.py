"""What an array's metadata claims is compared with the card and with the memory before anything is read."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import tensorstore as ts

import geomgan as gg
from geomgan.errors import CheckpointError
from geomgan.models.folder import write_model
from geomgan.models.sizes import check_sizes

TREE = {"generator": {"a": np.ones((3, 4), "f4"), "b": np.ones(5, "f8")}, "encoder": {"c": np.float32(2)}}
COUNTS = {"generator": 17, "encoder": 1}


@pytest.fixture
def weights(tmp_path):
    return write_model(tmp_path / "model", {"family": "proggan"}, TREE) / "weights"


def rewrite(weights, array="generator.a", **changes):
    """Another claim about an array, as the library itself would write it."""
    store = ts.KvStore.open({"driver": "ocdbt", "base": f"file://{weights}/"}).result()
    metadata = json.loads(store.read(f"{array}/.zarray").result().value)
    store.write(f"{array}/.zarray", json.dumps({**metadata, **changes}).encode()).result()


def test_sizes_as_they_were_written(weights):
    for parameters in (COUNTS, None, {**COUNTS, "unused": 0}):
        check_sizes(weights, parameters, 12 * 4 + 5 * 8 + 4)
    with pytest.raises(ValueError, match=r"its arrays would take 92 bytes; 91 bytes of memory are free"):
        check_sizes(weights, None, 91)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"shape": [1000, 1000], "chunks": [1000, 1000]},
            "its generator has 1000005 numbers; expected 17, as the card",
        ),
        (
            {"shape": [3, 4, 1], "chunks": [3, 4, 2]},
            r"generator\.a has the shape \[3, 4, 1\], in chunks of \[3, 4, 2\]",
        ),
        ({"chunks": [3, 8]}, r"in chunks of \[3, 8\]"),
        ({"chunks": [3, 0]}, r"in chunks of \[3, 0\]"),
        ({"chunks": [12]}, r"in chunks of \[12\]"),
        ({"shape": [-3, -4]}, r"has the shape \[-3, -4\]"),
        ({"shape": [3.0, 4]}, r"has the shape \[3\.0, 4\]"),
        ({"shape": [True, 4], "chunks": [1, 4]}, r"has the shape \[True, 4\]"),
    ],
)
def test_claims_that_contradict_the_card_or_each_other(weights, changes, says):
    rewrite(weights, **changes)
    with pytest.raises(ValueError, match=says):
        check_sizes(weights, COUNTS, 1e9)


def test_claims_beyond_the_memory_where_the_card_says_nothing(weights):
    rewrite(weights, shape=[1000, 1000], chunks=[1000, 1000])
    with pytest.raises(ValueError, match=r"its arrays would take 3\.8 MiB; 976\.6 KiB of memory are free"):
        check_sizes(weights, None, 1e6)


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": 3},
        {"shape": None},
        {"dtype": [["a", "<f4"]]},
        {"dtype": "float33"},
        {"chunks": {}},
        {"zarr_format": []},
    ],
)
def test_metadata_of_other_types_is_a_damaged_model(weights, changes):
    card = json.loads((weights.parent / "model.json").read_text())
    (weights.parent / "model.json").write_text(json.dumps({**card, "parameters": COUNTS}))
    rewrite(weights, **changes)
    with pytest.raises(CheckpointError, match=r"weights is missing or damaged .*Convert the model again"):
        gg.load(weights.parent)


def test_both_layouts_and_both_versions_of_zarr(tmp_path):
    for driver, name in (("zarr", "chunks"), ("zarr3", "chunk_grid")):
        folder = tmp_path / driver
        spec = {"driver": driver, "kvstore": f"file://{folder}/generator.a/"}
        array = ts.open(spec, create=True, dtype=ts.bfloat16, shape=[6, 7]).result()
        array.write(np.ones((6, 7), ts.bfloat16.numpy_dtype)).result()
        assert name in next(path for path in (folder / "generator.a").iterdir() if "z" in path.name).read_text()
        check_sizes(folder, {"generator": 42}, 84)
        with pytest.raises(ValueError, match="its generator has 42 numbers; expected 41"):
            check_sizes(folder, {"generator": 41}, 84)
        with pytest.raises(ValueError, match="84 bytes; 83 bytes"):
            check_sizes(folder, None, 83)
        shutil.rmtree(folder)
