"""How far the quadratic approximation of the distance holds along each axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from geomgan.analysis.eigenspaces_at import checked_code, pairs_of
from geomgan.brief import brief
from geomgan.distances.distance import Distance
from geomgan.eigen.ranks import axes_of_rank
from geomgan.errors import check_count
from geomgan.generators.generator import Generator
from geomgan.paths import lines, measure, walk
from geomgan.paths.measure import check_overflow

NEAREST = 1e-4  # the first step, in units of the reach


@brief
@dataclass(frozen=True)
class TrustRadius:
    """Where the measured distance leaves ``√λ |t|``, along ``k`` axes.

    Attributes:
        ranks: ``(k,)``, of the eigenvectors, from 1.
        values: ``(k,)``, their eigenvalues.
        radius: ``(k,)``, the smaller one of the two sides.
        sides: ``(k, 2)``, the radius towards negative and positive ``t``; infinite where the distance does not leave
            within ``reach``, zero where it has left at the first step.
        steps: ``(T,)``, the ``|t|`` that were measured.
        distances: ``(k, 2, T)``, measured.
        errors: ``(k, 2, T)``, ``distance / (√λ |t|) - 1``; NaN where the prediction is zero.
        resolution: distance between samples of codes that differ by rounding: what is below it is not known.
        tolerance: relative.
        reach: the last step.
        measure: name of the distance.
    """

    ranks: np.ndarray
    values: np.ndarray
    radius: np.ndarray
    sides: np.ndarray
    steps: np.ndarray
    distances: np.ndarray
    errors: np.ndarray
    resolution: float
    tolerance: float
    reach: float
    measure: str

    @property
    def rounded(self) -> np.ndarray:
        """``(k,)``, axes whose radius was granted more of rounding than of tolerance: it may be much smaller."""
        predicted = np.sqrt(np.maximum(self.values, 0.0)) * np.clip(self.radius, self.steps[0], self.reach)
        return self.tolerance * predicted < self.resolution


def trust_radius(
    G: Generator,
    D: Distance,
    z: Any,
    g: Any,
    tolerance: float = 0.1,
    reach: float = 10.0,
    *,
    ranks: Sequence[int] | np.ndarray | None = None,
    steps: int = 64,
    progress: bool = False,
) -> TrustRadius:
    """The largest ``|t|`` up to which ``|d(t) - √λ |t|| ≤ tolerance √λ |t|``, for each axis and both sides.

    ``d(t) = d(G(z), G(z + t v))`` is measured at ``steps`` lengths in equal ratios from a ten-thousandth of ``reach``
    up to it, and the crossing is interpolated as a power law between the last step within and the first one without.
    A single-precision distance is not known below its rounding, which is measured and granted on top of the
    tolerance; without it the flattest axes would seem to fail at once, and with it they may be trusted too far by the
    length at which they move the sample by that much. ``jax.enable_x64`` with float64 weights removes both.

    Args:
        G: the generator.
        D: the squared distance.
        z: the reference code ``(d,)``.
        g: the metric at ``z``: a tensor ``(d, d)``, an operator, or its eigenpairs. Take the operator or its pairs
            for axes many decades below the first: those of a single-precision tensor are noise there.
        tolerance: relative.
        reach: the largest ``|t|``.
        ranks: of eigenvectors, from 1; by default all that there are.
        steps: on each side.
        progress: show a progress bar, with the time left.

    Raises:
        ValueError: shapes do not fit, a rank is beyond the eigenpairs, or a number is not positive.
        NotFiniteError: squared distances overflow.
    """
    D, z = checked_code(G, D, z)
    if not (0 < tolerance < np.inf and 0 < reach < np.inf):
        raise ValueError(f"tolerance is {tolerance!r} and reach {reach!r}; expected finite numbers above zero.")
    count, pairs = check_count(steps, np.inf, "steps"), pairs_of(g, G.latent_dim)
    chosen = np.arange(1, len(pairs.values) + 1) if ranks is None else np.asarray(ranks)
    vectors, values = axes_of_rank(pairs.vectors, pairs.values, chosen)
    lengths = np.geomspace(NEAREST * reach, reach, count)
    both = np.concatenate([-lengths, lengths])
    walks = walk(G, D, lines(z, vectors), both, keep=False, progress=progress)
    distances = walks.distances.astype(np.float64).reshape(-1, 2, count)
    resolution = _resolution(G, D, z, reach)
    check_overflow(np.append(distances, resolution), G.dtype)
    predictions = np.broadcast_to(np.sqrt(np.maximum(values, 0.0))[:, None, None] * lengths, distances.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = np.where(predictions > 0, distances / predictions - 1, np.nan)
    allowed = np.maximum(tolerance * predictions + resolution, np.finfo(float).tiny)
    with np.errstate(over="ignore"):
        excess = np.abs(distances - predictions) / allowed
    sides = np.array([[crossing(lengths, side) for side in axis] for axis in excess])
    return TrustRadius(
        ranks=chosen,
        values=values,
        radius=sides.min(axis=1),
        sides=sides,
        steps=lengths,
        distances=distances,
        errors=errors,
        resolution=resolution,
        tolerance=float(tolerance),
        reach=float(reach),
        measure=D.name,
    )


def crossing(steps: np.ndarray, excess: np.ndarray) -> float:
    """Where ``excess`` first rises above 1; a value that is not a number counts as above."""
    outside = np.flatnonzero(~(excess <= 1))
    if not len(outside):
        return np.inf
    first = int(outside[0])
    if first == 0:
        return 0.0
    low, high = np.log(np.maximum(excess[first - 1 : first + 1], 1e-30))
    share = -low / (high - low) if np.isfinite(high) else 0.0
    return float(steps[first - 1] * (steps[first] / steps[first - 1]) ** share)


def _resolution(G: Generator, D: Distance, z: np.ndarray, reach: float) -> float:
    """The largest distance to codes that differ from ``z`` as rounding a code of that size would."""
    step = float(np.finfo(G.dtype).eps) * (np.linalg.norm(z) + reach) / G.latent_dim**0.5
    signs = np.where(np.random.default_rng(0).random((8, G.latent_dim)) < 0.5, -1.0, 1.0)
    return float(measure(G, D, z[None], (z + step * signs)[None]).distances.max())
