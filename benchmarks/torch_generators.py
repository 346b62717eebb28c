"""Generators of geomgan in torch, on the same weights, with the operations of their published code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

import geomgan as gg
from benchmarks.random_models import DenseDecoder
from geomgan.generators.biggan_deep import BigGANDeep
from geomgan.generators.dcgan import DCGAN
from geomgan.generators.generative_latent_space import Decoder
from geomgan.generators.style_spaces import StyleNetwork
from geomgan.generators.stylegan2 import style_layers

Weights = Mapping[str, Any]
Forward = Callable[[torch.Tensor], torch.Tensor]


def generator(G: gg.Generator) -> Forward:
    """``z (d,) -> (1, C, H, W)`` of a generator of this package; its architecture is told by its Flax module.

    Raises:
        ValueError: the architecture is not written in torch here.
    """
    module = getattr(G.function, "network", G.function).module
    match module:
        case DCGAN():
            return dcgan(module, G.params)
        case Decoder():
            return vae_decoder(G.params)
        case DenseDecoder():
            return dense_vae_decoder(G.params)
        case BigGANDeep():
            return biggan_deep(module, G.params)
        case StyleNetwork(space="w", layers=None):
            return stylegan2(module, G.params["network"], G.params["context"]["inputs"]["noise"])
    raise ValueError(f"{G.name} has no torch version here.")


def tensor(array: Any) -> torch.Tensor:
    """A copy of an array, on torch's default device."""
    return torch.from_numpy(np.array(array, np.float32, order="C")).to(torch.get_default_device())


def convolution(layer: Weights) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Kernel ``(out, in, h, w)`` and bias of a convolution; None where there is no bias."""
    bias = layer.get("bias")
    return tensor(np.transpose(layer["kernel"], (3, 2, 0, 1))), None if bias is None else tensor(bias)


def transposed(layer: Weights) -> tuple[torch.Tensor, torch.Tensor]:
    """Kernel ``(in, out, h, w)`` and bias of a transposed convolution, whose kernel is stored flipped."""
    return tensor(np.asarray(layer["kernel"])[::-1, ::-1].transpose(2, 3, 0, 1)), tensor(layer["bias"])


def dcgan(module: DCGAN, params: Weights) -> Forward:
    """DCGAN as it is published: each block's batch norm is evaluated, not folded."""
    blocks = [transposed(params[name]) for name in [name for name in sorted(params) if name.startswith("block")]]
    last = transposed(params["output"])

    def identity(bias: torch.Tensor) -> tuple[torch.Tensor, ...]:
        ones = torch.ones_like(bias)  # statistics and scale that leave the folded weights what they are
        return torch.zeros_like(bias), ones - 1e-5, ones, bias

    def forward(z: torch.Tensor) -> torch.Tensor:
        x = z[None, :, None, None]
        for i, (kernel, bias) in enumerate(blocks):
            stride, padding = (1, 0) if i == 0 else (2, 1)
            x = F.conv_transpose2d(x, kernel, None, stride, padding)
            x = F.relu(F.batch_norm(x, *identity(bias), training=False))
        x = F.conv_transpose2d(x, *last, 2, 1)
        return torch.tanh(x) if module.output == "tanh" else x

    return forward


def vae_decoder(params: Weights) -> Forward:
    """The decoder's mean; norms are folded."""
    project, bias = tensor(params["project"]["kernel"]), tensor(params["project"]["bias"])
    blocks, last = [transposed(params[name]) for name in ("block1", "block2")], convolution(params["output"])

    def forward(z: torch.Tensor) -> torch.Tensor:
        x = (z @ project + bias).reshape(1, 6, 6, 32).permute(0, 3, 1, 2)
        for block in blocks:
            x = F.elu(F.conv_transpose2d(x, *block, 2))
        return torch.tanh(F.conv2d(x, *last))

    return forward


def dense_vae_decoder(params: Weights) -> Forward:
    (first, a), (second, b) = (
        (tensor(np.transpose(params[n]["kernel"])), tensor(params[n]["bias"])) for n in ("hidden", "output")
    )
    return lambda z: torch.sigmoid(F.linear(F.relu(F.linear(z, first, a)), second, b)).reshape(1, 1, 28, 28)


