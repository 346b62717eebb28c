"""Progressive GANs written in torch from their definition, with the tensor names of the two published layouts."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F


def pixel_norm(x: torch.Tensor) -> torch.Tensor:
    return x / torch.sqrt((x * x).mean(1, keepdim=True) + 1e-8)


def doubled(x: torch.Tensor) -> torch.Tensor:
    return x.repeat_interleave(2, 2).repeat_interleave(2, 3)


class Equalised(nn.Module):
    """``√(2 / fan-in) · (layer(x) + bias)``."""

    def __init__(self, module: Any, equalised: bool) -> None:
        super().__init__()
        self.module = module
        self.factor = (2 / module.weight[0].numel()) ** 0.5 if equalised else 1.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.factor * self.module(x)


class GanZooPGGAN(nn.Module):
    """The generator of the PyTorch GAN zoo; ``features`` by scale."""

    def __init__(
        self, latent: int, features: Sequence[int], channels: int, slope: float = 0.2, equalised: bool = True
    ) -> None:
        super().__init__()
        self.slope = slope
        first = features[0]

        def conv(before: int, after: int, kernel: int = 3) -> Equalised:
            return Equalised(nn.Conv2d(before, after, kernel, padding=kernel // 2), equalised)

        self.formatLayer = Equalised(nn.Linear(latent, 16 * first), equalised)
        self.groupScale0 = nn.ModuleList([conv(first, first)])
        self.scaleLayers = nn.ModuleList(
            nn.ModuleList([conv(before, after), conv(after, after)]) for before, after in itertools.pairwise(features)
        )
        self.toRGBLayers = nn.ModuleList(conv(width, channels, 1) for width in features)

    def forward(self, z: torch.Tensor, alpha: float = 0.0, tanh: bool = False) -> torch.Tensor:
        x = F.leaky_relu(self.formatLayer(pixel_norm(z)), self.slope)
        x = pixel_norm(x.reshape(len(z), -1, 4, 4))
        x = pixel_norm(F.leaky_relu(self.groupScale0[0](x), self.slope))
        by_scale = [x]
        scales: Any = self.scaleLayers
        for scale in scales:
            x = doubled(x)
            for layer in scale:
                x = pixel_norm(F.leaky_relu(layer(x), self.slope))
            by_scale.append(x)
        image = self.toRGBLayers[-1](x)
        if alpha > 0:
            image = (1 - alpha) * image + alpha * doubled(self.toRGBLayers[-2](by_scale[-2]))
        return image.tanh() if tanh else image


class Scaled(nn.Module):
    """A convolution without bias; the image is multiplied by one stored number before a bias is added."""

    def __init__(self, before: int, after: int, kernel: int, padding: int) -> None:
        super().__init__()
        self.padding = padding
        self.conv = nn.Conv2d(before, after, kernel, padding=padding, bias=False)
        self.wscale: Any = nn.Module()
        self.wscale.scale = nn.Parameter(torch.ones(1))
        self.wscale.b = nn.Parameter(torch.zeros(after))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(pixel_norm(x)) * self.wscale.scale + self.wscale.b[:, None, None]


class ProgGAN(nn.Module):
    """The port of Theano's generator; ``features`` by scale."""

    def __init__(self, latent: int, features: Sequence[int], channels: int) -> None:
        super().__init__()
        blocks = [Scaled(latent, features[0], 4, 3), Scaled(features[0], features[0], 3, 1)]
        for before, after in itertools.pairwise(features):
            blocks += [Scaled(before, after, 3, 1), Scaled(after, after, 3, 1)]
        self.features = nn.ModuleList(blocks)
        self.output = Scaled(features[-1], channels, 1, 0)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        x = z[:, :, None, None]
        for i, block in enumerate(self.features):
            if i >= 2 and i % 2 == 0:
                x = doubled(x)  # commutes with the pixel norm
            x = F.leaky_relu(block(x), 0.2)
        return self.output(x)
