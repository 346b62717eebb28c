"""FastGAN, in the layouts of Projected GAN and of its own repository, against torch; files that are refused."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import jax
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import spectral_norm

import geomgan as gg
from geomgan.errors import CheckpointError, OptionError
from tests.fixtures import assert_close
from tests.weights_convert.torch_models import saved
from weights_convert.auto import convert_any
from weights_convert.convert import convert

GATES = {64: 4, 128: 8}


class Noise(nn.Module):
    """A map times a trained number; the maps are laid in before a call."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.maps = nn.Parameter(torch.tensor([0.4])), iter(())

    def forward(self, x):
        return x + self.weight * next(self.maps)


class Conditional(nn.Module):
    """Projected GAN's conditional batch norm."""

    def __init__(self, features: int, condition: int) -> None:
        super().__init__()
        self.gain, self.bias = (spectral_norm(nn.Linear(condition, features)) for _ in range(2))
        self.register_buffer("stored_mean", 0.1 * torch.randn(features))
        self.register_buffer("stored_var", 0.1 * torch.rand(features) + 0.05)

    def forward(self, x, y):
        normed = F.batch_norm(x, self.stored_mean, self.stored_var)
        return normed * (1 + self.gain(y))[:, :, None, None] + self.bias(y)[:, :, None, None]


def conv(before: int, after: int, side: int = 3, padding: int = 1) -> nn.Module:
    return spectral_norm(nn.Conv2d(before, after, side, padding=padding, bias=False))


class ConditionalBlock(nn.Module):
    def __init__(self, before: int, after: int, condition: int) -> None:
        super().__init__()
        self.conv1, self.conv2, self.noise = conv(before, 2 * after), conv(after, 2 * after), Noise()
        self.bn1, self.bn2 = (Conditional(2 * after, condition) for _ in range(2))

    def forward(self, x, y):
        x = F.glu(self.bn1(self.noise(self.conv1(F.interpolate(x, scale_factor=2))), y), 1)
        return F.glu(self.bn2(self.noise(self.conv2(x)), y), 1)


def block(before: int, after: int, large: bool) -> nn.Module:
    norm, gated = lambda: nn.BatchNorm2d(2 * after), nn.GLU(1)
    layers = [nn.Upsample(scale_factor=2), conv(before, 2 * after)]
    if not large:
        return nn.Sequential(*layers, norm(), gated)
    return nn.Sequential(*layers, Noise(), norm(), gated, conv(after, 2 * after), Noise(), norm(), gated)


class Gate(nn.Module):
    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        layers = conv(before, after, 4, 0), nn.SiLU(), conv(after, after, 1, 0), nn.Sigmoid()
        self.main = nn.Sequential(nn.AdaptiveAvgPool2d(4), *layers)

    def forward(self, x):
        return self.main(x)


class Net(nn.Module):
    """``widths``: of the maps of 4, 8, ... pixels; ``large``: sides of large blocks."""

    def __init__(self, widths, large=(), classes=0, original=False, latent=6) -> None:
        super().__init__()
        torch.manual_seed(len(widths) + classes)
        start = spectral_norm(nn.ConvTranspose2d(latent, 2 * widths[0], 4, bias=False))
        self.init = nn.Module()
        self.init.init = nn.Sequential(start, nn.BatchNorm2d(2 * widths[0]), nn.GLU(1))
        self.sides, self.original, self.latent = [4 * 2**i for i in range(len(widths))], original, latent
        width = dict(zip(self.sides, widths, strict=True))
        for before, side in itertools.pairwise(self.sides):
            sizes = width[before], width[side]
            made = ConditionalBlock(*sizes, latent) if classes else block(*sizes, side in large)
            setattr(self, f"feat_{side}", made)
            if side in GATES:
                setattr(self, f"se_{side}", Gate(width[GATES[side]], width[side]))
        self.to_big = spectral_norm(nn.Conv2d(widths[-1], 3, 3, padding=1, bias=not original))
        if original:
            self.to_128 = conv(widths[-2], 3, 1, 0)
        if classes:
            self.embed = nn.Embedding(classes, latent)
        with torch.no_grad():
            for _ in range(30):  # statistics, and singular vectors
                self.train()(torch.randn(4, latent), torch.zeros(4, dtype=torch.long), None)
        self.eval().requires_grad_(False)
        for layer in self.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.weight.uniform_(0.8, 1.6)
                layer.bias.normal_(0, 0.3)

    def forward(self, z, label, noise):
        maps = iter(noise) if noise else itertools.repeat(torch.zeros(()))
        for layer in self.modules():
            if isinstance(layer, Noise):
                layer.maps = maps
        z = z if self.original else z / (z.square().mean(1, keepdim=True) + 1e-8).sqrt()
        condition = (self.embed(label),) if hasattr(self, "embed") else ()
        seen = {4: self.init.init(z[:, :, None, None])}
        for before, side in itertools.pairwise(self.sides):
            x = getattr(self, f"feat_{side}")(seen[before], *condition)
            seen[side] = x * getattr(self, f"se_{side}")(seen[GATES[side]]) if side in GATES else x
        x = self.to_big(seen[self.sides[-1]])
        return torch.tanh(x) if self.original else x


