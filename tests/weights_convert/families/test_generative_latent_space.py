"""The MNIST VAE and BiGAN with random weights equal torch modules of the published layout, file by file."""

from __future__ import annotations

import copy

import jax
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import elu
from torch.nn.utils import spectral_norm

import geomgan as gg
from tests.fixtures import assert_close
from tests.weights_convert.torch_models import randomise, saved
from weights_convert.convert import convert

LATENT, CENTERS = 5, 9  # both are read from the files; the published ones have 16 and 64


class Block(nn.Module):
    """A spectrally normalised layer under the name of its kind, its batch norm, and an ELU."""

    def __init__(self, kind: str, layer: nn.Module, width: int):
        super().__init__()
        self.kind = kind
        setattr(self, kind, spectral_norm(layer))
        self.BatchNorm = nn.BatchNorm1d(width) if kind == "Linear" else nn.BatchNorm2d(width)

    def forward(self, x):
        return elu(self.BatchNorm(getattr(self, self.kind)(x)))


def encoding(name: str, first: int, **others: nn.Module) -> nn.ModuleDict:
    down = [Block("Convolution", nn.Conv2d(1, first, 4, 2), first)]
    down += [Block("Convolution", nn.Conv2d(first, 32, 3, 2), 32)]
    return nn.ModuleDict({name: nn.Sequential(*down), **others})


def decoding(first: int, second: int, *output: nn.Module, **others: nn.Module) -> nn.ModuleDict:
    up = [Block("ConvTranspose", nn.ConvTranspose2d(32, first, 3, 2), first)]
    up += [Block("ConvTranspose", nn.ConvTranspose2d(first, second, 4, 2), second)]
    return nn.ModuleDict({"lin": nn.Linear(LATENT, 1152), "conv": nn.Sequential(*up, *output), **others})


def rbf() -> nn.Module:
    """The network of the precision, whose weights are not negative."""
    net = nn.Module()
    net.W = nn.Linear(CENTERS, 784, bias=False)
    for name, shape in {"centers": (CENTERS, LATENT), "bandwidth": (CENTERS,), "zeta": (1,)}.items():
        net.register_buffer(name, torch.zeros(shape))
    return net


@pytest.fixture(scope="module")
def networks():
    code = [Block("Linear", nn.Linear(LATENT, 16), 16), Block("Linear", nn.Linear(16, 32), 32)]
    joint = [Block("Linear", nn.Linear(1152 + 32, 32), 32), nn.Linear(32, 1)]
    made = {
        "VAE_D": decoding(32, 32, Xmean=nn.Sequential(nn.Conv2d(32, 1, 1)), rbfNN=rbf()),
        "VAE_E": encoding("enc", 32, zmean=nn.Linear(1152, LATENT), zlogvar=nn.Linear(1152, LATENT)),
        "BiGAN_G": decoding(16, 3, nn.Conv2d(3, 1, 1)),
        "BiGAN_E": encoding("conv", 16, lin=nn.Linear(1152, LATENT)),
        "BiGAN_D": encoding("Xconv", 16, zlin=nn.Sequential(*code), post_cat=nn.Sequential(*joint)),
    }
    for seed, net in enumerate(made.values()):
        randomise(net, seed)
    net = made["VAE_D"]["rbfNN"]
    for tensor in (net.W.weight.data, net.bandwidth, net.zeta):
        tensor.abs_()
    return made


