"""Paths through the latent space that leave a code along a direction.

A path starts at a reference code ``z`` and follows a direction ``v`` to the signed step ``t``:

``linear``     ``z + t v``, ``t`` in latent units where ``|v| = 1``;
``spherical``  ``cos(t) z + sin(t) |z| v̂``, the exponential map of the sphere of radius ``|z|``, ``t`` the angle in
               radians: ``v̂`` is the unit vector along the part of ``v`` that is orthogonal to ``z``. The norm stays,
               and with it the density under a normal prior.

Source: ``LExpMap`` and ``SExpMap`` of GAN-Geometry (Wang and Ponce, ICLR 2021).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from geomgan.errors import check_choice, check_finite

REACH = {"linear": 3.0, "spherical": 0.5}  # the paths, and how far they go unless told: latent units, radians
PARALLEL = 1e-4  # relative size of the part of v orthogonal to z below which its direction is rounding


def walk_codes(z: Any, vectors: Any, steps: Any, path: str = "linear") -> np.ndarray:
    """The codes of walks, ``(n, T, d)`` in float64.

    Args:
        z: the reference ``(d,)``, or one for each walk ``(n, d)``.
        vectors: the directions as columns ``(d, n)``, or one for all walks ``(d, 1)``.
        steps: ``t`` for every walk ``(T,)``, or for each ``(n, T)``.
        path: ``"linear"`` or ``"spherical"``; see the module.

    Raises:
        ValueError: shapes do not fit; on the sphere, a reference is zero or a direction is parallel to it.
    """
    z, velocities = departures(z, vectors, path)
    t = checked_steps(steps, len(velocities))[..., None]
    z, velocities = z[:, None], velocities[:, None]
    return z + t * velocities if path == "linear" else np.cos(t) * z + np.sin(t) * velocities


def ends_of(reach: float | tuple[float, float] | None, path: str) -> tuple[float, float]:
    """The first and last ``t``; ``reach`` alone goes to both sides, None as far as the path's default."""
    check_choice(path, REACH, "path")
    ends = np.asarray(REACH[path] if reach is None else reach, np.float64)
    ends = np.array([-ends, ends]) if ends.ndim == 0 else ends
    if ends.shape != (2,) or not np.isfinite(ends).all() or ends[0] >= ends[1]:
        raise ValueError(f"reach is {reach}; expected a positive number, or (first, last) with first < last.")
    return float(ends[0]), float(ends[1])


def checked_steps(steps: Any, count: int) -> np.ndarray:
    """``steps`` for each of ``count`` walks, ``(count, T)`` in float64."""
    steps = np.asarray(steps, np.float64)
    if steps.ndim not in (1, 2) or steps.size == 0 or (steps.ndim == 2 and steps.shape[0] not in (1, count)):
        raise ValueError(f"steps have shape {steps.shape}; expected (T,) for every walk, or ({count}, T) for each.")
    check_finite(steps, "steps")
    return np.broadcast_to(steps, (count, steps.shape[-1]))


def departures(z: Any, vectors: Any, path: str) -> tuple[np.ndarray, np.ndarray]:
    """References ``(n, d)`` of the walks and their velocities ``dz/dt`` there, ``(n, d)``, in float64."""
    check_choice(path, REACH, "path")
    z, vectors = np.atleast_2d(np.asarray(z, np.float64)), np.asarray(vectors, np.float64)
    d = z.shape[1]
    if vectors.ndim != 2 or vectors.shape[0] != d:
        raise ValueError(f"vectors have shape {vectors.shape}; expected ({d}, k): axes are columns.")
    check_finite(vectors, "vectors")
    n, k = len(z), vectors.shape[1]
    if n != k and 1 not in (n, k):
        raise ValueError(f"there are {n} references and {k} axes; expected one of either, or as many of both.")
    z, v = np.broadcast_to(z, (max(n, k), d)), np.broadcast_to(vectors.T, (max(n, k), d))
    if path == "linear":
        return z, v
    radius = np.linalg.norm(z, axis=1, keepdims=True)
    if (radius == 0).any():
        raise ValueError("the reference code is zero: a sphere needs a radius. Take path='linear', or another code.")
    unit = z / radius
    tangent = v - (v * unit).sum(axis=1, keepdims=True) * unit
    length = np.linalg.norm(tangent, axis=1, keepdims=True)
    parallel = np.flatnonzero(length[:, 0] <= PARALLEL * np.linalg.norm(v, axis=1))
    if parallel.size:
        raise ValueError(
            f"directions {(parallel + 1).tolist()} are parallel to their reference code, or zero: the sphere has no "
            "such tangent. Take path='linear', or leave them out."
        )
    return z, radius * tangent / length
