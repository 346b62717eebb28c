"""What is said about official pickles, of any version, and about files that are not one."""

from __future__ import annotations

import pickle
import sys
import types
from unittest import mock

import numpy as np
import pytest
import torch

import geomgan as gg
from geomgan.errors import CheckpointError, OptionError
from tests.weights_convert.torch_attacks import SMALL, module, official, replaced
from tests.weights_convert.torch_models import saved
from tests.weights_convert.torch_stylegan import StyleGAN2
from weights_convert.convert import convert
from weights_convert.families.nvidia import read

FAMILIES = ("nvidia-stylegan2", "nvidia-stylegan3", "stylegan", "stylegan2")


def test_the_tensors_and_arguments_of_the_generator(tmp_path):
    (tmp_path / "a.pkl").write_bytes(official())
    state = read(tmp_path / "a.pkl")
    assert state["init_kwargs"].items() >= {"z_dim": 3, "w_dim": 4, "c_dim": 2}.items()
    assert sorted(state["G_ema"]) == sorted(SMALL.state_dict())
    for name, tensor in SMALL.state_dict().items():
        np.testing.assert_array_equal(state["G_ema"][name], tensor.numpy())


def of_tensorflow(module: str, protocol: int) -> bytes:
    """Three networks as the TensorFlow versions pickle them."""
    Network = type("Network", (), {"__module__": module})
    networks = [Network() for _ in range(3)]
    for network in networks:
        network.__dict__.update(version=4, name="G", variables=[("w", np.ones((2, 2), "f4"))])
    parents = [module.rsplit(".", k)[0] for k in range(module.count(".") + 1)]
    with mock.patch.dict(sys.modules, {name: types.ModuleType(name) for name in parents}):
        sys.modules[module].Network = Network
        return pickle.dumps(tuple(networks), protocol)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("protocol", [0, 2, 3, 4])
@pytest.mark.parametrize("module", ["dnnlib.tflib.network", "tfutil"])
def test_networks_of_tensorflow_are_sent_to_the_official_converter(tmp_path, family, module, protocol):
    (tmp_path / "a.pkl").write_bytes(of_tensorflow(module, protocol))
    says = r"a\.pkl: found networks of the TensorFlow versions .*python legacy\.py --source=.* as nvidia-stylegan2"
    with pytest.raises(CheckpointError, match=says):
        convert(family, tmp_path / "a.pkl", tmp_path / "model")


class Project:
    """A class of another project."""


@pytest.mark.parametrize("family", FAMILIES)
def test_pickles_of_other_projects(tmp_path, family):
    for data in (pickle.dumps({"G_ema": Project()}), saved({"G_ema": Project(), "g_ema": Project()})):
        (tmp_path / "a.pkl").write_bytes(data)
        with pytest.raises(CheckpointError, match=rf"test_nvidia_messages\.Project|Python pickle.*{family} takes a"):
            convert(family, tmp_path / "a.pkl", tmp_path / "model")
    for data in (pickle.dumps([1, 2]), pickle.dumps({"weights": np.ones(3)})):
        (tmp_path / "a.pkl").write_bytes(data)
        with pytest.raises(CheckpointError, match=r"found a list; expected a \.pkl|\['weights'\]|lacks|holds list"):
            convert(family, tmp_path / "a.pkl", tmp_path / "model")


@pytest.mark.parametrize("family", ["stylegan", "stylegan2"])
def test_official_pickles_are_of_other_families(tmp_path, family):
    (tmp_path / "a.pkl").write_bytes(official())
    with pytest.raises(CheckpointError, match="those of nvidia-stylegan2: convert it as that family"):
        convert(family, tmp_path / "a.pkl", tmp_path / "model")


def test_a_checkpoint_of_another_family_is_named(tmp_path):
    (tmp_path / "a.pt").write_bytes(saved({"g_ema": StyleGAN2(3, 4, (4, 3)).state_dict(), "d": {}}))
    with pytest.raises(CheckpointError, match="Its tensor names are those of stylegan2:"):
        convert("nvidia-stylegan2", tmp_path / "a.pt", tmp_path / "model")


DISCRIMINATOR = {"b4.conv.weight": torch.ones(2, 2, 3, 3), "b4.out.weight": torch.ones(1, 2)}


@pytest.mark.parametrize(
    ("family", "tree"),
    [
        ("nvidia-stylegan2", {"D": DISCRIMINATOR, "G": None, "G_ema": None}),
        ("nvidia-stylegan2", {"G_ema": DISCRIMINATOR}),
        ("nvidia-stylegan2", DISCRIMINATOR),
        ("nvidia-stylegan3", {"D": DISCRIMINATOR}),
        ("stylegan2", {"d": {"final_conv.0.weight": torch.ones(1)}, "d_optim": {"state": {}}}),
        ("stylegan2", {"final_conv.0.weight": torch.ones(1)}),
        ("stylegan", {"discriminator": {"linear.linear.weight_orig": torch.ones(1)}}),
        ("stylegan", {"linear.linear.weight_orig": torch.ones(1)}),
    ],
)
def test_a_discriminator_alone_is_called_so(tmp_path, family, tree):
    (tmp_path / "a.pt").write_bytes(saved(tree))
    with pytest.raises(CheckpointError, match=r"it holds a discriminator|A discriminator alone makes no images"):
        convert(family, tmp_path / "a.pt", tmp_path / "model")


def test_an_official_discriminator_alone_is_called_so(tmp_path):
    (tmp_path / "a.pkl").write_bytes(
        replaced(b"\x8c\x05G_ema", b"\x8c\x05D_ema").replace(b"\x8c\x01D\x94N", b"\x8c\x01D\x94" + module(b"}"))
    )
    with pytest.raises(CheckpointError, match=r"holds \['D: an object of torch.*A discriminator alone makes no images"):
        convert("nvidia-stylegan2", tmp_path / "a.pkl", tmp_path / "model")


def test_resolutions_and_layers_that_the_tensors_do_not_have(tmp_path):
    (tmp_path / "a.pkl").write_bytes(official(img_resolution=16))
    with pytest.raises(CheckpointError, match="the file says img_resolution=16, but its tensors make images of 8"):
        convert("nvidia-stylegan2", tmp_path / "a.pkl", tmp_path / "model")
    (tmp_path / "a.pkl").write_bytes(official(img_resolution=8))
    with pytest.raises(OptionError, match="resolution=4, but the tensors make images of 8 pixels"):
        convert("nvidia-stylegan2", tmp_path / "a.pkl", tmp_path / "model", {"resolution": "4"})
    folder = convert("nvidia-stylegan2", tmp_path / "a.pkl", tmp_path / "model", {"resolution": "8"})
    for layers in ((0, 5), (-1, 2), (3, 3), (4, 2), (5, 9), (0.0, 2.0), "ab"):
        with pytest.raises(OptionError, match=r"layers=.*expected \(a, b\), 0 <= a < b <= 4: there are 4 style layers"):
            gg.load(folder, space="s", layers=layers)
