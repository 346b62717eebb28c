"""The energy of a chain of codes as chords between samples, its gradient, and its Gauss-Newton model.

``E(z_1 … z_N) = T Σ_i d²(G(z_i), G(z_{i+1}))`` over ``T = N + 1`` chords. With an embedding its residuals are
``φ_{i+1} - φ_i``, so that half of ``E / T`` has the gradient ``J_iᵀ(2 φ_i - φ_{i-1} - φ_{i+1})`` and the
block-tridiagonal Gauss-Newton matrix ``2 J_iᵀJ_i``, ``-J_iᵀJ_{i+1}``: forward passes only. Without one the gradient is
that of the distances, and the matrix that of the metric tensors in the middle of the chords.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.brief import brief
from geomgan.geodesics.local import embedded, squared_chord
from geomgan.metric.chunks import map_chunks
from geomgan.metric.derivatives import needs_derivatives
from geomgan.metric.maps import Product
from geomgan.metric.pair import Pair
from geomgan.paths.measure import neighbour_distances

BLOCK = 16, 128  # codes of which chords are measured together, at least and at most
PADDED = 1.4  # times the codes that larger blocks may be filled up to: those of 16 take so much longer a code


@dataclass(frozen=True)
class Rows:
    """Codes that are evaluated and pulled back by one program.

    Attributes:
        near: as many as leave their activations in memory that is near.
        most: as many as a whole chain may have.
    """

    near: int
    most: int


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Model:
    """The energy of a chain with a free end to second order: ``E / T ≈ c + 2 bᵀx + xᵀ H x`` in steps ``x (T, d)``.

    Attributes:
        gradient: ``b (T, d)``.
        diagonal: blocks ``(T, d, d)`` of ``H``.
        upper: blocks ``(T - 1, d, d)`` right of them.
        metrics: ``(T, d, d)`` at the codes (of a distance without embedding, in the middle of the chords).
    """

    gradient: Any
    diagonal: Any
    upper: Any
    metrics: Any


def energy(pair: Pair, chain: jax.Array, together: int) -> jax.Array:
    """``E`` of a chain ``(T + 1, d)`` with its ends."""
    if pair.D.embedding is None:
        pairs = jnp.stack([chain[:-1], chain[1:]], axis=1)
        squares = map_chunks(lambda both: squared_chord(pair, both[0], both[1]), pairs, together)
        return (len(chain) - 1) * squares.sum()
    values = map_chunks(partial(embedded, pair), chain, together)
    return (len(chain) - 1) * jnp.sum(jnp.diff(values, axis=0) ** 2)


def evaluate(
    pair: Pair, chains: jax.Array, rows: Rows, wanted: np.ndarray | None = None
) -> tuple[jax.Array, jax.Array]:
    """``E (n,)`` of chains ``(n, T + 1, d)``, and the gradient of half of ``E / T`` at their inner codes ``(n, N, d)``.

    Both are zero for chains that are not ``wanted (n,)``, where others are enough to fill programs. Programs run in a
    loop of Python's, because reverse passes of convolutions inside compiled ones are slow on CPU; where one chain is
    too large for one of them, its samples are computed twice.
    """
    n, nodes, _ = chains.shape
    if n * nodes <= rows.near:
        return _evaluate(pair, chains)
    index = np.arange(n) if wanted is None else np.flatnonzero(wanted)
    whole = nodes <= rows.most or pair.D.embedding is None
    size = max(1, rows.near // nodes) if whole else 1
    parts = [np.resize(index[first : first + size], size) for first in range(0, len(index), size)]
    codes = np.asarray(chains)
    found = [_evaluate(pair, codes[part]) if whole else _in_blocks(pair, codes[part], rows.most) for part in parts]
    energies, slopes = np.zeros(n, codes.dtype), np.zeros_like(codes[:, 1:-1])
    for part, both in zip(parts, found, strict=True):
        energies[part], slopes[part] = both
    return jnp.asarray(energies), jnp.asarray(slopes)


def _in_blocks(pair: Pair, chains: np.ndarray, rows: int) -> tuple[jax.Array, jax.Array]:
    n, nodes, d = chains.shape
    flat = np.pad(chains.reshape(-1, d), ((0, -n * nodes % rows), (0, 0)), mode="edge").reshape(-1, rows, d)
    values = jnp.concatenate([_values(pair, block) for block in flat])[: n * nodes]
    energies, pulls = _chords(values.reshape(n, nodes, -1))
    pulls = jnp.pad(pulls.reshape(n * nodes, -1), ((0, flat.shape[0] * rows - n * nodes), (0, 0)))
    slopes = [_pulled(pair, block, pull) for block, pull in zip(flat, pulls.reshape(len(flat), rows, -1), strict=True)]
    return energies, jnp.concatenate(slopes)[: n * nodes].reshape(chains.shape)[:, 1:-1]


@jax.jit
def _evaluate(pair: Pair, chains: jax.Array) -> tuple[jax.Array, jax.Array]:
    with jax.default_matmul_precision("highest"), needs_derivatives():
        if pair.D.embedding is None:
            whole = jax.value_and_grad(lambda chain: energy(pair, chain, len(chain)))
            energies, slopes = jax.vmap(whole)(chains)
            return energies, slopes[:, 1:-1] / (2 * (chains.shape[1] - 1))
        flat = chains.reshape(-1, chains.shape[-1])
        values, pull = jax.vjp(jax.vmap(partial(embedded, pair)), flat)
        energies, pulls = _chords(values.reshape(*chains.shape[:2], -1))
        (slopes,) = pull(pulls.reshape(values.shape))
        return energies, slopes.reshape(chains.shape)[:, 1:-1]


def chords_along(pair: Pair, chains: np.ndarray, near: int) -> np.ndarray:
    """``d(G(z_i), G(z_{i+1}))`` of chains ``(n, T + 1, d)``: ``(n, T)`` in float64, by two programs for all lengths.

    About so many codes as are ``near`` at a time.
    """
    if pair.D.embedding is None:
        return neighbour_distances(pair.G, pair.D, chains).astype(np.float64)
    n, nodes, d = chains.shape
    size = int(np.clip(near, *BLOCK))
    if -(-n * nodes // size) * size > PADDED * n * nodes:
        size = BLOCK[0]
    flat = np.pad(chains.reshape(-1, d).astype(pair.G.dtype), ((0, -n * nodes % size), (0, 0)), mode="edge")
    blocks = [_values(pair, block) for block in flat.reshape(-1, size, d)]  # under way together
    found, last = [], np.asarray(blocks[0][:1])
    for block in blocks:
        values = np.concatenate([last, np.asarray(block)])
        found.append(np.linalg.norm(np.diff(values, axis=0).astype(np.float64), axis=1))
        last = values[-1:]
    return np.concatenate(found)[: n * nodes].reshape(n, nodes)[:, 1:]


@jax.jit
def _values(pair: Pair, codes: jax.Array) -> jax.Array:
    with jax.default_matmul_precision("highest"):
        return jax.vmap(partial(embedded, pair))(codes)


@jax.jit
def _pulled(pair: Pair, codes: jax.Array, pulls: jax.Array) -> jax.Array:
    with jax.default_matmul_precision("highest"), needs_derivatives():
        return jax.vjp(jax.vmap(partial(embedded, pair)), codes)[1](pulls)[0]


@jax.jit
def _chords(values: jax.Array) -> tuple[jax.Array, jax.Array]:
    """``E`` of embedded samples ``(n, T + 1, m)``, and what half of ``E / T`` changes by with each of them."""
    chords = jnp.diff(values, axis=1)
    pulls = -jnp.diff(jnp.pad(chords, ((0, 0), (1, 1), (0, 0))), axis=1)
    return chords.shape[1] * jnp.sum(chords**2, axis=(1, 2)), pulls


def at(chains: np.ndarray, t: np.ndarray, *, smooth: bool = False) -> np.ndarray:
    """Chains ``(n, nodes, d)`` at positions ``t`` counted in nodes: straight in between, or by a cubic spline."""
    nodes = np.arange(chains.shape[1])
    if smooth:
        from scipy.interpolate import CubicSpline

        return np.asarray(CubicSpline(nodes, chains, axis=1)(t), chains.dtype)
    low = np.minimum(t.astype(int), len(nodes) - 2)
    share = (t - low)[:, None]
    return np.asarray((1 - share) * chains[:, low] + share * chains[:, low + 1])


def model(pair: Pair, chain: jax.Array, together: int) -> Model:
    """The model at a chain ``(T + 1, d)`` whose first code stays, and whose last one is free.

    ``together`` nodes are linearised at a time.
    """
    return (_from_tensors if pair.D.embedding is None else _from_embedding)(pair, chain, together)


def _from_embedding(pair: Pair, chain: jax.Array, together: int) -> Model:
    units = jnp.eye(chain.shape[1], dtype=chain.dtype)

    def linearised(z: jax.Array) -> tuple[jax.Array, jax.Array]:
        with needs_derivatives():
            value, push = jax.linearize(partial(embedded, pair), z)
            return value, jax.vmap(push)(units)

    values, J = map_chunks(linearised, chain[1:], together)  # (T, m), (T, d, m)
    chords = jnp.diff(jnp.concatenate([embedded(pair, chain[0])[None], values]), axis=0)
    gradient = jnp.einsum("nkm,nm->nk", J, chords)
    gradient = gradient.at[:-1].add(-jnp.einsum("nkm,nm->nk", J[:-1], chords[1:]))
    metrics = jnp.einsum("nkm,njm->nkj", J, J)
    count = jnp.full(len(J), 2, chain.dtype).at[-1].set(1)
    return Model(gradient, count[:, None, None] * metrics, -jnp.einsum("nkm,njm->nkj", J[:-1], J[1:]), metrics)


def _from_tensors(pair: Pair, chain: jax.Array, together: int) -> Model:
    del together
    d = chain.shape[1]

    def tensor(z: jax.Array) -> jax.Array:
        g = Product.at(pair, z, d).rows(jnp.eye(d, dtype=z.dtype), d)[0]
        return (g + g.T) / 2

    with needs_derivatives():
        slopes = jax.grad(lambda chain: energy(pair, chain, len(chain)))(chain) / (2 * (len(chain) - 1))
    g = jax.vmap(tensor)((chain[:-1] + chain[1:]) / 2)
    behind = jnp.concatenate([g[1:], jnp.zeros_like(g[:1])])
    return Model(slopes[1:], g + behind, -g[1:], g)