def biggan_deep(module: BigGANDeep, params: Weights) -> Forward:
    """BigGAN-deep: conditional batch norms are evaluated as published, spectral norms are in the kernels."""
    convs = {name: convolution(layer) for name, layer in params.items() if "conv" in name or name == "output"}
    norms = {name: {k: tensor(v) for k, v in layer.items()} for name, layer in params.items() if "_norm" in name}
    attend = {name: tensor(np.transpose(matrix)[..., None, None]) for name, matrix in params["attention"].items()}
    project = {name: tensor(array) for name, array in params["project"].items()}
    scale, shift = (tensor(params[f"norm_{name}"])[:, None, None] for name in ("scale", "shift"))

    def normed(name: str, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        norm = norms[name]
        mean, std = norm["mean"][:, None, None], (1 / norm["inverse_std"])[:, None, None]
        gain, offset = ((condition @ norm[part])[:, None, None] for part in ("gain", "shift"))
        return (x - mean) / std * (1 + gain) + offset

    def attention(x: torch.Tensor) -> torch.Tensor:
        theta, phi, g = (F.conv2d(x, attend[part]) for part in ("theta", "phi", "g"))
        phi, g = (F.max_pool2d(part, 2).flatten(2) for part in (phi, g))
        weights = torch.softmax(theta.flatten(2).transpose(1, 2) @ phi, -1)
        return x + F.conv2d((g @ weights.transpose(1, 2)).reshape(1, -1, *x.shape[2:]), attend["o"])

    def forward(condition: torch.Tensor) -> torch.Tensor:
        x = (condition @ project["kernel"] + project["bias"]).reshape(1, 4, 4, -1).permute(0, 3, 1, 2)
        for i, (up, _, features) in enumerate(module.blocks):
            if i == module.attention_position:
                x = attention(x)
            name, skip, h = f"block{i + 1}", x[:, : features * module.width], x
            for k in range(4):
                h = F.relu(normed(f"{name}_norm{k}", h, condition))
                if up and k == 1:
                    h, skip = (F.interpolate(part, scale_factor=2, mode="nearest") for part in (h, skip))
                kernel, bias = convs[f"{name}_conv{k}"]
                h = F.conv2d(h, kernel, bias, padding=kernel.shape[-1] // 2)
            x = h + skip
        return torch.tanh(F.conv2d(F.relu(x * scale + shift), *convs["output"], padding=1))

    return forward


def stylegan2(module: StyleNetwork, params: Weights, noise: Any) -> Forward:
    """StyleGAN2 from ``w``, as in the common torch version: weights are modulated, filters are two-dimensional."""
    features, taps = module.synthesis.features, torch.tensor(module.synthesis.taps)
    filter2d = (taps[:, None] * taps)[None, None]
    affine = {name: (tensor(layer["kernel"]), tensor(layer["bias"])) for name, layer in params["styles"].items()}
    maps = [tensor(x) for x in noise]
    constant = tensor(np.moveaxis(params["synthesis"]["constant"], -1, 0))[None]
    root = 2**0.5

    def kernel(name: str) -> torch.Tensor:
        stored = np.asarray(params["synthesis"][name]["kernel"])
        stored = stored[None, None] if stored.ndim == 2 else stored
        return tensor((stored[::-1, ::-1] if name.startswith("up") else stored).transpose(3, 2, 0, 1))

    names = [style.name for style in style_layers(features)]
    kernels = {name: kernel(name) for name in names}
    biases = {name: tensor(params["synthesis"][name]["bias"])[:, None, None] for name in names}
    strengths = {name: tensor(params["synthesis"][name]["strength"]) for name in names if name[:3] != "rgb"}

    def filtered(x: torch.Tensor, before: int, after: int) -> torch.Tensor:
        x = F.pad(x, (before, after, before, after))
        return F.conv2d(x.transpose(0, 1), filter2d).transpose(0, 1)

    def modulated(name: str, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        matrix, bias = affine[name]
        weight = kernels[name] * (w @ matrix + bias)[None, :, None, None]
        if name[:3] == "rgb":
            return F.conv2d(x, weight)
        weight = weight * torch.rsqrt(weight.pow(2).sum((1, 2, 3), keepdim=True) + 1e-8)
        if name[:2] == "up":
            return filtered(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2), 1, 1)
        return F.conv2d(x, weight, padding=1)

    def styled(name: str, x: torch.Tensor, w: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        x = modulated(name, x, w) + strengths[name] / root * noise  # gains are folded into strength and bias
        return root * F.leaky_relu(x + biases[name] / root, 0.2)

    def forward(w: torch.Tensor) -> torch.Tensor:
        rest = iter(maps)
        x = styled("conv4", constant, w, next(rest))
        image = modulated("rgb4", x, w) + biases["rgb4"]
        for i in range(1, len(features)):
            side = 4 * 2**i
            x = styled(f"up{side}", x, w, next(rest))
            x = styled(f"conv{side}", x, w, next(rest))
            zeros = F.pad(image[..., None, :, None], (0, 1, 0, 0, 0, 1))  # a zero behind every pixel
            image = filtered(zeros.reshape(1, -1, side, side), 2, 1)
            image = image + modulated(f"rgb{side}", x, w) + biases[f"rgb{side}"]
        return image

    return forward
