"""Group norm and attention over maps, with derivatives of their own.

Plain forward mode would keep several maps for each tangent; written out, a group norm's derivative is two sums and one
pass over the map, an attention's two products.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from geomgan.backend import backend
from geomgan.generators.layers import in_blocks


@partial(jax.custom_jvp, nondiff_argnums=(3, 4))
def group_norm(x: jax.Array, scale: jax.Array, shift: jax.Array, groups: int, epsilon: float) -> jax.Array:
    """``(x - μ) / √(σ² + ε) · scale + shift`` of a map ``(..., C)``; mean and variance of each of ``groups``.

    Source: Wu and He (2018), Group Normalization.
    """
    centred, inverse = _centred(x, groups, epsilon)
    return centred * (inverse * scale) + shift


def _centred(x: jax.Array, groups: int, epsilon: float) -> tuple[jax.Array, jax.Array]:
    """``x - μ``, and ``1 / √(σ² + ε)`` of each channel's group."""
    centred = x - _means(x, groups)
    return centred, lax.rsqrt(_means(centred**2, groups) + epsilon)


def _means(x: jax.Array, groups: int) -> jax.Array:
    """``(C,)``, the mean over each channel's group and all pixels."""
    of_channels = x.reshape(-1, x.shape[-1]).mean(axis=0)
    of_groups = of_channels.reshape(groups, -1).mean(axis=1, keepdims=True)
    return jnp.broadcast_to(of_groups, (groups, x.shape[-1] // groups)).ravel()


def _push_norm(groups: int, epsilon: float, primals: Sequence, tangents: Sequence) -> tuple[jax.Array, jax.Array]:
    """``dy = a (dx - mean(dx) - c mean(c dx) / (σ² + ε))`` with ``c = x - μ`` and ``a = scale / √(σ² + ε)``."""
    (x, scale, shift), (dx, dscale, dshift) = primals, tangents
    centred, inverse = _centred(x, groups, epsilon)
    factor = inverse * scale
    dy = jnp.zeros_like(x)
    if not isinstance(dx, SymbolicZero):
        along = _means(centred * dx, groups) * inverse**2 * factor
        dy = dx * factor - centred * along - _means(dx, groups) * factor
    if not isinstance(dscale, SymbolicZero):
        dy = dy + centred * (inverse * dscale)
    if not isinstance(dshift, SymbolicZero):
        dy = dy + dshift
    return centred * factor + shift, dy


group_norm.defjvp(_push_norm, symbolic_zeros=True)


@jax.custom_jvp
def attend(q: jax.Array, k: jax.Array, v: jax.Array) -> jax.Array:
    """``softmax(q kᵀ / √E) v`` of ``q (n, E)``, ``k (m, E)``, ``v (m, F)``."""
    return _weights(q, k) @ v


def _weights(q: jax.Array, k: jax.Array) -> jax.Array:
    return jax.nn.softmax(q @ k.T / math.sqrt(q.shape[-1]), axis=-1)


@attend.defjvp
def _push_attention(primals: Sequence[jax.Array], tangents: Sequence[jax.Array]) -> tuple[jax.Array, jax.Array]:
    """With ``P`` the weights, ``dS = (dq kᵀ + q dkᵀ) / √E`` and ``o`` the result: ``P dv + (P dS) v - Σ(P dS) o``."""
    (q, k, v), (dq, dk, dv) = primals, tangents
    weights = _weights(q, k)
    out = weights @ v
    moved = weights * ((dq @ k.T + q @ dk.T) / math.sqrt(q.shape[-1]))
    return out, weights @ dv + moved @ v - moved.sum(axis=-1, keepdims=True) * out


class GroupNorm(nn.Module):
    """:func:`group_norm` with its parameters; ``epsilon`` is PyTorch's unless said otherwise."""

    groups: int
    epsilon: float = 1e-5

    @nn.compact
    def __call__(self, x: Any) -> Any:
        features = (x.shape[-1],)
        scale = self.param("scale", nn.initializers.ones, features)
        shift = self.param("shift", nn.initializers.zeros, features)
        return group_norm(x, scale, shift, self.groups, self.epsilon)


class MapAttention(nn.Module):
    """``x + out(attend(q, k, v))`` of the normalised pixels of ``(H, W, C)``, with one head."""

    groups: int
    epsilon: float

    @nn.compact
    def __call__(self, x: Any) -> Any:
        features = x.shape[-1]
        flat = GroupNorm(self.groups, self.epsilon, name="norm")(x).reshape(-1, features)
        q, k, v = (Pointwise(features, name=name)(flat) for name in ("query", "key", "value"))
        blocks = in_blocks(q, backend().attention_bytes // (len(k) * k.dtype.itemsize))
        out = attend(q, k, v) if len(blocks) == 1 else lax.map(lambda rows: attend(rows, k, v), blocks)
        return x + Pointwise(features, name="out")(out.reshape(-1, features)).reshape(x.shape)


class Pointwise(nn.Module):
    """``x @ kernel + bias`` of rows ``(n, in)``."""

    features: int

    @nn.compact
    def __call__(self, x: Any) -> Any:
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (x.shape[-1], self.features))
        return x @ kernel + self.param("bias", nn.initializers.zeros, (self.features,))
