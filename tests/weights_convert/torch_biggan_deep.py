"""BigGAN-deep with random weights under its published names, and its formula in torch."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

SMALL: dict[str, Any] = {  # 32 pixels; attention at 16 pixels
    "output_dim": 32,
    "z_dim": 5,
    "class_embed_dim": 3,
    "channel_width": 4,
    "num_classes": 7,
    "layers": [[False, 16, 16], [True, 16, 8], [True, 8, 4], [False, 4, 4], [True, 4, 2], [False, 2, 1]],
    "attention_layer_position": 3,
    "eps": 1e-3,
    "n_stats": 11,
}


def deep_state(config: dict[str, Any] = SMALL, seed: int = 0) -> dict[str, torch.Tensor]:
    """A state dict of the published names and shapes; statistics differ from row to row."""
    draw = torch.Generator().manual_seed(seed)
    condition, width, rows = config["z_dim"] + config["class_embed_dim"], config["channel_width"], config["n_stats"]
    state: dict[str, torch.Tensor] = {}

    def normal(*shape: int, scale: float = 1.0) -> torch.Tensor:
        return scale * torch.randn(shape, generator=draw)

    def linear(name: str, *shape: int, bias: bool = True) -> None:
        weight = normal(*shape)
        if bias:
            state[f"{name}.bias"] = normal(shape[0], scale=0.3)
        left, _, right = torch.linalg.svd(weight.flatten(1), full_matrices=False)
        state[f"{name}.weight_orig"] = weight  # the vectors of training are near the singular ones
        state[f"{name}.weight_u"] = F.normalize(left[:, 0] + normal(shape[0], scale=0.02), dim=0)
        state[f"{name}.weight_v"] = F.normalize(right[0] + normal(weight[0].numel(), scale=0.02), dim=0)

    def statistics(name: str, channels: int) -> None:
        state[f"{name}.running_means"] = normal(rows, channels, scale=0.1)
        state[f"{name}.running_vars"] = 0.3 + torch.rand(rows, channels, generator=draw)

    state["embeddings.weight"] = normal(config["class_embed_dim"], config["num_classes"], scale=0.5)
    linear("generator.gen_z", 16 * config["layers"][0][1] * width, condition)
    i = 0
    for position, (_, before, after) in enumerate(config["layers"]):
        before, after, middle = before * width, after * width, before * width // 4
        if position == config["attention_layer_position"]:
            state[f"generator.layers.{i}.gamma"] = normal(1)
            for part, shape in {
                "theta": (before // 8, before),
                "phi": (before // 8, before),
                "g": (before // 2, before),
                "o_conv": (before, before // 2),
            }.items():
                linear(f"generator.layers.{i}.snconv1x1_{part}", *shape, 1, 1, bias=False)
            i += 1
        sizes = [(middle, before, 1, 1), (middle, middle, 3, 3), (middle, middle, 3, 3), (after, middle, 1, 1)]
        for k, shape in enumerate(sizes):
            statistics(f"generator.layers.{i}.bn_{k}", shape[1])
            linear(f"generator.layers.{i}.bn_{k}.scale", shape[1], condition, bias=False)
            linear(f"generator.layers.{i}.bn_{k}.offset", shape[1], condition, bias=False)
            linear(f"generator.layers.{i}.conv_{k}", *shape)
        i += 1
    state["generator.bn.weight"], state["generator.bn.bias"] = 1 + normal(width, scale=0.2), normal(width, scale=0.2)
    statistics("generator.bn", width)
    linear("generator.conv_to_rgb", width, width, 3, 3)
    return state


def deep_forward(
    state: dict[str, torch.Tensor], config: dict[str, Any], condition: torch.Tensor, truncation: float
) -> torch.Tensor:
    """Images ``(n, 3, H, W)`` in float64 of conditions ``(n, c)``, or of one for each layer ``(n, L, c)``."""
    state = {name: tensor.double() for name, tensor in state.items()}
    condition = condition.double()
    of = lambda layer: condition if condition.ndim == 2 else condition[:, layer]
    at = truncation / (1.0 / (config["n_stats"] - 1))
    row, fraction = int(at), at % 1

    def weight(name: str) -> torch.Tensor:
        matrix, u, v = (state[f"{name}.weight_{part}"] for part in ("orig", "u", "v"))
        return matrix / (u @ matrix.flatten(1) @ v)

    def convolve(name: str, x: torch.Tensor) -> torch.Tensor:
        kernel = weight(name)
        return F.conv2d(x, kernel, state.get(f"{name}.bias"), padding=kernel.shape[-1] // 2)

    def published_row(table: torch.Tensor) -> torch.Tensor:
        return table[row] if fraction == 0 else fraction * table[row] + (1 - fraction) * table[row + 1]

    def normed(name: str, x: torch.Tensor) -> torch.Tensor:
        mean, var = (published_row(state[f"{name}.running_{part}"])[:, None, None] for part in ("means", "vars"))
        return (x - mean) / (var + config["eps"]) ** 0.5

    def conditional(name: str, x: torch.Tensor, layer: int) -> torch.Tensor:
        gain, shift = ((of(layer) @ weight(f"{name}.{part}").T)[..., None, None] for part in ("scale", "offset"))
        return F.relu(normed(name, x) * (1 + gain) + shift)

    def attention(name: str, x: torch.Tensor) -> torch.Tensor:
        theta, phi, g = (convolve(f"{name}.snconv1x1_{part}", x) for part in ("theta", "phi", "g"))
        phi, g = (F.max_pool2d(part, 2).flatten(2) for part in (phi, g))
        weights = F.softmax(torch.einsum("ncp,ncq->npq", theta.flatten(2), phi), dim=-1)
        o = torch.einsum("npq,ncq->ncp", weights, g).unflatten(2, x.shape[2:])
        return x + state[f"{name}.gamma"] * convolve(f"{name}.snconv1x1_o_conv", o)

    first = of(0) @ weight("generator.gen_z").T + state["generator.gen_z.bias"]
    x = first.unflatten(1, (4, 4, -1)).movedim(3, 1)
    i = 0
    for position, (up, before, after) in enumerate(config["layers"]):
        if position == config["attention_layer_position"]:
            x, i = attention(f"generator.layers.{i}", x), i + 1
        skip = x if before == after else x[:, : x.shape[1] // 2]
        for k in range(4):
            x = conditional(f"generator.layers.{i}.bn_{k}", x, position + 1)
            if up and k == 1:
                x, skip = (F.interpolate(part, scale_factor=2, mode="nearest") for part in (x, skip))
            x = convolve(f"generator.layers.{i}.conv_{k}", x)
        x, i = x + skip, i + 1
    x = normed("generator.bn", x) * state["generator.bn.weight"][:, None, None]
    x = F.relu(x + state["generator.bn.bias"][:, None, None])
    return torch.tanh(convolve("generator.conv_to_rgb", x)[:, :3])
