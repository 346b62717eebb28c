"""Other ways to shortest paths, for the table of geodesics: all on a function ``embed(z) -> (m,)``, one pair at a time.

:func:`georce` is algorithm 1 of Rygaard and Hauberg (arXiv 2505.05961) in plain JAX, written from the paper: full
metrics by ``jacfwd`` at every node, the gradient of ``uᵀ G(z) u`` in reverse through them, and a line search that
halves the step until the energy, of full metrics again, falls. Its loops are Python's: half the processor's time of
one program for all nodes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy.optimize import minimize

Embed = Callable[[jax.Array], jax.Array]


def line(a: np.ndarray, b: np.ndarray, segments: int) -> jax.Array:
    return jnp.asarray(np.linspace(a, b, segments + 1), jnp.float32)


@dataclass(frozen=True)
class Georce:
    """What an iteration needs, compiled; node by node, which is its fastest form on CPU."""

    metrics: Callable[[jax.Array], jax.Array]  # (T, d) -> (T, d, d)
    slope: Callable[[jax.Array, jax.Array], jax.Array]  # of uᵀ G(z) u with z
    towards: Callable[[jax.Array, jax.Array, jax.Array], jax.Array]
    moved: Callable[[jax.Array, jax.Array, float], jax.Array]
    energy: Callable[[jax.Array], jax.Array]


@cache
def georce_parts(embed: Embed) -> Georce:
    def metric(z: jax.Array) -> jax.Array:
        J = jax.jacfwd(embed)(z)
        return J.T @ J

    def towards(z: jax.Array, G: jax.Array, nu: jax.Array) -> jax.Array:
        later = jnp.concatenate([jnp.cumsum(nu[::-1], axis=0)[::-1], jnp.zeros_like(nu[:1])])
        inverses = jnp.linalg.inv(G)
        right = 2 * (z[0] - z[-1]) - jnp.einsum("tij,tj->i", inverses, later)
        mu = jnp.linalg.solve(inverses.sum(axis=0), right)
        return -0.5 * jnp.einsum("tij,tj->ti", inverses, mu + later)

    def moved(z: jax.Array, towards: jax.Array, share: float) -> jax.Array:
        inner = z[0] + jnp.cumsum(share * towards + (1 - share) * jnp.diff(z, axis=0), axis=0)[:-1]
        return jnp.concatenate([z[:1], inner, z[-1:]])

    def energy(z: jax.Array) -> jax.Array:
        u = jnp.diff(z, axis=0)
        return len(u) * jnp.einsum("ti,tij,tj->", u, jax.lax.map(metric, z[:-1]), u)

    slope = jax.grad(lambda z, u: u @ metric(z) @ u)
    metrics = jax.jit(lambda z: jax.lax.map(metric, z))
    return Georce(metrics, jax.jit(slope), jax.jit(towards), jax.jit(moved), jax.jit(energy))


def georce(embed: Embed, a: np.ndarray, b: np.ndarray, segments: int, tolerance: float, most: int = 100) -> np.ndarray:
    z, parts = line(a, b, segments), georce_parts(embed)
    now = float(parts.energy(z))
    for _ in range(most):
        G, u = parts.metrics(z[:-1]), jnp.diff(z, axis=0)
        towards = parts.towards(z, G, jnp.stack([parts.slope(x, v) for x, v in zip(z[1:-1], u[1:], strict=True)]))
        share = 1.0
        while not (found := float(parts.energy(trial := parts.moved(z, towards, share)))) < now and share > 1e-6:
            share /= 2
        if not now - found > tolerance * now:
            break
        z, now = trial, found
    return np.asarray(z)


@cache
def chord_energy(embed: Embed) -> Callable[[jax.Array], tuple[jax.Array, jax.Array]]:
    """``T Σ d²`` of chords, and its gradient."""

    def energy(z: jax.Array) -> jax.Array:
        return (len(z) - 1) * jnp.sum(jnp.diff(jax.vmap(embed)(z), axis=0) ** 2)

    return jax.jit(jax.value_and_grad(energy))


def lbfgs(embed: Embed, a: np.ndarray, b: np.ndarray, segments: int, most: int = 150) -> np.ndarray:
    """L-BFGS-B of scipy on the inner codes."""
    first, slope = np.asarray(line(a, b, segments)), chord_energy(embed)

    def evaluated(x: np.ndarray) -> tuple[float, np.ndarray]:
        z = np.concatenate([first[:1], x.reshape(first[1:-1].shape).astype(np.float32), first[-1:]])
        value, gradient = slope(z)
        return float(value), np.asarray(gradient[1:-1], np.float64).ravel()

    found = minimize(evaluated, first[1:-1].ravel(), jac=True, method="L-BFGS-B", options={"maxiter": most})
    return np.concatenate([first[:1], found.x.reshape(first[1:-1].shape), first[-1:]]).astype(np.float32)


def adam(embed: Embed, a: np.ndarray, b: np.ndarray, segments: int, steps: int = 400, rate: float = 0.01) -> np.ndarray:
    z, update = line(a, b, segments), adam_step(embed, rate)
    moments = optax.scale_by_adam().init(z)
    for _ in range(steps):
        z, moments = update(z, moments)
    return np.asarray(z)


@cache
def adam_step(embed: Embed, rate: float) -> Callable[[jax.Array, Any], tuple[jax.Array, Any]]:
    slope = chord_energy(embed)

    @jax.jit
    def step(z: jax.Array, moments: Any) -> tuple[jax.Array, Any]:
        change, moments = optax.scale_by_adam().update(slope(z)[1].at[jnp.array([0, -1])].set(0), moments)
        return z - rate * change, moments

    return step


def finslerax(embed: Embed, d: int, segments: int) -> dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]]:
    """Its two solvers of boundary values, compiled, with their defaults; the second stops early.

    Raises:
        ImportError: it is not installed; ``pip install --target FOLDER finslerax equinox``, and PYTHONPATH.
    """
    from finslerax.geometry.manifolds import EuclideanSpace
    from finslerax.models.learned import PullbackRiemannian
    from finslerax.solvers import AVBDSolver, GaussNewtonGeodesic

    metric = PullbackRiemannian(EuclideanSpace(dim=d), embed)
    gauss_newton, descent = GaussNewtonGeodesic(), AVBDSolver()
    solve = jax.jit(lambda a, b: gauss_newton.solve(metric, a, b, n_steps=segments, train_mode=False).xs)
    relax = jax.jit(lambda a, b: descent.solve(metric, a, b, n_steps=segments).xs)
    return {
        "finslerax, Gauss-Newton": lambda a, b: np.asarray(solve(a, b)),
        "finslerax, AVBD (its default)": lambda a, b: np.asarray(relax(a, b)),
    }
