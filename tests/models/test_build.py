"""Configurations that no network has, in cards of the right types: one kind of error, quickly and in little memory."""

from __future__ import annotations

import json
import random
import re
import resource
import time

import jax
import numpy as np
import pytest

import geomgan as gg
from geomgan.errors import CheckpointError
from geomgan.generators import nvidia_stylegan3
from geomgan.generators.aten import Program
from geomgan.generators.aten.generator import configuration
from geomgan.generators.aten.operators import OPERATORS
from geomgan.models.build import build
from geomgan.models.card import card_text, read_card
from geomgan.models.families import NETWORKS
from tests.fixtures import random_params
from tests.generators.aten.drawn import Drawing, dcgan

CONFIGS = {
    "dcgan-tutorial": {"latent_dim": 3, "features": [4, 4], "channels": 1, "resolution": 16},
    "sngan": {"latent_dim": 4, "features": [6, 4], "channels": 1, "seed": 4, "resolution": 8},
    "wavegan": {"latent_dim": 3, "features": [4, 3], "channels": 1, "last_factor": 4, "repeats": True},
    "proggan": {"latent_dim": 4, "features": [4, 3], "channels": 3, "resolution": 8, "slope": 0.2, "tanh": False},
    "generative-latent-space-vae": {"latent_dim": 4, "centers": 64, "channels": 1, "resolution": 28},
}
_DRAWN, _PROGRAM = dcgan(3, (4,), 1)
CONFIGS["torch-export"] = configuration(_PROGRAM, {})
VALUES = (0, -1, 1, 2**20, 1e300, "text", None, [], [0], [1, 2, 3], [[]], {}, {"a": 1})


def model(family):
    config, parts = CONFIGS[family], NETWORKS[family]
    params = {part: random_params(kind.module(config), *kind.inputs(config)) for part, kind in parts.items()}
    return {"family": family, "config": config, "output_range": [-1, 1]}, params


@pytest.mark.parametrize("family", CONFIGS)
def test_every_entry_with_values_that_it_cannot_have(family):
    card, params = model(family)
    sample = gg.Generator.__call__(build(card, params, None, family, {}), np.zeros(card["config"]["latent_dim"], "f4"))
    grown, refused = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0
    for key in card["config"]:
        for value in VALUES:
            changed = {**card, "config": {**card["config"], key: value}}
            try:
                G = build(changed, params, None, family, {})
            except CheckpointError as error:
                assert "do not fit each other" in str(error)  # noqa: PT017  either outcome is right
                refused += 1
            else:
                assert G.sample_shape.dtype == sample.dtype  # an entry that is for the reader, or the same size
        without = {**card, "config": {name: entry for name, entry in card["config"].items() if name != key}}
        try:
            build(without, params, None, family, {})
        except CheckpointError:
            refused += 1
    assert refused > len(VALUES)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - grown < 1 << 20  # in KiB


def test_sizes_that_no_weight_contradicts():
    """The upsampling of StyleGAN3, whose filters would be filled with zeros."""
    config = nvidia_stylegan3.configuration(16, channel_base=64, channel_max=4)
    config |= {"latent_dim": 4, "mapping": [4, 4]}
    template = nvidia_stylegan3.template(config)
    params = {"generator": jax.tree.map(lambda leaf: np.full(leaf.shape, 0.1, "f4"), template)}
    params["average"] = {"latent": np.zeros(4, "f4")}
    card = {"family": "nvidia-stylegan3", "config": config, "output_range": [-1, 1]}
    assert build(card, params, None, "small", {}).latent_dim == 4
    for key, value in (("up", 2**20), ("up", 0), ("up", 2.5), ("down", 0), ("padding", [2**20, "a"])):
        layers = [{**layer, key: value} if k == 3 else layer for k, layer in enumerate(config["layers"])]
        with pytest.raises(CheckpointError, match="do not fit each other"):
            build({**card, "config": {**config, "layers": layers}}, params, None, "small", {})


