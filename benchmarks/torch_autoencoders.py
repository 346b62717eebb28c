"""The decoder of a tiny autoencoder in torch, on the weights of a geomgan generator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

import geomgan as gg
from benchmarks.torch_generators import Weights, convolution, tensor


def tiny_decoder(G: gg.Generator) -> Callable[[torch.Tensor], torch.Tensor]:
    """``z (d,) -> (1, 3, H, W)``."""
    function: Any = G.function
    stages, params, shape = function.network.module.stages, G.params["network"], function.enter.shape

    def layer(name: str) -> Callable[[torch.Tensor], torch.Tensor]:
        kernel, bias = convolution(params[name])
        return lambda x: F.conv2d(x, kernel, bias, padding=kernel.shape[-1] // 2)

    def block(weights: Weights, pooled: bool) -> Callable[[torch.Tensor], torch.Tensor]:
        kernels = [convolution(weights[f"conv{i}"]) for i in (1, 2, 3)]
        pool = [convolution(weights[name])[0] for name in ("pool_in", "pool_out")] if pooled else []
        affine = [tensor(weights["pool_norm"][name]) for name in ("scale", "shift")] if pooled else []

        def forward(x: torch.Tensor) -> torch.Tensor:
            if pool:
                x = x + F.conv2d(F.relu(F.group_norm(F.conv2d(x, pool[0]), 4, *affine)), pool[1])
            y = x
            for i, (kernel, bias) in enumerate(kernels):
                y = F.conv2d(y, kernel, bias, padding=1)
                y = F.relu(y + x if i == 2 else y)
            return y

        return forward

    steps: list[Callable[[torch.Tensor], torch.Tensor]] = []
    for s, (_, blocks) in enumerate(stages, start=1):
        convolve = layer(f"stage{s}_conv")
        if s == 1:
            steps.append(lambda x, convolve=convolve: F.relu(convolve(x)))
        else:
            steps.append(lambda x, convolve=convolve: convolve(F.interpolate(x, scale_factor=2.0)))
        steps += [block(params[f"stage{s}_block{b}"], pooled) for b, (_, pooled) in enumerate(blocks, start=1)]
    steps.append(layer("output"))

    def decode(z: torch.Tensor) -> torch.Tensor:
        x = torch.tanh(z.reshape(1, *shape) / 3) * 3
        for step in steps:
            x = step(x)
        return x

    return decode
