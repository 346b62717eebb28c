"""BigGAN and the discovery of directions by the Hessian Penalty in torch, on the same weights, as published."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.torch_generators import convolution, tensor

Images = Callable[[torch.Tensor], torch.Tensor]


def biggan(params: Mapping[str, Any], embedding: Any, blocks: int = 5) -> Images:
    """``z (n, d) -> (n, C, H, W)``; spectral norms are in the kernels (the original finds them in every pass)."""
    convs = {n: convolution(x) for n, x in params.items() if "conv" in n or "shortcut" in n or n == "output"}
    norms = {n: {part: tensor(x) for part, x in layer.items()} for n, layer in params.items() if "_norm" in n}
    attend = {
        n: {part: tensor(np.transpose(x)[..., None, None]) for part, x in layer.items()}
        for n, layer in params.items()
        if "attention" in n
    }
    project, bias = tensor(params["project"]["kernel"]), tensor(params["project"]["bias"])
    scale, shift = (tensor(params[f"norm_{part}"])[:, None, None] for part in ("scale", "shift"))
    label = tensor(embedding)

    def norm(name: str, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        layer = norms[name]
        x = F.batch_norm(x, layer["mean"], layer["inverse_std"] ** -2, training=False, eps=0.0)
        return x * (1 + y @ layer["gain"])[..., None, None] + (y @ layer["shift"])[..., None, None]

    def attention(layer: Mapping[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        theta = F.conv2d(x, layer["theta"]).flatten(2)
        phi, g = (F.max_pool2d(F.conv2d(x, layer[part]), 2).flatten(2) for part in ("phi", "g"))
        weights = torch.softmax(theta.transpose(1, 2) @ phi, -1)
        return x + F.conv2d((g @ weights.transpose(1, 2)).unflatten(2, x.shape[2:]), layer["o"])

    def images(z: torch.Tensor) -> torch.Tensor:
        first, *chunks = z.chunk(blocks + 1, 1)
        x = (first @ project + bias).reshape(len(z), 4, 4, -1).permute(0, 3, 1, 2)
        for k, chunk in enumerate(chunks, start=1):
            name, y = f"block{k}", torch.cat([label.expand(len(z), -1), chunk], 1)
            h = F.interpolate(torch.relu(norm(f"{name}_norm1", x, y)), scale_factor=2)
            h = F.conv2d(h, *convs[f"{name}_conv1"], padding=1)
            h = F.conv2d(torch.relu(norm(f"{name}_norm2", h, y)), *convs[f"{name}_conv2"], padding=1)
            x = h + F.conv2d(F.interpolate(x, scale_factor=2), *convs[f"{name}_shortcut"])
            if f"{name}_attention" in attend:
                x = attention(attend[f"{name}_attention"], x)
        return torch.tanh(F.conv2d(torch.relu(x * scale + shift), *convs["output"], padding=1))

    return images


def gram_schmidt(A: torch.Tensor) -> torch.Tensor:
    """Rows made orthonormal one after the other, with lengths last, as published: a loop in Python."""
    rows: list[torch.Tensor] = []
    for x in A:
        for y in rows:
            x = x - x.dot(y) / y.dot(y) * y
        rows.append(x)
    return torch.stack([x / x.norm() for x in rows])


def penalty_step(
    images: Images, A: torch.Tensor, z: torch.Tensor, w: torch.Tensor, signs: torch.Tensor, qr: bool = False
) -> tuple[float, torch.Tensor]:
    """The penalty, as published (``epsilon`` 0.1, mean, the middle sample too), and its gradient, the matrix's.

    Args:
        images: the generator; its weights need no gradient.
        A: ``(n, d)``.
        z: codes ``(b, d)``.
        w: ``(b, n)``, coordinates along the directions.
        signs: ``(k, b, n)``.
        qr: by Householder's decomposition in place of the loop, whose backward pass takes seconds by itself.
    """
    A = A.clone().requires_grad_()
    if qr:
        Q, R = torch.linalg.qr(A.T)
        rows = (Q * R.diagonal().sign().detach()).T
    else:
        rows = gram_schmidt(A)
    at = lambda w: images(z + w @ rows)
    middle = at(w)
    forms = [(at(w + 0.1 * v) - 2 * middle + at(w - 0.1 * v)) / 0.1**2 for v in signs]
    penalty = torch.stack(forms).var(0, unbiased=True).mean()
    penalty.backward()
    assert A.grad is not None
    return penalty.item(), A.grad
