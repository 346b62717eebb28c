"""The published way to a shorter curve: Adam on the control points of a spline, with validations that decide.

A cubic spline between two codes starts as the straight line with two free control points. Training epochs take one
Adam step on the energy at jittered ``t`` and lower the learning rate; every so many epochs a validation measures the
length. Where the best length has not fallen by the tolerance, the search goes back to the best curve, first with lower
and lower starting rates, then with one more control point.

Four slips of the original are not repeated: knots are half-open (its curve doubles at inner ones), the point inserted
leaves the curve as it is, lengths are measured densely at the end, and every random number comes of a key. The weight
decay, which pulls control points to the origin, is an argument; the published one is 10⁻⁴.

Source: Michelis and Becker, On Linear Interpolation in the Latent Space of Deep Generative Models (2021).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from tqdm import tqdm

from geomgan.brief import brief
from geomgan.distances.distance import Distance
from geomgan.errors import check_key
from geomgan.generators.generator import Generator
from geomgan.geodesics.integrals import RIDGE, lengths
from geomgan.geodesics.local import squared_speed
from geomgan.geodesics.shortest import pairs_of
from geomgan.metric.pair import Pair, bound, check_types
from geomgan.paths.curves import BSpline, straight_spline


@dataclass(frozen=True)
class Schedule:
    """Settings of the search, as published.

    Attributes:
        epochs: of training and validation together.
        validate: every so many epochs is a validation.
        points: ``t`` at which energy and length are summed.
        rate: of Adam at the beginning and after an insertion.
        decay: of the rate in each training epoch.
        drop: of the starting rate at each restart.
        restarts: from the best curve, before a control point is inserted.
        nodes: free control points at most; the search ends when it would need more.
        tolerance: of the length, in shares of the straight one.
        weight_decay: of the control points.
    """

    epochs: int = 50
    validate: int = 5
    points: int = 20
    rate: float = 1.0
    decay: float = 0.9
    drop: float = 0.3
    restarts: int = 5
    nodes: int = 10
    tolerance: float = 1 / 200
    weight_decay: float = 1e-4


@brief
@dataclass(frozen=True)
class Shortened:
    """The best curve of the search.

    Attributes:
        curve: the spline.
        length: of chords of 401 samples.
        straight_length: of the straight line, by the same rule.
        history: ``(n,)``, lengths at the validations, by the published rule; the first is the straight line's.
        nodes: free control points at the end.
    """

    curve: BSpline
    length: float
    straight_length: float
    history: np.ndarray
    nodes: int

    @property
    def improvement(self) -> float:
        """How much shorter than the straight line: ``1 - length / straight length``, below 0 where it is longer."""
        return 1 - self.length / self.straight_length

    @property
    def published_improvement(self) -> float:
        """The same by the published rule, of the shortest validation."""
        return float(1 - self.history.min() / self.history[0])


@dataclass(frozen=True)
class Search:
    """Where the search is: the best curve and its length, the restarts since the last insertion, whether it ended."""

    best: BSpline
    length: float
    restarts: int = 0
    over: bool = False


def decided(
    search: Search, curve: BSpline, length: float, tolerance: float, settings: Schedule
) -> tuple[Search, float]:
    """The search after a validation, and the rate from which to go on from its best curve; zero: just go on."""
    gained = search.length - length
    if length < search.length:
        search = replace(search, best=curve, length=length)
    if gained >= tolerance:
        return search, 0.0
    if search.restarts < settings.restarts:
        restarts = search.restarts + 1
        return replace(search, restarts=restarts), settings.rate * settings.drop**restarts
    if len(search.best.points) - 2 >= settings.nodes:
        return replace(search, over=True), 0.0
    return replace(search, best=search.best.inserted(), restarts=0), settings.rate


def shorten(
    G: Generator,
    D: Distance,
    start: Any,
    end: Any,
    key: jax.Array,
    *,
    settings: Schedule | None = None,
    progress: bool = False,
) -> Shortened:
    """A shorter curve between two codes by the published schedule, to compare with :func:`shortest_paths`.

    Args:
        G: the generator.
        D: the squared distance; ``geomgan.distances.gaussian()`` for a decoder with a variance.
        start: the code ``(d,)`` where the curve begins.
        end: where it ends.
        key: typed; of the jitter of ``t``.
        settings: of the schedule; by default as published.
        progress: show a progress bar.

    Raises:
        TypeError, ValueError: these are no generator, distance and codes, or both codes are the same.
    """
    check_types(G, D)
    check_key(key)
    settings = Schedule() if settings is None else settings
    starts, ends = pairs_of(G, start, end)
    if len(starts) > 1:
        raise ValueError(f"there are {len(starts)} pairs; expected one: the schedule decides for each on its own.")
    pair, line = bound(G, D), straight_spline(starts[0], ends[0])
    measured = partial(lengths, G, D, points=settings.points, rule="published")
    history = [float(measured(line)[0])]
    tolerance = settings.tolerance * history[0]
    search, curve, rate = Search(line, history[0]), line, settings.rate
    moments = _adam.init(_free(curve, G))
    for epoch in tqdm(range(1, settings.epochs + 1), desc="shorter curve", disable=not progress):
        if epoch % settings.validate:
            jitter = jax.random.normal(jax.random.fold_in(key, epoch), (settings.points,))
            inner, moments = _train(pair, curve, moments, jitter, rate, settings.weight_decay)
            points = np.concatenate([curve.points[:1], np.asarray(inner, np.float64), curve.points[-1:]])
            curve, rate = replace(curve, points=points), rate * settings.decay
            continue
        history.append(float(measured(curve)[0]))
        search, again = decided(search, curve, history[-1], tolerance, settings)
        if search.over:
            break
        if again:
            curve, rate = search.best, again
            moments = _adam.init(_free(curve, G))
    dense = lengths(G, D, [search.best, line], points=401)
    return Shortened(search.best, float(dense[0]), float(dense[1]), np.array(history), len(search.best.points) - 2)


_adam = optax.scale_by_adam()


def _free(curve: BSpline, G: Generator) -> jax.Array:
    return jnp.asarray(curve.points[1:-1], G.dtype)


@jax.jit
def _train(
    pair: Pair, curve: BSpline, moments: Any, jitter: jax.Array, rate: Any, weight_decay: Any
) -> tuple[jax.Array, Any]:
    """One Adam step on the free control points: they, and Adam's moments."""
    dtype = pair.G.dtype
    points, knots = jnp.asarray(curve.points, dtype), jnp.asarray(curve.knots, dtype)
    gap = 1 / (jitter.size - 1)
    t = jnp.clip(jnp.linspace(0, 1, jitter.size) + 0.1 * gap * jitter, 0, 1).astype(dtype)

    def loss(inner: jax.Array) -> jax.Array:
        moved = BSpline(jnp.concatenate([points[:1], inner, points[-1:]]), knots)
        codes, velocities = moved(t), moved.derivative(t)
        squares = jax.vmap(partial(squared_speed, pair))(codes, velocities)
        return gap**2 * jnp.sum(squares + RIDGE * (velocities**2).sum(axis=-1))

    with jax.default_matmul_precision("highest"):
        inner = points[1:-1]
        slope = jax.grad(loss)(inner) + weight_decay * inner
        change, moments = _adam.update(slope, moments)
        return inner - rate * change, moments
