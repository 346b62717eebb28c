"""Walking along paths: samples, and distances from where the paths are at ``t = 0``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from geomgan.brief import brief
from geomgan.distances.distance import Distance
from geomgan.errors import check_finite
from geomgan.generators.generator import Generator
from geomgan.metric.pair import check_types
from geomgan.paths.measure import measure
from geomgan.paths.path import Path, kind_of


@brief
@dataclass(frozen=True)
class Walks:
    """Walks along ``n`` paths, ``T`` samples each.

    Attributes:
        steps: ``(n, T)``, the ``t`` of each sample: latent units on lines, radians on great circles.
        samples: ``(n, T, ...)``, or those of the walks that were to be kept.
        distances: ``(n, T)``, ``d(G(z), G(z(t)))``, the square root of the squared distance.
        path: what the paths are, ``"linear"`` or ``"spherical"``; of others the name of their type.
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


def walk(
    G: Generator,
    D: Distance,
    paths: Path | Sequence[Path],
    steps: Any,
    *,
    keep: bool | np.ndarray = True,
    batch: int | None = None,
    progress: bool = False,
) -> Walks:
    """Samples along paths, and their distances from the sample at ``t = 0``.

    Args:
        G: the generator.
        D: the squared distance.
        paths: one, or several.
        steps: ``t`` for every path ``(T,)``, or for each ``(n, T)``.
        keep: the samples: of all walks, of none, or of those that are true in ``(n,)``.
        batch: samples computed together; by default what suits the device, fewer where they are large.
        progress: show a progress bar, with the time left.

    Raises:
        TypeError: these are no generator, distance and paths.
        ValueError: shapes do not fit, or a number is not finite.
    """
    check_types(G, D)
    paths = several(paths)
    steps = checked_steps(steps, len(paths))
    codes, references = codes_of(G, paths, steps), codes_of(G, paths, np.zeros((len(paths), 1)))[:, 0]
    measured = measure(G, D, references, codes, keep=keep, batch=batch, progress=progress)
    return Walks(steps.astype(G.dtype), measured.samples, measured.distances, kind_of(paths), D.name)


def several(paths: Path | Sequence[Path]) -> Sequence[Path]:
    """One path or more as a sequence; ``TypeError`` for what is none."""
    paths = [paths] if callable(paths) else list(paths)
    strangers = [type(path).__name__ for path in paths if not callable(path)]
    if strangers or not paths:
        got = f"{strangers[0]} for a path" if strangers else "no path"
        raise TypeError(
            f"got {got}; expected functions path(t). Of a code and directions geomgan.paths.leaving makes them."
        )
    return paths


def codes_of(G: Generator, paths: Sequence[Path], steps: np.ndarray) -> np.ndarray:
    """The codes ``(n, T, d)`` of paths at their ``steps (n, T)``, checked."""
    codes = [np.asarray(path(t)) for path, t in zip(paths, steps, strict=True)]
    expected = (steps.shape[1], G.latent_dim)
    wrong = [code.shape for code in codes if code.shape != expected]
    if wrong:
        raise ValueError(f"a path returns shape {wrong[0]} at {expected[0]} steps; expected {expected}: (T, d).")
    stacked = np.stack(codes)
    check_finite(stacked, "the codes of the paths")
    return stacked


def checked_steps(steps: Any, count: int) -> np.ndarray:
    """``steps`` for each of ``count`` walks, ``(count, T)`` in float64."""
    steps = np.asarray(steps, np.float64)
    if steps.ndim not in (1, 2) or steps.size == 0 or (steps.ndim == 2 and steps.shape[0] not in (1, count)):
        raise ValueError(f"steps have shape {steps.shape}; expected (T,) for every walk, or ({count}, T) for each.")
    check_finite(steps, "steps")
    return np.broadcast_to(steps, (count, steps.shape[-1]))
