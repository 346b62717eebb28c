"""Networks as people write them, of which there is a state dict alone: the guess is right, with few options or none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn import Sequential

from geomgan.models.build import build
from tests.weights_convert.test_found_checkpoints import Net, up
from tests.weights_convert.test_torch_modules import trained
from tests.weights_convert.torch_saved import saved
from weights_convert.convert import read

CLASS = 3


class Case(NamedTuple):
    """A network, the size of its code, and the options of the conversion."""

    net: nn.Module
    size: int
    options: Mapping[str, str] = {}


def row(table: nn.Embedding) -> torch.Tensor:
    return table(torch.tensor([CLASS]))


def stage(a: int, b: int, *, norm: bool = True) -> list[nn.Module]:
    """Of the dense generators of PyTorch-GAN, whose second argument is an epsilon."""
    return [nn.Linear(a, b), *([nn.BatchNorm1d(b, 0.8)] if norm else []), nn.LeakyReLU(0.2)]


def dense(size: int) -> Sequential:
    widths = (stage(size, 128, norm=False), stage(128, 256), stage(256, 512), stage(512, 1024))
    return Sequential(*(m for one in widths for m in one), nn.Linear(1024, 784), nn.Tanh())


def blocks(width: int, channels: int) -> Sequential:
    """Of its convolutional ones."""
    return Sequential(
        *(nn.BatchNorm2d(width), nn.Upsample(scale_factor=2)),
        *(nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width, 0.8), nn.LeakyReLU(0.2)),
        nn.Upsample(scale_factor=2),
        *(nn.Conv2d(width, 8, 3, padding=1), nn.BatchNorm2d(8, 0.8), nn.LeakyReLU(0.2)),
        *(nn.Conv2d(8, channels, 3, padding=1), nn.Tanh()),
    )


def pytorch_gan_dcgan() -> Case:
    run = lambda n, z: n.conv_blocks(n.l1(z).view(-1, 16, 8, 8))
    return Case(Net(run, l1=Sequential(nn.Linear(20, 1024)), conv_blocks=blocks(16, 3)), 20, {"slope": "0.2"})


def pytorch_gan_cgan() -> Case:
    run = lambda n, z: n.model(torch.cat((row(n.label_emb), z), -1)).view(-1, 1, 28, 28)
    return Case(Net(run, label_emb=nn.Embedding(10, 10), model=dense(30)), 20, {"slope": "0.2"})


def pytorch_gan_acgan() -> Case:
    run = lambda n, z: n.conv_blocks(n.l1(z * row(n.label_emb)).view(-1, 16, 8, 8))
    parts = {"label_emb": nn.Embedding(10, 20), "l1": Sequential(nn.Linear(20, 1024)), "conv_blocks": blocks(16, 1)}
    return Case(Net(run, **parts), 20, {"slope": "0.2"})


def conditional_dcgan() -> Case:
    main = Sequential(
        *(up(30, 16, 4), nn.BatchNorm2d(16), nn.ReLU()),
        *(up(16, 8, 4, 2, 1), nn.BatchNorm2d(8), nn.ReLU()),
        *(up(8, 4, 4, 2, 1), nn.BatchNorm2d(4), nn.ReLU()),
        *(up(4, 3, 4, 2, 1), nn.Tanh()),
    )
    run = lambda n, z: n.main(torch.cat((z, row(n.emb)), -1)[..., None, None])
    return Case(Net(run, emb=nn.Embedding(10, 10), main=main), 20)


def autoencoder() -> Case:
    """Kernels of 3 that go 3, 7, 14, 28."""
    lin = Sequential(nn.Linear(4, 128), nn.ReLU(), nn.Linear(128, 288), nn.ReLU())
    conv = Sequential(
        *(up(32, 16, 3, 2, bias=True), nn.BatchNorm2d(16), nn.ReLU()),
        *(up(16, 8, 3, 2, 1, 1, bias=True), nn.BatchNorm2d(8), nn.ReLU()),
        up(8, 1, 3, 2, 1, 1, bias=True),
    )
    run = lambda n, z: torch.sigmoid(n.decoder_conv(n.decoder_lin(z).view(-1, 32, 3, 3)))
    return Case(Net(run, encoder_cnn=Sequential(nn.Conv2d(1, 8, 3)), decoder_lin=lin, decoder_conv=conv), 4)


def projected() -> Case:
    """A dense layer without bias, normed, then kernels of 5."""
    project = Sequential(nn.Linear(50, 512, bias=False), nn.BatchNorm1d(512), nn.ReLU())
    net = Sequential(
        *(up(32, 16, 5, 2, 2, 1), nn.BatchNorm2d(16), nn.ReLU()),
        *(up(16, 8, 5, 2, 2, 1), nn.BatchNorm2d(8), nn.ReLU()),
        *(up(8, 3, 5, 2, 2, 1, bias=True), nn.Tanh()),
    )
    return Case(Net(lambda n, z: n.net(n.project(z).view(-1, 32, 4, 4)), project=project, net=net), 50)


def vae_of_blocks() -> Case:
    """Heads and a decoder of several parts, the last of which refines with kernels of the same size."""
    act = lambda width: (nn.BatchNorm2d(width), nn.LeakyReLU())
    grow = lambda a, b: Sequential(up(a, b, 3, 2, 1, 1, bias=True), *act(b))
    shrink = lambda a, b: Sequential(nn.Conv2d(a, b, 3, 2, 1), *act(b))
    last = (up(4, 4, 3, 2, 1, 1, bias=True), *act(4), nn.Conv2d(4, 3, 3, padding=1), nn.Tanh())
    net = Net(
        lambda n, z: n.final_layer(n.decoder(n.decoder_input(z).view(-1, 32, 2, 2))),
        encoder=Sequential(shrink(3, 4), shrink(4, 8)),
        fc_mu=nn.Linear(32, 12),
        fc_var=nn.Linear(32, 12),
        decoder_input=nn.Linear(12, 128),
        decoder=Sequential(grow(32, 16), grow(16, 8), grow(8, 4)),
        final_layer=Sequential(*last),
    )
    return Case(net, 12, {"slope": "0.01", "output": "tanh"})


def dense_vae() -> Case:
    layers = {"fc1": (784, 40), "fc21": (40, 5), "fc22": (40, 5), "fc3": (5, 40), "fc4": (40, 784)}
    run = lambda n, z: torch.sigmoid(n.fc4(F.relu(n.fc3(z)))).view(-1, 1, 28, 28)
    return Case(Net(run, **{name: nn.Linear(*sizes) for name, sizes in layers.items()}), 5)


def sound() -> Case:
    net = Sequential(
        nn.ConvTranspose1d(8, 4, 25, 4, 11, 1), nn.ReLU(), nn.ConvTranspose1d(4, 1, 25, 4, 11, 1), nn.Tanh()
    )
    return Case(Net(lambda n, z: n.up(F.relu(n.fc(z)).view(-1, 8, 16)), fc=nn.Linear(10, 128), up=net), 10)


def functions_between() -> Case:
    """Non-linearities that no name tells, and a plain convolution at the end."""

    def run(n, z):
        x = F.relu(n.fc2(F.relu(n.fc1(z)))).view(-1, 16, 7, 7)
        x = F.relu(n.bn2(n.deconv2(F.relu(n.bn1(n.deconv1(x))))))
        return torch.sigmoid(n.conv3(x))

    net = Net(
        run,
        fc1=nn.Linear(6, 64),
        fc2=nn.Linear(64, 784),
        deconv1=up(16, 8, 4, 2, 1),
        bn1=nn.BatchNorm2d(8),
        deconv2=up(8, 4, 4, 2, 1),
        bn2=nn.BatchNorm2d(4),
        conv3=nn.Conv2d(4, 1, 3, padding=1),
    )
    return Case(net, 6, {"output": "sigmoid"})


QUICK: tuple[Callable[[], Case], ...] = (pytorch_gan_cgan, vae_of_blocks, autoencoder)
OTHERS = (pytorch_gan_dcgan, pytorch_gan_acgan, conditional_dcgan, projected, dense_vae, sound, functions_between)


@pytest.mark.parametrize("case", [*QUICK, *(pytest.param(case, marks=pytest.mark.slow) for case in OTHERS)])
def test_the_guess_is_the_network(case, tmp_path):
    net, size, options = case()
    trained(net)
    generator = torch.Generator().manual_seed(1)
    for parameter in net.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.1
    made = read("torch-layers", saved(net.state_dict(), path=tmp_path / "g.pt"), options, say=lambda _: None)
    with_class = {"class_index": CLASS} if any(isinstance(m, nn.Embedding) for m in net.modules()) else {}
    G = build(made.card, made.params, None, "net", with_class)
    z = torch.randn(1, size, generator=generator)
    with torch.no_grad():
        theirs = net(z)[0].movedim(0, -1).numpy()
    np.testing.assert_allclose(np.asarray(G(z[0].numpy())), theirs, atol=1e-5 * np.abs(theirs).max())
