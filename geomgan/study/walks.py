"""The rows of a study: walks along many directions from a few references, all equally far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from geomgan.brief import brief
from geomgan.distances import Distance
from geomgan.generators import Generator
from geomgan.paths import Walks, equal_distance_steps, lines, walk
from geomgan.paths.spacing import FINE
from geomgan.plot.images import shared_range

EQUAL = ("distance", "latent")


@brief
@dataclass(frozen=True)
class StudyWalks:
    """Walks along ``k`` directions from ``r`` references.

    Attributes:
        steps: ``(k, r, columns)``, in latent units.
        distances: ``(k, r, columns)``, from the reference.
        drawn: for each direction and reference, what ``draw`` returned for its samples.
        said: how far the walks go and why, in one sentence.
    """

    steps: np.ndarray
    distances: np.ndarray
    drawn: list[list[Any]]
    said: str


def study_walks(
    G: Generator,
    D: Distance,
    references: np.ndarray,
    vectors: np.ndarray,
    labels: Sequence[str],
    reach: float,
    columns: int,
    equal: str,
    draw: Callable[[np.ndarray, tuple[float, float]], Any],
) -> StudyWalks:
    """Walks that all go equally far to both sides.

    Args:
        G: the generator.
        D: the squared distance.
        references: codes ``(r, d)``.
        vectors: directions as columns ``(d, k)``.
        labels: name of each direction, for the sentence.
        reach: largest step, in latent units.
        columns: samples of a walk, odd.
        equal: ``"distance"``: equal steps in distance; from each reference as far as every direction gets to both
            sides within ``reach``. ``"latent"``: equal steps to ``reach``.
        draw: called with the samples ``(columns, ...)`` of a walk and the range of values to show; samples are not
            kept.

    Raises:
        ValueError: a direction changes nothing, so that no common distance exists.
    """
    count, rows = len(labels), len(references)
    steps, ends = np.broadcast_to(np.linspace(-reach, reach, columns), (count, rows, columns)), None
    if equal == "distance":
        s = np.linspace(-1, 1, 2 * FINE + 1)
        ticks = reach * s * np.abs(s)  # finest at the reference, where the strongest axes end
        starts = tqdm(references, desc="distances along rows", unit="reference")
        by_row = [_equal_steps(labels, walk(G, D, lines(z, vectors), ticks, keep=False), columns // 2) for z in starts]
        steps, ends = np.stack([t for t, _ in by_row], axis=1), [end for _, end in by_row]
    shown = shared_range(jax.vmap(G)(references) if G.output_range is None else (), G.output_range)
    distances, drawn = np.zeros(steps.shape), []
    for i in tqdm(range(count), desc="pictures", unit="direction"):
        walks = walk(G, D, lines(references, vectors[:, [i]]), steps[i])
        distances[i] = walks.distances
        drawn.append([draw(samples, shown) for samples in walks.samples])
    return StudyWalks(steps, distances, drawn, _said(ends, reach))


def _equal_steps(labels: Sequence[str], walks: Walks, side: int) -> tuple[np.ndarray, float]:
    """Steps ``(k, 2 side + 1)`` of one row that are equal in distance for all directions, and how far they go."""
    still = [label for label, curve in zip(labels, walks.distances, strict=True) if not curve.max() > 0]
    if still:
        raise ValueError(
            f"{still[0]} changes nothing: no distance is common to all. Leave it out, or pass equal='latent'."
        )
    t, gap = equal_distance_steps(walks, side)
    return t, gap * side


def _said(ends: Sequence[float] | None, reach: float) -> str:
    if ends is None:
        return f"Every row goes {reach:.3g} latent units to both sides."
    distances = ", ".join(f"{end:.3g}" for end in ends)
    return f"Rows 1 to {len(ends)} of every question go distances of {distances} to both sides."
