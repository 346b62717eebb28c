"""The DeePSim generators in torch functions, written from their description, with random weights of any width."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

SIDES = {"fc": 0, "pool5": 6, "conv": 13, "norm2": 13, "conv1": 27}


def upconv_state(layout: str, seed: int = 0) -> dict[str, torch.Tensor]:
    """A state dict of narrow layers, all of different widths; the last one makes values of about 60, or 1 for tanh."""
    rng = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {}

    def width() -> int:
        return int(rng.integers(3, 9))

    def convolution(name: str, before: int, after: int, kernel: int = 3, transposed: bool = False) -> int:
        shapes[name] = (before, after, kernel, kernel) if transposed else (after, before, kernel, kernel)
        return after

    def deconvolutions(width_in: int, *names: str) -> int:
        for name in names:
            width_in = convolution(name, width_in, width(), 4 if name.startswith("de") else 3, transposed=True)
        return width_in

    inputs = width()
    if layout == "fc":
        shapes |= {"defc7": (11, 10), "defc6": (12, 11), "defc5": (16 * inputs, 12)}
        n = inputs
    elif layout == "norm2":
        n = convolution("Rconv6", inputs, inputs)
        n = convolution("Rconv8", convolution("Rconv7", n, width()), width())
    else:
        n = convolution("Rconv6", inputs, inputs + 1)  # conv1 widens, norm2 does not: that tells them apart
        n = convolution("Rconv8", convolution("Rconv7", n, width()), width(), 2 if layout == "conv" else 3)
    if layout in ("fc", "pool5", "conv"):
        n = deconvolutions(n, "deconv5", "conv5_1", "deconv4", "conv4_1", "deconv3", "conv3_1", "deconv2")
    else:
        for level in (4, 3, 2):
            n = convolution(f"conv{level}_1", deconvolutions(n, f"deconv{level}"), width())
    if layout in ("fc", "pool5"):
        convolution("deconv0", deconvolutions(n, "deconv1"), 3, 4, transposed=True)
    elif layout == "conv":
        convolution("conv1_1", deconvolutions(convolution("conv2_1", n, width()), "deconv1"), 3)
    else:
        convolution("conv1_1", deconvolutions(n, "deconv1"), 3)

    def tensor(shape: tuple[int, ...], scale: float) -> torch.Tensor:
        return torch.from_numpy((scale * rng.standard_normal(shape)).astype(np.float32))

    state = {}
    for name, shape in shapes.items():
        transposed = name.startswith("deconv") or (name.startswith("conv") and layout in ("fc", "pool5", "conv"))
        transposed &= name not in ("conv2_1", "conv1_1")
        fan_in = shape[0] * np.prod(shape[2:]) / (4 if shape[2] == 4 else 1) if transposed else np.prod(shape[1:])
        last = 60.0 if name == "deconv0" else 1.0
        state[f"{name}.weight"] = tensor(shape, last * (1.8 / fan_in) ** 0.5)
        state[f"{name}.bias"] = tensor((shape[1 if transposed else 0],), 0.1 * last)
    return state


def upconv(layout: str, state: dict[str, torch.Tensor], codes: np.ndarray) -> np.ndarray:
    """The raw network on codes ``(n, d)``: ``(n, 3, H, W)``, BGR without the mean."""
    s = {name: tensor.double() for name, tensor in state.items()}
    x = torch.from_numpy(codes).double()

    def layer(function, name, *arguments, active=True):
        y = function(x, s[f"{name}.weight"], s[f"{name}.bias"], *arguments)
        return F.leaky_relu(y, 0.3) if active else y

    if side := SIDES[layout]:
        x = x.reshape(len(codes), -1, side, side)
        geometry = {
            "pool5": [(1, 1), (1, 1), (1, 0)],  # stride, padding
            "conv": [(1, 0), (1, 0), (1, 0)],
            "norm2": [(1, 2), (1, 1), (1, 1)],
            "conv1": [(2, 2), (1, 1), (1, 1)],
        }[layout]
        for name, (stride, padding) in zip(("Rconv6", "Rconv7", "Rconv8"), geometry, strict=True):
            x = layer(F.conv2d, name, stride, padding)
    else:
        for name in ("defc7", "defc6", "defc5"):
            x = layer(F.linear, name)
        x = x.reshape(len(codes), -1, 4, 4)
    if layout in ("norm2", "conv1"):
        for level in (4, 3, 2):
            x = layer(F.conv_transpose2d, f"deconv{level}", 2, 1)
            x = layer(F.conv2d, f"conv{level}_1", 1, 1)
        x = layer(F.conv_transpose2d, "deconv1", 2, 1, active=False)
        return torch.tanh(layer(F.conv2d, "conv1_1", 1, 1, active=False)).numpy()
    for level in (5, 4, 3):
        x = layer(F.conv_transpose2d, f"deconv{level}", 2, 1)
        x = layer(F.conv_transpose2d, f"conv{level}_1", 1, 1)
    x = layer(F.conv_transpose2d, "deconv2", 2, 1)
    if layout == "conv":
        x = layer(F.conv2d, "conv2_1", 1, 1)
        x = layer(F.conv_transpose2d, "deconv1", 2, 1)
        return torch.tanh(layer(F.conv2d, "conv1_1", 1, 1, active=False)).numpy()
    x = layer(F.conv_transpose2d, "deconv1", 2, 1)
    return layer(F.conv_transpose2d, "deconv0", 2, 1, active=False).numpy()
