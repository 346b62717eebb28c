"""Where in a file the tensors of a network lie."""

from __future__ import annotations

import numpy as np
import pytest

from geomgan.errors import CheckpointError, OptionError
from geomgan.models.families import CHECKPOINTS
from weights_convert.containers import find, signed, state_dict, tensor_names, unwrapped
from weights_convert.modules import Part, StateDict
from weights_convert.shadows import named_shadows

NAMES = ("style.1.weight", "conv1.conv.modulation.weight", "to_rgb1.conv.weight", "convs.0.conv.weight")
FITS = signed(CHECKPOINTS["stylegan2"].signature)


def state(prefix: str = "", value: float = 1.0) -> dict[str, np.ndarray]:
    return {prefix + name: np.full(2, value) for name in NAMES}


OTHER = {"a.weight": np.ones(3)}


@pytest.mark.parametrize(
    "tree",
    [
        state(),
        state("decoder."),
        state("module._orig_mod."),
        state("generator.module.") | {"discriminator.conv.weight": np.ones(3)},
        {"ema": state(value=1.0), "raw": state(value=2.0)},
        {"nets": [OTHER, {"G": state(value=2.0), "G_ema": state()}]},
        {"g": state(value=2.0), "g_ema": state(), "d": OTHER},
        {"gen": state(), "critic": state(value=2.0)},
        {"epoch": 3, "model": {"step": 4, **state("net.")}},
        {"state_dict": state("model.G.", 2.0) | state("model.G_ema.") | state("model.D.", 3.0)},
        {"model": state(value=2.0), "ema_state_dict": {"shadow": state("net._orig_mod.")}},
        {**state(value=2.0), **state("ema_model."), "step": np.ones(1)},
        {"params": state(value=2.0), "params_ema": state()},
        state("gen.") | state("dis.", 2.0),
    ],
    ids=["bare", "prefix", "wrappers", "parts of one", "averaged", "nested", "keys", "generator", "among others",
         "Lightning", "shadow", "averaged by prefix", "BasicSR", "generator by prefix"],
)  # fmt: skip
def test_tensors_are_found(tree):
    found = state_dict(tree, "g_ema", fits=FITS)
    assert set(NAMES) <= set(found) <= {*NAMES, "step"}
    assert all((array == 1).all() for array in found.values())


def test_the_averaged_network_is_taken_beside_a_known_key():
    for tree in ({"G": state(value=2.0), "G_ema": state()}, {"ema": [state()], "G": {"model": state(value=2.0)}}):
        assert all((array == 1).all() for array in state_dict(tree, "G", fits=FITS).values())


def test_what_belongs_to_the_network_is_not_dropped():
    tensors = state("decoder.") | {"label_emb.weight": np.ones(3), "encoder.a": np.ones(3)}
    assert set(state_dict(tensors, fits=FITS)) == {*NAMES, "label_emb.weight"}


def test_averaged_weights_without_names_get_those_of_their_network():
    network = state(value=2.0) | {"a.running_mean": np.full(2, 3.0)}
    tree = {"net": network, "ema": {"decay": 0.999, "shadow_params": [np.full(2, 1.0) for _ in NAMES]}}
    found = find(named_shadows(tree), fits=FITS)
    assert (str(found), list(found.tensors)) == ("took ema.shadow_params; left net", list(network))
    assert [array[0] for array in found.tensors.values()] == [1, 1, 1, 1, 3]
    tree["ema"]["shadow_params"][0] = np.ones(5)  # of another network
    assert (find(named_shadows(tree), fits=FITS).tensors[NAMES[0]] == 2).all()


@pytest.mark.parametrize(
    ("tree", "took"),
    [
        (state(), ""),
        (state("module."), "took the tensors, without the prefix module."),
        ({"g_ema": state(), "g": state(), "d": OTHER}, "took g_ema; left g, d"),
        (
            {"state_dict": state("net.gen._orig_mod.") | {"dis.a": np.ones(2)}, "optimizer": {"state": [OTHER, OTHER]}},
            "took state_dict, without the prefix net.gen._orig_mod.; left optimizer, dis",
        ),
        ([OTHER, [state("model.")]], "took 1.0, without the prefix model.; left 0"),
    ],
    ids=["all", "prefix", "keys", "both", "lists"],
)
def test_what_was_taken_is_said(tree, took):
    found = find(tree, ("g_ema",), FITS)
    assert str(found) == took
    assert found.chosen == (bool(took) and "g_ema" not in took and "module." not in took)


def test_several_are_not_chosen_from():
    tree = {"a": state(), "b": [state("x.", value=2)]}
    with pytest.raises(OptionError, match=r"2 networks that fit, a, b\.0\.x, .* --option network=b\.0\.x\."):
        state_dict(tree, fits=FITS)
    assert (find(tree, fits=FITS, wanted="b.0.x").tensors[NAMES[0]] == 2).all()
    with pytest.raises(OptionError, match=r"network='c' is none of the networks that fit\. Known: 'a', 'b\.0\.x'"):
        find(tree, fits=FITS, wanted="c")


@pytest.mark.parametrize(
    ("tree", "says"),
    [
        ({"epoch": 3}, r"holds \['epoch'\]; expected a state dict of tensors, alone or under 'g_ema'"),
        ([1, 2], "holds list"),
        ({"d": OTHER}, "A discriminator alone makes no images"),
        ({"a" * 300: np.ones(2)}, "expected up to 256 letters"),
        ({"a": np.ones(2, complex)}, "complex numbers"),
        ({"module.a": np.ones(2), "a": np.ones(2)}, "are the same one of the model"),
    ],
)
def test_what_is_no_state_dict(tree, says):
    with pytest.raises(CheckpointError, match=says):
        state_dict(tree, "g_ema", fits=FITS)


def test_parts_follow_their_tensors():
    parts = {"": Part("DataParallel", {}), "module": Part("Net", {}), "module.bn": Part("BatchNorm2d", {"eps": 1.0})}
    tensors = state_dict(StateDict({"module.bn.weight": np.ones(2)}, parts))
    assert list(tensors) == ["bn.weight"]
    assert {path: part.kind for path, part in tensors.parts.items()} == {"": "Net", "bn": "BatchNorm2d"}


def test_names():
    assert unwrapped("module._orig_mod.module.a.module.b") == "a.module.b"
    assert tensor_names([{"x": {"module.a": np.ones(1)}}, {"b": np.ones(1), "c": 3}]) == {"a", "b"}
