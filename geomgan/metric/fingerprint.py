"""Which model a result is of: hashes of its weights and of the programs that it was traced to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any

import jax

from geomgan.generators.program_hash import constant_hash, joined_hash
from geomgan.metric.pair import Pair

TRACERS = ("jax", "flax", "geomgan")  # another version of one may trace a function to other equations


def fingerprints(pair: Pair, names: tuple[str, str]) -> dict[str, Any]:
    """What must be the same for results to be of one model, as the settings of a store hold it.

    Args:
        pair: with its programs, of :func:`geomgan.metric.pair.with_programs`.
        names: of the generator and of the distance.

    Returns:
        ``"generator"`` and ``"distance"``, each ``"name#hash of its weights-hash of its program"``, and
        ``"traced_by"``, the versions under which these programs were traced.
    """
    assert pair.traced is not None
    return {
        "generator": f"{names[0]}#{_weights(pair.G)}-{pair.traced.generator}",
        "distance": f"{names[1]}#{_weights(pair.D)}-{pair.traced.distance}",
        "traced_by": ", ".join(f"{package} {version(package)}" for package in TRACERS),
    }


def _weights(tree: Any) -> str:
    with ThreadPoolExecutor() as threads:
        return joined_hash(list(threads.map(constant_hash, jax.tree.leaves(tree))))
