"""Shortest paths between codes: many pairs at once, never longer than the straight line when measured densely."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from geomgan.backend import backend, memory_budget
from geomgan.brief import brief
from geomgan.distances.distance import Distance
from geomgan.errors import NotFiniteError, as_array, check_choice, check_code, check_codes, check_count, warn
from geomgan.generators.generator import Generator
from geomgan.geodesics import descent, georce, products
from geomgan.geodesics.batches import Chain
from geomgan.geodesics.chords import Rows, at, chords_along
from geomgan.geodesics.descent import MEMORY
from geomgan.geodesics.springs import KNOTS
from geomgan.geodesics.through import through
from geomgan.metric.pair import Pair, bound, check_types, profile_of
from geomgan.paths.curves import BSpline, Polyline

METHODS = ("gauss-newton", "matrix-free", "georce")
FINER = 4  # times as many chords as a chain has measure the length that is reported
DENSE, LOOSE = (64, 400), 1e-2  # chords that measure it at least; fewer first where the tolerance is so loose
DOUBT = 3e-2  # of a length that may be missing, at worst, before more chords measure it
EVEN = 1e-3  # of the steps between nodes that is not the chords'
ROUNDED = 0.25  # spacings of numbers: eigenvalues below, of the largest, may be zero
COARSE = 4  # a chain is first found with so many times fewer chords
LEAST = 8  # chords of the coarse one


@brief
@dataclass(frozen=True)
class Shortest:
    """Shortest paths between ``n`` pairs of codes.

    Attributes:
        codes: ``(n, T + 1, d)``, nodes of the paths, with both ends.
        steps: ``(n, T + 1)``, ``t`` at the nodes, from 0 to 1: the share of the chords up to each. Paths then run at
            constant speed.
        lengths: ``(n,)``, of the paths: of ``4 T`` chords along them, extrapolated; at least 400, or 64 where
            ``tolerance`` is 0.01 or more and these can have missed 3 hundredths at most.
        straight_lengths: ``(n,)``, of the straight lines, by the same rule.
        energies: ``(n,)``, ``T Σ d²`` of the nodes' chords.
        iterations: ``(n,)``, that lowered the energy, over both resolutions.
        status: of each: ``"converged"``; ``"limit"``, of iterations; ``"straight"``, nothing shorter than the line was
            found, and it is what is returned; ``"stuck"``, no step lowered the energy, though one should.
        singular: ``(n,)``, whether the metric is singular, to rounding, somewhere on the path: along the directions
            that no sample feels the path is then one of many, and damping has kept it near where it began.
        method: ``"gauss-newton"``, ``"matrix-free"`` or ``"georce"``, as it was run.
    """

    codes: np.ndarray
    steps: np.ndarray
    lengths: np.ndarray
    straight_lengths: np.ndarray
    energies: np.ndarray
    iterations: np.ndarray
    status: tuple[str, ...]
    singular: np.ndarray
    method: str

    @property
    def improvements(self) -> np.ndarray:
        """How much shorter than the straight line, ``1 - length / straight length``: ``(n,)``, from 0 to 1."""
        longest = np.where(self.straight_lengths > 0, self.straight_lengths, 1)
        return np.where(self.straight_lengths > 0, 1 - self.lengths / longest, 0.0)

    @property
    def paths(self) -> tuple[BSpline, ...]:
        """Splines through the nodes, at constant speed: ``path(t)`` has gone the share ``t`` of its length."""
        return tuple(through(*both) for both in zip(self.steps, self.codes, strict=True))


def shortest_paths(
    G: Generator,
    D: Distance,
    starts: Any,
    ends: Any,
    *,
    method: str = "gauss-newton",
    segments: int = 64,
    guess: Any = None,
    basis: Any = None,
    tolerance: float = 1e-5,
    iterations: int = 100,
    progress: bool = False,
) -> Shortest:
    """The shortest paths between pairs of codes, or local ones near where the search begins.

    ``"gauss-newton"`` minimises the energy of chords between samples, first with a quarter of the chords and then with
    all: Gauss-Newton steps on metrics that are renewed now and then, with L-BFGS corrections in between
    (:mod:`geomgan.geodesics.descent`). ``"georce"`` is the published control iteration
    (:mod:`geomgan.geodesics.georce`) on the metric at the left end of each chord. ``"matrix-free"`` takes whole
    Gauss-Newton steps by products (:mod:`geomgan.geodesics.products`), for samples or features of millions of numbers;
    ``"gauss-newton"`` does so by itself where the Jacobian at one code would not fit. The result is measured
    densely; where it is not shorter than the straight line, that is returned.

    Args:
        G: the generator.
        D: the squared distance.
        starts: one code ``(d,)``, or one for each pair ``(n, d)``.
        ends: as ``starts``.
        method: ``"gauss-newton"``, ``"matrix-free"`` or ``"georce"``.
        segments: ``T``, chords of each path.
        guess: where the search begins, if not at the straight lines: codes ``(n, any, d)`` with both ends, or a path
            from start to end for each pair (``geomgan.paths.between``, :func:`paths_through`).
        basis: ``(d, k)``, orthonormal columns in which paths leave the guess: :func:`leading_axes` of a mean metric.
            By default all directions.
        tolerance: gain that a step promises (of ``"georce"``: has had), relative to the energy, below which a path is
            done.
        iterations: steps at most, at each resolution, those that were refused among them.
        progress: show a progress bar.

    Raises:
        TypeError: these are no generator and distance.
        ValueError: shapes do not fit, a code is not finite, or a pair's start and end are the same.
        NotFiniteError: samples along a guess are not finite.
    """
    check_types(G, D)
    check_choice(method, METHODS, "method")
    segments = check_count(segments, np.inf, "segments")
    if segments < 2:
        raise ValueError("segments is 1; expected at least 2: one chord alone is the straight line.")
    starts, ends = pairs_of(G, starts, ends)
    pair, U = bound(G, D), _checked_basis(basis, G)
    chains = guessed(G, starts, ends, guess, segments)
    straight = guessed(G, starts, ends, None, segments)
    if method == "georce" and basis is not None:
        raise ValueError("basis is given; expected none with method='georce', which solves for whole codes.")
    if method == "matrix-free" and D.embedding is None:
        raise ValueError(f"method='matrix-free' needs an embedding, which {D.name} has not. Take 'gauss-newton'.")
    size = pairs_together(pair, segments, U.shape[1])
    if method == "gauss-newton" and size == 0 and D.embedding is not None:
        method = "matrix-free"
    run = {"gauss-newton": _gauss_newton, "matrix-free": _matrix_free, "georce": _georce}[method]
    size = max(1, size)
    parts = []
    with tqdm(total=len(starts), desc="shortest paths", unit="pair", disable=not progress) as bar:
        for first in range(0, len(starts), size):
            part = chains[first : first + size]
            if len(starts) > size:  # one program for all parts
                part = np.concatenate([part, np.repeat(part[-1:], size - len(part), axis=0)])
            parts.append(run(pair, part, U, tolerance, iterations))
            bar.update(min(size, len(starts) - first))
    state = jax.tree.map(lambda *leaves: np.concatenate(leaves)[: len(starts)], *parts)
    return judged(pair, state, straight, method, tolerance)


def pairs_of(G: Generator, starts: Any, ends: Any) -> tuple[np.ndarray, np.ndarray]:
    """Starts and ends ``(n, d)`` in float64, checked."""
    both = []
    for z in (starts, ends):
        z = as_array(z, "codes")
        both.append(np.atleast_2d(np.asarray((check_code if np.ndim(z) == 1 else check_codes)(z, G.latent_dim))))
    n = max(map(len, both))
    if any(len(z) not in (1, n) for z in both):
        raise ValueError(f"there are {len(both[0])} starts and {len(both[1])} ends; expected as many of both, or one.")
    starts, ends = (np.broadcast_to(z, (n, G.latent_dim)).astype(G.dtype) for z in both)
    same = np.flatnonzero((starts == ends).all(axis=1))
    if same.size:
        raise ValueError(f"pairs {(same + 1).tolist()} end where they start; expected two codes. Leave them out.")
    return starts, ends


def guessed(G: Generator, starts: np.ndarray, ends: np.ndarray, guess: Any, segments: int) -> np.ndarray:
    """Chains ``(n, T + 1, d)`` where the search begins, with their ends as they are given."""
    t = np.linspace(0, 1, segments + 1)
    if guess is None:
        weight = t[:, None]
        chains = starts[:, None] * (1 - weight) + ends[:, None] * weight
    else:
        paths = [guess] if callable(guess) else list(guess)
        paths = [path if callable(path) else Polyline(np.asarray(path), np.linspace(0, 1, len(path))) for path in paths]
        if len(paths) != len(starts):
            raise ValueError(f"there are {len(paths)} guesses; expected {len(starts)}, one for each pair.")
        chains = np.stack([np.asarray(path(t)) for path in paths])
        if chains.shape != (len(starts), segments + 1, G.latent_dim):
            raise ValueError(f"guesses have codes of shape {chains.shape[2:]}; expected ({G.latent_dim},).")
        wrong = np.abs(chains[:, [0, -1]] - np.stack([starts, ends], axis=1)).max(axis=(1, 2))
        wrong = np.flatnonzero(~(wrong <= 1e-4 * np.abs(chains).max(axis=(1, 2))))
        if wrong.size:
            raise ValueError(f"guesses {(wrong + 1).tolist()} do not run from their start to their end; expected that.")
    chains = chains.astype(G.dtype)
    chains[:, 0], chains[:, -1] = starts, ends
    return chains


def judged(pair: Pair, state: Chain, straight: np.ndarray, method: str, tolerance: float) -> Shortest:
    """The result of chains that a method has found, measured densely beside the straight lines."""
    n = len(straight)
    both = _measured(pair, np.concatenate([np.asarray(state.codes), straight]), tolerance)
    found, lines = ([rows[part] for rows in both] for part in (slice(n), slice(n, None)))
    if not np.isfinite(lines[0]).all():
        raise NotFiniteError("samples along a straight line are not finite; expected numbers. Take nearer codes.")
    longer = ~(found[0] < lines[0])
    length, energy, steps, codes = (
        np.where(longer.reshape(-1, *[1] * (line.ndim - 1)), line, ours)
        for ours, line in zip(found, lines, strict=True)
    )
    status = np.where(state.stuck, "stuck", np.where(state.done, "converged", "limit"))
    singular = np.asarray(state.condition) < ROUNDED * np.finfo(pair.G.dtype).eps
    if singular.any():
        warn(
            f"the metric is singular along {int(singular.sum())} of {len(codes)} paths: some directions do not change "
            "the sample. Steps were damped, so that paths stay near where they began along those; they are not unique."
        )
    return Shortest(
        codes=codes,
        steps=steps,
        lengths=length,
        straight_lengths=lines[0],
        energies=energy,
        iterations=np.asarray(state.steps),
        status=tuple(map(str, np.where(longer, "straight", status))),
        singular=singular,
        method=method,
    )


def _gauss_newton(pair: Pair, chains: np.ndarray, basis: jax.Array, tolerance: float, iterations: int) -> Chain:
    together = nodes_together(pair, KNOTS * len(chains), basis.shape[1])
    descended = partial(descent.descended, rows=rows_together(pair), together=together, check=check_energies)
    return _from_coarse(descended, pair, chains, basis, tolerance, iterations)


def _georce(pair: Pair, chains: np.ndarray, basis: jax.Array, tolerance: float, iterations: int) -> Chain:
    nodes = len(chains) * (chains.shape[1] - 1)
    loops = pair.D.embedding is not None  # no reverse passes in compiled ones
    together = nodes_together(pair, nodes, pair.dim) if loops else nodes
    return georce.run(pair, chains, basis, tolerance, iterations, together=together)


def _matrix_free(pair: Pair, chains: np.ndarray, basis: jax.Array, tolerance: float, iterations: int) -> Chain:
    found = _from_coarse(products.descended, pair, chains, basis, tolerance, iterations)
    check_energies(found.energy)
    return found


def _from_coarse(
    descended: Callable[..., Chain],
    pair: Pair,
    chains: np.ndarray,
    basis: jax.Array,
    tolerance: float,
    iterations: int,
) -> Chain:
    """Chains found with a quarter of the chords first, if these are many; what moved there is where the rest begins."""
    segments = chains.shape[1] - 1
    coarse = max(LEAST, segments // COARSE)
    spent = np.zeros(len(chains), np.int32)
    if segments >= COARSE * LEAST:
        t = np.linspace(0, segments, coarse + 1)
        found = descended(pair, at(chains, t), basis, 10 * tolerance, iterations)
        spent = np.asarray(found.steps)
        moved = np.asarray(found.codes) - at(chains, t)
        chains = chains + at(moved, np.linspace(0, coarse, segments + 1), smooth=True)
    found = descended(pair, chains, basis, tolerance, iterations)
    return replace(found, steps=np.asarray(found.steps) + spent)


def check_energies(energies: Any) -> None:
    """Raise ``NotFiniteError`` where a search would begin on samples that are not finite."""
    wrong = np.flatnonzero(~np.isfinite(np.asarray(energies)))
    if wrong.size:
        raise NotFiniteError(
            f"samples along the guesses of pairs {(wrong + 1).tolist()} are not finite; expected numbers. Take nearer "
            "codes, or another guess."
        )


def nodes_together(pair: Pair, nodes: int, tangents: int) -> int:
    """Codes linearised at a time: as many as leave their activations in memory that is near."""
    return int(np.clip(backend().near_bytes // max((tangents + 1) * profile_of(pair).largest, 1), 1, nodes))


def rows_together(pair: Pair) -> Rows:
    """Codes evaluated and pulled back together."""
    here, size = backend(), max(profile_of(pair).largest, 1)
    return Rows(near=max(1, here.near_bytes // size), most=max(1, here.together_bytes // size))


def pairs_together(pair: Pair, segments: int, tangents: int) -> int:
    """Pairs computed together: as many as leave room for their samples; 0 where no Jacobian at one code fits."""
    numbers = sum(leaf.size for leaf in profile_of(pair).outputs)
    budget, size = memory_budget(), pair.G.dtype.itemsize
    if budget < 4 * tangents * max(numbers, tangents) * size:
        return 0
    each = segments * (4 * numbers + 2 * MEMORY * tangents) + 4 * KNOTS * tangents**2
    return max(1, min(budget // (each * size), rows_together(pair).most // (segments + 1)))


def _measured(pair: Pair, chains: np.ndarray, tolerance: float) -> tuple[np.ndarray, ...]:
    """Dense lengths and energies of chords ``(n,)``, steps of constant speed ``(n, T + 1)``, and the chains.

    Chord sums of ``T`` chords and of ``p`` times as many, extrapolated: their error falls like the square. Where it
    cannot yet, because the sample changes in jumps, fewer chords than the most are not enough.
    """
    near = rows_together(pair).near
    chords = chords_along(pair, chains, near)
    T = chords.shape[1]
    arcs = np.pad(np.cumsum(chords, axis=1), ((0, 0), (1, 0)))
    even = np.linspace(0, 1, T + 1)
    known = np.isfinite(arcs[:, -1:]) & (arcs[:, -1:] > 0)
    shares = np.where(known, arcs / np.where(known, arcs[:, -1:], 1), even)
    steps = (1 - EVEN) * shares + EVEN * even  # ascending also where the sample stands still
    steps[:, -1] = 1
    curves = [through(*both) for both in zip(steps, chains, strict=True)]
    lengths, wanted = np.zeros(len(chains)), np.arange(len(chains))
    for p in dict.fromkeys(max(FINER, -(-least // T)) for least in DENSE[tolerance < LOOSE :]):
        t = [np.interp(np.arange(p * T + 1) / p, np.arange(T + 1), steps[i]) for i in wanted]
        fine = np.stack([curves[i](row) for i, row in zip(wanted, t, strict=True)])
        fine[:, ::p] = chains[wanted]  # to the bit
        dense, found = chords_along(pair, fine, near).sum(axis=1), arcs[wanted, -1]
        lengths[wanted] = dense + (dense - found) / (p**2 - 1)
        wanted = wanted[dense - found > (p - 1) * DOUBT * dense]  # the error, if it only fell like the chords
        if not wanted.size:
            break
    return lengths, T * (chords**2).sum(axis=1), steps, chains


def _checked_basis(basis: Any, G: Generator) -> jax.Array:
    if basis is None:
        return jnp.eye(G.latent_dim, dtype=G.dtype)
    U = np.asarray(as_array(basis, "basis"), np.float64)
    if U.ndim != 2 or U.shape[0] != G.latent_dim or not 1 <= U.shape[1] <= G.latent_dim:
        raise ValueError(f"basis has shape {U.shape}; expected ({G.latent_dim}, k): axes are columns.")
    if not np.abs(U.T @ U - np.eye(U.shape[1])).max() < 1e-3:
        raise ValueError("basis has columns that are not orthonormal; expected such. numpy.linalg.qr(basis).Q has.")
    return jnp.asarray(U, G.dtype)
