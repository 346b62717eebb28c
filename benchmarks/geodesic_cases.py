"""Models and pairs of codes for the table of geodesics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import geomgan as gg
from weights_convert.convert import convert

Pairs = tuple[np.ndarray, np.ndarray]


def svhn_decoder(params: Any, z: jax.Array) -> jax.Array:
    """Transposed convolutions of 2 x 2 and stride 2, GELU between them: ``(32,) -> (32, 32, 3)``."""
    x = z.reshape(1, 1, 1, -1)
    for i, kernel in enumerate(params):
        x = jax.nn.gelu(x) if i else x
        x = jax.lax.conv_transpose(x, kernel, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return x[0]


def svhn(assets: Path, pairs: int) -> tuple[gg.Generator, Pairs]:
    """The decoder of the SVHN VAE of georce_fm, and pairs of its own codes."""
    with (assets / "svhn-vae" / "arrays.npy").open("rb") as file:
        kernels = [np.load(file).swapaxes(2, 3) for _ in range(5)]
    codes = np.load(assets / "svhn-vae" / "z_obs_32_1000.npy")
    G = gg.Generator.from_function(svhn_decoder, kernels, 32, output_range=None, name="SVHN VAE")
    return G, (codes[:pairs], codes[pairs : 2 * pairs])


def published(assets: Path, kind: str, folder: str) -> tuple[gg.Generator, gg.distances.Distance]:
    """The VAE or BiGAN of GenerativeLatentSpace, converted, and the distance of its metric."""
    G = gg.load(convert(f"generative-latent-space-{kind}", assets / "generative-latent-space", Path(folder) / kind))
    return G, gg.distances.gaussian() if kind == "vae" else gg.distances.euclidean()


def protocol_pairs(G: gg.Generator, D: gg.distances.Distance, pairs: int) -> Pairs:
    """The original's: codes of the prior, and one step of length 1 along the top axis towards the origin."""
    starts = np.asarray(G.sample_latent(jax.random.key(0), pairs))
    top = jax.jit(jax.vmap(lambda z: gg.metric_tensor(G, D, z)))
    vectors = np.linalg.eigh(np.asarray(top(starts), np.float64)).eigenvectors[:, :, -1]
    return starts, starts - np.sign((starts * vectors).sum(axis=1))[:, None] * vectors


def mlp(params: Any, z: jax.Array) -> jax.Array:
    for kernel in params[:-1]:
        z = jnp.tanh(kernel @ z)
    return params[-1] @ z


def mlp_decoder(d: int, width: int = 128, out: int = 784) -> gg.Generator:
    """``z -> tanh -> tanh -> (784,)``, random and curved."""
    rng = np.random.default_rng(0)
    shapes = [(width, d), (width, width), (out, width)]
    params = [np.asarray(1.5 * rng.standard_normal(s) / s[1] ** 0.5, np.float32) for s in shapes]
    return gg.Generator.from_function(mlp, params, d, output_range=None, name=f"MLP, d = {d}")


def prior_pairs(G: gg.Generator, pairs: int, scale: float = 1.0) -> Pairs:
    codes = scale * np.asarray(G.sample_latent(jax.random.key(0), 2 * pairs))
    return codes[:pairs], codes[pairs:]
