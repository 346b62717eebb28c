"""Layers that several architectures share. They act on one sample, channels last: ``(H, W, C)``."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

ACTIVATIONS = "activations"  # the collection that `tap` fills


def tap(module: nn.Module, name: str, x: jax.Array) -> jax.Array:
    """Name an activation so that ``Generator.at(name)`` can reach it; returns ``x`` unchanged.

    Works for any value of a network's forward pass, also after a non-linearity. Names are unique in a network.
    """
    if module.is_mutable_collection(ACTIVATIONS):
        module.put_variable(ACTIVATIONS, name, x)  # not `sow`: a block and its activation may share a name
    return x


class Dense(nn.Module):
    """``x @ kernel + bias`` on a vector ``(n,)``; kernel ``(n, features)``."""

    features: int

    @nn.compact
    def __call__(self, x):
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (x.shape[-1], self.features))
        return x @ kernel + self.param("bias", nn.initializers.zeros, (self.features,))


class Conv(nn.Module):
    """PyTorch's ``Conv2d`` on one sample ``(H, W, C)``: kernel ``(h, w, in, out)``, symmetric zero padding."""

    features: int
    kernel: int
    stride: int = 1
    padding: int = 0
    bias: bool = True

    @nn.compact
    def __call__(self, x):
        shape = (self.kernel, self.kernel, x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.normal(0.02), shape)
        x = lax.conv_general_dilated(
            x[None],
            kernel,
            window_strides=(self.stride, self.stride),
            padding=[(self.padding, self.padding)] * 2,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )[0]
        return x + self.param("bias", nn.initializers.zeros, (self.features,)) if self.bias else x


class ConvTranspose(nn.Module):
    """PyTorch's ``ConvTranspose2d`` on one sample ``(H, W, C)``.

    The output side is ``(H - 1) * stride - 2 * padding + kernel``. The kernel ``(h, w, in, out)`` is stored as the
    equivalent convolution over the dilated input wants it: spatially flipped with respect to PyTorch's.
    """

    features: int
    kernel: int
    stride: int = 1
    padding: int = 0
    bias: bool = True

    @nn.compact
    def __call__(self, x):
        shape = (self.kernel, self.kernel, x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.normal(0.02), shape)
        border = self.kernel - 1 - self.padding
        if x.shape[:2] == (1, 1) and self.padding == 0:  # a projection: one matrix product, no dilated zeros
            x = jnp.einsum("c,hwco->hwo", x[0, 0], kernel[::-1, ::-1])
        else:
            x = lax.conv_general_dilated(
                x[None],
                kernel,
                window_strides=(1, 1),
                padding=[(border, border)] * 2,
                lhs_dilation=(self.stride, self.stride),
                dimension_numbers=("NHWC", "HWIO", "NHWC"),
            )[0]
        return x + self.param("bias", nn.initializers.zeros, (self.features,)) if self.bias else x