PLAIN = {"widths": (8, 6, 6, 5, 4), "large": (8, 32, 64)}
CASES: dict[str, Mapping] = {
    "Projected GAN's": PLAIN,
    "with classes": {"widths": (6, 5, 5, 4, 3), "large": (8, 16, 32, 64), "classes": 4},
    "its own": {"widths": (6, 5, 5, 4, 4, 3), "large": (8, 32, 128), "original": True},
}


def file_of(folder, tree):
    (folder / "a.pth").write_bytes(saved(tree))
    return folder / "a.pth"


@pytest.mark.parametrize("case", ["Projected GAN's", "with classes", pytest.param("its own", marks=pytest.mark.slow)])
def test_equals_torch(tmp_path, case):
    net, classes = Net(**CASES[case]), CASES[case].get("classes", 0)
    prefix = "module." if net.original else "synthesis."
    state = {prefix + name: tensor for name, tensor in net.state_dict().items()}
    tree = {"g": {}, "d": {}, "g_ema": state} if net.original else {"G_ema": state}
    family, folder = convert_any(file_of(tmp_path, tree), tmp_path / "model", say=lambda _: None)
    assert family == "fastgan"
    rng = np.random.default_rng(0)
    noise = [rng.standard_normal((side, side)) for side in CASES[case]["large"] for _ in (1, 2)]
    z, label = rng.standard_normal((2, 6)), torch.tensor([2, 2])
    exact = net.double()
    theirs = exact(torch.from_numpy(z), label, list(map(torch.from_numpy, noise))).movedim(1, -1).numpy()
    assert theirs.shape[1] == net.sides[-1] == gg.zoo.card(folder)["config"]["resolution"]
    assert np.abs(theirs[0] - theirs[1]).max() > 0.02 * np.abs(theirs).max()
    options = {"class_index": 2} if classes else {}
    assert_close(jax.vmap(gg.load(folder, noise=noise, **options))(z), theirs)
    if classes:
        fixed = gg.load(folder, space="class", base=z[0], noise=noise)
        assert_close(fixed(exact.embed.weight[2].numpy()), theirs[0])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"feat_8.2.weight": None}, r"1 tensors missing: feat_8\.2\.weight"),
        ({"extra": torch.ones(2)}, "1 tensors left over: extra"),
        ({"to_big.weight_orig": torch.ones(3, 9, 3, 3)}, "to_big takes 9 channels"),
        ({"feat_32.1.weight_orig": torch.ones(3)}, "no generator of FastGAN"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, change, says):
    state = {k: v for k, v in (dict(Net(**PLAIN).state_dict()) | change).items() if v is not None}
    with pytest.raises(CheckpointError, match=says):
        convert("fastgan", file_of(tmp_path, state), tmp_path / "model")


def test_a_resolution_that_the_file_contradicts(tmp_path):
    path = file_of(tmp_path, dict(Net(**PLAIN).state_dict()))
    with pytest.raises((CheckpointError, OptionError), match="resolution=128"):
        convert("fastgan", path, tmp_path / "model", {"resolution": "128"})