@pytest.fixture(scope="module")
def converted(networks, tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    for i, (name, net) in enumerate(networks.items()):
        (folder / f"trained{name}.pth").write_bytes(saved(net.state_dict(), zipped=bool(i % 2)))
    return {
        kind: convert(f"generative-latent-space-{kind}", folder, folder.parent / f"model-{kind}")
        for kind in ("vae", "bigan")
    }


@pytest.fixture(scope="module")
def inputs():
    draw = torch.Generator().manual_seed(3)
    return torch.randn(4, LATENT, generator=draw), torch.rand(4, 1, 28, 28, generator=draw) * 2 - 1


def last(x: torch.Tensor) -> np.ndarray:
    return x.detach().movedim(1, -1).numpy()


def test_vae_decoder(networks, converted, inputs):
    net, z = networks["VAE_D"], inputs[0]
    with torch.no_grad():
        mean = torch.tanh(net["Xmean"](net["conv"](net["lin"](z).view(-1, 32, 6, 6))))
        squares = ((z[:, None] - net["rbfNN"].centers) ** 2).sum(-1)
        precision = net["rbfNN"].W(torch.exp(-net["rbfNN"].bandwidth * squares)) + net["rbfNN"].zeta
    ours = jax.vmap(gg.load(converted["vae"]).distribution)(z.numpy())
    assert_close(ours.mean, last(mean))
    assert_close(ours.std, last(precision.view(-1, 1, 28, 28) ** -0.5))
    assert gg.zoo.card(converted["vae"])["assumed"] == {"epsilon": 1e-5}
    assert gg.zoo.card(converted["vae"])["config"] == {
        "latent_dim": LATENT,
        "centers": CENTERS,
        "channels": 1,
        "resolution": 28,
    }


@pytest.mark.parametrize("whole", [False, True], ids=["option", "whole modules"])
def test_another_epsilon(networks, inputs, tmp_path, whole):
    for name in ("VAE_D", "VAE_E"):
        net = copy.deepcopy(networks[name])
        for layer in net.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.eps = 0.5
        (tmp_path / f"trained{name}.pth").write_bytes(saved(net if whole else net.state_dict()))
        networks = {**networks, name: net}
    options = {} if whole else {"epsilon": "0.5"}
    folder = convert("generative-latent-space-vae", tmp_path, tmp_path / "model", options)
    net, z = networks["VAE_D"], inputs[0]
    with torch.no_grad():
        mean = torch.tanh(net["Xmean"](net["conv"](net["lin"](z).view(-1, 32, 6, 6))))
    assert_close(jax.vmap(gg.load(folder))(z.numpy()), last(mean))
    assert "assumed" not in gg.zoo.card(folder)


def test_vae_encoder(networks, converted, inputs):
    net, x = networks["VAE_E"], inputs[1]
    with torch.no_grad():
        features = net["enc"](x).flatten(1)
        mean, log_variance = net["zmean"](features), net["zlogvar"](features)
    ours = jax.vmap(gg.load(converted["vae"], part="encoder"))(last(x))
    assert_close(ours.mean, mean)
    assert_close(2 * np.log(ours.std), log_variance)


def test_bigan_generator(networks, converted, inputs):
    net, z = networks["BiGAN_G"], inputs[0]
    with torch.no_grad():
        theirs = torch.tanh(net["conv"](net["lin"](z).view(-1, 32, 6, 6)))
    assert_close(jax.vmap(gg.load(converted["bigan"]))(z.numpy()), last(theirs))


def test_bigan_encoder(networks, converted, inputs):
    net, x = networks["BiGAN_E"], inputs[1]
    with torch.no_grad():
        theirs = net["lin"](net["conv"](x).flatten(1))
    assert_close(jax.vmap(gg.load(converted["bigan"], part="encoder"))(last(x)), theirs)


def test_bigan_discriminator(networks, converted, inputs):
    net, (z, x) = networks["BiGAN_D"], inputs
    with torch.no_grad():
        joint = torch.cat([net["Xconv"](x).flatten(1), net["zlin"](z)], 1)
        theirs = net["post_cat"](joint)[:, 0]
    D = gg.load(converted["bigan"], part="discriminator")
    assert_close(jax.vmap(D.at("logit"))(last(x), z.numpy()), theirs)
    assert_close(jax.vmap(D)(last(x), z.numpy()), torch.sigmoid(theirs))
