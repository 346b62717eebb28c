"""Attention in linear time (Shen et al., 2021) as in two libraries of lucidrains, with their norm and their blur.

They act on one sample ``(H, W, C)``.
"""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

HEADS = 8
EPSILON = 1e-5  # of the norm


class ChannelNorm(nn.Module):
    """``scale (x - mean) / √(variance + ε) + shift`` over the channels of each pixel."""

    @nn.compact
    def __call__(self, x):
        scale = self.param("scale", nn.initializers.ones, x.shape[-1:])
        shift = self.param("shift", nn.initializers.zeros, x.shape[-1:])
        centred = x - x.mean(axis=-1, keepdims=True)
        return centred * lax.rsqrt((centred**2).mean(axis=-1, keepdims=True) + EPSILON) * scale + shift


class LinearAttention(nn.Module):
    """Attention over all pixels in linear time, and with ``local`` beside it over the 3 x 3 pixels around each.

    Of every head: ``softmax_c(q)ᵀ (softmax_n(k)ᵀ v) / √c``, then GELU. Keys and values of the first come of a
    depthwise 3 x 3 convolution. Beyond the border the second meets keys and values of zero, which count.

    Attributes:
        inner: channels of all heads.
        local: whether the second is there.
    """

    inner: int
    local: bool = False

    @nn.compact
    def __call__(self, x):
        height, width, features = x.shape
        size = self.inner // HEADS

        def project(name: str, value: jax.Array, features: int) -> jax.Array:
            return value @ self.param(name, nn.initializers.lecun_normal(), (value.shape[-1], features))

        def heads(value: jax.Array) -> jax.Array:
            return value.reshape(*value.shape[:-1], HEADS, size)

        depthwise = self.param("depthwise", nn.initializers.lecun_normal(), (9, features))
        mixed = jnp.einsum("hwjc,jc->hwc", neighbours(x), depthwise)
        q = jax.nn.softmax(heads(project("query", x, self.inner)), axis=-1)
        k, v = map(heads, jnp.split(project("key_value", mixed, 2 * self.inner), 2, axis=-1))
        k = jax.nn.softmax(k, axis=(0, 1))
        context = jnp.einsum("hwnc,hwnd->ncd", k, v) * size**-0.5
        attended = jax.nn.gelu(jnp.einsum("hwnc,ncd->hwnd", q, context), approximate=False)
        attended = attended.reshape(height, width, self.inner)
        if self.local:
            q = heads(project("local_query", x, self.inner)) * size**-0.5
            k, v = jnp.split(project("local_key_value", x, 2 * self.inner), 2, axis=-1)
            k, v = heads(neighbours(k)), heads(neighbours(v))
            weights = jax.nn.softmax(jnp.einsum("hwnc,hwjnc->hwjn", q, k), axis=2)
            around = jnp.einsum("hwjn,hwjnc->hwnc", weights, v).reshape(height, width, self.inner)
            attended = jnp.concatenate([attended, around], axis=-1)
        return project("output", attended, features) + self.param("bias", nn.initializers.zeros, (features,))


def neighbours(x: jax.Array) -> jax.Array:
    """``(H, W, C) -> (H, W, 9, C)``: the pixels around each, row by row, zeros beyond the border."""
    height, width = x.shape[:2]
    padded = jnp.pad(x, ((1, 1), (1, 1), (0, 0)))
    return jnp.stack([padded[i : i + height, j : j + width] for i in range(3) for j in range(3)], axis=2)


def blur(x: jax.Array) -> jax.Array:
    """The filter ``[1, 2, 1] / 4`` along both axes of ``(H, W, C)``, which is reflected at its border."""
    for axis in (0, 1):
        padded = jnp.pad(x, [(1, 1) if i == axis else (0, 0) for i in range(x.ndim)], mode="reflect")
        parts = [lax.slice_in_dim(padded, i, i + x.shape[axis], axis=axis) for i in range(3)]
        x = (parts[0] + 2 * parts[1] + parts[2]) / 4
    return x
