"""StyleGAN-XL from pickles of its objects, against torch; files that are refused."""

from __future__ import annotations

import math
import pickle

import jax
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import geomgan as gg
from geomgan.errors import CheckpointError
from tests.fixtures import assert_close
from tests.weights_convert.torch_models import saved
from tests.weights_convert.torch_nvidia import Official3, linear
from weights_convert.auto import convert_any
from weights_convert.convert import convert

LATENT, WIDTH, CLASSES = 4, 6, 3


def network() -> Official3:
    """StyleGAN3's layers, which say how they resample, behind StyleGAN-XL's mapping; one number is left out."""
    torch.manual_seed(0)
    net = Official3(LATENT, WIDTH, (5, 4, 4, 3), resolution=16)
    mapping = net.mapping
    mapping.embed, mapping.embed_proj = nn.Embedding(CLASSES, 7), nn.Linear(7, LATENT)
    mapping.fc0 = nn.Linear(2 * LATENT, WIDTH)
    mapping.fc0.weight.data *= 300
    mapping.w_avg = torch.randn(CLASSES, WIDTH)
    for k, (layer, side, up, down, last) in enumerate(net.layers):
        first = net.waves[0] if k == 0 else side
        taps = sum(1 if last or factor == 1 else 6 * factor for factor in (up, down))
        total = (net.sides[k] - 1) * down + 1 - (first + layer.weight.shape[2] - 1) * up + taps - 2
        low = (total + up) // 2
        layer.up_factor, layer.down_factor, layer.padding = up, down, [low, total - low] * 2
    net.synthesis.output_scale = net.output_scale
    net.synthesis.input.sampling_rate, net.synthesis.input.bandwidth = net.waves[1:]
    old = f"L3_{net.sides[3]}_3"
    net.synthesis._modules["L4" + old[2:]] = net.synthesis._modules.pop(old)
    net.kept, net.layers = net.layers, None  # not in the file
    return net.eval()


def mapped(net: Official3, z: torch.Tensor, label: int) -> torch.Tensor:
    """``w`` of codes of a class."""
    unit = lambda x: x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt()
    mapping, rate = net.mapping, 0.01
    e = mapping.embed.weight[[label] * len(z)]
    y = F.linear(e, mapping.embed_proj.weight / math.sqrt(7), mapping.embed_proj.bias)
    x = torch.cat([unit(z), unit(math.sqrt(2) * F.leaky_relu(y, 0.2))], 1)
    for layer in (mapping.fc0, mapping.fc1):
        x = math.sqrt(2) * F.leaky_relu(linear(layer, x, rate), 0.2)
    return x


def file_of(folder, net):
    layers, net.kept = net.kept, None
    (folder / "imagenet16.pkl").write_bytes(pickle.dumps({"G": None, "D": None, "G_ema": net}))
    net.layers = net.kept = layers
    return folder / "imagenet16.pkl"


def test_equals_torch(tmp_path):
    net = network()
    family, folder = convert_any(file_of(tmp_path, net), tmp_path / "model", say=lambda _: None)
    assert family == "stylegan-xl"
    net = net.double()
    z = torch.randn(2, LATENT, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    w = mapped(net, z, 2)
    mean = net.mapping.w_avg[2]
    theirs = net((mean + 0.7 * (w - mean))[:, None].repeat(1, 5, 1)).detach().movedim(1, -1).numpy()
    assert theirs.shape == (2, 16, 16, 3)
    assert np.abs(theirs[0] - theirs[1]).max() > 0.05 * np.abs(theirs).max()
    G = gg.load(folder, class_index=2, truncation=0.7)
    assert_close(jax.vmap(G)(z.numpy()), theirs)
    assert gg.zoo.card(folder)["config"]["classes"] == CLASSES


def test_what_does_not_fit_is_named(tmp_path):
    net = network()
    (tmp_path / "state.pth").write_bytes(saved({"G_ema": net.state_dict()}))
    with pytest.raises(CheckpointError, match=r"does not say up_factor of synthesis\.L0_.*Get the whole pickle"):
        convert("stylegan-xl", tmp_path / "state.pth", tmp_path / "model")
    net.kept[1][0].padding = [1, 2, 1, 3]
    with pytest.raises(CheckpointError, match=r"padding=\[1, 2, 1, 3\]; expected factors"):
        convert("stylegan-xl", file_of(tmp_path, net), tmp_path / "model")
    net.kept[1][0].padding = [1, 2, 1, 2]
    with pytest.raises(CheckpointError, match="expected each to take what the one before makes"):
        convert("stylegan-xl", file_of(tmp_path, net), tmp_path / "model")
