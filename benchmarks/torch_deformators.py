"""One step of the joint training of a latent deformator, or of warps, as the published algorithms in torch.

As published the generator's weights keep ``requires_grad``, so that both samples are differentiated with respect to
them and the gradients are thrown away; ``frozen`` leaves that out, and makes the first sample without a graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

BATCH_NORM = 1e-5


class Block(nn.Module):
    """Norm, ReLU, upsampling, convolution, norm, ReLU, convolution, and an upsampled bypass."""

    def __init__(self, features: int) -> None:
        super().__init__()
        layers = [nn.BatchNorm2d(features), nn.ReLU(), nn.Upsample(scale_factor=2)]
        layers += [nn.Conv2d(features, features, 3, padding=1), nn.BatchNorm2d(features), nn.ReLU()]
        self.model = nn.Sequential(*layers, nn.Conv2d(features, features, 3, padding=1))
        self.bypass = nn.Upsample(scale_factor=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x) + self.bypass(x)


def sngan(params: Mapping[str, Any]) -> nn.Module:
    """The generator with our weights, of blocks of one width, in evaluation mode."""
    features = params["norm"]["scale"].size
    blocks = sum(name.endswith("_norm") for name in params)
    side = round((params["project"]["kernel"].shape[1] / features) ** 0.5)
    ends = [nn.BatchNorm2d(features), nn.ReLU(), nn.Conv2d(features, 1, 3, padding=1), nn.Tanh()]
    first = nn.Linear(params["project"]["kernel"].shape[0], features * side**2)
    unflatten = nn.Unflatten(1, (features, side, side))
    model = nn.Sequential(first, unflatten, *(Block(features) for _ in range(blocks)), *ends).eval()
    rows = _numpy(params["project"]["kernel"]).reshape(-1, side, side, features).transpose(3, 1, 2, 0)
    _set(first.weight, rows.reshape(-1, first.in_features))
    _set(first.bias, _numpy(params["project"]["bias"]).reshape(side, side, features).transpose(2, 0, 1).ravel())
    for i in range(blocks):
        layers = model[2 + i].model
        _affine(layers[0], params[f"block{i + 1}_norm"])
        _convolution(layers[3], params[f"block{i + 1}_conv1"])
        _set(layers[4].weight, np.full(features, np.sqrt(1 + BATCH_NORM)))  # folded into ours: here it does nothing
        _convolution(layers[6], params[f"block{i + 1}_conv2"])
    _affine(model[-4], params["norm"])
    _convolution(model[-2], params["output"])
    return model


def lenet(weights: Mapping[str, Any], paths: int) -> nn.ModuleDict:
    """The shift predictor with our weights, for images of one channel."""
    layers: list[nn.Module] = []
    for before, after in ((2, 6), (6, 16), (16, 120)):
        layers += [nn.Conv2d(before, after, 5), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2, 2)]
    head = lambda n: nn.Sequential(nn.Linear(120, 84), nn.BatchNorm1d(84), nn.ReLU(), nn.Linear(84, n))
    net = nn.ModuleDict({"features": nn.Sequential(*layers[:-1]), "path": head(paths), "magnitude": head(1)})
    for i in range(3):
        _convolution(net["features"][4 * i], weights[f"conv{i + 1}"])
    for name in ("path", "magnitude"):
        for layer, ours in ((net[name][0], f"{name}1"), (net[name][3], f"{name}2")):
            _set(layer.weight, _numpy(weights[ours]["kernel"]).T)
            _set(layer.bias, weights[ours]["bias"])
    return net


class Rotation(nn.Module):
    """Paths ``expm(L - Lᵀ) ε e_k``, of every code."""

    def __init__(self, log_half: Any) -> None:
        super().__init__()
        self.log_half = nn.Parameter(torch.tensor(_numpy(log_half)))

    def forward(self, codes: torch.Tensor, indices: torch.Tensor, magnitudes: torch.Tensor) -> torch.Tensor:
        x = torch.zeros_like(codes)
        x[torch.arange(len(codes)), indices] = magnitudes
        return x @ torch.matrix_exp(self.log_half - self.log_half.T).T


class Warps(nn.Module):
    """Paths ``ε ∇f / |∇f|``, with every path's supports chosen by a product with one-hot rows, as published."""

    def __init__(self, parts: Mapping[str, Any]) -> None:
        super().__init__()
        supports = _numpy(parts["supports"])
        self.paths, self.count, self.dim = supports.shape
        self.supports = nn.Parameter(torch.tensor(supports.reshape(self.paths, -1)))
        self.log_widths = nn.Parameter(torch.tensor(_numpy(parts["log_widths"])[:, None]))
        self.weights = torch.tensor(_numpy(parts["weights"]))

    def forward(self, codes: torch.Tensor, indices: torch.Tensor, magnitudes: torch.Tensor) -> torch.Tensor:
        mask = nn.functional.one_hot(indices, self.paths).to(codes.dtype)
        supports = (mask @ self.supports).reshape(-1, self.count, self.dim)
        weights, gamma = (mask @ self.weights)[..., None], torch.exp(mask @ self.log_widths)[..., None]
        away = codes[:, None] - supports
        sizes = torch.exp(-gamma * (away.norm(dim=2) ** 2)[..., None])
        gradient = (-2 * weights * gamma * sizes * away).sum(1)
        return magnitudes[:, None] * gradient / gradient.norm(dim=1, keepdim=True)


class Training:
    """Generator, paths, predictor and their Adams; ``step`` is one of the published training, of given pairs."""

    def __init__(self, G: nn.Module, paths: nn.Module, predictor: nn.ModuleDict, *, frozen: bool) -> None:
        self.G, self.predictor, self.frozen = G.requires_grad_(not frozen), predictor.train(), frozen
        self.paths = paths
        self.adams = [torch.optim.Adam(net.parameters(), lr=1e-4) for net in (paths, predictor)]

    def step(self, codes: torch.Tensor, indices: torch.Tensor, magnitudes: torch.Tensor) -> float:
        self.G.zero_grad()
        for adam in self.adams:
            adam.zero_grad()
        with torch.set_grad_enabled(not self.frozen):
            images = self.G(codes)
        moved = self.G(codes + self.paths(codes, indices, magnitudes))
        features = self.predictor["features"](torch.cat([images, moved], 1)).mean([-1, -2])
        label = nn.functional.cross_entropy(self.predictor["path"](features), indices)
        error = (self.predictor["magnitude"](features)[:, 0] - magnitudes).abs().mean()
        loss = label + 0.25 * error
        loss.backward()
        for adam in self.adams:
            adam.step()
        return loss.item()


def _numpy(x: Any) -> np.ndarray:
    return np.array(x, np.float32)


def _set(parameter: torch.Tensor, values: Any) -> None:
    parameter.data.copy_(torch.tensor(_numpy(values)))


def _affine(norm: nn.Module, layer: Mapping[str, Any]) -> None:
    _set(norm.weight, _numpy(layer["scale"]) * np.sqrt(1 + BATCH_NORM))
    _set(norm.bias, layer["shift"])


def _convolution(convolution: nn.Module, layer: Mapping[str, Any]) -> None:
    _set(convolution.weight, _numpy(layer["kernel"]).transpose(3, 2, 0, 1))
    _set(convolution.bias, layer["bias"])
