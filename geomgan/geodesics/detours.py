"""How much longer walks are than the straight line and the shortest path between their ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from geomgan.brief import brief
from geomgan.distances.distance import Distance
from geomgan.errors import as_array, check_finite
from geomgan.generators.generator import Generator
from geomgan.geodesics.integrals import POINTS, lengths
from geomgan.geodesics.shortest import Shortest, shortest_paths
from geomgan.metric.pair import check_types
from geomgan.paths.curves import Polyline


@brief
@dataclass(frozen=True)
class Detours:
    """Lengths in the metric of a distance, of ``n`` walks and of what joins their ends.

    Attributes:
        walked: ``(n,)``, of the walks.
        straight: ``(n,)``, of the straight lines between their ends.
        shortest: ``(n,)``, of the shortest paths that were found; None where none were looked for.
        found: these paths.
    """

    walked: np.ndarray
    straight: np.ndarray
    shortest: np.ndarray | None = None
    found: Shortest | None = None

    @property
    def over_straight(self) -> np.ndarray:
        """``(n,)``, walked over straight; below 1 where a walk is shorter than the line."""
        return self.walked / self.straight

    @property
    def over_shortest(self) -> np.ndarray:
        """``(n,)``, walked over the shortest; NaN where none were looked for."""
        return self.walked / (np.nan if self.shortest is None else self.shortest)


def detours(
    G: Generator,
    D: Distance,
    codes: Any,
    *,
    geodesics: bool = True,
    segments: int = 32,
    tolerance: float = 1e-3,
    points: int = POINTS,
    progress: bool = False,
) -> Detours:
    """Lengths of walks, of the straight lines and of the shortest paths between their ends.

    Args:
        G: the generator.
        D: the squared distance.
        codes: ``(n, T, d)``, nodes of the walks, which go straight from one to the next.
        geodesics: whether to look for the shortest paths, which takes longest; it begins at the walks.
        segments: chords of each shortest path.
        tolerance: of the search, see :func:`geomgan.geodesics.shortest_paths`.
        points: of each walk that is measured.
        progress: show progress bars.

    Raises:
        TypeError: these are no generator and distance.
        ValueError: shapes do not fit, or a walk ends where it began.
    """
    check_types(G, D)
    codes = np.asarray(as_array(codes, "codes"), np.float32)
    if codes.ndim != 3 or codes.shape[1] < 2 or codes.shape[2] != G.latent_dim:
        raise ValueError(f"codes have shape {codes.shape}; expected (n, T, {G.latent_dim}) with T of at least 2.")
    check_finite(codes, "codes")
    t = np.linspace(0, 1, codes.shape[1])
    lines = [Polyline(walk[[0, -1]], np.array([0.0, 1.0])) for walk in codes]
    both = lengths(G, D, [*(Polyline(walk, t) for walk in codes), *lines], points=points)
    walked, straight = both[: len(codes)], both[len(codes) :]
    if not geodesics:
        return Detours(walked, straight)
    found = shortest_paths(
        G, D, codes[:, 0], codes[:, -1],
        segments=segments, guess=codes, tolerance=tolerance, progress=progress,
    )  # fmt: skip
    return Detours(walked, straight, found.lengths, found)
