"""Residual generators of PyTorch-StudioGAN and torch-mimicry in torch, from their mathematics: names, and functions."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import spectral_norm


class PlainNorm(nn.BatchNorm2d):
    """A batch norm that sees no condition."""

    def forward(self, x, y=None):
        return super().forward(x)


class LinearNorm(nn.Module):
    """StudioGAN's: gain and bias are linear in the condition."""

    def __init__(self, features: int, condition: int, wrap: Callable) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(features, 1e-4, affine=False)
        self.gain, self.bias = (wrap(nn.Linear(condition, features, bias=False)) for _ in range(2))

    def forward(self, x, y):
        return self.bn(x) * (1 + self.gain(y))[:, :, None, None] + self.bias(y)[:, :, None, None]


class TableNorm(nn.Module):
    """mimicry's: a row of scales and shifts for each class."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(features, affine=False)
        self.embed = nn.Embedding(classes, 2 * features)

    def forward(self, x, y):
        scale, shift = self.embed(y)[:, :, None, None].chunk(2, 1)
        return self.bn(x) * scale + shift


class Block(nn.Module):
    """A residual block under the names of one of the libraries."""

    def __init__(
        self, before: int, after: int, names: Sequence[str], norm: Callable, wrap: Callable, mode: str
    ) -> None:
        super().__init__()
        self.names, self.mode = names, mode
        layers = (
            *(norm(before), norm(after), wrap(nn.Conv2d(before, after, 3, padding=1))),
            *(wrap(nn.Conv2d(after, after, 3, padding=1)), wrap(nn.Conv2d(before, after, 1))),
        )
        for name, layer in zip(names, layers, strict=True):
            setattr(self, name, layer)

    def forward(self, x, y):
        norm1, norm2, conv1, conv2, shortcut = (getattr(self, name) for name in self.names)
        up = lambda x: F.interpolate(x, scale_factor=2, mode=self.mode)
        return conv2(torch.relu(norm2(conv1(up(torch.relu(norm1(x, y)))), y))) + shortcut(up(x))


class Attention(nn.Module):
    """Self-attention with pooled keys, under given names."""

    def __init__(self, features: int, names: Sequence[str], wrap: Callable) -> None:
        super().__init__()
        self.names = names
        sizes = [(features, features // 8)] * 2 + [(features, features // 2), (features // 2, features)]
        for name, (before, after) in zip(names, sizes, strict=False):
            setattr(self, name, wrap(nn.Conv2d(before, after, 1, bias=False)))
        setattr(self, names[-1], nn.Parameter(torch.tensor([0.7])))

    def forward(self, x, y):
        theta, phi, g, o, gamma = (getattr(self, name) for name in self.names)
        pooled = [F.max_pool2d(part(x), 2).flatten(2) for part in (phi, g)]
        weights = torch.softmax(theta(x).flatten(2).mT @ pooled[0], dim=-1)
        return x + gamma * o((pooled[1] @ weights.mT).unflatten(2, x.shape[2:]))


class StudioGAN(nn.Module):
    """``resnet`` (``chunk`` is 0) or ``big_resnet``; ``classes`` and ``shared`` are 0 without them."""

    PARTS = ("bn1", "bn2", "conv2d1", "conv2d2", "conv2d0")
    ATTENDING = ("conv1x1_theta", "conv1x1_phi", "conv1x1_g", "conv1x1_attn", "sigma")

    def __init__(self, features, code=5, chunk=0, classes=0, shared=0, attention=(), normed=True) -> None:
        super().__init__()
        wrap = spectral_norm if normed else lambda layer: layer
        self.code, self.chunk, self.classes, self.features = code, chunk, classes, features
        condition = chunk + shared if chunk else classes
        norm = lambda n: LinearNorm(n, condition, wrap) if condition else PlainNorm(n, 1e-4)
        self.linear0 = wrap(nn.Linear(chunk or code, 16 * features[0]))
        if shared:
            self.shared = nn.Embedding(classes, shared)
        blocks: list[nn.Module] = []
        for k, (before, after) in enumerate(itertools.pairwise(features), start=1):
            blocks.append(Block(before, after, self.PARTS, norm, wrap, "nearest"))
            blocks += [Attention(after, self.ATTENDING, wrap)] if k in attention else []
        self.blocks = nn.ModuleList([nn.ModuleList([block]) for block in blocks])
        self.bn4 = nn.BatchNorm2d(features[-1], 1e-4)
        self.conv2d5 = wrap(nn.Conv2d(features[-1], 3, 3, padding=1))

    def forward(self, z, label):
        parts = list(z.split(self.chunk, 1)) if self.chunk else [z]
        x, known = self.linear0(parts[0]).unflatten(1, (-1, 4, 4)), []
        if hasattr(self, "shared"):
            known = [self.shared(label)]
        elif self.classes:
            known = [F.one_hot(label, self.classes).to(z.dtype)]
        count = 0
        for (block,) in self.blocks:
            if isinstance(block, Block):
                count += 1
                y = torch.cat([*known, *parts[count : count + 1]], 1) if known or self.chunk else None
            x = block(x, y)
        return torch.tanh(self.conv2d5(torch.relu(self.bn4(x))))


class Mimicry(nn.Module):
    """The generators of torch-mimicry; conditional and with spectral norms where there are ``classes``."""

    PARTS = ("b1", "b2", "c1", "c2", "c_sc")

    def __init__(self, features, code=5, classes=0, attention=0) -> None:
        super().__init__()
        wrap = spectral_norm if attention else lambda layer: layer
        norm = lambda n: TableNorm(n, classes) if classes else PlainNorm(n)
        self.l1 = wrap(nn.Linear(code, 16 * features[0]))
        self.code, self.count, self.after = code, len(features) - 1, attention
        for k, (before, after) in enumerate(itertools.pairwise(features), start=2):
            setattr(self, f"block{k}", Block(before, after, self.PARTS, norm, wrap, "bilinear"))
        setattr(self, f"b{self.count + 2}", nn.BatchNorm2d(features[-1]))
        setattr(self, f"c{self.count + 2}", wrap(nn.Conv2d(features[-1], 3, 3, padding=1)))
        if attention:
            self.attn_block = Attention(features[attention], ("theta", "phi", "g", "o", "gamma"), wrap)

    def forward(self, z, label):
        x = self.l1(z).unflatten(1, (-1, 4, 4))
        for k in range(1, self.count + 1):
            x = getattr(self, f"block{k + 1}")(x, label)
            x = self.attn_block(x, None) if k == self.after else x
        last = self.count + 2
        return torch.tanh(getattr(self, f"c{last}")(torch.relu(getattr(self, f"b{last}")(x))))


def drawn(net: nn.Module, seed: int = 0) -> nn.Module:
    """The network with biases, norms and statistics away from 0 and 1, in evaluation mode; singular vectors settled."""
    draw = torch.Generator().manual_seed(seed)
    size = net.chunk * len(net.features) if getattr(net, "chunk", 0) else net.code
    with torch.no_grad():
        for _ in range(3):  # each a step of power iteration
            net.train()(torch.randn(4, size, generator=draw), torch.zeros(4, dtype=torch.long))
    for name, tensor in net.state_dict().items():
        if name.endswith("running_var"):
            tensor.copy_(torch.rand(tensor.shape, generator=draw) + 0.5)
        elif tensor.is_floating_point() and tensor.ndim < 2 and not name.endswith(("_u", "_v", "sigma", "gamma")):
            tensor.copy_(0.3 * torch.randn(tensor.shape, generator=draw) + (".b" in name and "weight" in name))
    return net.eval()
