"""What is seen along straight lines and along the shortest paths beside them."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.brief import brief
from geomgan.distances.distance import Distance
from geomgan.errors import check_count
from geomgan.generators.generator import Generator, output_of
from geomgan.geodesics.local import embedded
from geomgan.geodesics.shortest import Shortest
from geomgan.metric.pair import Pair, bound
from geomgan.paths.between import between
from geomgan.paths.measure import block_size, neighbour_distances
from geomgan.paths.walks import checked_steps, codes_of, walk

DENSE = 401  # codes of a path whose distance gone is summed


@brief
@dataclass(frozen=True)
class Sequences:
    """Straight lines at equal steps of the code, and the paths found, at constant speed, beside them: of ``n`` pairs.

    Attributes:
        t: ``(T,)``, from 0 to 1.
        samples: ``(n, 2, T, ...)``: straight, found.
        arcs: ``(n, 2, S)``, the distance gone at ``S`` equal steps of ``t``, in chords.
        correlations: ``(n, 2, T, T)``, cosines between what the distance sees of the samples: of its embeddings, where
            it has them, else of the samples.
        measure: name of the distance.
    """

    t: np.ndarray
    samples: np.ndarray
    arcs: np.ndarray
    correlations: np.ndarray
    measure: str

    @property
    def variances(self) -> np.ndarray:
        """Variances ``(n, 2)`` of the matrices of cosines: low where samples change evenly (Michelis and Becker)."""
        return self.correlations.var(axis=(2, 3))


def sequences(G: Generator, D: Distance, found: Shortest, *, points: int = 21) -> Sequences:
    """Samples, distances gone and correlations along straight lines and along the paths found.

    Args:
        G: the generator.
        D: the squared distance.
        found: of :func:`shortest_paths`.
        points: samples of each way.

    Raises:
        TypeError, ValueError: these are no generator and distance, or ``points`` is below 2.
    """
    points = check_count(points, np.inf, "points")
    if points < 2:
        raise ValueError("points is 1; expected at least 2: both ends.")
    lines = [between(codes[0], codes[-1]) for codes in found.codes]
    paths = [way for pair in zip(lines, found.paths, strict=True) for way in pair]
    t, fine = np.linspace(0, 1, points), checked_steps(np.linspace(0, 1, DENSE), len(paths))
    chords = neighbour_distances(G, D, codes_of(G, paths, fine)).astype(np.float64)
    arcs = np.pad(np.cumsum(chords, axis=1), ((0, 0), (1, 0)))
    walked, codes = walk(G, D, paths, t), codes_of(G, paths, checked_steps(t, len(paths)))
    cosines = np.stack([_cosines(bound(G, D), row.astype(G.dtype)) for row in codes])
    two = lambda x: x.reshape(-1, 2, *x.shape[1:])
    return Sequences(t, two(walked.samples), two(arcs), two(cosines), D.name)


def _cosines(pair: Pair, codes: np.ndarray) -> np.ndarray:
    size = min(block_size(pair.G), len(codes))
    blocks = [np.resize(codes[i : i + size], (size, codes.shape[1])) for i in range(0, len(codes), size)]
    seen = np.concatenate([np.asarray(_seen(pair, block)) for block in blocks])[: len(codes)]
    inner = seen @ seen.T.astype(np.float64)
    norms = np.sqrt(np.maximum(np.diagonal(inner), np.finfo(float).tiny))
    return inner / norms / norms[:, None]


@jax.jit
def _seen(pair: Pair, codes: jax.Array) -> jax.Array:
    def one(z: jax.Array) -> jax.Array:
        if pair.D.embedding is not None:
            return embedded(pair, z)
        return jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(output_of(pair.G, z))])

    with jax.default_matmul_precision("highest"):
        return jax.vmap(one)(codes)
