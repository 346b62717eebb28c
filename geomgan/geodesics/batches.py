"""Searches for many paths at once, in which those that are done leave the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from geomgan.brief import brief

FEWER = 4  # a batch is packed into one of so many times fewer rows, not sooner: each size is a program of its own


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Chain:
    """What a search has found.

    Attributes:
        codes: ``(T + 1, d)``, with both ends.
        energy: of the chords.
        steps: that lowered the energy.
        done: whether no step promises, or the last one has not gained, more than the tolerance.
        stuck: whether no step lowered the energy, though one should by more than the tolerance.
        condition: about the least eigenvalue of the chain's metrics over the largest.
    """

    codes: Any
    energy: Any
    steps: Any
    done: Any
    stuck: Any
    condition: Any


def until_done(step: Callable[[Any], Any], state: Any, chain_of: Callable[[Any], Chain], iterations: int) -> Chain:
    """The chains ``(n, ...)`` of a state after at most so many steps; all its leaves have ``n`` rows.

    A step changes no row that is done.
    """
    chain = chain_of(state)
    found, index = jax.tree.map(np.array, chain), np.arange(len(chain.done))
    for _ in range(iterations):
        left = np.flatnonzero(~np.asarray(chain.done))
        if not left.size:
            break
        size = 1 << (left.size - 1).bit_length()
        if FEWER * size <= len(index):
            _write(found, index, chain)
            rows = np.resize(left, size)
            state, index = jax.tree.map(lambda leaf, rows=rows: leaf[rows], state), index[rows]
        state = step(state)
        chain = chain_of(state)
    _write(found, index, chain)
    return found


def _write(found: Chain, index: np.ndarray, chain: Chain) -> None:
    for to, rows in zip(jax.tree.leaves(found), jax.tree.leaves(chain), strict=True):
        to[index] = np.asarray(rows)
