"""Where the search for shortest paths begins or stays: paths through a pool of codes, axes of a mean metric."""

from __future__ import annotations

from typing import Any

import numpy as np

from geomgan.distances.distance import Distance
from geomgan.errors import check_codes, check_count
from geomgan.generators.generator import Generator
from geomgan.geodesics.shortest import guessed, pairs_of
from geomgan.metric.operator import metric_operator
from geomgan.metric.pair import check_types
from geomgan.paths.curves import Polyline, polyline
from geomgan.paths.measure import neighbour_distances


def paths_through(
    G: Generator,
    D: Distance,
    starts: Any,
    ends: Any,
    pool: Any,
    *,
    neighbours: int = 8,
    chords: int = 4,
    progress: bool = False,
) -> tuple[Polyline, ...]:
    """Paths from start to end through codes of a pool, the shortest in its graph of nearest neighbours.

    Neighbours are near in the latent space; an edge is as long as ``chords`` chords between samples along it. Such a
    path may go around what no straight line crosses cheaply, and is a guess for :func:`shortest_paths`.

    Args:
        G: the generator.
        D: the squared distance.
        starts: one code ``(d,)``, or one for each pair ``(n, d)``.
        ends: as ``starts``.
        pool: codes ``(m, d)``: encoded data, or draws from the prior.
        neighbours: of each code in the graph.
        chords: of each edge.
        progress: show a progress bar.

    Returns:
        A path for each pair, ``t`` in shares of its length.

    Raises:
        TypeError, ValueError: these are no generator, distance and codes, or a pair starts where it ends.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import dijkstra
    from scipy.spatial import cKDTree

    check_types(G, D)
    starts, ends = pairs_of(G, starts, ends)
    pool = np.asarray(check_codes(pool, G.latent_dim), G.dtype)
    neighbours = min(check_count(neighbours, np.inf, "neighbours"), len(pool) + 1)
    chords = check_count(chords, np.inf, "chords")
    codes, at = np.unique(np.concatenate([starts, ends, pool]), axis=0, return_inverse=True)
    near = cKDTree(codes).query(codes, min(neighbours + 1, len(codes)))[1][:, 1:]
    pairs = np.stack([np.repeat(np.arange(len(codes)), near.shape[1]), near.ravel()], axis=1)
    direct = np.stack([at[: len(starts)], at[len(starts) : 2 * len(starts)]], axis=1)  # no pair is without a path
    edges = np.unique(np.sort(np.concatenate([pairs, direct]), axis=1), axis=0)
    t = np.linspace(0, 1, chords + 1)[:, None]
    fine = codes[edges[:, :1]] * (1 - t) + codes[edges[:, 1:]] * t
    length = neighbour_distances(G, D, fine, progress=progress).sum(axis=1, dtype=np.float64)
    length = np.maximum(length, np.finfo(float).tiny)  # an edge of no length is an edge, too
    graph = coo_array((length, (edges[:, 0], edges[:, 1])), shape=(len(codes), len(codes))).tocsr()
    found = []
    for first, last in direct:
        _, before = dijkstra(graph, directed=False, indices=first, return_predecessors=True)
        route = [last]
        while route[-1] != first:
            route.append(before[route[-1]])
        nodes = codes[route[::-1]]
        gaps = [float(graph[min(a, b), max(a, b)]) for a, b in zip(route[::-1], route[-2::-1], strict=False)]
        arcs = np.append(0, np.cumsum(gaps))
        known = np.diff(arcs).min() > 1e-9 * arcs[-1]
        found.append(polyline(nodes, np.append(arcs[:-1] / arcs[-1], 1) if known else None))
    return tuple(found)


def leading_axes(G: Generator, D: Distance, starts: Any, ends: Any, k: int, *, codes: int = 5) -> np.ndarray:
    """The ``k`` leading axes ``(d, k)`` of the mean metric along the straight lines of pairs.

    Samples hardly feel the others: shortest paths in these axes (``basis`` of :func:`shortest_paths`) cost ``k``
    tangents a node where whole codes cost ``d``. By subspace iteration on products ``Jᵀ(J V)``, without a tensor.

    Args:
        G: the generator.
        D: the squared distance.
        starts: one code ``(d,)``, or one for each pair ``(n, d)``.
        ends: as ``starts``.
        k: how many.
        codes: of the mean, evenly spread over the pairs and their lines.

    Raises:
        TypeError, ValueError: these are no generator, distance and codes, or ``k`` is not from 1 to ``d``.
    """
    check_types(G, D)
    k = check_count(k, G.latent_dim, "k", ", the dimensions of the latent space")
    starts, ends = pairs_of(G, starts, ends)
    chains = guessed(G, starts, ends, None, max(2, codes + 1))[:, 1:-1].reshape(-1, G.latent_dim)
    chosen = chains[np.linspace(0, len(chains) - 1, min(codes, len(chains))).round().astype(int)]
    operators = [metric_operator(G, D, z) for z in chosen]
    width = min(G.latent_dim, k + 4)
    V = np.linalg.qr(np.random.default_rng(0).standard_normal((G.latent_dim, width))).Q
    for _ in range(6 if width < G.latent_dim else 1):
        products = np.mean([np.asarray(op.matmat(V), np.float64) for op in operators], axis=0)
        ritz, within = np.linalg.eigh((V.T @ products + products.T @ V) / 2)
        basis = V @ within[:, np.argsort(ritz)[::-1]]
        V = np.linalg.qr(products).Q
    return np.asarray(basis[:, :k])
