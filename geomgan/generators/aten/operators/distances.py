"""Distances and similarities of vectors, and what a model says of them beside its sample."""

from __future__ import annotations

import jax.numpy as jnp

from geomgan.generators.aten.operators.arguments import Operators
from geomgan.generators.aten.operators.reduction import vector_norm


def cdist(x1, x2, p=2, compute_mode=None):
    """``‖x1 - x2‖_p`` of every pair: ``(..., P, D), (..., R, D) -> (..., P, R)``; the derivative at 0 is 0."""
    return vector_norm(x1[..., :, None, :] - x2[..., None, :, :], p, -1)


def pairwise_distance(x1, x2, p=2, eps=1e-6, keepdim=False):
    return vector_norm(x1 - x2 + eps, p, -1, keepdim)


def cosine_similarity(x1, x2, dim=1, eps=1e-8):
    first, second = (x / jnp.maximum(vector_norm(x, 2, dim, True), eps) for x in (x1, x2))
    return jnp.sum(first * second, dim)


def mse_loss(x, target, reduction=1):
    """Squares of differences (0), their mean (1) or their sum (2)."""
    squares = jnp.square(x - target)
    return (squares, jnp.mean(squares), jnp.sum(squares))[reduction]


OPERATORS: Operators = {
    "cdist": cdist,
    "_cdist_forward": cdist,
    "pairwise_distance": pairwise_distance,
    "cosine_similarity": cosine_similarity,
    "mse_loss": mse_loss,
}
