"""Walks along the axes of a metric tensor: spaced by step, by distance, or at constant perceptual speed.

A walk is straight or on the sphere; see :mod:`geomgan.paths.path`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from geomgan.distances.distance import Distance
from geomgan.errors import check_code, check_codes, check_finite
from geomgan.generators.generator import Generator
from geomgan.metric.tensor import bind, check_types, metric_operator
from geomgan.paths.path import checked_steps, departures, ends_of, walk_codes
from geomgan.paths.walks import measure, successive_distances

FINE = 30  # samples on each side of the reference from which equal distances are found


@dataclass(frozen=True)
class AxisWalks:
    """Walks along ``n`` axes, ``T`` samples each.

    Attributes:
        steps: ``(n, T)``, the ``t`` of each sample: latent units, or radians on the sphere.
        samples: ``(n, T, ...)``.
        distances: ``(n, T)``, ``d(G(z), G(z(t)))``, the square root of the squared distance.
        path: ``"linear"`` or ``"spherical"``.
        measure: name of the distance.
        spacing: how the samples follow each other: by ``"step"`` as given, at equal ``"distance"`` from the reference,
            or at equal ``"arc length"`` of the samples' path.
        gaps: ``(n,)``, that distance or arc length between neighbours; None for ``"step"``.
    """

    steps: np.ndarray
    samples: np.ndarray
    distances: np.ndarray
    path: str = "linear"
    measure: str = "distance"
    spacing: str = "step"
    gaps: np.ndarray | None = None


def axes_of_rank(vectors: Any, values: Any, ranks: Any) -> tuple[np.ndarray, np.ndarray]:
    """The eigenvectors and eigenvalues of some ranks.

    Args:
        vectors: ``(d, k)``, columns in descending order of their eigenvalues.
        values: ``(k,)``.
        ranks: from 1, the largest eigenvalue, to ``k``.

    Returns:
        ``(d, len(ranks))`` and ``(len(ranks),)``.

    Raises:
        ValueError: a rank is not an integer from 1 to ``k``.
    """
    vectors, values, ranks = np.asarray(vectors), np.asarray(values), np.atleast_1d(ranks)
    k = len(values)
    if vectors.ndim != 2 or vectors.shape[1] != k:
        raise ValueError(
            f"vectors have shape {vectors.shape}; expected (d, {k}): a column for each of {k} eigenvalues."
        )
    if not np.issubdtype(ranks.dtype, np.integer) or ranks.ndim != 1 or ranks.size == 0 or ranks.min() < 1:
        raise ValueError(f"ranks are {ranks.tolist()}; expected integers from 1, the largest eigenvalue, to {k}.")
    if ranks.max() > k:
        raise ValueError(
            f"axis {ranks.max()} was asked for, but only {k} eigenvectors were computed. Ask for axes 1 to {k}, or "
            f"compute eigenpairs with k={ranks.max()} or more."
        )
    return vectors[:, ranks - 1], values[ranks - 1]


def initial_speeds(G: Generator, D: Distance, z: Any, vectors: Any, *, path: str = "linear") -> np.ndarray:
    """How fast walks leave the sample of one code: ``√(wᵀ g w)`` with the velocity ``w = dz/dt`` at ``t = 0``.

    For an eigenvector and a linear walk that is ``√λ``. On the sphere ``w = |z| v̂``, so that the part of an
    eigenvector along ``z`` is missing and no eigenvalue says the speed.

    Returns:
        ``(n,)``, distance per unit of ``t``; the slope of the distance curve at the reference.

    Raises:
        ValueError: as :func:`walk_codes`.
    """
    check_code(z, G.latent_dim)
    velocities = departures(z, vectors, path)[1].T
    products = np.asarray(metric_operator(G, D, z).matmat(velocities), np.float64)
    return np.sqrt(np.maximum((velocities * products).sum(axis=0), 0.0))


def walk(
    G: Generator,
    D: Distance,
    z: Any,
    vectors: Any,
    steps: Any,
    *,
    path: str = "linear",
    batch: int | None = None,
    progress: bool = False,
) -> AxisWalks:
    """Samples and distances along axes.

    Args:
        G: the generator.
        D: the squared distance.
        z: the reference code ``(d,)``, or one for each walk ``(n, d)``.
        vectors: the axes as columns ``(d, n)``, or one for all references ``(d, 1)``.
        steps: ``t`` for every axis ``(T,)``, or for each ``(n, T)``.
        path: ``"linear"`` or ``"spherical"``; see :mod:`geomgan.paths.path`.
        batch: samples computed together; by default up to 16, fewer where they are large.
        progress: show a progress bar, with the time left.

    Raises:
        ValueError: shapes do not fit; on the sphere, a reference is zero or a direction is parallel to it.
    """
    D, codes, z = _prepare(G, D, z, vectors, steps, path)
    samples, distances = measure(G, D, z, codes, batch, progress, keep=True)
    steps = checked_steps(steps, len(codes)).astype(G.dtype)
    return AxisWalks(steps, samples, distances, path, D.name)


def equal_distance_steps(walks: AxisWalks, count: int) -> tuple[np.ndarray, float]:
    """Steps ``t`` at which each axis has moved the sample by equal distances, to both sides of the reference.

    The curve of each side is followed up to its largest distance, taken as increasing, and inverted by linear
    interpolation. The range is the largest distance that every axis reaches on both sides.

    Args:
        walks: walks whose ``steps`` run from negative to positive through zero.
        count: samples on each side.

    Returns:
        ``t (n, 2 count + 1)``, zero in the middle, and the distance between neighbours.

    Raises:
        ValueError: the walks stay on one side, hold NaN, or an axis does not move the sample at all.
    """
    if walks.steps.min(axis=1).max() >= 0 or walks.steps.max(axis=1).min() <= 0:
        raise ValueError("equal distances need walks to both sides: steps from negative to positive, through zero.")
    check_finite(walks.distances, "the distances along the walks")
    sides = [_increasing(t[side], d[side]) for t, d in zip(walks.steps, walks.distances, strict=True)
             for side in (t <= 0, t >= 0)]  # fmt: skip
    reaches = np.array([d[-1] for _, d in sides])
    reach = float(reaches.min())
    if reach <= 0:
        still = (np.unique(np.flatnonzero(reaches <= 0) // 2) + 1).tolist()
        raise ValueError(f"walks {still} do not change the sample: no steps are equal in distance. Leave them out.")
    targets = reach * np.arange(1, count + 1) / count
    inverted = [np.interp(targets, d, t) for t, d in sides]
    rows = [
        np.concatenate([-left[::-1], [0.0], right]) for left, right in zip(inverted[::2], inverted[1::2], strict=True)
    ]
    return np.stack(rows), reach / count


def equal_distance_walk(
    G: Generator,
    D: Distance,
    z: Any,
    vectors: Any,
    count: int,
    *,
    reach: float | None = None,
    path: str = "linear",
    batch: int | None = None,
    progress: bool = False,
) -> AxisWalks:
    """Walks whose samples are equally far apart in distance from the reference; see :func:`equal_distance_steps`.

    Args:
        G: the generator.
        D: the squared distance.
        z: the reference code, or codes; like ``vectors`` as for :func:`walk`.
        vectors: the axes.
        count: samples on each side of the reference.
        reach: the largest ``|t|``; by default 3 latent units, or 0.5 radians.
        path: ``"linear"`` or ``"spherical"``.
        batch: samples computed together.
        progress: show a progress bar, with the time left.

    Raises:
        ValueError: as :func:`walk` and :func:`equal_distance_steps`.
    """
    reach = ends_of(reach, path)[1]
    steps = np.linspace(-reach, reach, 2 * FINE + 1)
    bound, codes, origins = _prepare(G, D, z, vectors, steps, path)
    _, distances = measure(G, bound, origins, codes, batch, progress, keep=False)
    fine = AxisWalks(np.broadcast_to(steps, distances.shape), np.empty(0), distances)
    equal, gap = equal_distance_steps(fine, count)
    walks = walk(G, D, z, vectors, equal, path=path, batch=batch, progress=progress)
    return replace(walks, spacing="distance", gaps=np.full(len(equal), gap))


def constant_speed_steps(
    G: Generator,
    D: Distance,
    z: Any,
    vectors: Any,
    frames: int,
    *,
    reach: float | tuple[float, float] | None = None,
    path: str = "linear",
    same_length: bool = False,
    grid: int | None = None,
    batch: int | None = None,
    progress: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Steps ``t`` at which the samples follow each other at constant perceptual speed.

    The arc length of the samples' path, ``s(t) = Σ d(x_i, x_{i+1})`` over a fine grid of ``t``, is inverted by linear
    interpolation at equal distances of ``s``; twice, the second time with as many further points at equal arc lengths,
    so that the grid is fine also where the samples change fast.

    Args:
        G: the generator.
        D: the squared distance.
        z: the reference code, or codes; like ``vectors`` as for :func:`walk`.
        vectors: the axes.
        frames: samples of each walk.
        reach: the largest ``|t|``, or ``(first, last)``; by default 3 latent units, or 0.5 radians.
        path: ``"linear"`` or ``"spherical"``.
        same_length: follow every axis to the same arc length on each side of the reference, the largest that all of
            them reach: side by side they then move equally fast. Otherwise each axis has its own speed.
        grid: intervals of the first grid; by default two for each frame, at least 64.
        batch: samples computed together.
        progress: show a progress bar, with the time left.

    Returns:
        ``t (n, frames)`` ascending, and the arc lengths ``(n,)`` from the first frame to the last.

    Raises:
        ValueError: there are fewer than two frames, or an axis does not move the sample at all.
    """
    if frames < 2:
        raise ValueError(f"frames is {frames}; expected at least 2.")
    low, high = ends_of(reach, path)
    if same_length and not low < 0 < high:
        raise ValueError(f"reach is {(low, high)}; expected both sides of the reference for same_length.")
    cells = max(64, 2 * frames) if grid is None else grid
    t = np.linspace(low, high, cells + 1)
    bound, codes, _ = _prepare(G, D, z, vectors, t, path)
    coarse = _arc_lengths(successive_distances(G, bound, codes, batch, progress))
    t = np.broadcast_to(t, coarse.shape)
    t = np.sort(np.concatenate([t, _at_equal_arcs(t, coarse, coarse[:, 0], coarse[:, -1], cells + 1)[:, 1:-1]], axis=1))
    codes = _prepare(G, D, z, vectors, t, path)[1]
    arcs = _arc_lengths(successive_distances(G, bound, codes, batch, progress))
    first, last = arcs[:, 0], arcs[:, -1]
    if same_length:
        middle = np.array([np.interp(0.0, row, s) for row, s in zip(t, arcs, strict=True)])
        side = min(middle.min(), (last - middle).min())
        first, last = middle - side, middle + side
    lengths = last - first
    if lengths.min() <= 0:
        still = (np.flatnonzero(lengths <= 0) + 1).tolist()
        raise ValueError(f"walks {still} do not change the sample: they have no speed. Leave them out.")
    return _at_equal_arcs(t, arcs, first, last, frames), lengths


