"""BigGAN with hierarchical codes in torch, from its mathematics: a state dict with random values, and its function."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

State = dict[str, torch.Tensor]

# The 64-pixel pyramid, narrow: attention behind the last block.
SMALL = {"features": (16, 16, 8, 8), "attention": (3,), "chunk": 3, "embedding": 5, "classes": 4}


def biggan_state(**sizes: Any) -> State:
    """The tensors of :func:`_drawn`, drawn once for the same sizes, in a dictionary of the caller's own."""
    return OrderedDict(_drawn(**sizes))


@cache
def _drawn(
    features: Sequence[int],
    attention: Sequence[int] = (),
    chunk: int = 3,
    embedding: int = 5,
    classes: int = 4,
    channels: int = 3,
    bottom: int = 4,
    seed: int = 0,
) -> State:
    """Random tensors with the published names; ``attention`` are numbers of blocks, from 1.

    Every ``u0`` is random, so that one half-step of power iteration is far from the largest singular value. Batch
    statistics are around those that really arrive.
    """
    draw = torch.Generator().manual_seed(seed)
    state: State = OrderedDict()

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=draw)

    def normed(name: str, *shape: int, bias: bool = True) -> None:
        state[f"{name}.weight"] = normal(*shape)
        if bias:
            state[f"{name}.bias"] = 0.3 * normal(shape[0])
        state[f"{name}.u0"] = normal(1, shape[0])
        state[f"{name}.sv0"] = torch.ones(1)

    def statistics(name: str, size: int) -> None:
        state[f"{name}.stored_mean"] = normal(size)
        state[f"{name}.stored_var"] = torch.rand(size, generator=draw) + 0.5

    state["shared.weight"] = normal(classes, embedding)
    normed("linear", bottom**2 * features[0], chunk)
    for k, (before, after) in enumerate(itertools.pairwise(features)):
        block = f"blocks.{k}.0"
        normed(f"{block}.conv1", after, before, 3, 3)
        normed(f"{block}.conv2", after, after, 3, 3)
        normed(f"{block}.conv_sc", after, before, 1, 1)
        for bn, size in (("bn1", before), ("bn2", after)):
            statistics(f"{block}.{bn}", size)
            normed(f"{block}.{bn}.gain", size, embedding + chunk, bias=False)
            normed(f"{block}.{bn}.bias", size, embedding + chunk, bias=False)
        if k + 1 in attention:
            state[f"blocks.{k}.1.gamma"] = torch.tensor(0.7)
            for part, shape in {
                "theta": (after // 8, after),
                "phi": (after // 8, after),
                "g": (after // 2, after),
                "o": (after, after // 2),
            }.items():
                normed(f"blocks.{k}.1.{part}", *shape, 1, 1, bias=False)
    statistics("output_layer.0", features[-1])
    state["output_layer.0.gain"] = normal(features[-1])
    state["output_layer.0.bias"] = 0.3 * normal(features[-1])
    normed("output_layer.2", channels, features[-1], 3, 3)
    noise, row = normal(16, chunk * len(features)), torch.randint(classes, (16,), generator=draw)
    biggan(state, noise, state["shared.weight"][row], 1e-5, 1e-6, measure=True)
    return state


def weight(state: State, name: str, epsilon: float) -> torch.Tensor:
    """``W / σ``, with ``σ`` after one half-step of power iteration."""
    matrix = state[f"{name}.weight"].flatten(1)
    v = F.normalize(state[f"{name}.u0"] @ matrix, eps=epsilon)
    u = F.normalize(v @ matrix.T, eps=epsilon)
    return state[f"{name}.weight"] / (v @ matrix.T @ u.T).squeeze()


def biggan(
    state: State, z: torch.Tensor, embedding: torch.Tensor, bn: float, sn: float, measure: bool = False
) -> torch.Tensor:
    """Images ``(n, C, H, W)`` of codes ``(n, d)`` and embeddings ``(n, e)``; ``bn`` and ``sn`` are the epsilons.

    With ``measure`` the batch statistics become the measured ones, times and plus what is in ``state``.
    """
    blocks = sum(name.endswith(".0.conv1.weight") for name in state)
    chunks = z.chunk(blocks + 1, dim=1)

    def conv(name: str, x: torch.Tensor) -> torch.Tensor:
        kernel = weight(state, name, sn)
        return F.conv2d(x, kernel, state.get(f"{name}.bias"), padding=kernel.shape[-1] // 2)

    def batch_norm(name: str, x: torch.Tensor, epsilon: float) -> torch.Tensor:
        mean, variance = f"{name}.stored_mean", f"{name}.stored_var"
        if measure:
            deviation, average = torch.std_mean(x, dim=(0, 2, 3))
            state[mean] = average + 0.2 * deviation * state[mean]
            state[variance] = deviation**2 * state[variance]
        return F.batch_norm(x, state[mean], state[variance], eps=epsilon)

    def norm(name: str, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        x = batch_norm(name, x, bn)
        gain, bias = (y @ weight(state, f"{name}.{part}", sn).T for part in ("gain", "bias"))
        return x * (1 + gain)[:, :, None, None] + bias[:, :, None, None]

    def attention(name: str, x: torch.Tensor) -> torch.Tensor:
        theta = conv(f"{name}.theta", x).flatten(2)
        phi, g = (F.max_pool2d(conv(f"{name}.{part}", x), 2).flatten(2) for part in ("phi", "g"))
        map_ = torch.softmax(theta.transpose(1, 2) @ phi, dim=-1)
        o = (g @ map_.transpose(1, 2)).unflatten(2, x.shape[2:])
        return x + state[f"{name}.gamma"] * conv(f"{name}.o", o)

    x = chunks[0] @ weight(state, "linear", sn).T + state["linear.bias"]
    features = state["blocks.0.0.conv1.weight"].shape[1]
    bottom = round((x.shape[1] / features) ** 0.5)
    x = x.reshape(len(x), features, bottom, bottom)
    for k in range(blocks):
        block, y = f"blocks.{k}.0", torch.cat([embedding, chunks[k + 1]], dim=1)
        h = F.interpolate(torch.relu(norm(f"{block}.bn1", x, y)), scale_factor=2)
        h = conv(f"{block}.conv1", h)
        h = conv(f"{block}.conv2", torch.relu(norm(f"{block}.bn2", h, y)))
        x = h + conv(f"{block}.conv_sc", F.interpolate(x, scale_factor=2))
        if f"blocks.{k}.1.gamma" in state:
            x = attention(f"blocks.{k}.1", x)
    gain, bias = (state[f"output_layer.0.{part}"][:, None, None] for part in ("gain", "bias"))
    x = torch.relu(batch_norm("output_layer.0", x, 1e-5) * gain + bias)
    return torch.tanh(conv("output_layer.2", x))


def images(state: State, z: np.ndarray, embedding: np.ndarray, bn: float, sn: float) -> np.ndarray:
    """The same channels last, in float64."""
    exact = {name: tensor.double() for name, tensor in state.items()}
    codes, classes = (torch.from_numpy(np.asarray(x, np.float64)) for x in (z, embedding))
    return biggan(exact, codes, classes, bn, sn).movedim(1, -1).numpy()
