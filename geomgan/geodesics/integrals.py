"""Speed, length and energy of any path through the latent space, by rules that are named.

``L = ∫ √(γ'ᵀ g γ') dt`` and ``E = ∫ γ'ᵀ g γ' dt`` over ``t`` from 0 to 1, ``E ≥ L²`` with equality at constant speed.

``chords``     ``Σ d(G(z_i), G(z_{i+1}))`` over ``N`` codes: needs no derivatives, never too long, error ``O(1/N²)``;
``trapezoid``  the trapezoid rule over speeds at ``N`` codes, error ``O(1/N²)`` where the path is smooth;
``midpoint``   the midpoint rule over speeds in the middle of ``N - 1`` intervals, half that error;
``published``  ``Σ √(γ'ᵀ g γ' + 10⁻⁶) / (N - 1)`` over all ``N`` codes: too long by about ``N / (N - 1)``. It is that of
               GenerativeLatentSpace, whose metric has ``10⁻⁶ I`` added, and whose energy ``Σ γ'ᵀ g γ' / (N - 1)²`` is.

With an embedding a speed is one JVP.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.brief import brief
from geomgan.distances.distance import Distance
from geomgan.errors import check_choice, check_count
from geomgan.generators.generator import Generator
from geomgan.geodesics.local import squared_speed
from geomgan.metric.pair import Pair, bound
from geomgan.paths.measure import block_size, neighbour_distances
from geomgan.paths.path import Path
from geomgan.paths.walks import checked_steps, codes_of, several

RULES = ("chords", "trapezoid", "midpoint", "published")
POINTS = 400  # of a path that is measured densely
RIDGE = 1e-6  # of the published metric and length


@brief
@dataclass(frozen=True)
class Convergence:
    """Lengths of paths as the number of points grows.

    Attributes:
        points: ``(P,)``, each about twice the one before.
        lengths: ``(n, P)``.
        orders: ``(n,)``: the error falls like ``points^-order``, from the last three; NaN where it is rounding.
        limits: ``(n,)``: the last length, extrapolated by that order (Richardson).
        rule: of the lengths.
    """

    points: np.ndarray
    lengths: np.ndarray
    orders: np.ndarray
    limits: np.ndarray
    rule: str


def speeds(G: Generator, D: Distance, paths: Path | Sequence[Path], t: Any) -> np.ndarray:
    """Speeds ``√(γ'ᵀ g γ')`` along paths at ``t``: distance per unit of ``t``.

    Args:
        G: the generator.
        D: the squared distance.
        paths: one, or several; what has no ``derivative(t)`` is differentiated by JAX.
        t: for every path ``(T,)``, or for each ``(n, T)``.

    Returns:
        ``(n, T)``.

    Raises:
        TypeError, ValueError: these are no generator, distance and paths, or shapes do not fit.
    """
    paths = several(paths)
    return np.sqrt(np.maximum(squared_speeds(G, D, paths, checked_steps(t, len(paths))), 0))


def lengths(
    G: Generator, D: Distance, paths: Path | Sequence[Path], *, points: int = POINTS, rule: str = "chords"
) -> np.ndarray:
    """Lengths ``(n,)`` of paths from ``t = 0`` to 1.

    Args:
        G: the generator.
        D: the squared distance.
        paths: one, or several.
        points: codes of each path, at equal steps of ``t``.
        rule: ``"chords"``, ``"trapezoid"``, ``"midpoint"`` or ``"published"``; see :mod:`geomgan.geodesics.integrals`.

    Raises:
        TypeError, ValueError: these are no generator, distance and paths; ``points`` is below 2; unknown ``rule``.
    """
    return _integrals(G, D, several(paths), points, rule)[0]


def energies(
    G: Generator, D: Distance, paths: Path | Sequence[Path], *, points: int = POINTS, rule: str = "chords"
) -> np.ndarray:
    """Energies ``(n,)`` of paths from ``t = 0`` to 1; arguments as for :func:`lengths`.

    As a chord sum ``(N - 1) Σ d²(G(z_i), G(z_{i+1}))``.
    """
    return _integrals(G, D, several(paths), points, rule)[1]


def convergence(
    G: Generator,
    D: Distance,
    paths: Path | Sequence[Path],
    *,
    points: Sequence[int] = (17, 33, 65, 129),
    rule: str = "chords",
) -> Convergence:
    """Lengths with more and more points: whether enough were taken, and how fast the rule converges.

    Args:
        G: the generator.
        D: the squared distance.
        paths: one, or several.
        points: at least three numbers of points, each with about twice as many intervals as the one before.
        rule: as for :func:`lengths`.

    Raises:
        TypeError, ValueError: as :func:`lengths`; there are fewer than three numbers, or they do not double.
    """
    paths, counts = several(paths), np.array([check_count(n, np.inf, "points") for n in points])
    ratios = (counts[1:] - 1) / np.maximum(counts[:-1] - 1, 1)
    if len(counts) < 3 or (np.abs(ratios - 2) > 0.25).any():
        raise ValueError(f"points are {list(points)}; expected three or more, doubling: (17, 33, 65) for example.")
    found = np.stack([_integrals(G, D, paths, int(n), rule)[0] for n in counts], axis=1)
    steps = np.diff(found[:, -3:], axis=1)
    noise = found[:, -1] * np.finfo(G.dtype).eps * 4
    known = (np.abs(steps).min(axis=1) > noise) & (steps.prod(axis=1) > 0)
    orders = np.full(len(paths), np.nan)
    orders[known] = np.log2(steps[known, 0] / steps[known, 1])
    gains = np.where(known & (orders > 0.5), 2 ** np.where(known, orders, 1) - 1, np.inf)
    return Convergence(counts, found, orders, found[:, -1] + steps[:, 1] / gains, rule)


def squared_speeds(G: Generator, D: Distance, paths: Sequence[Path], t: np.ndarray) -> np.ndarray:
    """``γ'ᵀ g γ'`` along paths at ``t (n, T)``: ``(n, T)`` in float64."""
    pair, size = bound(G, D), block_size(G)
    codes = codes_of(G, paths, t)
    velocities = np.stack([velocities_of(path, row) for path, row in zip(paths, t, strict=True)])
    rows = [x.reshape(-1, G.latent_dim).astype(G.dtype) for x in (codes, velocities)]
    found = []
    for first in range(0, t.size, size):
        z, v = (np.resize(x[first : first + size], (size, G.latent_dim)) for x in rows)
        found.append(np.asarray(_squared_speeds(pair, z, v), np.float64))
    return np.concatenate(found)[: t.size].reshape(t.shape)


def velocities_of(path: Path, t: np.ndarray) -> np.ndarray:
    """``dz/dt (T, d)`` of a path: its own ``derivative``, or by JAX."""
    if hasattr(path, "derivative"):
        return np.asarray(path.derivative(t), np.float64)
    each = jax.vmap(lambda s: jax.jvp(path, (s,), (jnp.ones_like(s),))[1])
    return np.asarray(each(jnp.asarray(t)), np.float64)


def _integrals(
    G: Generator, D: Distance, paths: Sequence[Path], points: int, rule: str
) -> tuple[np.ndarray, np.ndarray]:
    """Lengths and energies ``(n,)``."""
    check_choice(rule, RULES, "rule")
    points = check_count(points, np.inf, "points")
    if points < 2:
        raise ValueError("points is 1; expected at least 2: both ends of a path.")
    gaps = points - 1
    t = np.linspace(0, 1, points)
    if rule == "chords":
        codes = codes_of(G, paths, checked_steps(t, len(paths)))
        chords = neighbour_distances(G, D, codes).astype(np.float64)
        return chords.sum(axis=1), gaps * (chords**2).sum(axis=1)
    if rule == "midpoint":
        t = (t[1:] + t[:-1]) / 2
    t = checked_steps(t, len(paths))
    squares = np.maximum(squared_speeds(G, D, paths, t), 0)
    if rule == "published":
        velocities = np.stack([velocities_of(path, row) for path, row in zip(paths, t, strict=True)])
        squares = squares + RIDGE * (velocities**2).sum(axis=-1)
        return np.sqrt(squares + RIDGE).sum(axis=1) / gaps, squares.sum(axis=1) / gaps**2
    weights = np.full(t.shape[1], 1 / gaps)
    if rule == "trapezoid":
        weights[[0, -1]] /= 2
    return np.sqrt(squares) @ weights, squares @ weights


@jax.jit
def _squared_speeds(pair: Pair, codes: jax.Array, velocities: jax.Array) -> jax.Array:
    with jax.default_matmul_precision("highest"):
        return jax.vmap(squared_speed, (None, 0, 0))(pair, codes, velocities)
