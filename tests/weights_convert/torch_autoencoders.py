"""The autoencoders of diffusion models in PyTorch, with the published names of tensors: written for these tests."""

from __future__ import annotations

import math
import re

import torch
from torch import nn
from torch.nn import functional


def conv(a, b, size=3, **options):
    return nn.Conv2d(a, b, size, padding=size // 2, **options)


# --- Tiny ones ---


class TinyBlock(nn.Module):
    def __init__(self, a, b, pooled=False):
        super().__init__()
        self.conv = nn.Sequential(conv(a, b), nn.ReLU(), conv(b, b), nn.ReLU(), conv(b, b))
        if a != b:
            self.skip = conv(a, b, 1, bias=False)
        if pooled:
            self.pool = nn.Sequential(
                conv(a, 4 * a, 1, bias=False), nn.GroupNorm(4, 4 * a), nn.ReLU(), conv(4 * a, a, 1, bias=False)
            )

    def forward(self, x):
        x = x + self.pool(x) if hasattr(self, "pool") else x
        return functional.relu(self.conv(x) + (self.skip(x) if hasattr(self, "skip") else x))


class Squash(nn.Module):
    def forward(self, z):
        return torch.tanh(z / 3) * 3


def tiny_decoder(latents, widths, blocks, pooled=False):
    layers = [Squash(), conv(latents, widths[0]), nn.ReLU()]
    for s, (width, count) in enumerate(zip(widths, blocks, strict=True)):
        if s:
            layers += [nn.Upsample(scale_factor=2), conv(widths[s - 1], width, bias=False)]
        layers += [TinyBlock(width, width, pooled and s == 0) for _ in range(count)]
    return nn.Sequential(*layers, conv(widths[-1], 3))


def tiny_encoder(latents, widths, blocks, pooled=False, stem=()):
    """``stem``: widths of convolutions of stride 2 in front, as Sana's has them; else one of stride 1."""
    layers = []
    for a, b in zip((3, *stem), stem, strict=False):
        layers += [conv(a, b, stride=2), nn.ReLU()]
    layers = layers or [conv(3, widths[0])]
    before = widths[0]
    for s, (width, count) in enumerate(zip(widths, blocks, strict=True)):
        layers += [conv(before, width, stride=2, bias=False)] if s else []
        layers += [TinyBlock(width, width, pooled and s == len(widths) - 1) for _ in range(count)]
        before = width
    return nn.Sequential(*layers, conv(before, latents))


def of_diffusers(decoder, encoder):
    """The state dict of ``AutoencoderTiny`` with the same layers."""
    state = {f"encoder.layers.{name}": x for name, x in encoder.state_dict().items()}
    for name, x in decoder.state_dict().items():
        number, _, rest = name.partition(".")
        state[f"decoder.layers.{int(number) - 1}.{rest}"] = x
    return state


# --- KL ---


class ResBlock(nn.Module):
    def __init__(self, a, b, groups):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(groups, a, eps=1e-6), conv(a, b)
        self.norm2, self.conv2 = nn.GroupNorm(groups, b, eps=1e-6), conv(b, b)
        if a != b:
            self.conv_shortcut = conv(a, b, 1)

    def forward(self, x):
        y = self.conv1(functional.silu(self.norm1(x)))
        y = self.conv2(functional.silu(self.norm2(y)))
        return y + (self.conv_shortcut(x) if hasattr(self, "conv_shortcut") else x)


class Attention(nn.Module):
    def __init__(self, width, groups):
        super().__init__()
        self.group_norm = nn.GroupNorm(groups, width, eps=1e-6)
        self.to_q, self.to_k, self.to_v = (nn.Linear(width, width) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(width, width)])

    def forward(self, x):
        flat = self.group_norm(x).flatten(2).transpose(1, 2)
        q, k, v = self.to_q(flat), self.to_k(flat), self.to_v(flat)
        weights = torch.softmax(q @ k.transpose(1, 2) / math.sqrt(q.shape[-1]), dim=-1)
        return x + self.to_out[0](weights @ v).transpose(1, 2).reshape(x.shape)


class Middle(nn.Module):
    def __init__(self, width, groups, attention):
        super().__init__()
        self.resnets = nn.ModuleList([ResBlock(width, width, groups) for _ in range(2)])
        self.attentions = nn.ModuleList([Attention(width, groups)] if attention else [])

    def forward(self, x):
        x = self.resnets[0](x)
        for attention in self.attentions:
            x = attention(x)
        return self.resnets[1](x)


