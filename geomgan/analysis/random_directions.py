"""Random directions: why an anisotropic space looks isotropic to who samples it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.analysis.bootstrap import check_resampling, percentile_interval, random_of
from geomgan.analysis.spectra_of import spectra_of
from geomgan.brief import brief


@brief
@dataclass(frozen=True)
class RandomDirectionLaw:
    """Rates of change ``α(v) = vᵀ g v / vᵀ v`` along random directions, against their law.

    Attributes:
        predicted: ``2 / (d + 2) · Var(λ)``, the variance of ``α`` by the law.
        observed: variance of the draws (population variance, as that of ``λ``).
        mean_predicted: mean of the eigenvalues.
        mean_observed: mean of the draws.
        samples: ``(draws,)``, ``α`` of each.
        values: ``(d,)``, eigenvalues, descending.
        interval: of ``observed``, percentile bootstrap over draws.
        level: of the interval.
        noise_floor: eigenvalues below it are rounding noise.
    """

    predicted: float
    observed: float
    mean_predicted: float
    mean_observed: float
    samples: np.ndarray
    values: np.ndarray
    interval: tuple[float, float]
    level: float
    noise_floor: float = 0.0

    @property
    def known(self) -> np.ndarray:
        """The eigenvalues above the noise floor, descending."""
        return self.values[self.values > self.noise_floor]


def random_direction_law(
    g: Any,
    key: jax.Array,
    draws: int = 3000,
    *,
    level: float = 0.95,
    resamples: int = 1000,
    noise_floor: float | None = None,
) -> RandomDirectionLaw:
    """The law ``E α = mean(λ)``, ``Var α = 2 / (d + 2) · Var(λ)`` for ``v ~ N(0, I)``, and what draws give.

    With ``w`` uniform on the sphere ``α = Σ λ_i w_i²``; ``E w_i⁴ = 3 / d(d + 2)`` and ``E w_i² w_j² = 1 / d(d + 2)``
    give the variance. Where eigenvalues spread over decades, ``α`` of a random direction is still close to their mean.

    Source: GAN-Geometry (Wang and Ponce, ICLR 2021), the illusion of isotropy.

    Args:
        g: one metric tensor ``(d, d)``.
        key: a ``jax.random.key``; the directions are ``jax.random.normal(key, (draws, d))``.
        draws: how many directions.
        level: of the interval of the observed variance.
        resamples: of its bootstrap.
        noise_floor: of the eigenvalues of ``g``; by default that of a matrix in its type.

    Raises:
        ValueError: ``g`` is not one symmetric, finite matrix; a number is out of range.
    """
    shape = np.shape(g)
    if len(shape) != 2 or shape[0] != shape[1]:
        fix = "take one of them, g[0]" if len(shape) == 3 else "pass metric_tensor(G, D, z) or field.tensors[i]"
        raise ValueError(f"g has shape {shape}; expected one tensor (d, d): {fix}.")
    check_resampling(draws, level)
    check_resampling(resamples, level)
    spectra = spectra_of(np.asarray(g)[None], "random_direction_law", vectors=False)
    values = spectra.values[0]
    tensor, rng = np.asarray(g, np.float64), random_of(key)
    directions = np.asarray(jax.random.normal(key, (draws, len(values)), jnp.float32), np.float64)
    samples = np.einsum("nd,nd->n", directions @ tensor, directions) / (directions**2).sum(axis=1)
    variances = np.array([samples[rng.integers(draws, size=draws)].var() for _ in range(resamples)])
    return RandomDirectionLaw(
        predicted=2 / (len(values) + 2) * float(values.var()),
        observed=float(samples.var()),
        mean_predicted=float(values.mean()),
        mean_observed=float(samples.mean()),
        samples=samples,
        values=values,
        interval=percentile_interval(variances, level, draws),
        level=level,
        noise_floor=float(spectra.noise_floor[0] if noise_floor is None else noise_floor),
    )
