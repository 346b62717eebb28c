"""The MNIST VAE and BiGAN of "On Linear Interpolation in the Latent Space of Deep Generative Models" (2021).

Spectral norms and batch norms are folded into the kernels. Images are ``(28, 28, 1)`` in ``(-1, 1)``.
"""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from geomgan.generators.layers import Conv, ConvTranspose, Dense, products, tap
from geomgan.generators.outputs import Gaussian


def _activated(module: nn.Module, name: str, x: jax.Array) -> jax.Array:
    x = tap(module, f"{name}.preactivation", x)
    return tap(module, name, nn.elu(x))


class Decoder(nn.Module):
    """``z (d,) -> image``: a projection to ``(6, 6, 32)``, two transposed convolutions, a 1 x 1 convolution, ``tanh``.

    With ``features=(32, 32)`` the mean of the VAE's decoder, with ``(16, 3)`` the BiGAN's generator.
    Activations: ``project``, ``block1``, ``block2`` (after the ELU, and ``.preactivation``), ``output.preactivation``.
    """

    features: tuple[int, int]

    @nn.compact
    def __call__(self, z):
        x = tap(self, "project", Dense(6 * 6 * 32, name="project")(z).reshape(6, 6, 32))
        x = _activated(self, "block1", ConvTranspose(self.features[0], kernel=3, stride=2, name="block1")(x))
        x = _activated(self, "block2", ConvTranspose(self.features[1], kernel=4, stride=2, name="block2")(x))
        x = Conv(1, kernel=1, name="output")(x)
        return jnp.tanh(tap(self, "output.preactivation", x))

    def first_layers(self, z):
        """The projection to the first map."""
        return {"project": products(self, ["project"], z)}


class RBFPrecision(nn.Module):
    """Radial basis functions of the code: precision ``β(z) = W exp(-b_k ‖z - c_k‖²) + ζ`` of every pixel.

    Far from the data the precision falls to ``ζ`` and the decoder's variance grows to ``1/ζ``.
    """

    pixels: int
    centers: int

    @nn.compact
    def __call__(self, z):
        zeros = nn.initializers.zeros
        centers = self.param("centers", zeros, (self.centers, z.shape[-1]))
        bandwidth = self.param("bandwidth", zeros, (self.centers,))
        kernel = self.param("kernel", zeros, (self.centers, self.pixels))
        activation = jnp.exp(-bandwidth * jnp.sum((z - centers) ** 2, axis=-1))
        return activation @ kernel + self.param("zeta", zeros, (1,))


class VAEDecoder(nn.Module):
    """``z (d,) -> Gaussian(mean, std)``, each ``(28, 28, 1)``, with ``std = β(z)^(-1/2)`` from the RBF network."""

    centers: int = 64

    @nn.compact
    def __call__(self, z):
        mean = Decoder((32, 32), name="mean")(z)
        precision = RBFPrecision(mean.size, self.centers, name="precision")(z)
        return Gaussian(mean, precision.reshape(mean.shape) ** -0.5)


class Features(nn.Module):
    """``image (28, 28, 1) -> (6, 6, features[1])``: two strided convolutions with ELU."""

    features: tuple[int, int]

    @nn.compact
    def __call__(self, x):
        x = _activated(self, "block1", Conv(self.features[0], kernel=4, stride=2, name="block1")(x))
        return _activated(self, "block2", Conv(self.features[1], kernel=3, stride=2, name="block2")(x))


class VAEEncoder(nn.Module):
    """``image -> Gaussian(mean, std)`` of the code, ``std = exp(log variance / 2)``."""

    latent_dim: int

    @nn.compact
    def __call__(self, x):
        x = Features((32, 32), name="features")(x).ravel()
        log_variance = Dense(self.latent_dim, name="log_variance")(x)
        return Gaussian(Dense(self.latent_dim, name="mean")(x), jnp.exp(0.5 * log_variance))


class BiGANEncoder(nn.Module):
    """``image -> z (d,)``."""

    latent_dim: int

    @nn.compact
    def __call__(self, x):
        return Dense(self.latent_dim, name="code")(Features((16, 32), name="features")(x).ravel())


class BiGANDiscriminator(nn.Module):
    """``(image, z) -> ()``: the probability that the pair is an encoded real image."""

    @nn.compact
    def __call__(self, x, z):
        x = Features((16, 32), name="features")(x).ravel()
        z = nn.elu(Dense(16, name="code1")(z))
        z = nn.elu(Dense(32, name="code2")(z))
        joint = nn.elu(Dense(32, name="joint")(jnp.concatenate([x, z])))
        return nn.sigmoid(tap(self, "logit", Dense(1, name="score")(joint)[0]))
