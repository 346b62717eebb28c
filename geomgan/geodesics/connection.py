"""The Levi-Civita connection of a pulled-back metric, by products: nested JVPs, never the ``d³`` symbols.

With an embedding ``φ`` the geodesic equation is ``Jᵀ(J z̈ + D²φ[ż, ż]) = 0``, so that ``Γ(u, v)`` is the least-squares
solution ``x`` of ``J x = D²φ[u, v]``. Without one it solves ``g x = ½ (D_u(g v) + D_v(g u) - ∇_z(uᵀ g v))``.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from geomgan.geodesics.local import along, embedded, inner
from geomgan.metric.pair import Pair


def christoffel(pair: Pair, z: jax.Array, *planes: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, ...]:
    """``Γ(u, v) (d,)`` at ``z`` for each of the ``planes (u, v)``; the metric is factorised once."""
    if pair.D.embedding is None:
        g, lowered = _lowered(pair, z)
        return tuple(jnp.linalg.solve(g, lowered(u, v)) for u, v in planes)
    Q, R = frame(pair, z)
    return tuple(jax.scipy.linalg.solve_triangular(R, Q.T @ second(pair, z, u, v)) for u, v in planes)


def frame(pair: Pair, z: jax.Array) -> tuple[jax.Array, jax.Array]:
    """``J = Q R``: an orthonormal basis ``(m, d)`` of the tangent space of the samples, and ``R (d, d)``."""
    _, push = jax.linearize(partial(embedded, pair), z)
    Q, R = jnp.linalg.qr(jax.vmap(push, out_axes=1)(jnp.eye(z.size, dtype=z.dtype)))
    return Q, R


def second(pair: Pair, z: jax.Array, u: jax.Array, v: jax.Array) -> jax.Array:
    """``D²φ(z)[u, v] (m,)``."""
    return along(lambda y: along(partial(embedded, pair), y, u), z, v)


def _lowered(pair: Pair, z: jax.Array) -> tuple[jax.Array, Any]:
    """``g`` and ``(u, v) -> g Γ(u, v)`` of a distance without embedding, by its inner products."""
    units = jnp.eye(z.size, dtype=z.dtype)
    against = jax.vmap(lambda y, v, e: inner(pair, y, v, e), (None, None, 0))  # g v, entry by entry

    def lowered(u: jax.Array, v: jax.Array) -> jax.Array:
        first = along(lambda y: against(y, v, units), z, u)
        other = along(lambda y: against(y, u, units), z, v)
        gradient = jax.vmap(lambda e: along(lambda y: inner(pair, y, u, v), z, e))(units)
        return 0.5 * (first + other - gradient)

    return jax.vmap(lambda e: against(z, e, units))(units), lowered
