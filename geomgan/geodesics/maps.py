"""Exponential map, logarithmic map and parallel transport, by ordinary differential equations.

The geodesic equation ``z̈ = -Γ(ż, ż)`` and that of transport, ``ẇ = -Γ(ż, w)``, are solved by an explicit Runge-Kutta
method of order 8 with adaptive steps (diffrax, the extra ``geomgan[geodesics]``). Pure functions of one code: ``jit``,
``vmap`` and differentiate them forwards. Where a solution leaves the finite range, it is NaN.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.distances.distance import Distance
from geomgan.errors import NotFiniteError, NotHereError, as_array, check_code, check_finite, is_concrete, warn
from geomgan.generators.generator import Generator
from geomgan.geodesics.connection import christoffel
from geomgan.geodesics.shortest import shortest_paths
from geomgan.metric.pair import Pair, bound, check_types
from geomgan.paths.path import Path

MOST_STEPS = 10_000
TOLERANCE = {8: 1e-10, 4: 1e-6}  # of the solver, by the bytes of a number
SHOTS = 30


def exponential(G: Generator, D: Distance, z: Any, v: Any, *, tolerance: float | None = None) -> jax.Array:
    """The exponential map ``exp_z(v) (d,)``: where the geodesic that leaves ``z`` with velocity ``v`` is at ``t = 1``.

    Args:
        G: the generator.
        D: the squared distance.
        z: the code ``(d,)``.
        v: the tangent ``(d,)``, of length ``√(vᵀ g v)``.
        tolerance: of the solver, relative and absolute; by default 1e-10 in float64 and 1e-6 in float32.

    Raises:
        TypeError, ValueError: these are no generator, distance, code and tangent.
        NotHereError: diffrax is not installed.
        NotFiniteError: the geodesic ends before ``t = 1``: the metric is singular on the way, or samples overflow.
    """
    pair, z, v = _checked(G, D, z, v)
    end, _, _ = _flow(pair, z, v, v[None], _tolerance(z, tolerance))
    return _finished(end, "the geodesic")


def transport(G: Generator, D: Distance, path: Path, w: Any, *, tolerance: float | None = None) -> jax.Array:
    """The tangent ``w (d,)`` at ``path(0)`` transported parallel along a path to ``path(1)``.

    Lengths and angles by the metric stay. Arguments and errors are those of :func:`exponential`; the path is any whose
    codes JAX can trace, :attr:`Shortest.paths` or :func:`geomgan.paths.between` for example.
    """
    codes = np.asarray(path(jnp.linspace(0.0, 1.0, 2)))
    pair, start, w = _checked(G, D, codes[0], w)
    return _finished(_carried(pair, path, w, _tolerance(start, tolerance)), "the transported tangent")


def transport_along_geodesic(
    G: Generator, D: Distance, z: Any, v: Any, w: Any, *, tolerance: float | None = None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """A geodesic's end, its velocity there, and the tangents ``w (k, d)`` at ``z`` transported along it.

    Arguments and errors are those of :func:`exponential`.
    """
    pair, z, v = _checked(G, D, z, v)
    w = jnp.asarray(as_array(w, "tangents"), z.dtype)
    if w.ndim != 2 or w.shape[1] != z.size:
        raise ValueError(f"tangents have shape {w.shape}; expected (k, {z.size}): one in each row.")
    end, velocity, carried = _flow(pair, z, v, w, _tolerance(z, tolerance))
    return _finished(end, "the geodesic"), velocity, carried


def logarithm(
    G: Generator, D: Distance, z: Any, y: Any, *, segments: int = 32, tolerance: float | None = None
) -> jax.Array:
    """The logarithmic map: the tangent ``v (d,)`` at ``z`` with ``exp_z(v) = y``, of the geodesic found between them.

    The shortest path (:func:`shortest_paths`) gives a first ``v``, which Newton's method then shoots at ``y``.

    Args:
        G: the generator.
        D: the squared distance.
        z: the code ``(d,)``.
        y: the other code ``(d,)``.
        segments: of the shortest path.
        tolerance: of the solver; see :func:`exponential`. Newton's method ends at ten times it, of ``|y - z|``.

    Raises:
        TypeError, ValueError, NotHereError: as :func:`exponential` and :func:`shortest_paths`.

    Warns:
        UserWarning: shooting did not meet ``y`` to the tolerance; the message says how near it came.
    """
    found = shortest_paths(G, D, z, y, segments=segments, tolerance=1e-8 if G.dtype == jnp.float64 else 1e-6)
    (path,) = found.paths
    pair, z, v = _checked(G, D, z, path.derivative(np.zeros(1))[0])
    y = jnp.asarray(y, z.dtype)
    tolerance = _tolerance(z, tolerance)
    scale, best, nearest = float(jnp.linalg.norm(y - z)), v, np.inf
    for _ in range(SHOTS):
        missed, J = _shot(pair, z, v, y, tolerance)
        off = float(jnp.linalg.norm(missed)) / scale
        if off < nearest:
            best, nearest, step = v, off, jnp.linalg.solve(J, missed)
        else:  # too far, or not finite
            step = step / 4
        if nearest <= 10 * tolerance or not np.isfinite(np.asarray(step)).all():
            break
        v = best - step
    if not nearest <= 1000 * tolerance:
        warn(
            f"the geodesic misses the other code by {nearest:.1e} of their difference; expected about {tolerance:.0e}. "
            "The path between them may pass a conjugate point, or a singular metric. Take nearer codes."
        )
    return best


def _checked(G: Generator, D: Distance, z: Any, v: Any) -> tuple[Pair, jax.Array, jax.Array]:
    _diffrax()
    check_types(G, D)
    z = check_code(z, G.latent_dim)
    v = as_array(v, "the tangent")
    if np.shape(v) != (G.latent_dim,):
        raise ValueError(f"the tangent has shape {np.shape(v)}; expected ({G.latent_dim},), like the code.")
    check_finite(v, "the tangent")
    return bound(G, D), jnp.asarray(z, G.dtype), jnp.asarray(v, G.dtype)


def _diffrax() -> Any:
    try:
        import diffrax
    except ImportError as error:
        raise NotHereError(
            "exponential and logarithmic maps and transport need diffrax, which is not installed. Install it with pip "
            "install 'geomgan[geodesics]'."
        ) from error
    return diffrax


def _tolerance(z: jax.Array, tolerance: float | None) -> float:
    return TOLERANCE[z.dtype.itemsize] if tolerance is None else tolerance


def _finished(end: jax.Array, what: str) -> jax.Array:
    if is_concrete(end) and not np.isfinite(np.asarray(end)).all():
        raise NotFiniteError(
            f"{what} ends before t = 1; expected finite numbers: the metric is singular on the way, or the solver took "
            f"more than {MOST_STEPS} steps. Take a shorter tangent, or a looser tolerance."
        )
    return end


def _solved(rates: Any, state: Any, tolerance: Any) -> Any:
    """The state at ``t = 1``; NaN where the solver gives up."""
    diffrax = _diffrax()
    found = diffrax.diffeqsolve(
        diffrax.ODETerm(rates),
        diffrax.Dopri8(),
        t0=0.0,
        t1=1.0,
        dt0=None,
        y0=state,
        stepsize_controller=diffrax.PIDController(rtol=tolerance, atol=tolerance),
        adjoint=diffrax.ForwardMode(),
        max_steps=MOST_STEPS,
        throw=False,
    )
    well = found.result == diffrax.RESULTS.successful
    return jax.tree.map(lambda leaf: jnp.where(well, leaf[-1], jnp.nan), found.ys)


@jax.jit
def _flow(pair: Pair, z: jax.Array, v: jax.Array, w: jax.Array, tolerance: Any) -> tuple[jax.Array, ...]:
    """``z``, ``ż`` and the transported ``w (k, d)`` at ``t = 1``."""

    def rates(t: Any, state: Any, args: Any) -> Any:
        del t, args
        z, v, w = state
        bent, *turned = christoffel(pair, z, (v, v), *((v, row) for row in w))
        return v, -bent, -jnp.stack(turned)

    with jax.default_matmul_precision("highest"):
        return _solved(rates, (z, v, w), tolerance)


@jax.jit
def _shot(pair: Pair, z: jax.Array, v: jax.Array, y: jax.Array, tolerance: Any) -> tuple[jax.Array, jax.Array]:
    """Where the geodesic misses ``y``, and the derivative of its end by ``v``."""

    def end(v: jax.Array) -> tuple[jax.Array, jax.Array]:
        def rates(t: Any, state: Any, args: Any) -> Any:
            del t, args
            return state[1], -christoffel(pair, state[0], (state[1], state[1]))[0]

        missed = _solved(rates, (z, v), tolerance)[0] - y
        return missed, missed

    with jax.default_matmul_precision("highest"):
        J, missed = jax.jacfwd(end, has_aux=True)(v)
        return missed, J


@jax.jit
def _carried(pair: Pair, path: Path, w: jax.Array, tolerance: Any) -> jax.Array:
    def rates(t: Any, w: Any, args: Any) -> Any:
        del args
        z, velocity = jax.jvp(path, (t,), (jnp.ones_like(t),))
        return -christoffel(pair, z.astype(w.dtype), (velocity.astype(w.dtype), w))[0]

    with jax.default_matmul_precision("highest"):
        return _solved(rates, w, tolerance)
