"""lucidrains' StyleGAN2 and lightweight GAN in torch, from their mathematics: state dicts, and functions of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F

State = dict[str, torch.Tensor]
INNER = 32  # channels of all 8 heads


class Drawn(dict[str, torch.Tensor]):
    """Random tensors under their names; kernels have the size that keeps signals."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.draw = torch.Generator().manual_seed(seed)

    def put(self, name: str, *shape: int, shift: float = 0.0, scale: float = 1.0) -> None:
        size = max(1, torch.Size(shape[1:]).numel()) ** -0.5 if len(shape) > 1 else 0.3
        self[name] = shift + scale * size * torch.randn(shape, generator=self.draw)

    def layer(self, name: str, *shape: int, scale: float = 1.0) -> None:
        self.put(f"{name}.weight", *shape, scale=scale)
        self.put(f"{name}.bias", shape[0])

    def norm(self, name: str, features: int) -> None:
        for part, shift in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.5)):
            self.put(f"{name}.{part}", features, shift=shift)
        self[f"{name}.num_batches_tracked"] = torch.tensor(5)


def blur(x: torch.Tensor) -> torch.Tensor:
    row = torch.tensor([0.25, 0.5, 0.25], dtype=x.dtype)
    kernel = torch.outer(row, row).expand(x.shape[1], 1, 3, 3)
    return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), kernel, groups=x.shape[1])


