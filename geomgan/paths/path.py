"""Paths through the latent space: what a path is, straight lines and great circles.

A :class:`Path` is any ``path(t)`` that maps steps ``t (T,)`` to codes ``(T, d)``. Whatever walks, films, measures or
spaces evenly takes paths and knows nothing of their shapes. ``path(0)`` is the reference of a walk along it. The two
here leave a code ``z`` along a direction ``v``:

``linear``     :class:`Line`, ``z + t v``, ``t`` in latent units where ``|v| = 1``;
``spherical``  :class:`GreatCircle`, ``cos(t) z + sin(t) |z| v̂``, the exponential map of the sphere of radius ``|z|``,
               ``t`` the angle in radians: ``v̂`` is the unit vector along the part of ``v`` that is orthogonal to ``z``.
               The norm stays, and with it the density under a normal prior.

Source: ``LExpMap`` and ``SExpMap`` of GAN-Geometry (Wang and Ponce, ICLR 2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.brief import brief
from geomgan.errors import as_array, check_choice, check_finite

PARALLEL = 1e-4  # relative size of the part of v orthogonal to z below which its direction is rounding


class Path(Protocol):
    """A way through the latent space.

    A path may say its ``kind``, a word for captions, and its ``reach``, how far walks follow it to both sides of
    ``t = 0`` unless told.
    """

    def __call__(self, t: Any, /) -> Any:
        """The codes ``(T, d)`` at the steps ``t (T,)``."""


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Line:
    """``z + t v``, as a frozen pytree: float64 in numpy, and traceable.

    Attributes:
        origin: ``z (d,)``.
        velocity: ``v (d,)``, ``dz/dt``.
    """

    origin: Any
    velocity: Any
    kind: ClassVar[str] = "linear"
    reach: ClassVar[float] = 3.0  # latent units

    def __call__(self, t: Any, /) -> Any:
        """The codes ``(T, d)`` at the steps ``t (T,)``."""
        t = numpy_of(self.origin, self.velocity, t).asarray(t)[..., None]
        return self.origin + t * self.velocity


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class GreatCircle:
    """``cos(t) z + sin(t) w`` with ``w ⊥ z`` and ``|w| = |z|``, as a frozen pytree: float64 in numpy, and traceable.

    Make one with :func:`great_circles`, which finds ``w``.

    Attributes:
        origin: ``z (d,)``.
        velocity: ``w (d,)``, ``dz/dt`` at ``t = 0``.
    """

    origin: Any
    velocity: Any
    kind: ClassVar[str] = "spherical"
    reach: ClassVar[float] = 0.5  # radians

    def __call__(self, t: Any, /) -> Any:
        """The codes ``(T, d)`` at the steps ``t (T,)``."""
        xp = numpy_of(self.origin, self.velocity, t)
        t = xp.asarray(t)[..., None]
        return xp.cos(t) * self.origin + xp.sin(t) * self.velocity


def lines(z: Any, vectors: Any) -> tuple[Line, ...]:
    """Straight lines from codes along directions.

    Args:
        z: the reference ``(d,)``, or one for each line ``(n, d)``.
        vectors: the directions as columns ``(d, n)``, or one for all lines ``(d, 1)``.

    Raises:
        ValueError: shapes do not fit, or a number is not finite.
    """
    return tuple(Line(*both) for both in zip(*_origins_and_directions(z, vectors), strict=True))


def great_circles(z: Any, vectors: Any) -> tuple[GreatCircle, ...]:
    """Great circles through codes, leaving them along the parts of the directions that are orthogonal to them.

    Arguments are those of :func:`lines`: codes ``(d,)`` or ``(n, d)``, directions ``(d, n)``.

    Raises:
        ValueError: as :func:`lines`; a reference is zero, or a direction is parallel to it.
    """
    z, v = _origins_and_directions(z, vectors)
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
    return tuple(GreatCircle(*both) for both in zip(z, radius * tangent / length, strict=True))


LEAVING = {Line.kind: lines, GreatCircle.kind: great_circles}
REACH = {Line.kind: Line.reach, GreatCircle.kind: GreatCircle.reach}


def leaving(z: Any, vectors: Any, path: str = "linear") -> tuple[Any, ...]:
    """Paths that leave codes along directions: :func:`lines` (``"linear"``) or :func:`great_circles` (``"spherical"``).

    Codes are ``z (d,)`` or ``(n, d)``, directions the columns of ``vectors (d, n)``.

    Raises:
        ValueError: as those, or ``path`` is neither.
    """
    check_choice(path, LEAVING, "path")
    return LEAVING[path](z, vectors)


def kind_of(paths: Sequence[Path]) -> str:
    """A word for what paths are: ``"linear"``, ``"spherical"``, or the names of their types."""
    return " and ".join(sorted({str(getattr(path, "kind", type(path).__name__)) for path in paths}))


def ends_of(reach: float | tuple[float, float] | None, path: str | Sequence[Path]) -> tuple[float, float]:
    """The first and last ``t``; ``reach`` alone goes to both sides, None as far as paths of that kind say."""
    if isinstance(path, str):
        check_choice(path, REACH, "path")
        known: set[float] = {REACH[path]}
    else:
        known = {getattr(one, "reach", np.nan) for one in path}
        if reach is None and (len(known) > 1 or np.nan in known):
            raise ValueError(f"{kind_of(path)} paths have no common reach; expected reach=(first, last).")
    ends = np.asarray(known.pop() if reach is None else reach, np.float64)
    ends = np.array([-ends, ends]) if ends.ndim == 0 else ends
    if ends.shape != (2,) or not np.isfinite(ends).all() or ends[0] >= ends[1]:
        raise ValueError(f"reach is {reach}; expected a positive number, or (first, last) with first < last.")
    return float(ends[0]), float(ends[1])


def _origins_and_directions(z: Any, vectors: Any) -> tuple[np.ndarray, np.ndarray]:
    """References and directions of ``n`` paths, both ``(n, d)`` in float64."""
    z = np.atleast_2d(np.asarray(as_array(z, "the reference"), np.float64))
    vectors = np.asarray(as_array(vectors, "vectors"), np.float64)
    d = z.shape[1]
    if vectors.ndim != 2 or vectors.shape[0] != d:
        raise ValueError(f"vectors have shape {vectors.shape}; expected ({d}, k): axes are columns.")
    check_finite(z, "the references")
    check_finite(vectors, "vectors")
    n, k = len(z), vectors.shape[1]
    if n != k and 1 not in (n, k):
        raise ValueError(f"there are {n} references and {k} axes; expected one of either, or as many of both.")
    shape = (max(n, k), d)
    return np.broadcast_to(z, shape), np.broadcast_to(vectors.T, shape)


def numpy_of(*arrays: Any) -> ModuleType:
    """JAX's numpy where one of the arrays is JAX's, traced or not; otherwise numpy, whose arithmetic is float64."""
    return jnp if any(isinstance(array, jax.Array) for array in arrays) else np
