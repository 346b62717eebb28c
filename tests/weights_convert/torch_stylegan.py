"""StyleGAN and StyleGAN2 written in torch from their definition, with the tensor names of the published layouts.

Weights are modulated sample by sample, zeros are inserted and filters are two-dimensional: slow, and as in the papers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

from tests.weights_convert.torch_models import randomise


def pixel_norm(z: torch.Tensor) -> torch.Tensor:
    return z / torch.sqrt((z * z).mean(1, keepdim=True) + 1e-8)


def held(**tensors: torch.Tensor) -> nn.Module:
    """A module that only holds parameters."""
    module = nn.Module()
    for name, tensor in tensors.items():
        module.register_parameter(name, nn.Parameter(tensor))
    return module


def convolved(x: torch.Tensor, kernel: torch.Tensor, before: int, after: int) -> torch.Tensor:
    """Every channel of the zero-padded image convolved (flipped) with one kernel."""
    x = F.pad(x, (before, after, before, after))
    weight = kernel.flip(0, 1)[None, None].repeat(x.shape[1], 1, 1, 1)
    return F.conv2d(x, weight, groups=x.shape[1])


# --- StyleGAN2 ---


class ModulatedConv(nn.Module):
    def __init__(self, before: int, after: int, width: int, size: int, up: bool = False, demodulate: bool = True):
        super().__init__()
        self.up, self.demodulate = up, demodulate
        self.weight = nn.Parameter(torch.zeros(1, after, before, size, size))
        self.modulation = held(weight=torch.zeros(before, width), bias=torch.ones(before))
        if up:
            self.blur = nn.Module()
            self.blur.register_buffer("kernel", torch.zeros(4, 4))

    def forward(self, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.one(sample[None], style) for sample, style in zip(x, w, strict=True)])

    def one(self, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        _, before, size, _ = self.weight.shape[1:]
        style = self.modulation.weight @ w / math.sqrt(len(w)) + self.modulation.bias
        weight = self.weight[0] / math.sqrt(before * size**2) * style[:, None, None]
        if self.demodulate:
            weight = weight / torch.sqrt((weight**2).sum((1, 2, 3), keepdim=True) + 1e-8)
        if self.up:
            return convolved(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2), self.blur.kernel, 1, 1)
        return F.conv2d(x, weight, padding=size // 2)


class StyledConv(nn.Module):
    def __init__(self, before: int, after: int, width: int, up: bool = False):
        super().__init__()
        self.conv = ModulatedConv(before, after, width, 3, up)
        self.noise = held(weight=torch.zeros(1))
        self.activate = held(bias=torch.zeros(after))

    def forward(self, x: torch.Tensor, w: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        x = self.conv(x, w) + self.noise.weight * noise
        return math.sqrt(2) * F.leaky_relu(x + self.activate.bias[:, None, None], 0.2)


class ToRGB(nn.Module):
    def __init__(self, before: int, channels: int, width: int, up: bool = True):
        super().__init__()
        self.conv = ModulatedConv(before, channels, width, 1, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(1, channels, 1, 1))
        if up:
            self.upsample = nn.Module()
            self.upsample.register_buffer("kernel", torch.zeros(4, 4))

    def forward(self, x: torch.Tensor, w: torch.Tensor, image: torch.Tensor | None = None) -> torch.Tensor:
        rgb = self.conv(x, w) + self.bias
        if image is None:
            return rgb
        n, channels, side, _ = image.shape
        zeros = torch.zeros(n, channels, 2 * side, 2 * side)
        zeros[:, :, ::2, ::2] = image
        return rgb + convolved(zeros, self.upsample.kernel, 2, 1)


class StyleGAN2(nn.Module):
    """``features`` by resolution from 4 pixels; ``taps`` of the resampling filter."""

    def __init__(
        self,
        latent: int,
        width: int,
        features: Sequence[int],
        channels: int = 3,
        depth: int = 2,
        taps: Sequence[float] = (1, 3, 3, 1),
    ):
        super().__init__()
        first = features[0]
        sizes = [latent, *[width] * depth]
        layers = [held(weight=torch.zeros(b, a), bias=torch.zeros(b)) for a, b in itertools.pairwise(sizes)]
        self.style = nn.ModuleList([nn.Module(), *layers])  # the first is the pixel norm
        self.input = held(input=torch.zeros(1, first, 4, 4))
        self.conv1, self.to_rgb1 = StyledConv(first, first, width), ToRGB(first, channels, width, up=False)
        pairs = list(itertools.pairwise(features))
        self.convs = nn.ModuleList(
            StyledConv(a, b, width, up) for before, b in pairs for a, up in ((before, True), (b, False))
        )
        self.to_rgbs = nn.ModuleList(ToRGB(b, channels, width) for _, b in pairs)
        self.noises = nn.Module()
        for k in range(2 * len(features) - 1):
            side = 2 ** ((k + 5) // 2)
            self.noises.register_buffer(f"noise_{k}", torch.zeros(1, 1, side, side))
        randomise(self, seed=latent)
        kernel = torch.tensor(taps, dtype=torch.float32)
        kernel = 4 * kernel[:, None] * kernel / kernel.sum() ** 2
        with torch.no_grad():
            for layer in layers:
                layer.weight *= 500  # stored divided by the learning-rate multiplier
                layer.bias *= 20
            for name, tensor in self.state_dict().items():
                if name.endswith(".kernel"):
                    tensor.copy_(kernel)
                if name.endswith((".conv.weight", "modulation.weight")):
                    tensor *= 5
                if name.endswith("modulation.bias"):
                    tensor += 1

    def mapped(self, z: torch.Tensor) -> torch.Tensor:
        x = pixel_norm(z)
        for layer in self.style[1:]:
            x = F.linear(x, layer.weight * (0.01 / math.sqrt(x.shape[1])), layer.bias * 0.01)
            x = math.sqrt(2) * F.leaky_relu(x, 0.2)
        return x

    def forward(self, w_plus: torch.Tensor, noise: Sequence[torch.Tensor] | None = None) -> torch.Tensor:
        """Images of ``w_plus (n, rows, width)``."""
        maps = [getattr(self.noises, f"noise_{k}") for k in range(len(self.convs) + 1)] if noise is None else noise
        x = self.conv1(self.input.input.repeat(len(w_plus), 1, 1, 1), w_plus[:, 0], maps[0])
        image = self.to_rgb1(x, w_plus[:, 1])
        for i, to_rgb in enumerate(self.to_rgbs):
            x = self.convs[2 * i](x, w_plus[:, 2 * i + 1], maps[2 * i + 1])
            x = self.convs[2 * i + 1](x, w_plus[:, 2 * i + 2], maps[2 * i + 2])
            image = to_rgb(x, w_plus[:, 2 * i + 3], image)
        return image


# --- StyleGAN ---


def equalised(before: int, after: int, *sides: int) -> nn.Module:
    return held(weight_orig=torch.zeros(after, before, *sides), bias=torch.zeros(after))


def scaled(module: nn.Module) -> torch.Tensor:
    weight = module.weight_orig
    return weight * math.sqrt(2 / weight[0].numel())


BLUR = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16


class Block(nn.Module):
    """One resolution: upsampling convolution (or the constant), noise, norm, convolution, noise, norm."""

    def __init__(self, before: int, after: int, width: int, kind: str):
        super().__init__()
        self.kind = kind
        blur = nn.Module()
        for name in ("weight", "weight_flip"):
            blur.register_buffer(name, torch.zeros(after, 1, 3, 3))
        conv = nn.Module()
        conv.conv = equalised(before, after, 3, 3)
        fused = held(weight=torch.zeros(before, after, 3, 3), bias=torch.zeros(after))
        self.conv1 = {
            "constant": held(input=torch.zeros(1, after, 4, 4)),
            "plain": nn.ModuleList([nn.Module(), conv, blur]),
            "fused": nn.ModuleList([fused, blur]),
        }[kind]
        self.conv2 = nn.Module()
        self.conv2.conv = equalised(after, after, 3, 3)
        for k in (1, 2):
            norm = nn.Module()
            norm.style = nn.Module()
            norm.style.linear = equalised(width, 2 * after)
            setattr(self, f"adain{k}", norm)
            setattr(self, f"noise{k}", held(weight_orig=torch.zeros(1, after, 1, 1)))

    def upsampled(self, x: torch.Tensor) -> torch.Tensor:
        if self.kind == "plain":
            conv = self.conv1[1].conv
            x = F.conv2d(x.repeat_interleave(2, 2).repeat_interleave(2, 3), scaled(conv), conv.bias, padding=1)
        else:
            weight = F.pad(self.conv1[0].weight, (1, 1, 1, 1)) * math.sqrt(2 / (self.conv1[0].weight.shape[0] * 9))
            weight = (weight[..., 1:, 1:] + weight[..., :-1, 1:] + weight[..., 1:, :-1] + weight[..., :-1, :-1]) / 4
            x = F.conv_transpose2d(x, weight, self.conv1[0].bias, stride=2, padding=1)
        return convolved(x, BLUR, 1, 1)

    def finished(self, k: int, x: torch.Tensor, w: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        strength, style = getattr(self, f"noise{k}").weight_orig, getattr(self, f"adain{k}").style.linear
        x = F.leaky_relu(x + strength * math.sqrt(2 / x.shape[1]) * noise, 0.2)
        gain, shift = F.linear(w, scaled(style), style.bias)[:, :, None, None].chunk(2, 1)
        return gain * F.instance_norm(x, eps=1e-5) + shift

    def forward(self, x: torch.Tensor, first: torch.Tensor, second: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        x = self.conv1.input.repeat(len(first), 1, 1, 1) if self.kind == "constant" else self.upsampled(x)
        x = self.finished(1, x, first, noise)
        x = F.conv2d(x, scaled(self.conv2.conv), self.conv2.conv.bias, padding=1)
        return self.finished(2, x, second, noise)


class StyleGAN(nn.Module):
    """``features`` by resolution from 4 pixels; from block ``fused`` on upsampling is a transposed convolution."""

    def __init__(
        self, latent: int, width: int, features: Sequence[int], channels: int = 3, depth: int = 2, fused: int = 3
    ):
        super().__init__()
        sizes = [latent, *[width] * depth]
        self.style = nn.ModuleList([nn.Module()])
        for before, after in itertools.pairwise(sizes):
            layer = nn.Module()
            layer.linear = equalised(before, after)
            self.style.extend([layer, nn.Module()])
        kinds = ["constant", *["plain" if i < fused else "fused" for i in range(1, len(features))]]
        befores = [features[0], *features]
        self.generator = nn.Module()
        self.generator.progression = nn.ModuleList(
            Block(before, after, width, kind) for before, after, kind in zip(befores, features, kinds, strict=False)
        )
        self.generator.to_rgb = nn.ModuleList()
        for after in features:
            layer = nn.Module()
            layer.conv = equalised(after, channels, 1, 1)
            self.generator.to_rgb.append(layer)
        randomise(self, seed=latent)
        with torch.no_grad():
            for name, tensor in self.state_dict().items():
                if tensor.shape[1:] == (1, 3, 3):
                    tensor.copy_(BLUR.expand(tensor.shape))
                elif "bias" not in name:
                    tensor *= 5

    def mapped(self, z: torch.Tensor) -> torch.Tensor:
        x = pixel_norm(z)
        for layer in self.style[1::2]:
            x = F.leaky_relu(F.linear(x, scaled(layer.linear), layer.linear.bias), 0.2)
        return x

    def forward(
        self, w_plus: torch.Tensor, noise: Sequence[torch.Tensor], step: int, alpha: float = 1.0
    ) -> torch.Tensor:
        """Images of ``w_plus (n, 2 step + 2, width)`` at ``4 · 2^step`` pixels."""
        x = torch.zeros(0)
        for i in range(step + 1):
            before, x = x, self.generator.progression[i](x, w_plus[:, 2 * i], w_plus[:, 2 * i + 1], noise[i])
        new = self.rgb(step, x)
        if alpha == 1:
            return new
        old = self.rgb(step - 1, before).repeat_interleave(2, 2).repeat_interleave(2, 3)
        return (1 - alpha) * old + alpha * new

    def rgb(self, i: int, x: torch.Tensor) -> torch.Tensor:
        conv = self.generator.to_rgb[i].conv
        return F.conv2d(x, scaled(conv), conv.bias)