def channel_norm(state: Mapping, name: str, x: torch.Tensor) -> torch.Tensor:
    normed = (x - x.mean(1, keepdim=True)) / (x.var(1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    return normed * state[f"{name}.g"] + state[f"{name}.b"]


def linear_attention(state: Mapping, q: str, kv: str, x: torch.Tensor) -> torch.Tensor:
    """What the heads see of all pixels, behind the GELU."""
    heads = lambda t: t.flatten(2).unflatten(1, (8, -1))  # (n, head, channel, pixel)
    mixed = F.conv2d(x, state[f"{kv}.net.0.weight"], padding=1, groups=x.shape[1])
    k, v = map(heads, F.conv2d(mixed, state[f"{kv}.net.1.weight"]).chunk(2, 1))
    query = heads(F.conv2d(x, state[f"{q}.weight"])).softmax(2) * k.shape[2] ** -0.5
    seen = (v @ k.softmax(3).mT) @ query
    return F.gelu(seen.flatten(1, 2).unflatten(2, x.shape[2:]))


# --- StyleGAN2 ---


def stylegan2_state(
    features: Sequence[int],
    latent: int = 6,
    depth: int = 2,
    attention: Sequence[int] = (),
    constant: bool = True,
    channels: int = 3,
) -> State:
    state = Drawn(len(features))
    for i in range(depth):
        state.layer(f"SE.net.{2 * i}", latent, latent)
        for name in (f"SE.net.{2 * i}.weight", f"SE.net.{2 * i}.bias"):
            state[name] *= 12  # what a multiplier of 0.1 brings back
    if constant:
        state.put("GE.initial_block", 1, features[0], 4, 4, scale=8)
    else:
        state.put("GE.to_initial_block.weight", latent, features[0], 4, 4, scale=8)
    state.layer("GE.initial_conv", features[0], features[0], 3, 3)
    for i, after in enumerate(features):
        before, block, attend = features[max(i - 1, 0)], f"GE.blocks.{i}", f"GE.attns.{i}"
        for k, size in ((1, before), (2, after)):
            state.layer(f"{block}.to_style{k}", size, latent)
            state.layer(f"{block}.to_noise{k}", after, 1)
            state.put(f"{block}.conv{k}.weight", after, size, 3, 3)
        state.layer(f"{block}.to_rgb.to_style", after, latent)
        state.put(f"{block}.to_rgb.conv.weight", channels, after, 1, 1)
        if i + 1 < len(features):
            state[f"{block}.to_rgb.upsample.1.f"] = torch.tensor([1.0, 2.0, 1.0])
        if i in attention:
            for k in (0, 1):
                state.put(f"{attend}.{k}.fn.norm.g", 1, before, 1, 1, shift=1)
                state.put(f"{attend}.{k}.fn.norm.b", 1, before, 1, 1)
            inside = f"{attend}.0.fn.fn"
            state.put(f"{inside}.to_q.weight", INNER, before, 1, 1)
            state.put(f"{inside}.to_kv.net.0.weight", before, 1, 3, 3)
            state.put(f"{inside}.to_kv.net.1.weight", 2 * INNER, before, 1, 1)
            state.layer(f"{inside}.to_out", before, INNER, 1, 1)
            state.layer(f"{attend}.1.fn.fn.0", 2 * before, before, 1, 1)
            state.layer(f"{attend}.1.fn.fn.2", before, 2 * before, 1, 1)
    others = {"S.net.0.weight": torch.ones(2), "G.initial_conv.bias": torch.ones(2), "D_aug.D.x": torch.ones(2)}
    return {**state, **others, "D.x": torch.ones(2)}


def mapped(state: Mapping, z: torch.Tensor, rate: float = 0.1) -> torch.Tensor:
    """``w`` of codes ``(n, d)``."""
    w = F.normalize(z, dim=1)
    for i in range(sum(name.startswith("SE.net.") for name in state) // 2):
        layer = (rate * state[f"SE.net.{2 * i}.{part}"] for part in ("weight", "bias"))
        w = F.leaky_relu(F.linear(w, *layer), 0.2)
    return w


def stylegan2(state: Mapping, rows: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Images ``(n, C, H, W)`` of ``w+ (n, L, w)`` and one noise image ``(H, W)``."""
    up = lambda x: F.interpolate(x, scale_factor=2, mode="bilinear")

    def affine(name: str, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])

    def modulated(name: str, x: torch.Tensor, style: torch.Tensor, demodulate: bool) -> torch.Tensor:
        kernels = state[f"{name}.weight"] * (1 + style[:, None, :, None, None])
        if demodulate:
            kernels = kernels / (kernels.square().sum((2, 3, 4), keepdim=True) + 1e-8).sqrt()
        return torch.cat([F.conv2d(a[None], k, padding="same") for a, k in zip(x, kernels, strict=True)])

    if "GE.initial_block" in state:
        x = state["GE.initial_block"].expand(len(rows), -1, -1, -1)
    else:
        x = F.conv_transpose2d(rows.mean(1)[:, :, None, None], state["GE.to_initial_block.weight"])
    x, image = F.conv2d(x, state["GE.initial_conv.weight"], state["GE.initial_conv.bias"], padding=1), None
    for i in range(rows.shape[1]):
        block, attend, w = f"GE.blocks.{i}", f"GE.attns.{i}", rows[:, i]
        if f"{attend}.0.fn.norm.g" in state:
            conv = lambda name, x: F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"])
            inside, normed = f"{attend}.0.fn.fn", channel_norm(state, f"{attend}.0.fn.norm", x)
            x = x + conv(f"{inside}.to_out", linear_attention(state, f"{inside}.to_q", f"{inside}.to_kv", normed))
            wide = conv(f"{attend}.1.fn.fn.0", channel_norm(state, f"{attend}.1.fn.norm", x))
            x = x + conv(f"{attend}.1.fn.fn.2", F.leaky_relu(wide, 0.2))
        x = up(x) if i else x
        for k in (1, 2):
            seen = affine(f"{block}.to_noise{k}", noise[: x.shape[2], : x.shape[3], None])  # (H, W, C)
            x = modulated(f"{block}.conv{k}", x, affine(f"{block}.to_style{k}", w), demodulate=True)
            x = F.leaky_relu(x + seen.permute(2, 1, 0), 0.2)
        made = modulated(f"{block}.to_rgb.conv", x, affine(f"{block}.to_rgb.to_style", w), demodulate=False)
        image = made if image is None else made + blur(up(image))
    return image


# --- The lightweight GAN ---


def lightweight_state(
    features: Sequence[int],
    latent: int = 6,
    attention: Sequence[int] = (),
    frequencies: bool = False,
    channels: int = 3,
    gates: Mapping[int, int] | None = None,
) -> State:
    """``attention``: numbers of layers, from 0; ``gates``: number of a layer -> of the one whose map it multiplies."""
    state = Drawn(len(features))
    state.put("GE.initial_conv.0.weight", latent, 2 * latent, 4, 4, scale=10)
    state.put("GE.initial_conv.0.bias", 2 * latent)
    state.norm("GE.initial_conv.1", 2 * latent)
    for i, after in enumerate(features):
        before, layer = (latent, *features)[i], f"GE.layers.{i}"
        state.layer(f"{layer}.0.0.net.0", 4 * before, before, 1, 1, scale=4)
        state[f"{layer}.0.1.f"] = torch.tensor([1.0, 2.0, 1.0])
        state.layer(f"{layer}.0.2.1", 2 * after, before, 4, 4, scale=4)
        state.put(f"{layer}.0.3.weight", 1)
        state.norm(f"{layer}.0.4", 2 * after)
        if i in attention:
            state.put(f"{layer}.2.norm.g", 1, before, 1, 1, shift=1)
            state.put(f"{layer}.2.norm.b", 1, before, 1, 1)
            state.put(f"{layer}.2.fn.to_lin_q.weight", INNER, before, 1, 1)
            state.put(f"{layer}.2.fn.to_lin_kv.net.0.weight", before, 1, 3, 3)
            state.put(f"{layer}.2.fn.to_lin_kv.net.1.weight", 2 * INNER, before, 1, 1)
            state.put(f"{layer}.2.fn.to_q.weight", INNER, before, 1, 1)
            state.put(f"{layer}.2.fn.to_kv.weight", 2 * INNER, before, 1, 1)
            state.layer(f"{layer}.2.fn.to_out", before, 2 * INNER, 1, 1)
        if i in (gates or {}):
            state.layer(f"{layer}.1.net.0", 3, after, 1, 1)
            state.layer(f"{layer}.1.net.2", features[gates[i]], 3, 1, 1)
            if frequencies:
                state.put(f"{layer}.1.dct_weights", 1, after, 8 * 2**i, 8 * 2**i)
            else:
                state.layer(f"{layer}.1.to_k", 1, after, 1, 1)
    state.layer("GE.out_conv", channels, features[-1], 3, 3)
    return {**state, "G.out_conv.bias": torch.ones(2), "D.x": torch.ones(2), "D_aug.D.x": torch.ones(2)}


def lightweight(
    state: Mapping, z: torch.Tensor, noise: Sequence[torch.Tensor], gates: Mapping[int, int] | None = None
) -> torch.Tensor:
    """Images of codes ``(n, d)`` and a noise map for each layer."""
    conv = lambda name, x, **how: F.conv2d(x, state[f"{name}.weight"], state.get(f"{name}.bias"), **how)

    def norm(name: str, x: torch.Tensor) -> torch.Tensor:
        parts = (state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(x, *parts)

    def attend(name: str, x: torch.Tensor) -> torch.Tensor:
        linear = linear_attention(state, f"{name}.to_lin_q", f"{name}.to_lin_kv", x)
        n, _, height, width = x.shape
        q = conv(f"{name}.to_q", x).view(n, 8, -1, 1, height * width)
        around = lambda t: F.unfold(t, 3, padding=1).view(n, 8, -1, 9, height * width)
        k, v = map(around, conv(f"{name}.to_kv", x).chunk(2, 1))
        weights = ((q * k).sum(2, keepdim=True) * k.shape[2] ** -0.5).softmax(3)
        local = (weights * v).sum(3).reshape(n, -1, height, width)
        return conv(f"{name}.to_out", torch.cat([linear, local], 1))

    x = F.conv_transpose2d(z[:, :, None, None], state["GE.initial_conv.0.weight"], state["GE.initial_conv.0.bias"])
    x, waiting = F.normalize(F.glu(norm("GE.initial_conv.1", x), 1), dim=1), {}
    for i, map_ in enumerate(noise):
        layer = f"GE.layers.{i}"
        if f"{layer}.2.norm.g" in state:
            x = x + attend(f"{layer}.2.fn", channel_norm(state, f"{layer}.2.norm", x))
        x = blur(F.pixel_shuffle(F.silu(conv(f"{layer}.0.0.net.0", x)), 2))
        x = conv(f"{layer}.0.2.1", F.pad(x, (2, 1, 2, 1))) + state[f"{layer}.0.3.weight"] * map_
        x = F.glu(norm(f"{layer}.0.4", x), 1)
        if i in (gates or {}):
            if f"{layer}.1.dct_weights" in state:
                seen = (x * state[f"{layer}.1.dct_weights"]).sum((2, 3), keepdim=True)
            else:
                weights = conv(f"{layer}.1.to_k", x).flatten(2).softmax(2)
                seen = (x.flatten(2) * weights).sum(2)[:, :, None, None]
            hidden = F.leaky_relu(conv(f"{layer}.1.net.0", seen), 0.1)
            waiting[gates[i]] = torch.sigmoid(conv(f"{layer}.1.net.2", hidden))
        x = x * waiting[i] if i in waiting else x
    return conv("GE.out_conv", x, padding=1)
