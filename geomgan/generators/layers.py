"""Layers that several architectures share. They act on one sample, channels last: ``(H, W, C)``."""

from __future__ import annotations

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from geomgan.backend import backend
from geomgan.generators.convolutions import convolve, transposed_convolve, upsample, upsample_convolve

ACTIVATIONS = "activations"  # the collection that `tap` fills
EDITS = "edits"  # the one from which it takes what is added to an activation


def tap(module: nn.Module, name: str, x: jax.Array) -> jax.Array:
    """Name an activation so that ``Generator.at(name)`` can reach it; returns ``x``, of any shape, unchanged.

    Works for any value of a network's forward pass, also after a non-linearity. Names are unique in a network. Go on
    with what is returned: where an activation is edited that is ``x`` with what was added to it.
    """
    if module.has_variable(EDITS, name):
        x = x + module.get_variable(EDITS, name)
    if module.is_mutable_collection(ACTIVATIONS):
        module.put_variable(ACTIVATIONS, name, x)  # not `sow`: a block and its activation may share a name
    return x


def products(module: nn.Module, names: Sequence[str], x: jax.Array, weights: Sequence[str] = ("kernel",)) -> jax.Array:
    """``x @ W`` for the weights of some layers of a bound module, one after another ``(out,)``; for declarations."""
    params = module.variables["params"]
    return jnp.concatenate([x @ params[name][weight] for name in names for weight in weights])


class Dense(nn.Module):
    """``x @ kernel + bias`` on a vector ``(n,)``; kernel ``(n, features)``."""

    features: int

    @nn.compact
    def __call__(self, x):
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (x.shape[-1], self.features))
        return x @ kernel + self.param("bias", nn.initializers.zeros, (self.features,))


class Conv(nn.Module):
    """PyTorch's ``Conv1d`` or ``Conv2d`` on one sample ``(T, C)`` or ``(H, W, C)``, with symmetric zero padding.

    Kernel ``(w, in, out)`` or ``(h, w, in, out)``. With ``upsample`` the input is first repeated so many times along
    every axis (nearest-neighbour upsampling).
    """

    features: int
    kernel: int
    stride: int = 1
    padding: int = 0
    bias: bool = True
    upsample: int = 1

    @nn.compact
    def __call__(self, x):
        axes = x.ndim - 1
        shape = (self.kernel,) * axes + (x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.normal(0.02), shape)
        if self.upsample == 1:
            x = convolve(x, kernel, self.stride, self.padding)
        elif self.stride == 1 and 2 * self.padding == self.kernel - 1:
            x = upsample_convolve(x, kernel, self.upsample)
        else:
            x = convolve(upsample(x, self.upsample), kernel, self.stride, self.padding)
        return x + self.param("bias", nn.initializers.zeros, (self.features,)) if self.bias else x


class ConvTranspose(nn.Module):
    """PyTorch's ``ConvTranspose1d`` or ``ConvTranspose2d`` on one sample ``(T, C)`` or ``(H, W, C)``.

    The output side is ``(H - 1) * stride - 2 * padding + kernel + output_padding``. The kernel ``(h, w, in, out)`` is
    stored as the equivalent convolution over the dilated input wants it: spatially flipped with respect to PyTorch's.
    """

    features: int
    kernel: int
    stride: int = 1
    padding: int = 0
    output_padding: int = 0
    bias: bool = True

    @nn.compact
    def __call__(self, x):
        axes = x.ndim - 1
        shape = (self.kernel,) * axes + (x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.normal(0.02), shape)
        x = transposed_convolve(x, kernel, self.stride, self.padding, self.output_padding)
        return x + self.param("bias", nn.initializers.zeros, (self.features,)) if self.bias else x


def leaky_relu(x: jax.Array, slope: float = 0.2) -> jax.Array:
    """``x`` where positive, ``slope x`` elsewhere."""
    return jnp.where(x >= 0, x, slope * x)


def pixel_norm(x: jax.Array, epsilon: float = 1e-8) -> jax.Array:
    """``x / √(mean_c x² + ε)``: every pixel's features to unit mean square (Karras et al., 2018)."""
    return x * lax.rsqrt(jnp.mean(x**2, axis=-1, keepdims=True) + epsilon)


class ConditionalBatchNorm(nn.Module):
    """``(x - mean) / std · (1 + c·gain) + c·shift``: batch norm whose affine map depends on a condition ``c``.

    ``mean (C,)`` and ``inverse_std (C,)`` are the trained statistics, ``gain`` and ``shift`` ``(len(c), C)`` matrices.
    """

    @nn.compact
    def __call__(self, x, condition):
        features = x.shape[-1]
        mean = self.param("mean", nn.initializers.zeros, (features,))
        inverse_std = self.param("inverse_std", nn.initializers.ones, (features,))
        gain = self.param("gain", nn.initializers.zeros, (condition.size, features))
        shift = self.param("shift", nn.initializers.zeros, (condition.size, features))
        scale = (1 + condition @ gain) * inverse_std  # one multiplication and one addition per pixel
        return x * scale + (condition @ shift - mean * scale)


class SelfAttention(nn.Module):
    """``x + o(softmax(θ φᵀ) g)`` over the pixels of ``(H, W, C)``, with ``φ`` and ``g`` max-pooled (BigGAN).

    The layers are 1 x 1 convolutions without bias; the trained ``γ`` is folded into ``o``. Plain XLA operations, so
    that forward mode works.
    """

    @nn.compact
    def __call__(self, x):
        height, width, features = x.shape

        def project(name, size, value):
            return value @ self.param(name, nn.initializers.lecun_normal(), (value.shape[-1], size))

        def pooled(value):
            blocks = value.reshape(height // 2, 2, width // 2, 2, -1)
            return blocks.max(axis=(1, 3)).reshape(height * width // 4, -1)

        theta = project("theta", features // 8, x).reshape(height * width, -1)
        phi, g = pooled(project("phi", features // 8, x)), pooled(project("g", features // 2, x))
        attend = lambda rows: jax.nn.softmax(rows @ phi.T, axis=-1) @ g
        blocks = in_blocks(theta, backend().attention_bytes // (phi.shape[0] * phi.dtype.itemsize))
        attended = attend(theta) if len(blocks) == 1 else lax.map(attend, blocks)
        return x + project("o", features, attended.reshape(height * width, -1)).reshape(x.shape)


def in_blocks(rows: jax.Array, most: int) -> jax.Array:
    """``(n, d) -> (n / b, b, d)`` with the largest ``b`` up to ``most`` that divides ``n``."""
    size = max(b for b in range(1, max(1, min(most, len(rows))) + 1) if len(rows) % b == 0)
    return rows.reshape(-1, size, rows.shape[1])