class Sampler(nn.Module):
    def __init__(self, width, up):
        super().__init__()
        self.up = up
        self.conv = conv(width, width) if up else nn.Conv2d(width, width, 3, stride=2)

    def forward(self, x):
        x = functional.interpolate(x, scale_factor=2.0) if self.up else functional.pad(x, (0, 1, 0, 1))
        return self.conv(x)


class Stage(nn.Module):
    def __init__(self, a, b, count, groups, last, up):
        super().__init__()
        self.resnets = nn.ModuleList([ResBlock(b if i else a, b, groups) for i in range(count)])
        name = "upsamplers" if up else "downsamplers"
        if not last:
            setattr(self, name, nn.ModuleList([Sampler(b, up)]))

    def forward(self, x):
        for block in self.resnets:
            x = block(x)
        for sampler in [*getattr(self, "upsamplers", []), *getattr(self, "downsamplers", [])]:
            x = sampler(x)
        return x


class Half(nn.Module):
    def __init__(self, given, made, widths, count, groups, attention, up):
        super().__init__()
        self.up, first, last = up, widths[0], widths[-1]
        self.conv_in = conv(given, first)
        stages = [
            Stage(before, width, count, groups, i == len(widths) - 1, up)
            for i, (before, width) in enumerate(zip((first, *widths), widths, strict=False))
        ]
        setattr(self, "up_blocks" if up else "down_blocks", nn.ModuleList(stages))
        self.mid_block = Middle(first if up else last, groups, attention)
        self.conv_norm_out, self.conv_out = nn.GroupNorm(groups, last, eps=1e-6), conv(last, made)

    def forward(self, x):
        x = self.conv_in(x)
        x = self.mid_block(x) if self.up else x
        for stage in self.up_blocks if self.up else self.down_blocks:
            x = stage(x)
        x = x if self.up else self.mid_block(x)
        return self.conv_out(functional.silu(self.conv_norm_out(x)))


class AutoencoderKL(nn.Module):
    """``widths`` from the image on, as ``block_out_channels`` has them."""

    def __init__(self, latents, widths, layers, groups, attention=True, quant=True):
        super().__init__()
        self.encoder = Half(3, 2 * latents, widths, layers, groups, attention, up=False)
        self.decoder = Half(latents, 3, widths[::-1], layers + 1, groups, attention, up=True)
        self.quant_conv = conv(2 * latents, 2 * latents, 1) if quant else None
        self.post_quant_conv = conv(latents, latents, 1) if quant else None

    def encode(self, x):
        moments = self.encoder(x)
        mean, log_variance = (self.quant_conv(moments) if self.quant_conv else moments).chunk(2, dim=1)
        return mean, torch.exp(0.5 * log_variance.clamp(-30, 20))

    def decode(self, z):
        return self.decoder(self.post_quant_conv(z) if self.post_quant_conv else z)


def old_diffusers(state):
    """Its names before version 0.15."""
    names = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    return {re.sub(r"to_q|to_k|to_v|to_out\.0", lambda found: names[found[0]], name): x for name, x in state.items()}


def compvis(state, scales):
    """The names of latent-diffusion, whose attention is of 1 x 1 convolutions."""
    made = {}
    for old, x in state.items():
        name = re.sub(r"up_blocks\.(\d+)", lambda found: f"up.{scales - 1 - int(found[1])}", old)
        name = re.sub(r"down_blocks\.(\d+)", r"down.\1", name)
        name = re.sub(r"(up|down)\.(\d+)\.resnets", r"\1.\2.block", name)
        name = re.sub(r"upsamplers\.0", "upsample", re.sub(r"downsamplers\.0", "downsample", name))
        name = re.sub(r"mid_block\.resnets\.(\d)", lambda found: f"mid.block_{int(found[1]) + 1}", name)
        name = name.replace("mid_block.attentions.0", "mid.attn_1").replace("group_norm", "norm")
        name = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
        for theirs, own in (("to_q", "q"), ("to_k", "k"), ("to_v", "v"), ("to_out.0", "proj_out")):
            name = name.replace(theirs, own)
        made[name] = x[:, :, None, None] if "attn_1" in name and x.ndim == 2 else x
    return made
