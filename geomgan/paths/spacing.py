"""Even spacing along any path: samples at equal distances from the reference, or at constant perceptual speed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from geomgan.distances.distance import Distance
from geomgan.errors import check_finite
from geomgan.generators.generator import Generator
from geomgan.metric.pair import check_types
from geomgan.paths.measure import neighbour_distances
from geomgan.paths.path import Path, ends_of
from geomgan.paths.walks import Walks, checked_steps, codes_of, several, walk

FINE = 30  # samples on each side of the reference from which equal distances are found
ROUNDS = 3  # of spacing samples anew by the distances between them


def equal_distance_steps(walks: Walks, count: int) -> tuple[np.ndarray, float]:
    """Steps ``t`` at which each walk has moved the sample by equal distances, to both sides of the reference.

    The curve of each side is followed up to its largest distance, taken as increasing, and inverted by linear
    interpolation. The range is the largest distance that every walk reaches on both sides.

    Args:
        walks: walks whose ``steps`` run from negative to positive through zero; their samples are not needed.
        count: samples on each side.

    Returns:
        ``t (n, 2 count + 1)``, zero in the middle, and the distance between neighbours.

    Raises:
        ValueError: the walks stay on one side, hold NaN, or one does not move the sample at all.
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
    paths: Path | Sequence[Path],
    count: int,
    *,
    reach: float | None = None,
    batch: int | None = None,
    progress: bool = False,
) -> Walks:
    """Walks whose samples are equally far apart in distance from the reference; see :func:`equal_distance_steps`.

    Args:
        G: the generator.
        D: the squared distance.
        paths: one, or several.
        count: samples on each side of the reference.
        reach: the largest ``|t|``; by default that of the paths, 3 latent units or 0.5 radians.
        batch: samples computed together.
        progress: show a progress bar, with the time left.

    Raises:
        ValueError: as :func:`walk` and :func:`equal_distance_steps`.
    """
    paths = several(paths)
    reach = ends_of(reach, paths)[1]
    steps = np.linspace(-reach, reach, 2 * FINE + 1)
    fine = walk(G, D, paths, steps, keep=False, batch=batch, progress=progress)
    equal, gap = equal_distance_steps(fine, count)
    walks = walk(G, D, paths, equal, batch=batch, progress=progress)
    return replace(walks, spacing="distance", gaps=np.full(len(equal), gap))


def constant_speed_steps(
    G: Generator,
    D: Distance,
    paths: Path | Sequence[Path],
    frames: int,
    *,
    reach: float | tuple[float, float] | None = None,
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
        paths: one, or several.
        frames: samples of each walk.
        reach: the largest ``|t|``, or ``(first, last)``; by default that of the paths, 3 latent units or 0.5 radians.
        same_length: follow every path to the same arc length on each side of the reference, the largest that all of
            them reach: side by side they then move equally fast. Otherwise each path has its own speed.
        grid: intervals of the first grid; by default two for each frame, at least 64.
        batch: samples computed together.
        progress: show a progress bar, with the time left.

    Returns:
        ``t (n, frames)`` ascending, and the arc lengths ``(n,)`` from the first frame to the last.

    Raises:
        ValueError: there are fewer than two frames, or a path does not move the sample at all.
    """
    check_types(G, D)
    paths = several(paths)
    if frames < 2:
        raise ValueError(f"frames is {frames}; expected at least 2.")
    low, high = ends_of(reach, paths)
    if same_length and not low < 0 < high:
        raise ValueError(f"reach is {(low, high)}; expected both sides of the reference for same_length.")

    def arcs_at(t: np.ndarray) -> np.ndarray:
        between = neighbour_distances(G, D, codes_of(G, paths, t), batch=batch, progress=progress)
        check_finite(between, "the distances along the walks")
        return np.pad(np.cumsum(between, axis=1, dtype=np.float64), ((0, 0), (1, 0)))

    cells = max(64, 2 * frames) if grid is None else grid
    t = checked_steps(np.linspace(low, high, cells + 1), len(paths))
    arcs = arcs_at(t)
    t = np.sort(np.concatenate([t, _at_equal_arcs(t, arcs, arcs[:, 0], arcs[:, -1], cells + 1)[:, 1:-1]], axis=1))
    arcs = arcs_at(t)
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


def constant_speed_walk(G: Generator, D: Distance, paths: Path | Sequence[Path], frames: int, **options: Any) -> Walks:
    """Walks at constant perceptual speed, for ``geomgan.plot.animate``; arguments of :func:`constant_speed_steps`."""
    steps, lengths = constant_speed_steps(G, D, paths, frames, **options)
    shown = {name: options[name] for name in ("batch", "progress") if name in options}
    return replace(walk(G, D, paths, steps, **shown), spacing="arc length", gaps=lengths / (frames - 1))


def even_steps(
    G: Generator, D: Distance, paths: Path | Sequence[Path], count: int, *, reach: float
) -> tuple[list[np.ndarray], float]:
    """Steps ``t`` at one distance from neighbour to neighbour, the same on all paths, counted from the reference.

    No path ends where another one does: that with the longest way has about ``count`` steps, the others fewer. What is
    equal are distances between the samples at these steps, found by measuring and spacing them anew ``ROUNDS`` times.
    Arc lengths over a fine grid are more than that where samples do not move smoothly.

    Args:
        G: the generator.
        D: the squared distance.
        paths: one, or several.
        count: steps of the longest path, odd.
        reach: the largest ``|t|``.

    Returns:
        ``t`` of each path, ascending, with zero, and the distance.

    Raises:
        ValueError: no path moves the sample, or distances are not finite.
    """
    paths = several(paths)
    t = np.array(checked_steps(np.linspace(-reach, reach, count), len(paths)))
    zero, each = np.full(len(t), count // 2), np.arange(len(t))
    for _ in range(ROUNDS):
        between = neighbour_distances(G, D, codes_of(G, paths, t))
        check_finite(between, "the distances along the walks")
        arcs = np.pad(np.cumsum(between, axis=1, dtype=np.float64), ((0, 0), (1, 0)))
        arcs -= arcs[each, zero, None]
        gap = float(np.ptp(arcs, axis=1).max()) / (count - 1)
        if not gap > 0:
            raise ValueError("no walk changes the sample: no steps are equal in distance.")
        before, after = ((side / gap + 1e-6).astype(int) for side in (-arcs[:, 0], arcs[:, -1]))
        k = (
            np.arange(count + 2) - before[:, None] - 1
        )  # the ends stay, so that what is beyond the last step is measured
        t = np.stack([np.interp(gap * k[i], arcs[i], t[i], left=-reach, right=reach) for i in each])
        t[:, 0], t[k > after[:, None]] = -reach, reach
        t[each, zero := before + 1] = 0.0
    return [row[1 : at + last + 1] for row, at, last in zip(t, zero, after, strict=True)], gap


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
