"""Whole modules of any layers: read with inert stand-ins, translated by what their parts say of themselves."""

from __future__ import annotations

import re

import jax
import numpy as np
import pytest
import torch
from torch import nn

import geomgan as gg
from geomgan.errors import CheckpointError, GeomganError, OptionError
from tests.weights_convert.test_torch_modules import spectral, trained, weighted
from tests.weights_convert.torch_saved import FORMATS, saved
from weights_convert.auto import convert_any
from weights_convert.convert import convert


def block(a: int, b: int) -> nn.Sequential:
    return nn.Sequential(nn.ConvTranspose2d(a, b, 4, 2, 1), nn.BatchNorm2d(b), nn.LeakyReLU(0.3))


def sequential() -> nn.Sequential:
    """Sequences in sequences, with a view of torch's own."""
    stem = nn.Sequential(nn.Linear(6, 16), nn.GELU(), nn.Unflatten(1, (4, 2, 2)))
    last = [nn.ReflectionPad2d(1), weighted(nn.Conv2d(3, 3, 3), True), nn.Sigmoid()]
    return nn.Sequential(stem, nn.Sequential(block(4, 4), block(4, 3)), *last)


class Reshape(nn.Module):
    """A module of the author's that only reshapes."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x):
        return x.view(self.shape)


class Author(nn.Module):
    """Parts that run as they are defined, and a view that the forward has."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Sequential(nn.Linear(6, 16), nn.ReLU())
        self.up1 = block(4, 4)
        self.up2 = nn.Sequential(spectral(nn.ConvTranspose2d(4, 3, 4, 2, 1), True), nn.Tanh())

    def forward(self, z):
        return self.up2(self.up1(self.fc(z).view(-1, 4, 2, 2)))


class Shared(nn.Module):
    """One non-linearity for all layers."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 16)
        self.act = nn.ReLU()
        self.last = nn.Tanh()
        self.up = nn.ConvTranspose2d(4, 3, 4, 2, 1)

    def forward(self, z):
        return self.last(self.up(self.act(self.fc(z)).view(-1, 4, 2, 2)))


class Called(nn.Module):
    """Functions between the parts."""

    def __init__(self) -> None:
        super().__init__()
        self.up1, self.up2 = nn.ConvTranspose2d(6, 4, 4), nn.ConvTranspose2d(4, 3, 4, 2, 1)

    def forward(self, z):
        return torch.tanh(self.up2(torch.relu(self.up1(z[..., None, None]))))


class Odd(nn.Module):
    """A part of the author's own."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(6))

    def forward(self, x):
        return x * self.scale


def generator(net: nn.Module, tmp_path, tree=None, zipped: bool = True, **options: str):
    """The converted generator, and what was said."""
    said: list[str] = []
    path = saved(net if tree is None else tree, zipped, tmp_path / "net.pt")
    return gg.load(convert("torch-module", path, tmp_path / "model", options, say=said.append)), " ".join(said)


def assert_same(G, net: nn.Module) -> None:
    """Samples and Jacobians are torch's."""
    z = torch.randn(1, G.latent_dim, generator=torch.Generator().manual_seed(3))
    run = lambda z: net(z)[0].movedim(0, -1)
    with torch.no_grad():
        theirs = run(z).numpy()
    np.testing.assert_allclose(np.asarray(G(z[0].numpy())), theirs, atol=1e-5 * np.abs(theirs).max())
    jacobian = torch.func.jacfwd(lambda z: run(z[None]))(z[0]).detach().numpy()
    ours = np.asarray(jax.jacfwd(G)(z[0].numpy()))
    np.testing.assert_allclose(ours, jacobian, atol=1e-4 * np.abs(jacobian).max())


@FORMATS
@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning", "ignore:.*weight_norm:DeprecationWarning")
def test_sequences_of_torchs_own(tmp_path, zipped):
    net = trained(sequential())
    G, said = generator(net, tmp_path, [10, {"epoch": 3, "G": net}] if zipped else None, zipped)
    assert_same(G, net)
    assert "assumed" not in said
    assert G.output_range == (0.0, 1.0)
    assert "1.0.2" in G.layers
    assert G.at("1.0.2").sample_shape.shape == (4, 4, 4)


def test_parts_of_the_authors_run_as_they_are_defined_and_that_is_said(tmp_path):
    net = trained(Author())
    G, said = generator(net, tmp_path)
    assert_same(G, net)
    assert "order=fc,up1,up2, view=4,2,2" in said
    G, said = generator(nn.Sequential(trained(Author()), nn.Upsample(scale_factor=2)), tmp_path)
    assert "order=0.fc,0.up1,0.up2,1" in said  # complete, so that it can be given as an option
    reshaped = trained(nn.Sequential(Reshape(-1, 6, 1, 1), nn.ConvTranspose2d(6, 3, 4), nn.Tanh()))
    G, said = generator(reshaped, tmp_path)
    assert_same(G, reshaped)


def test_the_order_can_be_said(tmp_path):
    net = trained(Shared())
    with pytest.raises(CheckpointError, match="defines ReLU act and then Tanh last, two non-linearities"):
        generator(net, tmp_path)
    G, said = generator(net, tmp_path, order="fc,act,up,last")
    assert_same(G, net)
    assert "order=" not in said
    with pytest.raises(OptionError, match=r"names 'down', which is no part of the module\. It has fc, act, last, up"):
        generator(net, tmp_path, order="fc,down")


