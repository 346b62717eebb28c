"""pythae's decoders, against torch; ``decoder.pkl`` stays closed."""

from __future__ import annotations

import json
import os
import pickle

import jax
import numpy as np
import pytest
import torch
from torch import nn

import geomgan as gg
from geomgan.errors import CheckpointError
from tests.fixtures import assert_close
from tests.weights_convert.torch_models import Harmful, randomise, saved
from weights_convert.auto import convert_any
from weights_convert.convert import convert

LATENT = 4


class Block(nn.Module):
    """A residual block of 6 channels, 3 inside."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(nn.ReLU(), nn.Conv2d(6, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, 6, 1))

    def forward(self, x):
        return x + self.conv_block(x)


def up(*sizes: int, **more: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(*sizes, **more)


def normed(layer: nn.ConvTranspose2d) -> nn.Sequential:
    return nn.Sequential(layer, nn.BatchNorm2d(layer.out_channels), nn.ReLU())


def dense(channels: int, side: int) -> nn.Sequential:
    return nn.Linear(LATENT, channels * side**2)


# Layers one after another, with the shape behind the first; narrow, with the strides and paddings of the originals.
NETS = {
    "default network": lambda: (
        (1, 6, 7),
        [nn.Sequential(nn.Linear(LATENT, 9), nn.ReLU()), nn.Sequential(nn.Linear(9, 42), nn.Sigmoid())],
    ),
    "convolutions for MNIST": lambda: (
        (8, 4, 4),
        [
            dense(8, 4),
            normed(up(8, 6, 3, 2, 1)),
            normed(up(6, 5, 3, 2, 1, 1)),
            nn.Sequential(up(5, 1, 3, 2, 1, 1), nn.Sigmoid()),
        ],
    ),
    "convolutions for CIFAR": lambda: (
        (8, 8, 8),
        [
            dense(8, 8),
            normed(up(8, 6, 4, 2, 1)),
            normed(up(6, 5, 4, 2, 1, 1)),
            nn.Sequential(up(5, 3, 4, 1, 2), nn.Sigmoid()),
        ],
    ),
    "convolutions for CelebA": lambda: (
        (8, 8, 8),
        [
            nn.Sequential(dense(8, 8)),
            normed(up(8, 6, 5, 2, 2)),
            normed(up(6, 5, 5, 2, 1)),
            normed(up(5, 4, 5, 2, 2, 1)),
            nn.Sequential(up(4, 3, 5, 1, 1), nn.Sigmoid()),
        ],
    ),
    "residual network for MNIST": lambda: (
        (6, 4, 4),
        [
            *(dense(6, 4), up(6, 6, 3, 2, 1), nn.Sequential(Block(), Block(), nn.ReLU())),
            nn.Sequential(up(6, 5, 3, 2, 1, 1), nn.ReLU()),
            nn.Sequential(up(5, 1, 3, 2, 1, 1), nn.Sigmoid()),
        ],
    ),
    "residual network for CIFAR": lambda: (
        (6, 8, 8),
        [
            *(dense(6, 8), nn.Sequential(Block(), Block())),
            nn.Sequential(up(6, 5, 4, 2, 1)),
            nn.Sequential(up(5, 3, 4, 2, 1), nn.Sigmoid()),
        ],
    ),
    "residual network for CelebA": lambda: (
        (6, 4, 4),
        [
            *(dense(6, 4), up(6, 6, 3, 2, 1), nn.Sequential(Block(), Block())),
            nn.Sequential(up(6, 6, 5, 2, 1), nn.Sigmoid()),
            nn.Sequential(up(6, 5, 5, 2, 1, 1)),
            nn.Sequential(up(5, 3, 4, 2, 1), nn.Sigmoid()),
        ],
    ),
}
SIDES = {"MNIST": 28, "CIFAR": 32, "CelebA": 64}
QUICK = ("default network", "convolutions for CIFAR", "residual network for MNIST")


def folder_of(tmp_path, layers, shape=(1, 6, 7), name="VAEConfig", latent=LATENT):
    """A folder as pythae writes it."""
    state = {f"decoder.layers.{key}": tensor for key, tensor in nn.ModuleList(layers).state_dict().items()}
    state |= {"encoder.layers.0.0.weight": torch.ones(2, 2), "encoder.embedding.bias": torch.ones(2)}
    (tmp_path / "model.pt").write_bytes(saved({"model_state_dict": state}))
    config = {"name": name, "input_dim": list(shape), "latent_dim": latent, "uses_default_decoder": False}
    (tmp_path / "model_config.json").write_text(json.dumps(config))
    (tmp_path / "environment.json").write_text("{}")
    (tmp_path / "decoder.pkl").write_bytes(pickle.dumps(Harmful()))
    return tmp_path / "model.pt"


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.slow]) for n in NETS])
def test_equals_torch(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(len(name))
    shape, layers = NETS[name]()
    net = randomise(nn.ModuleList(layers))
    family, folder = convert_any(folder_of(tmp_path, layers), tmp_path / "model", say=lambda _: None)
    assert family == "pythae"
    z = torch.from_numpy(np.random.default_rng(0).standard_normal((2, LATENT)))
    x = net.double()[0](z)
    x = x if name == "default network" else x.unflatten(1, shape)
    for layer in layers[1:]:
        x = layer(x)
    theirs = x.unflatten(1, shape) if name == "default network" else x
    theirs = theirs.detach().movedim(1, -1).numpy()
    assert theirs.shape[1] == SIDES.get(name.split()[-1], 6)
    assert np.abs(theirs[0] - theirs[1]).max() > 0.02
    G = gg.load(folder)
    assert G.output_range == (0, 1)
    assert_close(jax.vmap(G)(z.numpy()), theirs)
    assert gg.zoo.card(folder)["note"] == f"pythae's {'' if 'default' in name else 'the '}{name}"
    assert "harmed" not in os.listdir(tmp_path)


def test_a_model_with_another_prior_says_so(tmp_path):
    _, layers = NETS["default network"]()
    folder = convert("pythae", folder_of(tmp_path, layers, name="SVAEConfig"), tmp_path / "model")
    assert "of a SVAEConfig, whose codes pythae draws otherwise" in gg.zoo.card(folder)["note"]


def test_what_does_not_fit_is_named(tmp_path):
    _, layers = NETS["default network"]()
    with pytest.raises(CheckpointError, match="says latent_dim=5; its decoder takes 4 numbers"):
        convert("pythae", folder_of(tmp_path, layers, latent=5), tmp_path / "model")
    with pytest.raises(CheckpointError, match=r"none of pythae's .*decoder\.pkl, which is code and is not opened"):
        convert("pythae", folder_of(tmp_path, [*layers, nn.Linear(2, 2)]), tmp_path / "model")
