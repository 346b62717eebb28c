"""A few numbers that tell one embedding from another, for programs that call what no trace holds.

Compared within a tolerance: a network behind a callback may differ in its last digits from run to run.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.backend import in_float32
from geomgan.generators.generator import output_of
from geomgan.metric.pair import Pair

TOLERANCE = 1e-4  # of the embedding's norm
PROJECTIONS = 15
Probe = list[list[float] | None]


def probe(pair: Pair, codes: np.ndarray) -> Probe | None:
    """Of the embedding at the first and the last code: norm and random projections ``Σ ± φ_i``; None if not finite.

    None at all, and nothing is run, where the traced programs of the pair hold all that they do.

    Of a distance without embedding: of the samples, and of half of the distance between them. The squared difference
    of two embeddings is the mean of that of their projections (Johnson and Lindenstrauss), within about a third.
    """
    if not (pair.traced and pair.traced.calls):
        return None
    first, last = (jnp.asarray(code, pair.G.dtype) for code in (codes[0], codes[-1]))
    return [_sketch([np.asarray(leaf) for leaf in leaves]) for leaves in _values(pair, first, last)]


def alike(stored: Any, now: Probe) -> bool:
    """Whether two probes are of one embedding, but for rounding."""
    if not isinstance(stored, list) or len(stored) != len(now):
        return False
    return all(_alike(*both) for both in zip(stored, now, strict=True))


def _alike(stored: Any, now: list[float] | None) -> bool:
    if stored is None or now is None:
        return stored is now
    try:
        a, b = np.asarray(stored, np.float64), np.asarray(now)
    except (TypeError, ValueError):  # of a file that was changed
        return False
    return bool(a.shape == b.shape and (np.abs(a - b) ** 2).mean() ** 0.5 <= TOLERANCE * max(a[0], b[0]))


def _sketch(leaves: list[np.ndarray]) -> list[float] | None:
    values = np.concatenate([leaf.astype(np.float64).ravel() for leaf in leaves])
    if not np.isfinite(values).all():
        return None
    rng = np.random.default_rng(0)
    signs = (rng.integers(0, 2, values.size, np.int8) * 2.0 - 1 for _ in range(PROJECTIONS))
    return [float(np.linalg.norm(values)), *(float(values @ sign) for sign in signs)]


@jax.jit
def _values(pair: Pair, first: jax.Array, last: jax.Array) -> list[list[jax.Array]]:
    with in_float32():
        if pair.D.embedding is not None:
            return [pair.embed(first), pair.embed(last)]
        outputs = [output_of(pair.G, z) for z in (first, last)]
        return [*map(jax.tree.leaves, outputs), [pair.half_distance(outputs[0], last)]]
