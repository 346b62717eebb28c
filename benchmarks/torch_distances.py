"""Distances of geomgan in torch, on the same weights: embeddings of an image ``(1, C, H, W)``, flat."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

import geomgan as gg
from benchmarks.torch_generators import Weights, convolution, tensor
from geomgan.distances.images import SCALE, SHIFT

Trunk = Callable[[torch.Tensor], list[torch.Tensor]]


def sample_embedding(D: gg.distances.Distance) -> Callable[[torch.Tensor], torch.Tensor]:
    """The embedding of ``mse``, or of LPIPS with AlexNet or SqueezeNet."""
    if D.name == "mse":
        return lambda x: x.flatten() * x.numel() ** -0.5
    maps, heads = _features(D), _heads(D)

    def forward(x: torch.Tensor) -> torch.Tensor:
        parts = []
        for features, head in zip(maps(x), heads, strict=True):
            average = (features.shape[2] * features.shape[3]) ** -0.5
            parts.append((_unit(features) * (torch.sqrt(head) * average)).flatten())
        return torch.cat(parts)

    return forward


def squared_distance(D: gg.distances.Distance) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """``mse``, or LPIPS with the operations of its published code: squared differences, a 1x1 convolution, a mean."""
    if D.name == "mse":
        return F.mse_loss
    maps, heads = _features(D), _heads(D)

    def distance(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        layers = zip(maps(x), maps(y), heads, strict=True)
        return sum(F.conv2d((_unit(a) - _unit(b)) ** 2, head).mean((2, 3)).sum() for a, b, head in layers)

    return distance


def _features(D: gg.distances.Distance) -> Trunk:
    """The maps of an image that LPIPS compares."""
    trunk = {"alex": alexnet, "squeeze": squeezenet}[D.embedding.net](D.params["trunk"])
    shift, scale = (torch.tensor(values)[None, :, None, None] for values in (SHIFT, SCALE))
    size = D.embedding.images.size
    (low, high), (least, most) = D.input_range or D.expects, D.expects

    def forward(x: torch.Tensor) -> list[torch.Tensor]:
        if (low, high) != (least, most):
            x = (x - low) * ((most - least) / (high - low)) + least
        if size is not None:
            x = F.interpolate(x, size, mode="bilinear")
        return trunk((x.expand(-1, 3, -1, -1) - shift) / scale)

    return forward


def _heads(D: gg.distances.Distance) -> list[torch.Tensor]:
    """Weights of the channels, as kernels of 1x1 convolutions."""
    return [tensor(root)[None, :, None, None] ** 2 for root in D.params["heads"]]


def _unit(features: torch.Tensor) -> torch.Tensor:
    return features / (torch.sqrt((features**2).sum(1, keepdim=True) + 1e-20) + 1e-10)


def alexnet(params: Weights) -> Trunk:
    """The five ReLU maps of AlexNet."""
    layers = [convolution(params[f"conv{i}"]) for i in range(1, 6)]

    def forward(x: torch.Tensor) -> list[torch.Tensor]:
        maps = []
        for i, layer in enumerate(layers):
            if i in (1, 2):
                x = F.max_pool2d(x, 3, 2)
            stride, padding = ((4, 2), (1, 2), (1, 1), (1, 1), (1, 1))[i]
            x = F.relu(F.conv2d(x, *layer, stride, padding))
            maps.append(x)
        return maps

    return forward


def squeezenet(params: Weights) -> Trunk:
    """The seven maps of SqueezeNet 1.1 that LPIPS compares."""
    layers = {name: convolution(layer) for name, layer in params.items()}

    def forward(x: torch.Tensor) -> list[torch.Tensor]:
        x = F.relu(F.conv2d(x, *layers["conv1"], stride=2))
        maps = [x]
        for i in range(2, 10):
            if i in (2, 4, 6):
                x = F.max_pool2d(x, 3, 2, ceil_mode=True)
            x = F.relu(F.conv2d(x, *layers[f"fire{i}_squeeze"]))
            pointwise = F.relu(F.conv2d(x, *layers[f"fire{i}_expand1x1"]))
            x = torch.cat([pointwise, F.relu(F.conv2d(x, *layers[f"fire{i}_expand3x3"], padding=1))], 1)
            if i not in (2, 4):
                maps.append(x)
        return maps

    return forward
