"""SNGAN's residual generator as torch modules, whose state dict has the published names and aliases."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import nn

from tests.weights_convert.torch_models import randomise


class ResidualBlock(nn.Module):
    """Norm, ReLU, upsampling, convolution, norm, ReLU, convolution; the bypass reads the input."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, padding=1)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1)
        up = nn.Upsample(scale_factor=2)
        first = [nn.BatchNorm2d(before), nn.ReLU(), up, self.conv1]
        self.model = nn.Sequential(*first, nn.BatchNorm2d(after), nn.ReLU(), self.conv2)
        self.bypass = up if before == after else nn.Sequential(up, nn.Conv2d(before, after, 3, padding=1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x) + self.bypass(x)


class Sngan(nn.Module):
    """The generator for codes ``(n, latent)``."""

    def __init__(self, latent: int, features: Sequence[int], channels: int, side: int = 4, seed: int = 0) -> None:
        super().__init__()
        layers = [nn.Linear(latent, features[0] * side**2), nn.Unflatten(1, (features[0], side, side))]
        layers += [ResidualBlock(before, after) for before, after in itertools.pairwise(features)]
        layers += [nn.BatchNorm2d(features[-1]), nn.ReLU(), nn.Conv2d(features[-1], channels, 3, padding=1), nn.Tanh()]
        self.model = nn.Sequential(*layers)
        randomise(self, seed)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.model(z)
