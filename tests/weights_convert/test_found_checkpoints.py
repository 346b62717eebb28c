"""Generators that strangers published beside their code: converted without Python, and equal to their networks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import geomgan as gg
from tests.fixtures import ASSETS, needs_assets
from weights_convert.convert import convert
from weights_convert.files import read_file

FOLDER = ASSETS / "found-checkpoints"
pytestmark = needs_assets
DIRECTIONS = 4


def sequence(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(*layers)


def up(*arguments, **options) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(*arguments, **{"bias": False, **options})


class Net(nn.Module):
    """Parts by name, and a forward."""

    def __init__(self, forward: Callable, **parts: nn.Module) -> None:
        super().__init__()
        self.run = forward
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, *inputs):
        return self.run(self, *inputs)


def a02():
    return sequence(
        *(up(100, 128, 7), nn.BatchNorm2d(128), nn.ReLU()),
        *(up(128, 64, 4, 2, 1), nn.BatchNorm2d(64), nn.ReLU()),
        *(up(64, 1, 4, 2, 1), nn.Tanh()),
    ), lambda net, z: net(z.view(-1, 100, 1, 1))


def a04():
    blocks = sequence(
        *(nn.BatchNorm2d(128), nn.Upsample(scale_factor=2)),
        *(nn.Conv2d(128, 128, 3, padding=1), nn.BatchNorm2d(128, 0.8), nn.ReLU(), nn.Upsample(scale_factor=2)),
        *(nn.Conv2d(128, 64, 3, padding=1), nn.BatchNorm2d(64, 0.8), nn.ReLU()),
        *(nn.Conv2d(64, 1, 3, padding=1), nn.Tanh()),
    )
    net = Net(
        lambda net, z: net.conv_blocks(
            net.l1(torch.cat((z, net.label_emb(torch.tensor([3]).expand(len(z)))), -1)).view(-1, 128, 7, 7)
        ),
        label_emb=nn.Embedding(10, 10),
        l1=sequence(nn.Linear(20, 6272)),
        conv_blocks=blocks,
    )
    return net, lambda net, z: net(z)


def a05():
    model = sequence(
        *(nn.Conv2d(3, 4, 113, bias=False), nn.BatchNorm2d(4), nn.ReLU()),
        *(nn.Conv2d(4, 5, 81, bias=False), nn.BatchNorm2d(5), nn.ReLU()),
        *(nn.Conv2d(5, 3, 65, bias=False), nn.BatchNorm2d(3), nn.Tanh()),
    )
    net = Net(lambda net, z: net.model(z), model=model)
    return net, lambda net, z: net(z.view(len(z), 3, *(int((z.shape[1] / 3) ** 0.5),) * 2))


def a08():
    gen = sequence(nn.Linear(100, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 784), nn.Tanh())
    return Net(lambda net, z: net.gen(z).view(-1, 1, 28, 28), gen=gen), lambda net, z: net(z)


def a11():
    conv = lambda a, b: nn.Conv2d(a, b, 3, padding=1, padding_mode="replicate")
    decoder = Net(
        lambda d, z: F.sigmoid(d.conv3(F.relu(d.conv2(F.relu(d.conv1(d.fc(z).view(-1, 8, 28, 28))))))),
        fc=nn.Linear(20, 6272),
        conv1=conv(8, 16),
        conv2=conv(16, 4),
        conv3=conv(4, 1),
    )
    return Net(lambda net, z: net.decoder(z), decoder=decoder), lambda net, z: net(z)


def a14():
    act = lambda: nn.LeakyReLU(0.2)
    stack = sequence(
        nn.Unflatten(1, (100, 1, 1)),
        *(up(100, 128, 4), nn.BatchNorm2d(128), act()),
        *(up(128, 64, 3, 2, 1), nn.BatchNorm2d(64), act()),
        *(up(64, 32, 4, 2, 1), nn.BatchNorm2d(32), act()),
        *(up(32, 1, 4, 2, 1), nn.Tanh()),
    )
    return Net(lambda net, z: net.layer_stack(z), layer_stack=stack), lambda net, z: net(z)


def a16():
    net = Net(
        lambda n, z: F.tanh(n.t_conv3(F.relu(n.t_conv2(F.relu(n.t_conv1(n.fc(z).view(-1, 128, 4, 4))))))),
        fc=nn.Linear(100, 2048),
        t_conv1=sequence(up(128, 64, 4, 2, 1), nn.BatchNorm2d(64)),
        t_conv2=sequence(up(64, 32, 4, 2, 1), nn.BatchNorm2d(32)),
        t_conv3=sequence(up(32, 3, 4, 2, 1)),
    )
    return net, lambda net, z: net(z)


def a17():
    model = sequence(
        *(up(128, 64, 4), nn.BatchNorm2d(64), nn.ReLU()),
        *(up(64, 32, 4, 2, 1), nn.BatchNorm2d(32), nn.ReLU()),
        *(up(32, 16, 4, 2, 1), nn.BatchNorm2d(16), nn.ReLU()),
        *(up(16, 3, 4, 2, 1, bias=True), nn.Tanh()),
    )
    return Net(lambda net, z: net.model(z.view(-1, 128, 1, 1)), model=model), lambda net, z: net(z)


def a20():
    def decode(n, z):
        x = F.relu(n.d1(z)).view(-1, 64, 4, 4)
        for layer, norm in ((n.d2, n.bn6), (n.d3, n.bn7), (n.d4, n.bn8)):
            x = F.leaky_relu(norm(layer(x)), 0.2)
        return F.sigmoid(n.d5(x))

    layers = {
        f"d{i + 2}": nn.ConvTranspose2d(a, b, 4, 2, 1)
        for i, (a, b) in enumerate([(64, 64), (64, 32), (32, 32), (32, 3)])
    }
    norms = {f"bn{i}": nn.BatchNorm2d(n) for i, n in ((6, 64), (7, 32), (8, 32))}
    return Net(decode, d1=nn.Linear(32, 1024), **layers, **norms), lambda net, z: net(z)


def a25():
    grow = lambda a, b: nn.ConvTranspose2d(a, b, 5, 2, 2, 1)
    net = Net(
        lambda n, z: n.layer3(n.layer2(n.layer1(z).view(-1, 128, 7, 7))),
        layer1=sequence(nn.Linear(100, 6272), nn.ReLU()),
        layer2=sequence(grow(128, 64), nn.BatchNorm2d(64), nn.ReLU()),
        layer3=sequence(grow(64, 1), nn.Tanh()),
    )
    return net, lambda net, z: net(z)


FILES = {  # name -> family, options, what is changed in the file of layers
    "a02.pth": ("torch-layers", {}, {}),
    "a04.pth": ("torch-layers", {}, {}),
    "a05.pkl": ("torch-module", {"input": "3,264,264"}, {}),
    "a08.pth": ("torch-layers", {}, {}),
    "a11.pth": ("torch-layers", {"padding_mode": "replicate"}, {}),
    "a14.pth": ("torch-layers", {"slope": "0.2"}, {}),
    "a16.pt": ("torch-layers", {}, {}),
    "a17.pkl": ("torch-layers", {}, {}),
    "a20.pth": ("torch-layers", {"slope": "0.2"}, {"Linear d1": "Linear d1\nReLU"}),
    "a25.pt": ("torch-layers", {}, {}),
}
NETS = {"a02": a02, "a04": a04, "a05": a05, "a08": a08, "a11": a11, "a14": a14, "a16": a16, "a17": a17, "a20": a20}
QUICK = {"a04.pth", "a11.pth", "a20.pth"}


def author(name: str):
    """The network of the file's author with the file's tensors."""
    net, run = {**NETS, "a25": a25}[name.partition(".")[0]]()
    if name == "a05.pkl":
        held = {k: torch.from_numpy(np.array(v)) for k, v in read_file(FOLDER / name).items()}
    else:
        held = torch.load(FOLDER / name, map_location="cpu", weights_only=True)
    missing, _ = net.load_state_dict(held, strict=False)
    assert not [key for key in missing if "num_batches" not in key]
    return net.eval(), run


def opened(name: str, tmp_path: Path):
    family, options, changes = FILES[name]
    if changes:
        layers = tmp_path / "layers.txt"
        with pytest.raises(ValueError, match="was not there, and now has the"):
            convert(family, FOLDER / name, tmp_path / "model", {**options, "layers": str(layers)})
        text = layers.read_text()
        for old, new in changes.items():
            text = text.replace(old, new)
        layers.write_text(text)
        options = {"layers": str(layers)}
    said: list[str] = []
    folder = convert(family, FOLDER / name, tmp_path / "model", options, say=said.append)
    return gg.load(folder, **({"class_index": 3} if name == "a04.pth" else {})), said


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in FILES])
def test_a_strangers_generator_comes_in_and_is_its_network(name, tmp_path):
    G, said = opened(name, tmp_path)
    net, run = author(name)
    z = torch.randn(1, G.latent_dim, generator=torch.Generator().manual_seed(1))
    sample = lambda z: run(net, z)[0].permute(1, 2, 0)
    with torch.no_grad():
        theirs = sample(z).numpy()
    ours = np.asarray(G(z[0].numpy()))
    error = np.abs(ours - theirs).max() / np.abs(theirs).max()
    count = 1 if name == "a05.pkl" else DIRECTIONS  # its kernels are of 113 pixels
    tangents = torch.randn(count, G.latent_dim, generator=torch.Generator().manual_seed(2))
    columns = [torch.func.jvp(sample, (z,), (t[None],))[1].detach().numpy().ravel() for t in tangents]
    expected = np.array(columns, np.float64) @ np.array(columns, np.float64).T / theirs.size
    op = gg.metric_operator(G, gg.distances.mse(), z[0].numpy())
    T = tangents.numpy()
    metric = T @ np.stack([np.asarray(op.matvec(t)) for t in T]).T.astype(np.float64)
    metric_error = np.abs(metric - expected).max() / np.abs(expected).max()
    print(name, f"sample {error:.1e}, metric {metric_error:.1e}")
    assert error < 1e-4
    assert metric_error < 1e-3
    assert bool(said) is (name != "a20.pth")  # of that the user has said all
