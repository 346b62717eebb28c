"""How far a code is from the codes that a generator's prior draws, in the prior's own units."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from geomgan.brief import brief
from geomgan.generators.generator import Generator, standard_normal

DRAWN = 4096  # codes from which the moments of a prior are estimated: 1.6 % of a deviation


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Prior:
    """Mean ``μ`` and deviation ``σ`` of each component of a prior's codes.

    Attributes:
        mean: ``(d,)``.
        deviation: ``(d,)``, positive.
    """

    mean: jax.Array
    deviation: jax.Array

    def standard(self, z: jax.Array) -> jax.Array:
        """``(z - μ) / σ``."""
        return (z - self.mean) / self.deviation

    def distance(self, z: jax.Array) -> jax.Array:
        """``√(mean(((z - μ)/σ)²))`` of a code ``(..., d)``: about 1 for codes of the prior."""
        return jnp.sqrt(jnp.mean(self.standard(z) ** 2, axis=-1))


def prior_of(G: Generator, key: jax.Array) -> Prior:
    """The moments of a generator's prior: exact for ``N(0, I)``, else of ``DRAWN`` codes; fixed components count 1."""
    if G.prior is standard_normal:
        return Prior(jnp.zeros(G.latent_dim, G.dtype), jnp.ones(G.latent_dim, G.dtype))
    codes = G.sample_latent(key, DRAWN)
    deviation = codes.std(axis=0)
    return Prior(codes.mean(axis=0), jnp.where(deviation > 0, deviation, 1))
