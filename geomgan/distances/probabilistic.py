"""Distances between what probabilistic decoders return: Gaussians, Bernoulli and categorical probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from geomgan.distances.distance import Distance, Range, checked_range, distance_of, embed_tree
from geomgan.errors import check_choice
from geomgan.generators.outputs import Gaussian

FISHER = ("bernoulli", "categorical")


def gaussian(features: Distance | None = None) -> Distance:
    """Distance between diagonal Gaussians, for decoders that return a :class:`Gaussian`.

    ``d²(p, q) = ‖f(μ_p) - f(μ_q)‖² + Σ_i w_i(μ_p) (σ_pi - σ_qi)²``, ``w = diag(J_fᵀ J_f)`` at the mean of ``p``.
    It pulls back to the expected metric of a random decoder, ``J_μᵀ J_fᵀ J_f J_μ + J_σᵀ diag(w) J_σ``. Without
    features ``f`` is the identity, ``w = 1``, the metric ``J_μᵀJ_μ + J_σᵀJ_σ`` and ``d`` the 2-Wasserstein distance.

    Args:
        features: the distance on means, any with an embedding; each evaluation costs one JVP of it per pixel.

    Raises:
        TypeError, ValueError: ``features`` is not a distance between samples with an embedding.

    Source: Arvanitidis et al. (ICLR 2018), equation 7; Michelis and Becker (2021) for feature maps.
    """
    if features is None:
        return Distance((), _standard_embedding, None, "gaussian", distribution=True)
    if not isinstance(features, Distance):
        raise TypeError(f"features is {type(features).__name__}; expected a Distance, for example lpips('alex').")
    if features.embedding is None or features.distribution:
        raise ValueError(f"features is {features.name}, which has no embedding of samples. Take one that has.")
    return Distance(features, _feature_embedding, _feature_distance, f"gaussian-{features.name}", distribution=True)


def fisher(family: str, *, logits: bool = False, input_range: Range = (0, 1)) -> Distance:
    """Square-root embedding of probabilities, whose metric is the Fisher information pulled back.

    ``"bernoulli"``: ``(2 √p, 2 √(1 - p))`` for each entry, metric ``Jᵀ diag(1 / p(1 - p)) J``.
    ``"categorical"``: ``2 √p`` for distributions along the last axis, metric ``Jᵀ diag(1 / p) J``.

    Args:
        family: of the decoder's output.
        logits: the samples are logits, not probabilities: smooth also where probabilities vanish.
        input_range: of probabilities, mapped to ``(0, 1)``: ``(-1, 1)`` for a decoder that ends in ``tanh``.

    Raises:
        ValueError: unknown ``family``, or an impossible range.

    Source: Amari, Information Geometry (2016), section 2.3: the sphere of radius 2.
    """
    check_choice(family, FISHER, "family")
    expects, source = (None, None) if logits else ((0.0, 1.0), checked_range(input_range))
    return Distance((), SquareRoots(family, logits), None, f"fisher-{family}", expects, source)


@dataclass(frozen=True)
class SquareRoots:
    """``(params, x) -> 2 √p`` of every outcome's probability."""

    family: str
    logits: bool

    def __call__(self, params: Any, x: jax.Array) -> list[jax.Array]:
        del params
        if self.family == "categorical":
            return [2 * (jnp.exp(0.5 * jax.nn.log_softmax(x)) if self.logits else _root(x))]
        if self.logits:
            return [2 * jnp.exp(0.5 * jax.nn.log_sigmoid(x)), 2 * jnp.exp(0.5 * jax.nn.log_sigmoid(-x))]
        return [2 * _root(x), 2 * _root(1 - x)]


def _root(p: jax.Array) -> jax.Array:
    """``√p``, with value and derivative 0 where ``p <= 0`` in place of an infinite slope."""
    positive = p > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, p, 1.0)), 0.0)


def _standard_embedding(params: Any, x: Gaussian) -> list[jax.Array]:
    del params
    return [x.mean, x.std]


def _feature_embedding(features: Distance, x: Gaussian) -> list[Any]:
    return [embed_tree(features, x.mean), jnp.sqrt(_weights(features, x.mean)) * x.std]


def _feature_distance(features: Distance, x: Gaussian, y: Gaussian) -> jax.Array:
    deviations = jnp.sum(_weights(features, x.mean) * (x.std - y.std) ** 2)
    return distance_of(features, x.mean, y.mean) + deviations


def _weights(features: Distance, mean: jax.Array) -> jax.Array:
    """``diag(J_fᵀ J_f)`` at ``mean``: the squared length of each pixel's tangent; a constant of the metric."""
    mean = lax.stop_gradient(mean)
    _, push = jax.linearize(lambda x: embed_tree(features, x), mean)

    def squared_length(pixel: jax.Array) -> jax.Array:
        tangent = jnp.zeros(mean.size, mean.dtype).at[pixel].set(1.0).reshape(mean.shape)
        return sum((jnp.sum(leaf**2) for leaf in jax.tree.leaves(push(tangent))), start=jnp.zeros((), mean.dtype))

    lengths = lax.map(squared_length, jnp.arange(mean.size), batch_size=min(32, mean.size))
    return lax.stop_gradient(lengths.reshape(mean.shape))
