"""The official StyleGAN2 and StyleGAN3 written in torch from their definition, with the tensor names of the pickles.

Weights are modulated sample by sample, zeros are inserted and filters are two-dimensional: slow, and as in the papers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from tests.weights_convert.torch_models import randomise
from tests.weights_convert.torch_stylegan import convolved, held, pixel_norm


def dense(before: int, after: int) -> nn.Module:
    return held(weight=torch.zeros(after, before), bias=torch.zeros(after))


def linear(layer: nn.Module, x: torch.Tensor, rate: float = 1.0) -> torch.Tensor:
    return F.linear(x, layer.weight * (rate / math.sqrt(x.shape[-1])), layer.bias * rate)


class MappingNetwork(nn.Module):
    """``z`` and the class's embedding, both normalised, through dense layers."""

    def __init__(self, latent: int, width: int, depth: int, classes: int, rate: float):
        super().__init__()
        self.depth, self.rate, self.classes = depth, rate, classes
        if classes:
            self.embed = dense(classes, width)
        sizes = [latent + (width if classes else 0), *[width] * depth]
        for i, (before, after) in enumerate(itertools.pairwise(sizes)):
            setattr(self, f"fc{i}", dense(before, after))
        self.register_buffer("w_avg", torch.zeros(width))

    def forward(self, z: torch.Tensor, label: int = 0) -> torch.Tensor:
        x = pixel_norm(z)
        if self.classes:
            one_hot = F.one_hot(torch.full((len(z),), label), self.classes).to(z.dtype)
            x = torch.cat([x, pixel_norm(linear(self.embed, one_hot))], 1)
        for i in range(self.depth):
            x = math.sqrt(2) * F.leaky_relu(linear(getattr(self, f"fc{i}"), x, self.rate), 0.2)
        return x


def modulated(x: torch.Tensor, weight: torch.Tensor, styles: torch.Tensor, demodulate: bool, convolve: Any):
    out = []
    for sample, style in zip(x, styles, strict=True):
        kernel = weight * style[:, None, None]
        if demodulate:
            kernel = kernel / torch.sqrt((kernel**2).sum((1, 2, 3), keepdim=True) + 1e-8)
        out.append(convolve(sample[None], kernel))
    return torch.cat(out)


def spread(x: torch.Tensor, up: int) -> torch.Tensor:
    zeros = x.new_zeros(*x.shape[:2], up * x.shape[2], up * x.shape[3])
    zeros[:, :, ::up, ::up] = x
    return zeros


# --- StyleGAN2 ---


