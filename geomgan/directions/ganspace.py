"""GANSpace: principal components of activations or of ``w``, carried back to codes (Härkönen et al., NeurIPS 2020)."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.backend import backend, in_float32
from geomgan.directions.collection import DirectionSet, direction_set
from geomgan.directions.components import Components, Rows, activations, principal_components
from geomgan.directions.fit import driven_rows, latents_of
from geomgan.errors import OptionError, check_count, check_key
from geomgan.generators import Generator
from geomgan.generators.first_layers import leading_affine

W_PLUS = "w_plus"  # the activation of a StyleGAN that holds w


def ganspace(
    G: Generator,
    key: jax.Array,
    *,
    layer: str | None = None,
    k: int = 20,
    samples: int = 10_000,
    batch: int | None = None,
    progress: bool = False,
) -> DirectionSet:
    """Directions along which a layer's activations vary most over the prior, in descending order.

    With coordinates ``a = (x - μ)ᵀv / σ`` of the activations ``x``, the direction of a component is its row of the
    ``M`` that minimises ``Σ ‖Mᵀa - (z - z̄)‖²``, to unit length: ``E[a z]``, as ``a`` is white. Of codes of ``w``
    themselves the components are the directions.

    Args:
        G: the generator; its prior is sampled.
        key: of the codes, and of random directions.
        layer: one of ``G.layers``. By default, and only there, the codes of ``w`` and ``w+`` themselves; ``"w_plus"``
            of StyleGANs in ``z``; of other networks the first activation that is not an affine function of the code:
            of one that is, such as ``gen_z`` in the published BigGAN, they are SeFa's without normalisation.
        k: how many.
        samples: codes.
        batch: codes at a time; changes nothing but rounding.
        progress: show a bar.

    Returns:
        Unit vectors, with ``origin`` the mean code and ``scales`` the standard deviation of codes along each
        (``lat_stdev``). Those of ``w+`` are in ``w``. ``scores``: ``act_stdev``, ``variance_ratio``, ``random_stdev``
        (along random directions of the layer), ``explained`` (the share of the coordinate's variance over the prior
        that a linear function of the code explains, corrected for ``samples``: 0 where the component is no direction).

    Raises:
        OptionError: the codes themselves were asked for, whose prior is the same in all directions.
        ValueError: there is no such layer, or there are not more samples than ``k`` and dimensions of codes.
    """
    check_key(key)
    key_codes, key_random = jax.random.split(key)
    layer = _layer(G, layer)
    check_count(k, check_count(samples, np.inf, "samples") - 1, "k", f": there are {samples} samples")
    codes = np.asarray(G.sample_latent(key_codes, samples))
    latents, space = latents_of(G, codes)
    rows = _rows(G, layer, latents if layer is None else codes, batch, progress)
    components = principal_components(rows, k, key_random)
    if layer is None:
        vectors, explained = components.vectors, np.ones(k)
    else:
        vectors, explained = regressed(_coordinates(rows, components), latents)
    mean = latents.mean(axis=0, dtype=np.float64)
    return direction_set(
        G,
        vectors,
        "ganspace",
        space=space,
        settings={"layer": layer or "codes", "samples": int(samples)},
        scores={
            "act_stdev": components.stdevs,
            "variance_ratio": components.ratios,
            "random_stdev": components.random,
            "explained": explained,
        },
        scales=np.std((latents - mean) @ vectors, axis=0),
        origin=mean,
    )


def activation_components(
    G: Generator,
    key: jax.Array,
    layer: str | None = None,
    *,
    k: int = 20,
    samples: int = 10_000,
    batch: int | None = None,
    progress: bool = False,
) -> Components:
    """The components behind :func:`ganspace`, in the space of the activations; arguments are the same.

    Raises:
        ValueError, OptionError: as there.
    """
    check_key(key)
    key_codes, key_random = jax.random.split(key)
    layer = _layer(G, layer)
    codes = np.asarray(G.sample_latent(key_codes, check_count(samples, np.inf, "samples")))
    return principal_components(_rows(G, layer, codes, batch, progress), k, key_random)


def regressed(coordinates: np.ndarray, latents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Directions of codes for coordinates of components, by least squares.

    Args:
        coordinates: ``a (n, k)``, of mean zero.
        latents: ``z (n, d)``.

    Returns:
        The columns ``(d, k)`` of ``Mᵀ``, to unit length, where ``M`` minimises ``‖a M - (z - z̄)‖``; and ``(k,)``, the
        shares of the coordinates' variances that linear functions of the code explain, corrected for ``n``.

    Raises:
        ValueError: there are not more samples than dimensions.
    """
    n, d = latents.shape
    if n <= d + 1:
        raise ValueError(f"{n} samples are too few for codes of {d} dimensions; expected more than {d + 1}.")
    a, z = np.asarray(coordinates, np.float64), np.asarray(latents, np.float64)
    z = z - z.mean(axis=0)
    covariance = a.T @ z
    M = np.linalg.lstsq(a.T @ a, covariance, rcond=None)[0]  # not of the n rows, which are many
    fitted = (np.linalg.lstsq(z.T @ z, covariance.T, rcond=None)[0].T * covariance).sum(axis=1)
    unexplained = (n - 1) / (n - d - 1) * (1 - fitted / (a**2).sum(axis=0))
    return M.T / np.linalg.norm(M, axis=1), np.clip(1 - unexplained, 0, 1)


def _layer(G: Generator, layer: str | None) -> str | None:
    """Whose activations: None for the codes of ``w`` themselves."""
    if layer is not None or (driven_rows(G) is not None and G.space in ("w", "w+")):
        return layer
    return first_bent(G)


def first_bent(G: Generator) -> str:
    """The first activation that is not an affine function of the code; ``"w_plus"`` of StyleGANs in ``z``.

    Raises:
        OptionError: the generator names no activations.
    """
    if not G.layers:
        raise OptionError(
            f"{G.name} names no activations, and the prior of its codes is the same in all directions. Name some by "
            "geomgan.generators.tap."
        )
    if G.space == "z" and W_PLUS in G.layers:
        return W_PLUS
    return G.layers[min(len(leading_affine(G)), len(G.layers) - 1)]


def _rows(G: Generator, layer: str | None, codes: np.ndarray, batch: int | None, progress: bool) -> Rows:
    make: Any = jnp.asarray if layer is None else partial(activations, G.at(layer))
    batch = backend().walk_samples if batch is None else check_count(batch, np.inf, "batch")
    return Rows(make, codes, len(codes) if layer is None else batch, progress)


def _coordinates(rows: Rows, components: Components) -> np.ndarray:
    """``a (n, k)``, white."""
    mean, vectors = np.float32(components.mean), np.float32(components.vectors)
    parts = [np.asarray(_projected(x, mean, vectors), np.float64) for x in rows]
    return np.concatenate(parts) / np.maximum(components.stdevs, np.finfo(np.float32).tiny)


@jax.jit
def _projected(x: jax.Array, mean: jax.Array, vectors: jax.Array) -> jax.Array:
    with in_float32():
        return (x - mean) @ vectors
