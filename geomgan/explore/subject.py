"""What is explored, checked before any work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from geomgan.directions import Moves
from geomgan.distances.distance import Distance
from geomgan.errors import check_code
from geomgan.explore.frames import RATE, bounds_of, check_shown, stride_of
from geomgan.generators import Generator
from geomgan.metric.pair import check_types
from geomgan.optimize.prior import Prior, prior_of

SLIDERS = 6  # axes at first


@dataclass(frozen=True, eq=False)
class Subject:
    """What is explored: nothing of it changes.

    Attributes:
        G: the generator.
        D: the squared distance.
        code: where it starts, ``(d,)`` float64.
        moves: directions that have sliders from the start.
        sliders: axes of the metric that have.
        rate: of audio, in hertz.
        kind: ``"image"`` or ``"audio"``.
        stride: of small frames.
        bounds: values of black and white.
        prior: moments of the prior.
    """

    G: Generator
    D: Distance
    code: np.ndarray
    moves: tuple[Moves, ...]
    sliders: int
    rate: int
    kind: str
    stride: int
    bounds: tuple[float, float]
    prior: Prior

    @property
    def radius(self) -> float:
        """The deviation of the prior, over all components."""
        return float(np.sqrt(np.mean(np.asarray(self.prior.deviation, np.float64) ** 2)))


def subject(G: Generator, D: Distance, z: Any, moves: Any = (), sliders: int = SLIDERS, rate: int = RATE) -> Subject:
    """What is to be explored, checked; raises ``TypeError`` and ``ValueError`` before any work."""
    check_types(G, D)
    kind, code = check_shown(G), np.asarray(check_code(z, G.latent_dim), np.float64)
    moves = (moves,) if hasattr(moves, "path") else tuple(moves)
    for move in moves:
        if not hasattr(move, "path"):
            raise TypeError(f"directions hold {type(move).__name__}; expected directions, or a DirectionSet.")
        move.path(code)  # raises where it does not fit
    if isinstance(sliders, bool) or not 0 <= int(sliders) <= 32:
        raise ValueError(f"sliders is {sliders}; expected 0 to 32 axes.")
    sliders = min(int(sliders), G.latent_dim)
    bounds, prior = bounds_of(G, code), prior_of(G, jax.random.key(0))
    return Subject(G, D, code, moves, sliders, int(rate), kind, stride_of(G), bounds, prior)
