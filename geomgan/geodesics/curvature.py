"""Sectional curvature in planes of chosen directions, and the volume element, at one code."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.brief import brief
from geomgan.distances.distance import Distance
from geomgan.errors import as_array, check_code, check_count, check_finite
from geomgan.generators.generator import Generator
from geomgan.geodesics.connection import christoffel, frame, second
from geomgan.geodesics.local import along, inner
from geomgan.metric.pair import Pair, bound, check_types
from geomgan.metric.tensor import metric_tensor


def sectional_curvature(G: Generator, D: Distance, z: Any, u: Any, v: Any) -> jax.Array:
    """The sectional curvature ``K`` at ``z`` of the plane of two tangents, a scalar: ``1/r²`` on a sphere of radius r.

    With an embedding by Gauss' equation, ``K = (⟨II(u,u), II(v,v)⟩ - ‖II(u,v)‖²) / (|u|²|v|² - ⟨u,v⟩²)``, where the
    second fundamental form ``II(u, v)`` is the part of ``D²φ[u, v]`` that no tangent makes. Without one from second
    derivatives of the metric in the plane. A pure function: ``jit`` and ``vmap`` it.

    Args:
        G: the generator.
        D: the squared distance.
        z: the code ``(d,)``.
        u: a tangent ``(d,)``.
        v: another, not parallel to it; where they are, the result is NaN.

    Raises:
        TypeError, ValueError: these are no generator, distance, code and tangents.
    """
    check_types(G, D)
    z = check_code(z, G.latent_dim)
    tangents = [as_array(x, "the tangent") for x in (u, v)]
    for x in tangents:
        if np.shape(x) != (G.latent_dim,):
            raise ValueError(f"a tangent has shape {np.shape(x)}; expected ({G.latent_dim},), like the code.")
        check_finite(x, "a tangent")
    return _sectional(bound(G, D), *(jnp.asarray(x, G.dtype) for x in (z, *tangents)))


def log_volume(G: Generator, D: Distance, z: Any) -> jax.Array:
    """``½ log det g(z)``, a scalar: the logarithm of the volume element ``√det g``, which itself may overflow.

    With an embedding from the triangular factor of ``J``, whose condition is the square root of the tensor's. A pure
    function: ``jit`` and ``vmap`` it, over the codes of a plane for a map of the volume.

    Args:
        G: the generator.
        D: the squared distance.
        z: the code ``(d,)``.

    Raises:
        TypeError, ValueError: these are no generator, distance and code.
    """
    check_types(G, D)
    z = jnp.asarray(check_code(z, G.latent_dim), G.dtype)
    if D.embedding is None:
        return 0.5 * jnp.linalg.slogdet(metric_tensor(G, D, z))[1]
    return _log_volume(bound(G, D), z)


@brief
@dataclass(frozen=True)
class VolumeMap:
    """The volume element over a plane of codes ``origin + a first + b second``.

    Attributes:
        log_volumes: ``(n, n)``, ``½ log det g``; rows are ``b``, columns ``a``.
        steps: ``(n,)``, the ``a`` and the ``b``.
        origin: ``(d,)``.
        axes: ``(d, 2)``, ``first`` and ``second``.
    """

    log_volumes: np.ndarray
    steps: np.ndarray
    origin: np.ndarray
    axes: np.ndarray


def volume_map(G: Generator, D: Distance, origin: Any, axes: Any, *, reach: float = 3.0, points: int = 41) -> VolumeMap:
    """The volume element of all ``d`` dimensions over a plane of codes, for ``geomgan.plot.volume``.

    Args:
        G: the generator.
        D: the squared distance.
        origin: the code ``(d,)`` in the middle.
        axes: ``(d, 2)``, the directions of the plane as columns; of a two-dimensional latent ``numpy.eye(2)``.
        reach: of ``a`` and ``b`` to both sides, in lengths of the axes.
        points: of each side.

    Raises:
        TypeError, ValueError: these are no generator, distance, code and two directions.
    """
    origin = np.asarray(check_code(origin, G.latent_dim), np.float64)
    axes = np.asarray(as_array(axes, "axes"), np.float64)
    if axes.shape != (G.latent_dim, 2):
        raise ValueError(f"axes have shape {axes.shape}; expected ({G.latent_dim}, 2): two directions as columns.")
    steps = np.linspace(-reach, reach, check_count(points, np.inf, "points"))
    a, b = np.meshgrid(steps, steps)
    codes = origin + a[..., None] * axes[:, 0] + b[..., None] * axes[:, 1]
    rows = np.stack([np.asarray(jax.vmap(lambda z: log_volume(G, D, z))(row)) for row in codes.astype(G.dtype)])
    return VolumeMap(rows, steps, origin, axes)


@jax.jit
def _log_volume(pair: Pair, z: jax.Array) -> jax.Array:
    with jax.default_matmul_precision("highest"):
        return jnp.log(jnp.abs(jnp.diagonal(frame(pair, z)[1]))).sum()


@jax.jit
def _sectional(pair: Pair, z: jax.Array, u: jax.Array, v: jax.Array) -> jax.Array:
    with jax.default_matmul_precision("highest"):
        g = partial(inner, pair)
        area = g(z, u, u) * g(z, v, v) - g(z, u, v) ** 2
        area = jnp.where(area > 0, area, jnp.nan)
        return (_by_gauss if pair.D.embedding is not None else _by_metric)(pair, z, u, v) / area


def _by_gauss(pair: Pair, z: jax.Array, u: jax.Array, v: jax.Array) -> jax.Array:
    Q, _ = frame(pair, z)

    def normal(a: jax.Array, b: jax.Array) -> jax.Array:
        bend = second(pair, z, a, b)
        return bend - Q @ (Q.T @ bend)

    mixed = normal(u, v)
    return normal(u, u) @ normal(v, v) - mixed @ mixed


def _by_metric(pair: Pair, z: jax.Array, u: jax.Array, v: jax.Array) -> jax.Array:
    g = partial(inner, pair)
    twice = lambda a, b, p, q: along(lambda y: along(lambda x: g(x, a, b), y, p), z, q)
    uu, uv, vv = christoffel(pair, z, (u, u), (u, v), (v, v))
    bend = twice(u, v, u, v) - 0.5 * (twice(v, v, u, u) + twice(u, u, v, v))
    return bend + g(z, uv, uv) - g(z, uu, vv)