class Layer2(nn.Module):
    def __init__(self, before: int, after: int, width: int, side: int, up: bool, noise: bool):
        super().__init__()
        self.up, self.noise = up, noise
        self.weight = nn.Parameter(torch.zeros(after, before, 3, 3))
        self.bias = nn.Parameter(torch.zeros(after))
        self.affine = dense(width, before)
        self.register_buffer("resample_filter", torch.zeros(4, 4))
        if noise:
            self.noise_strength = nn.Parameter(torch.zeros(()))
            self.register_buffer("noise_const", torch.zeros(side, side))

    def convolve(self, x: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
        if not self.up:
            return F.conv2d(x, kernel, padding=1)
        return convolved(F.conv_transpose2d(x, kernel.transpose(0, 1), stride=2), 4 * self.resample_filter, 1, 1)

    def forward(self, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        x = modulated(x, self.weight, linear(self.affine, w), True, self.convolve)
        if self.noise:
            x = x + self.noise_strength * self.noise_const
        return math.sqrt(2) * F.leaky_relu(x + self.bias[:, None, None], 0.2)


class ToRGB2(nn.Module):
    def __init__(self, before: int, channels: int, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels, before, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.affine = dense(width, before)

    def forward(self, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        styles = linear(self.affine, w) / math.sqrt(x.shape[1])
        return modulated(x, self.weight, styles, False, F.conv2d) + self.bias[:, None, None]


class Official2(nn.Module):
    """StyleGAN2-ADA; ``features`` by resolution from 4 pixels."""

    def __init__(
        self,
        latent: int,
        width: int,
        features: Sequence[int],
        channels: int = 3,
        depth: int = 2,
        classes: int = 0,
        noise: bool = True,
        taps: Sequence[float] = (1, 3, 3, 1),
        rate: float = 0.01,
    ):
        super().__init__()
        self.sides = [4 * 2**i for i in range(len(features))]
        self.mapping = MappingNetwork(latent, width, depth, classes, rate)
        self.synthesis = nn.Module()
        for side, before, after in zip(self.sides, [features[0], *features], features, strict=False):
            block = nn.Module()
            block.register_buffer("resample_filter", torch.zeros(4, 4))
            if side == 4:
                block.const = nn.Parameter(torch.zeros(after, 4, 4))
            else:
                block.conv0 = Layer2(before, after, width, side, True, noise)
            block.conv1 = Layer2(after, after, width, side, False, noise)
            block.torgb = ToRGB2(after, channels, width)
            setattr(self.synthesis, f"b{side}", block)
        publish(self, latent, rate)
        kernel = torch.tensor(taps, dtype=torch.float32)
        with torch.no_grad():
            for name, tensor in self.state_dict().items():
                if name.endswith("resample_filter"):
                    tensor.copy_(kernel[:, None] * kernel / kernel.sum() ** 2)

    def forward(self, w_plus: torch.Tensor) -> torch.Tensor:
        x = image = torch.zeros(0)
        for i, side in enumerate(self.sides):
            block = getattr(self.synthesis, f"b{side}")
            x = block.conv0(x, w_plus[:, 2 * i - 1]) if i else block.const.repeat(len(w_plus), 1, 1, 1)
            x = block.conv1(x, w_plus[:, 2 * i])
            rgb = block.torgb(x, w_plus[:, 2 * i + 1])
            image = rgb + convolved(spread(image, 2), 4 * block.resample_filter, 2, 1) if i else rgb
        return image


def publish(module: nn.Module, seed: int, rate: float) -> None:
    """Random weights of the sizes that published ones have."""
    randomise(module, seed)
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if name.startswith("mapping.fc"):
                tensor *= 5 / rate if name.endswith("weight") else 0.2 / rate
            elif name.endswith(".weight"):
                tensor *= 5
            elif name.endswith("affine.bias"):
                tensor += 1


# --- StyleGAN3 ---


class Official3(nn.Module):
    """StyleGAN3 with ``widths`` of the layers, the last of which are the image's channels.

    Filters are random, and not symmetric: nothing here depends on their design.
    """

    def __init__(
        self,
        latent: int,
        width: int,
        widths: Sequence[int],
        resolution: int = 32,
        depth: int = 2,
        classes: int = 0,
        kernel: int = 3,
        radial: bool = False,
        filter_size: int = 6,
        first_cutoff: float = 2.0,
        margin_size: int = 10,
        num_critical: int = 2,
        output_scale: float = 0.25,
        lrelu_upsampling: int = 2,
    ):
        super().__init__()
        self.resolution, self.output_scale, count = resolution, output_scale, len(widths) - 1
        self.mapping = MappingNetwork(latent, width, depth, classes, 0.01)
        self.synthesis = nn.Module()
        self.cutoffs, self.rates, self.sides = [], [], []
        for k in range(count + 1):
            grown = min(k / (count - num_critical), 1)
            stop = 2**2.1 * (resolution / 2 * 2**0.3 / 2**2.1) ** grown
            self.cutoffs.append(first_cutoff * (resolution / 2 / first_cutoff) ** grown)
            self.rates.append(2 ** math.ceil(math.log2(min(2 * stop, resolution))))
            self.sides.append(resolution if k > count - 2 else self.rates[-1] + 2 * margin_size)
        source = self.synthesis.input = nn.Module()
        source.weight = nn.Parameter(torch.zeros(widths[0], widths[0]))
        source.affine = dense(width, 4)
        for name, shape in {"transform": (3, 3), "freqs": (widths[0], 2), "phases": (widths[0],)}.items():
            source.register_buffer(name, torch.zeros(shape))
        self.layers: list[tuple[Any, int, int, int, bool]] = []
        for k, after in enumerate(widths):
            before, last, past = widths[max(k - 1, 0)], k == count, max(k - 1, 0)
            working = max(self.rates[past], self.rates[k]) * (1 if last else lrelu_upsampling)
            up, down = working // self.rates[past], working // self.rates[k]
            layer = held(weight=torch.zeros(after, before, *[1 if last else kernel] * 2), bias=torch.zeros(after))
            layer.affine = dense(width, before)
            layer.register_buffer("magnitude_ema", torch.zeros(()))
            if not last:
                axes = 2 if radial and k < count - num_critical else 1
                layer.register_buffer("up_filter", torch.zeros(filter_size * up) if up > 1 else None)
                layer.register_buffer("down_filter", torch.zeros([filter_size * down] * axes) if down > 1 else None)
            setattr(self.synthesis, f"L{k}_{self.sides[k]}_{after}", layer)
            self.layers.append((layer, self.sides[past], up, down, last))
        self.waves = self.rates[0] + 2 * margin_size, self.rates[0], self.cutoffs[0]
        publish(self, latent, 0.01)
        with torch.no_grad():
            for name, tensor in self.state_dict().items():
                if name.endswith("magnitude_ema"):
                    tensor.copy_(tensor.abs() + 0.5)
                elif name.endswith("filter"):
                    tensor.copy_(tensor / tensor.norm() * (3 if tensor.ndim == 2 else 1))
            source.freqs *= 10
            source.affine.bias[:2] = torch.tensor([0.9, 0.4])
            source.transform += torch.eye(3)
            source.transform[2] = torch.tensor([0.0, 0.0, 1.0])

    def wave_field(self, w: torch.Tensor) -> torch.Tensor:
        source, (size, rate, bandwidth) = self.synthesis.input, self.waves
        fields = []
        for t in linear(source.affine, w):
            t = t / torch.hypot(t[0], t[1])
            turn = torch.stack([torch.stack([t[0], -t[1]]), torch.stack([t[1], t[0]])])
            rotation, shift = torch.eye(3).to(t), torch.eye(3).to(t)
            rotation[:2, :2], shift[:2, 2] = turn, -t[2:]
            matrix = rotation @ shift @ source.transform
            freqs = source.freqs @ matrix[:2, :2]
            phases = source.phases + source.freqs @ matrix[:2, 2]
            damping = (1 - (freqs.norm(dim=1) - bandwidth) / (rate / 2 - bandwidth)).clamp(0, 1)
            at = (torch.arange(size).to(t) + 0.5 - size / 2) / rate
            points = torch.stack(torch.meshgrid(at, at, indexing="xy"), -1)  # (x, y)
            field = torch.sin(2 * math.pi * (points @ freqs.T + phases)) * damping
            fields.append(field @ source.weight.T / math.sqrt(len(freqs)))
        return torch.stack(fields).movedim(-1, 1)

    def forward(self, w_plus: torch.Tensor) -> torch.Tensor:
        x = self.wave_field(w_plus[:, 0])
        for k, (layer, side, up, down, last) in enumerate(self.layers):
            styles, weight, size = linear(layer.affine, w_plus[:, k + 1]), layer.weight, layer.weight.shape[2]
            before = x.shape[2] if k == 0 else side
            assert x.shape[2] == before
            if last:
                styles = styles / math.sqrt(weight[0].numel())
            else:
                weight = weight / weight.square().mean((1, 2, 3), keepdim=True).sqrt()
                styles = styles / styles.square().mean(1, keepdim=True).sqrt()
            x = modulated(x, weight, styles, not last, full_convolution)
            x = x / layer.magnitude_ema.sqrt() + layer.bias[:, None, None]
            if last:
                break
            ups, downs = (x.new_ones(1) if f is None else f for f in (layer.up_filter, layer.down_filter))
            lost = len(ups) + len(downs) - 2
            total = (self.sides[k] - 1) * down + 1 - (before + size - 1) * up + lost
            low = (total + up) // 2
            x = convolved(spread(x, up), up * up * ups[:, None] * ups, low, total - low)
            x = math.sqrt(2) * F.leaky_relu(x, 0.2)
            x = convolved(x, downs if downs.ndim == 2 else downs[:, None] * downs, 0, 0)[:, :, ::down, ::down]
            assert x.shape[2] == self.sides[k]
        return x * self.output_scale


def full_convolution(x: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    return F.conv2d(x, kernel, padding=kernel.shape[2] - 1)
