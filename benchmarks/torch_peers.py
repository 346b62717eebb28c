"""The ways of the field, in torch, on the weights of a geomgan DCGAN and distance."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

import geomgan as gg
from geomgan.distances.images import SCALE, SHIFT

Embedding = Callable[[torch.Tensor], torch.Tensor]


def generator(G: gg.Generator) -> Embedding:
    """``z (d,) -> (1, C, H, W)`` of a DCGAN as it is published: each block's batch norm is evaluated, not folded."""
    blocks = [name for name in sorted(G.params) if name.startswith("block")] + ["output"]
    layers = [
        (
            torch.tensor(np.asarray(G.params[name]["kernel"])[::-1, ::-1].transpose(2, 3, 0, 1).copy()),
            torch.tensor(np.asarray(G.params[name]["bias"])),
        )
        for name in blocks
    ]

    def identity(bias: torch.Tensor) -> tuple[torch.Tensor, ...]:
        ones = torch.ones_like(bias)  # statistics and scale that leave the folded weights what they are
        return torch.zeros_like(bias), ones - 1e-5, ones, bias

    def forward(z: torch.Tensor) -> torch.Tensor:
        x = z[None, :, None, None]
        for i, (kernel, bias) in enumerate(layers):
            stride, padding = (1, 0) if i == 0 else (2, 1)
            last = i == len(layers) - 1
            x = F.conv_transpose2d(x, kernel, bias if last else None, stride, padding)
            x = torch.tanh(x) if last else F.relu(F.batch_norm(x, *identity(bias), training=False))
        return x

    return forward


def sample_embedding(D: gg.distances.Distance) -> Embedding:
    """The embedding of ``mse`` or LPIPS-alex of an image ``(1, C, H, W)``, flat."""
    if D.name == "mse":
        return lambda x: x.flatten() * x.numel() ** -0.5
    trunk = [
        (
            torch.tensor(np.asarray(layer["kernel"]).transpose(3, 2, 0, 1).copy()),
            torch.tensor(np.asarray(layer["bias"])),
        )
        for layer in (D.params["trunk"][f"conv{i}"] for i in range(1, 6))
    ]
    roots = [torch.tensor(np.asarray(root))[None, :, None, None] for root in D.params["heads"]]
    shift, scale = (torch.tensor(values)[None, :, None, None] for values in (SHIFT, SCALE))
    size = D.embedding.images.size

    def forward(x: torch.Tensor) -> torch.Tensor:
        if size is not None:
            x = F.interpolate(x, size, mode="bilinear")
        x = (x.expand(-1, 3, -1, -1) - shift) / scale
        parts = []
        for i, (kernel, bias) in enumerate(trunk):
            if i in (1, 2):
                x = F.max_pool2d(x, 3, 2)
            stride, padding = ((4, 2), (1, 2), (1, 1), (1, 1), (1, 1))[i]
            x = F.relu(F.conv2d(x, kernel, bias, stride, padding))
            norm = torch.sqrt((x**2).sum(1, keepdim=True) + 1e-20)
            parts.append((x / (norm + 1e-10) * roots[i] / (x.shape[2] * x.shape[3]) ** 0.5).flatten())
        return torch.cat(parts)

    return forward


def embedding(G: gg.Generator, D: gg.distances.Distance) -> Embedding:
    """``z -> φ(G(z))``."""
    image, features = generator(G), sample_embedding(D)
    return lambda z: features(image(z))


def squared_distance(G: gg.Generator, D: gg.distances.Distance) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """``(z0, z) -> d²(G(z0), G(z))``."""
    phi = embedding(G, D)
    return lambda z0, z: ((phi(z0) - phi(z)) ** 2).sum()


def gauss_newton(phi: Embedding, z: np.ndarray) -> np.ndarray:
    """``JᵀJ`` by forward mode, all tangents together."""
    J = torch.func.jacfwd(phi)(torch.tensor(z))
    return (J.T @ J).detach().numpy()


def _gradient(distance: Callable, z: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.no_grad():
        reference = torch.tensor(z)
    moved = torch.tensor(z, requires_grad=True)
    return torch.autograd.grad(distance(reference, moved), moved, create_graph=True)[0], moved


def hessian_by_rows(distance: Callable, z: np.ndarray) -> np.ndarray:
    """The Hessian by one double backward pass for each row, as GAN-Geometry computes it."""
    gradient, moved = _gradient(distance, z)
    rows = [torch.autograd.grad(gradient[i], moved, retain_graph=True)[0] for i in range(len(z))]
    return torch.stack(rows).numpy()


def top_pairs(distance: Callable, z: np.ndarray, k: int, tol: float) -> np.ndarray:
    """The ``k`` largest eigenvalues by scipy's eigsh on double-backward products, as GAN-Geometry's BackwardIter."""
    from scipy.sparse.linalg import LinearOperator, eigsh

    gradient, moved = _gradient(distance, z)

    def product(v: np.ndarray) -> np.ndarray:
        direction = torch.tensor(v.reshape(-1), dtype=torch.float32)
        return torch.autograd.grad(gradient, moved, direction, retain_graph=True)[0].numpy()

    operator = LinearOperator((len(z), len(z)), matvec=product, dtype=np.float32)
    values = eigsh(operator, k, tol=tol, ncv=2 * k, return_eigenvectors=False, v0=np.ones(len(z), np.float32))
    return np.sort(values)[::-1]