def test_the_generator_of_several(tmp_path):
    stem = (nn.Linear(6, 16), nn.ReLU(), nn.Unflatten(1, (4, 2, 2)))
    net = trained(nn.Sequential(*stem, block(4, 3)))
    critic = trained(nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Conv2d(2, 1, 6)))
    for tree in ({"netG": net, "netD": critic}, {"D": critic, "G": net}):
        assert_same(generator(net, tmp_path, tree)[0], net)
    vae = nn.Module()
    vae.encoder, vae.decoder = critic, net
    assert_same(generator(net, tmp_path, vae)[0], net)


def test_a_forward_of_functions_can_be_said_line_by_line(tmp_path):
    net = trained(Called())
    path, layers = saved(net, path=tmp_path / "net.pt"), tmp_path / "layers.txt"
    with pytest.raises(OptionError, match="has the 5 layers"):
        convert("torch-layers", path, tmp_path / "model", {"layers": str(layers)})
    assert re.search(
        r"^ConvTranspose2d up2 stride=2,2 padding=1,1 .*as the module says$", layers.read_text(), re.MULTILINE
    )
    assert_same(gg.load(convert("torch-layers", path, tmp_path / "model", {"layers": str(layers)})), net)


class Conditional(nn.Module):
    """A class beside the code, and a forward of its own."""

    def __init__(self, hidden: nn.Module, other: nn.Module) -> None:
        super().__init__()
        self.classes = nn.Embedding(10, 4)
        layers = (nn.Linear(6 + 4, 16), hidden, nn.Linear(16, 16), other, nn.Linear(16, 64), nn.Sigmoid())
        self.net = nn.Sequential(*layers)

    def forward(self, z, y):
        return self.net(torch.cat([z, self.classes(y)], 1))


@pytest.mark.parametrize("hidden", [nn.LeakyReLU(0.2), nn.SiLU()], ids=["LeakyReLU", "SiLU"])
def test_non_linearities_of_a_module_are_not_guessed_otherwise(hidden, tmp_path):
    torch.manual_seed(0)
    net, said = Conditional(hidden, hidden).eval(), []
    path = saved(net, path=tmp_path / "net.pt")
    _, folder = convert_any(path, tmp_path / "model", say=said.append)
    G = gg.load(folder, class_index=3)
    assert G.output_range == (0, 1)
    assert_same(G, lambda z: net(z, torch.tensor([3])))
    assert f"activation={'leaky_relu' if hidden.__class__ is nn.LeakyReLU else 'silu'}" in " ".join(said)
    assert "output=" not in " ".join(said)
    G = gg.load(convert("torch-layers", path, tmp_path / "model", {"activation": "relu", "output": "tanh"}))
    assert G.output_range == (-1, 1)  # what is said counts more


def test_of_two_kinds_of_hidden_non_linearities_none_is_taken(tmp_path):
    said = []
    convert_any(saved(trained(Conditional(nn.ELU(), nn.SiLU())), path=tmp_path / "net.pt"), tmp_path / "model",
                say=said.append)  # fmt: skip
    assert "activation=relu" in " ".join(said)


REFUSED = {
    "functions": (Called(), "two layers without a non-linearity between: its forward.*export-recipe"),
    "own part": (nn.Sequential(nn.Linear(6, 6), Odd()), "has Odd at 1, a class of its author's.*export-recipe"),
    "of torch": (nn.Sequential(nn.LSTM(6, 6)), "has LSTM at 0, torch's"),
    "discriminator": (nn.Sequential(nn.Linear(784, 9), nn.ReLU(), nn.Linear(9, 1)), "makes 1 numbers of 784"),
    "input": (nn.Sequential(nn.Conv2d(3, 3, 3), nn.Tanh()), "--option input=3,SIDE,SIDE"),
    "tensors alone": (nn.Linear(6, 6).state_dict(), "Convert it as torch-layers"),
    "losses": ({"losses": [0.1, 0.2]}, "expected a state dict"),
    "sizes": (nn.Sequential(nn.Linear(6, 5), nn.Linear(6, 5)), r"Linear 1 does not fit \(5,\)"),
    "maps": (nn.Sequential(nn.Linear(6, 6), nn.Conv2d(4, 3, 1)), r"takes maps \(C, H, W\), and gets \(6,\)"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_none_is_refused(case, tmp_path):
    net, says = REFUSED[case]
    with pytest.raises(GeomganError, match=re.compile(says, re.DOTALL)):
        generator(net, tmp_path)


def test_the_input_of_a_convolution_is_asked_for(tmp_path):
    net = trained(nn.Sequential(nn.Conv2d(3, 3, 3), nn.Tanh()))
    G, _ = generator(net, tmp_path, input="3,5,5")
    assert G.latent_dim == 75
    x = torch.randn(1, 3, 5, 5)
    np.testing.assert_allclose(np.asarray(G(x.numpy().ravel())), net(x)[0].detach().permute(1, 2, 0).numpy(), atol=1e-5)
    net.noise_size = 512
    with pytest.raises(OptionError, match=r"input=3,SIDE,SIDE\. The module says of itself: noise_size=512"):
        generator(net, tmp_path)
    with pytest.raises(OptionError, match="expected the shape of one code"):
        generator(net, tmp_path, input="3,x")
