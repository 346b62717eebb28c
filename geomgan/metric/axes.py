"""Walks along the axes of a metric tensor, and how far the samples move."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from geomgan.distances.distance import Distance, distance_of
from geomgan.errors import check_code
from geomgan.generators.generator import Generator, sample_of
from geomgan.metric.tensor import bind


@dataclass(frozen=True)
class AxisWalks:
    """Walks ``z + t v_i`` along ``k`` axes.

    Attributes:
        steps: ``(k, T)``, the ``t`` of each sample, in units of the latent space.
        samples: ``(k, T, ...)``.
        distances: ``(k, T)``, ``d(G(z), G(z + t v_i))``, the square root of the squared distance.
    """

    steps: np.ndarray
    samples: np.ndarray
    distances: np.ndarray


def walk(G: Generator, D: Distance, z: Any, vectors: Any, steps: Any, *, progress: bool = False) -> AxisWalks:
    """Samples and distances along axes.

    Args:
        G: the generator.
        D: the squared distance.
        z: the reference code ``(d,)``.
        vectors: the axes as columns ``(d, k)``.
        steps: ``t`` for every axis ``(T,)``, or for each ``(k, T)``.
        progress: show a progress bar, with the time left.

    Raises:
        ValueError: shapes do not fit.
    """
    check_code(z, G.latent_dim)
    vectors = np.asarray(vectors)
    if vectors.ndim != 2 or vectors.shape[0] != G.latent_dim:
        raise ValueError(f"vectors have shape {vectors.shape}; expected ({G.latent_dim}, k): axes are columns.")
    steps = np.broadcast_to(steps, (vectors.shape[1], np.shape(steps)[-1])).astype(G.dtype)
    D, z, axes = bind(G, D), jnp.asarray(z, G.dtype), jnp.asarray(vectors.T, G.dtype)
    walks = [
        jax.device_get(_walk(G, D, z, v, t))
        for v, t in tqdm(
            zip(axes, steps, strict=True), "walks along axes", len(axes), unit="axis", disable=not progress
        )
    ]
    samples, distances = (np.stack(x) for x in zip(*walks, strict=True))
    return AxisWalks(steps, samples, distances)


def equal_distance_steps(walks: AxisWalks, count: int) -> tuple[np.ndarray, float]:
    """Steps ``t`` at which each axis has moved the sample by equal distances, to both sides of the reference.

    The curve of each side is followed up to its largest distance, taken as increasing, and inverted by linear
    interpolation. The range is the largest distance that every axis reaches on both sides.

    Args:
        walks: walks whose ``steps`` run from negative to positive through zero.
        count: samples on each side.

    Returns:
        ``t (k, 2 count + 1)``, zero in the middle, and the distance between neighbours.
    """
    sides = [_increasing(t[side], d[side]) for t, d in zip(walks.steps, walks.distances, strict=True)
             for side in (t <= 0, t >= 0)]  # fmt: skip
    reach = min(float(d[-1]) for _, d in sides)
    targets = reach * np.arange(1, count + 1) / count
    inverted = [np.interp(targets, d, t) for t, d in sides]
    rows = [
        np.concatenate([-left[::-1], [0.0], right]) for left, right in zip(inverted[::2], inverted[1::2], strict=True)
    ]
    return np.stack(rows), reach / count


def _increasing(t: np.ndarray, d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``|t|`` and the running maximum of ``d`` from the reference outwards, up to the largest distance."""
    order = np.argsort(np.abs(t))
    t, d = np.abs(t[order]), d[order]
    last = int(d.argmax()) + 1
    return t[:last], np.maximum.accumulate(d[:last])


@jax.jit
def _walk(G: Generator, D: Distance, z: jax.Array, v: jax.Array, steps: jax.Array) -> tuple[jax.Array, jax.Array]:
    with jax.default_matmul_precision("highest"):
        reference = sample_of(G, z)
        samples = jax.vmap(lambda t: sample_of(G, z + t * v))(steps)
        squared = jax.vmap(partial(distance_of, D, reference))(samples)
    return samples, jnp.sqrt(jnp.maximum(squared, 0.0))
