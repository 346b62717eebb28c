"""Walks along the axes of a metric tensor: the calls of :mod:`geomgan.paths` for a code and directions.

Each makes the paths that leave the code along the directions, :func:`geomgan.paths.path.leaving`, and calls the
function of the same name that takes paths.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from geomgan.distances.distance import Distance
from geomgan.eigen.ranks import axes_of_rank
from geomgan.errors import check_code, check_codes
from geomgan.generators.generator import Generator
from geomgan.metric.operator import metric_operator
from geomgan.metric.pair import check_types
from geomgan.paths import spacing, walks
from geomgan.paths.path import leaving
from geomgan.paths.spacing import equal_distance_steps
from geomgan.paths.walks import Walks

__all__ = [
    "AxisWalks",
    "axes_of_rank",
    "constant_speed_steps",
    "constant_speed_walk",
    "equal_distance_steps",
    "equal_distance_walk",
    "initial_speeds",
    "walk",
]
AxisWalks = Walks
"""The name that :class:`geomgan.paths.walks.Walks` had; it is the same type."""


def initial_speeds(G: Generator, D: Distance, z: Any, vectors: Any, *, path: str = "linear") -> np.ndarray:
    """How fast walks leave the sample of one code: ``√(wᵀ g w)`` with the velocity ``w = dz/dt`` at ``t = 0``.

    For an eigenvector and a linear walk that is ``√λ``. On the sphere ``w = |z| v̂``, so that the part of an
    eigenvector along ``z`` is missing and no eigenvalue says the speed.

    Returns:
        ``(n,)``, distance per unit of ``t``; the slope of the distance curve at the reference.

    Raises:
        ValueError: as :func:`geomgan.paths.path.leaving`.
    """
    z = check_code(z, G.latent_dim)
    velocities = np.stack([one.velocity for one in leaving(z, vectors, path)], axis=1)
    products = np.asarray(metric_operator(G, D, z).matmat(velocities), np.float64)
    speeds: np.ndarray = np.sqrt(np.maximum((velocities * products).sum(axis=0), 0.0))
    return speeds


def walk(G: Generator, D: Distance, z: Any, vectors: Any, steps: Any, *, path: str = "linear", **options: Any) -> Walks:
    """Samples and distances along axes.

    Args:
        G: the generator.
        D: the squared distance.
        z: the reference code ``(d,)``, or one for each walk ``(n, d)``.
        vectors: the axes as columns ``(d, n)``, or one for all references ``(d, 1)``.
        steps: ``t`` for every axis ``(T,)``, or for each ``(n, T)``.
        path: ``"linear"`` or ``"spherical"``; see :mod:`geomgan.paths.path`.
        options: ``keep``, ``batch`` and ``progress`` of :func:`geomgan.paths.walks.walk`.

    Raises:
        ValueError: shapes do not fit; on the sphere, a reference is zero or a direction is parallel to it.
    """
    return walks.walk(G, D, _paths(G, D, z, vectors, path), steps, **options)


def equal_distance_walk(
    G: Generator, D: Distance, z: Any, vectors: Any, count: int, *, path: str = "linear", **options: Any
) -> Walks:
    """Walks along axes in equal distances: :func:`geomgan.paths.spacing.equal_distance_walk`, and its options.

    ``z``, ``vectors`` and ``path`` are those of :func:`walk`; ``count`` samples on each side of the reference.
    """
    return spacing.equal_distance_walk(G, D, _paths(G, D, z, vectors, path), count, **options)


def constant_speed_steps(
    G: Generator, D: Distance, z: Any, vectors: Any, frames: int, *, path: str = "linear", **options: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Steps along axes at constant speed: :func:`geomgan.paths.spacing.constant_speed_steps`, and its options.

    ``z``, ``vectors`` and ``path`` are those of :func:`walk`; ``frames`` samples of each walk.
    """
    return spacing.constant_speed_steps(G, D, _paths(G, D, z, vectors, path), frames, **options)


def constant_speed_walk(
    G: Generator, D: Distance, z: Any, vectors: Any, frames: int, *, path: str = "linear", **options: Any
) -> Walks:
    """Walks along axes at constant perceptual speed, for ``geomgan.plot.animate``; as :func:`constant_speed_steps`."""
    return spacing.constant_speed_walk(G, D, _paths(G, D, z, vectors, path), frames, **options)


def _paths(G: Generator, D: Distance, z: Any, vectors: Any, path: str) -> tuple[Any, ...]:
    check_types(G, D)
    z = (check_codes if np.ndim(z) == 2 else check_code)(z, G.latent_dim)
    return leaving(z, vectors, path)