LARGE = 2**19  # which a card may say
HOSTILE = {  # nodes -> what is said of them
    "full": ([["x", "full", [[LARGE, LARGE], 1.0], {}, []]], "makes 274877906944 numbers"),
    "zeros of nothing": ([["x", "zeros", [[-1]], {}, []]], "zeros at x does not fit"),
    "expand": ([["x", "expand", [{"value": "z"}, [LARGE, 3, LARGE, 1]], {}, []]], "numbers; expected at most"),
    "repeat": ([["x", "repeat", [{"value": "z"}, [LARGE, 1, LARGE, 1]], {}, []]], "numbers; expected at most"),
    "arange": ([["x", "arange.start_step", [0, 1.0, 1e-9], {}, []]], "numbers along one axis"),
    "linspace": ([["x", "linspace", [0, 1.0, 2**40], {}, []]], "numbers along one axis"),
    "eye": ([["x", "eye", [LARGE], {}, []]], "eye at x"),
    "one_hot": ([["i", "arange", [LARGE], {}, []], ["x", "one_hot", [{"value": "i"}, LARGE], {}, []]], "one_hot at x"),
    "upsampled": (
        [["x", "upsample_nearest2d.vec", [{"value": "z"}, [LARGE, LARGE], None], {}, []]],
        "nearest2d.vec at x",
    ),
    "linear upsampling": (
        [["x", "upsample_bilinear2d.vec", [{"value": "z"}, [LARGE, 2**30], True, None], {}, []]],
        "numbers along one axis",
    ),
    "padded": ([["x", "constant_pad_nd", [{"value": "z"}, [LARGE] * 4], {}, []]], "constant_pad_nd at x"),
    "outer": (
        [
            ["a", "reshape", [{"value": "z"}, [3, 1]], {}, []],
            *([f"x{i}", "cat", [[{"value": f"x{i - 1}" if i else "a"}] * 64, i % 2], {}, []] for i in range(6)),
        ],
        "cat at x4 makes 3221225472 numbers",
    ),
    "windows": (
        [
            ["a", "expand", [{"value": "z"}, [1, 3, 4096, 4096]], {}, []],
            ["x", "avg_pool2d", [{"value": "a"}, 64, 1], {}, []],
        ],
        "avg_pool2d at x does not fit what it takes (windows of",
    ),
    "adaptive windows": ([["x", "adaptive_avg_pool2d", [{"value": "z"}, [LARGE, LARGE]], {}, []]], "windows of"),
    "parts": (
        [
            ["a", "expand", [{"value": "z"}, [1, 3, 1, LARGE]], {}, []],
            ["x", "unbind", [{"value": "a"}, 3], {}, ["x", "b"]],
        ],
        f"{LARGE} parts, expected at most",
    ),
    "chunks": ([["x", "split", [{"value": "z"}, 1, 1], {}, ["x"]]], "split at x does not fit what it takes"),
    "a wide filter": (
        [
            ["a", "expand", [{"value": "z"}, [1, 3, 1, LARGE]], {}, []],
            ["x", "_upsample_bilinear2d_aa.vec", [{"value": "a"}, [1, 1], False, None], {}, []],
        ],
        "a filter over",
    ),
    "unknown": ([["x", "os.system", ["true"], {}, []]], "os.system at x is no operator that is known here"),
    "an operator of nothing": ([["x", "relu", [], {}, []]], "relu at x does not fit"),
    "words": ([["x", "relu", ["z"], {"out": {"weight": "w"}}, []]], "which nothing before it makes"),
    "itself": ([["x", "relu", [{"value": "x"}], {}, []]], "which nothing before it makes"),
    "results of one": ([["x", "relu", [{"value": "z"}], {}, ["x", "b"]]], "relu at x does not fit"),
    "no sample": ([["x", "gt", [{"value": "z"}, 0], {}, []]], "expected one floating-point array"),
    "no node": (["x"], "do not fit each other"),
    "an argument of two": ([["x", "relu", [{"value": "z", "weight": "w"}], {}, []]], "do not fit each other"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_programs_that_no_network_has(case):
    """What a program of a folder asks for is known before anything is computed."""
    nodes, says = HOSTILE[case]
    program = {"inputs": [["z", [1, 3, 1, 1], "float32"]], "weights": [], "nodes": nodes}
    output = nodes[-1][0] if isinstance(nodes[-1], list) else "x"
    config = {"latent_dim": 3, "program": {**program, "output": output}}
    grown, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with pytest.raises(CheckpointError, match=re.escape(says)):
        build({"family": "torch-export", "config": config, "output_range": [-1, 1]}, {"generator": {}}, None, "x", {})
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - grown < 1 << 19  # in KiB
    assert time.monotonic() - start < 20


def test_a_card_of_several_thousand_nodes(tmp_path):
    d = Drawing(4)
    x = d.code
    for i in range(1500):
        x = d("add", d.layer("linear", x, f"layers.{i}.linear", 4, 4), x, alpha=0.01)
    x = d("slice", d("expand", x, (3, 1024, 1024, 4)), 1, 0, 2**22)  # larger numbers than a configuration may have
    config = configuration(d.program(x), {})
    (tmp_path / "model.json").write_text(card_text({"family": "torch-export", "config": config}))
    assert len(read_card(tmp_path)["config"]["program"]["nodes"]) == 3002
    assert Program.from_json(read_card(tmp_path)["config"]["program"]) == d.program(x)


@pytest.mark.slow  # two thousand programs, each traced: a minute and a half
def test_two_thousand_damaged_programs():
    """Any operator in the place of any other, and numbers and names that do not belong there."""
    card, params = model("torch-export")
    rng, text = random.Random(0), json.dumps(card["config"]["program"])
    strange = [
        *VALUES,
        -(2**20),
        0.5,
        "float64",
        "bool",
        {"value": "z"},
        {"weight": "main.0.weight"},
        [2**19] * 4,
        2**40,
        2**62,
        [2**40],
    ]
    operators = sorted(OPERATORS)
    grown, refused = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0
    for _ in range(2000):
        program = json.loads(text)
        for _ in range(rng.choice([1, 1, 2, 3])):
            node = rng.choice(program["nodes"])
            if rng.random() < 0.4:
                node[1] = rng.choice(operators)
            _change(node[2], rng, strange)
        try:
            build({**card, "config": {"latent_dim": 3, "program": program}}, params, None, "damaged", {})
        except CheckpointError as error:
            assert "do not fit each other" in str(error)  # noqa: PT017  either outcome is right
            refused += 1
    assert 1000 < refused < 2000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - grown < 2 << 20  # in KiB


def _change(values, rng, strange):
    """Another value at a random place, a value more, or one less."""
    inner = [value for value in values if isinstance(value, list)]
    if inner and rng.random() < 0.3:
        _change(rng.choice(inner), rng, strange)
    elif not values or rng.random() < 0.2:
        values.append(rng.choice(strange))
    elif rng.random() < 0.2:
        values.pop()
    else:
        values[rng.randrange(len(values))] = rng.choice(strange)
