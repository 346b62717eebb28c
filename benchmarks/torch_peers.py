"""The ways of the field, in torch, on the weights of a geomgan generator and distance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

import geomgan as gg
from benchmarks.torch_distances import sample_embedding
from benchmarks.torch_distances import squared_distance as distance_of_images
from benchmarks.torch_generators import generator

Embedding = Callable[[torch.Tensor], torch.Tensor]
Distance = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Gradient = tuple[torch.Tensor, torch.Tensor]  # of the distance, with its graph; and the code it depends on


def embedding(G: gg.Generator, D: gg.distances.Distance) -> Embedding:
    """``z -> φ(G(z))``."""
    image, features = generator(G), sample_embedding(D)
    return lambda z: features(image(z))


def squared_distance(G: gg.Generator, D: gg.distances.Distance) -> Distance:
    """``(z0, z) -> d²(G(z0), G(z))``."""
    image, distance = generator(G), distance_of_images(D)
    return lambda z0, z: distance(image(z0), image(z))


def gauss_newton(phi: Embedding, z: np.ndarray) -> np.ndarray:
    """``JᵀJ`` by forward mode, all tangents together."""
    J = torch.func.jacfwd(phi)(torch.tensor(z))
    return (J.T @ J).detach().cpu().numpy()


def gauss_newton_block(phi: Embedding, z: np.ndarray, directions: int, chunk: int) -> np.ndarray:
    """The leading block of ``JᵀJ`` for so many directions, ``chunk`` of them together."""
    code = torch.tensor(z)
    push = lambda v: torch.func.jvp(phi, (code,), (v,))[1]
    J = torch.func.vmap(push, chunk_size=chunk)(torch.eye(len(z))[:directions])
    return (J @ J.T).cpu().numpy()


def gradient(distance: Distance, z: np.ndarray) -> Gradient:
    """The gradient at ``z`` itself, with the graph for second derivatives."""
    with torch.no_grad():
        reference = torch.tensor(z)
    moved = torch.tensor(z, requires_grad=True)
    return torch.autograd.grad(distance(reference, moved), moved, create_graph=True)[0], moved


def hessian_rows(first: Gradient, rows: Sequence[int]) -> np.ndarray:
    """Rows of the Hessian by one double backward pass each, as GAN-Geometry computes it."""
    along, moved = first
    return torch.stack([torch.autograd.grad(along[i], moved, retain_graph=True)[0] for i in rows]).cpu().numpy()


def hessian_by_rows(distance: Distance, z: np.ndarray) -> np.ndarray:
    """The Hessian, row by row."""
    return hessian_rows(gradient(distance, z), range(len(z)))


def hessian_loop(distance: Distance, codes: np.ndarray) -> np.ndarray:
    """The Hessians of many codes, one code and one row after the other, each with its eigenvectors."""
    found = []
    for z in codes:
        found.append(hessian_by_rows(distance, z))
        np.linalg.eigh(found[-1])
    return np.stack(found)


def hessian_product(first: Gradient, v: np.ndarray) -> np.ndarray:
    """The Hessian times ``v`` by a double backward pass."""
    along, moved = first
    direction = torch.tensor(v.reshape(-1), dtype=torch.float32)
    return torch.autograd.grad(along, moved, direction, retain_graph=True)[0].cpu().numpy()


def lanczos(product: Callable[[np.ndarray], Any], dim: int, k: int, tol: float) -> tuple[np.ndarray, int]:
    """The ``k`` largest eigenvalues by scipy's eigsh with ``2 k`` vectors, and how many products it took."""
    from scipy.sparse.linalg import LinearOperator, eigsh

    count = 0

    def counted(v: np.ndarray) -> Any:
        nonlocal count
        count += 1
        return product(v)

    operator = LinearOperator((dim, dim), matvec=counted, dtype=np.float32)
    start = np.random.default_rng(0).standard_normal(dim).astype(np.float32)
    values = eigsh(operator, k, tol=tol, ncv=min(2 * k, dim - 1), return_eigenvectors=False, v0=start)
    return np.sort(values)[::-1], count


def top_pairs(first: Gradient, k: int, tol: float) -> np.ndarray:
    """The ``k`` largest eigenvalues of the Hessian, as GAN-Geometry's BackwardIter."""
    return lanczos(lambda v: hessian_product(first, v), len(first[1]), k, tol)[0]
