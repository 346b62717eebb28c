"""Paths between two codes by formula, and what normal priors need of them: spheres, and combinations that keep them.

``linear``     ``(1 - t) a + t b``; between draws from a normal prior its norm falls by ``√2`` half way.
``spherical``  Shoemake's slerp, ``(sin((1 - t) ω) a + sin(t ω) b) / sin ω``: a great circle where ``|a| = |b|``.
``marginal``   the linear one, divided by ``√((1 - t)² + t²)`` around the prior's mean: every code on it is a draw from
               the prior where ``a`` and ``b`` are independent draws.

Sources: Shoemake, SIGGRAPH 1985; Bodin et al., Linear combinations of latents in generative models (ICLR 2025).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.brief import brief
from geomgan.errors import as_array, check_choice, check_finite, check_floating
from geomgan.paths.path import PARALLEL, Line, numpy_of

BETWEEN = ("linear", "spherical", "marginal")


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Slerp:
    """Shoemake's spherical interpolation, as a frozen pytree; make one with :func:`between`.

    Attributes:
        start: ``a (d,)``.
        end: ``b (d,)``.
        angle: ``ω`` between them, above 0 and below ``π``.
    """

    start: Any
    end: Any
    angle: Any
    kind: ClassVar[str] = "slerp"
    reach: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def __call__(self, t: Any, /) -> Any:
        """The codes ``(T, d)`` at the steps ``t (T,)``."""
        xp = numpy_of(self.start, self.end, t)
        t = xp.asarray(t)[..., None]
        first, second = xp.sin((1 - t) * self.angle), xp.sin(t * self.angle)
        return (first * self.start + second * self.end) / xp.sin(self.angle)


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class KeepsMarginal:
    """The line between two draws whose codes are all draws from the same normal prior; see :func:`combination`.

    Attributes:
        start: ``a (d,)``.
        end: ``b (d,)``.
        mean: ``μ (d,)`` of the prior, or a number.
    """

    start: Any
    end: Any
    mean: Any
    kind: ClassVar[str] = "marginal"
    reach: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def __call__(self, t: Any, /) -> Any:
        """The codes ``(T, d)`` at the steps ``t (T,)``."""
        xp = numpy_of(self.start, self.end, t)
        t = xp.asarray(t)
        return _combined(xp.stack([1 - t, t], axis=-1), xp.stack([self.start, self.end]), self.mean)


def between(start: Any, end: Any, path: str = "linear", *, mean: Any = 0.0) -> Any:
    """The path from one code ``(d,)``, at ``t = 0``, to another, at ``t = 1``.

    Args:
        start: where it begins.
        end: where it ends.
        path: ``"linear"``, ``"spherical"`` or ``"marginal"``; see :mod:`geomgan.paths.between`.
        mean: of the normal prior, for ``"marginal"``: a number or ``(d,)``.

    Raises:
        ValueError: the codes differ in shape or are not finite; on the sphere one of them is zero, or they point the
            same way or to opposite sides, between which there is no one great circle.
    """
    check_choice(path, BETWEEN, "path")
    start, end = (np.asarray(as_array(z, "the code"), np.float64) for z in (start, end))
    if start.ndim != 1 or start.shape != end.shape:
        raise ValueError(f"the codes have shapes {start.shape} and {end.shape}; expected (d,) for both.")
    check_finite(start, "the first code")
    check_finite(end, "the last code")
    if path == "linear":
        return Line(start, end - start)
    if path == "marginal":
        return KeepsMarginal(start, end, np.asarray(mean, np.float64))
    lengths = np.linalg.norm(start), np.linalg.norm(end)
    if 0 in lengths:
        raise ValueError("one of the codes is zero: a sphere needs a radius. Take path='linear', or another code.")
    a, b = start / lengths[0], end / lengths[1]
    angle = 2 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b))
    if not PARALLEL < angle < np.pi - PARALLEL:
        raise ValueError(
            f"the codes are {np.degrees(angle):.3g} degrees apart, seen from zero; expected more than 0 and less than "
            "180: else no one great circle joins them. Take path='linear', or go through a third code."
        )
    return Slerp(start, end, angle)


def combination(weights: Any, codes: Any, *, mean: Any = 0.0) -> Any:
    """``μ + Σ_k w_k (z_k - μ) / √(Σ_k w_k²)``: of independent draws from ``N(μ, Σ)`` again one, whatever the weights.

    Args:
        weights: ``(..., k)``, not all zero.
        codes: ``z (k, d)``.
        mean: ``μ`` of the prior: a number or ``(d,)``.

    Returns:
        ``(..., d)``.

    Raises:
        ValueError: shapes do not fit, a number is not finite, or all weights of a combination are zero.

    Source: Bodin et al. (ICLR 2025), lemma 1.
    """
    weights, codes = as_array(weights, "weights"), as_array(codes, "codes")
    check_floating(codes, "codes")
    if np.ndim(codes) != 2 or np.shape(weights)[-1:] != np.shape(codes)[:1]:
        raise ValueError(
            f"weights have shape {np.shape(weights)} and codes {np.shape(codes)}; expected (..., k) and (k, d)."
        )
    check_finite(weights, "weights")
    check_finite(codes, "codes")
    if not isinstance(weights, jax.core.Tracer) and (np.square(weights).sum(axis=-1) == 0).any():
        raise ValueError("all weights of a combination are zero; expected one that is not.")
    return _combined(weights, codes, mean)


def sphere_exp(z: Any, v: Any) -> jax.Array:
    """The exponential map of the sphere through ``z (d,)`` around zero: where a great circle is after its length.

    ``cos(θ) z + |z| sin(θ) u / |u|`` with ``u`` the part of ``v`` orthogonal to ``z`` and ``θ = |u| / |z|``. Pure:
    ``jit``, ``vmap`` and differentiate it.
    """
    z, v = jnp.asarray(z), jnp.asarray(v)
    square = z @ z
    u = v - (v @ z) / square * z
    angle2 = (u @ u) / square
    return jnp.cos(_root(angle2)) * z + _sinc(angle2) * u


def sphere_log(z: Any, y: Any) -> jax.Array:
    """The tangent at ``z (d,)`` whose :func:`sphere_exp` is ``y``, scaled to the radius ``|z|``.

    Zero where ``y`` points the way of ``z``; NaN where it points to the opposite side.
    """
    z, y = jnp.asarray(z), jnp.asarray(y)
    radius = jnp.linalg.norm(z)
    a, b = z / radius, y / jnp.linalg.norm(y)
    u = b - (a @ b) * a
    sine = jnp.linalg.norm(u)
    angle = jnp.arctan2(sine, a @ b)
    return radius * u * jnp.where(sine > 0, angle / jnp.where(sine > 0, sine, 1), jnp.where(a @ b > 0, 1.0, jnp.nan))


def _combined(weights: Any, codes: Any, mean: Any) -> Any:
    xp = numpy_of(weights, codes)
    return mean + weights @ (codes - mean) / xp.sqrt((weights**2).sum(axis=-1))[..., None]


def _root(square: jax.Array) -> jax.Array:
    """A square root whose derivative at zero is zero."""
    return jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1)), 0)


def _sinc(square: jax.Array) -> jax.Array:
    """``sin θ / θ`` of ``θ²``, smooth at zero."""
    small = square < 1e-8
    theta = jnp.sqrt(jnp.where(small, 1, square))
    return jnp.where(small, 1 - square / 6, jnp.sin(theta) / theta)