def constant_speed_walk(
    G: Generator, D: Distance, z: Any, vectors: Any, frames: int, *, path: str = "linear", **options: Any
) -> AxisWalks:
    """Walks at constant perceptual speed, for ``geomgan.plot.animate``; arguments of :func:`constant_speed_steps`."""
    steps, lengths = constant_speed_steps(G, D, z, vectors, frames, path=path, **options)
    shown = {name: options[name] for name in ("batch", "progress") if name in options}
    walks = walk(G, D, z, vectors, steps, path=path, **shown)
    return replace(walks, spacing="arc length", gaps=lengths / (frames - 1))


def _prepare(
    G: Generator, D: Distance, z: Any, vectors: Any, steps: Any, path: str
) -> tuple[Distance, np.ndarray, np.ndarray]:
    """The bound distance, the codes ``(n, T, d)`` and the references ``(n, d)``, checked."""
    check_types(G, D)
    if np.ndim(z) == 2:
        check_codes(z, G.latent_dim)
    else:
        check_code(z, G.latent_dim)
    D, codes = bind(G, D), walk_codes(z, vectors, steps, path).astype(G.dtype)
    return D, codes, np.broadcast_to(np.asarray(z, G.dtype), (len(codes), G.latent_dim))


def _arc_lengths(distances: np.ndarray) -> np.ndarray:
    """``s (n, T)`` from the distances between neighbours ``(n, T - 1)``."""
    check_finite(distances, "the distances along the walks")
    return np.pad(np.cumsum(distances, axis=1, dtype=np.float64), ((0, 0), (1, 0)))


def _at_equal_arcs(t: np.ndarray, arcs: np.ndarray, first: np.ndarray, last: np.ndarray, count: int) -> np.ndarray:
    """``count`` steps of each walk at equal arc lengths from ``first`` to ``last``."""
    targets = np.linspace(first, last, count, axis=1)
    return np.stack([np.interp(target, s, row) for target, s, row in zip(targets, arcs, t, strict=True)])


def _increasing(t: np.ndarray, d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``|t|`` and the running maximum of ``d`` from the reference outwards, up to the largest distance."""
    order = np.argsort(np.abs(t))
    t, d = np.abs(t[order]), d[order]
    last = int(d.argmax()) + 1
    return t[:last], np.maximum.accumulate(d[:last])
