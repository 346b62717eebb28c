"""Which model a result is of: hashes of its weights and of the programs that it was traced to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import jax
import numpy as np

from geomgan.generators.program_hash import constant_hash, joined_hash
from geomgan.home import version
from geomgan.metric.pair import Pair

TRACERS = ("jax", "flax", "geomgan")  # another version of one may trace a function to other equations
_LARGE = 2**18  # numbers of a leaf that take longer to hash than a thread to start


def fingerprints(pair: Pair, names: tuple[str, str], *, weights: bool = True) -> dict[str, Any]:
    """What must be the same for results to be of one model, as the settings of a store hold it.

    Args:
        pair: with its programs, of :func:`geomgan.metric.pair.with_programs`.
        names: of the generator and of the distance.
        weights: whether they are hashed, for which they come to the host; results in memory need no such name.

    Returns:
        ``"generator"`` and ``"distance"``, each ``"name#weights HASH, program HASH"``, or ``"name#program HASH"``, and
        ``"traced_by"``, the versions under which these programs were traced.
    """
    assert pair.traced is not None
    return {
        "generator": _described(names[0], pair.G if weights else None, pair.traced.generator),
        "distance": _described(names[1], pair.D if weights else None, pair.traced.distance),
        "traced_by": _versions(),
    }


@cache
def _versions() -> str:
    return ", ".join(f"{package} {version(package)}" for package in TRACERS)


def weights_in(fingerprint: Any) -> str:
    """The part of a fingerprint that no version of JAX changes."""
    return str(fingerprint).rpartition("#")[2].partition(",")[0]


def program_in(fingerprint: Any) -> str:
    """The part of a fingerprint that counts under the versions that traced it."""
    return str(fingerprint).rpartition(",")[2]


def _described(name: str, tree: Any, program: str) -> str:
    if tree is None:
        return f"{name}#program {program}"
    leaves = jax.tree.leaves(tree)
    with ThreadPoolExecutor() as threads:
        large = {i: threads.submit(constant_hash, leaf) for i, leaf in enumerate(leaves) if np.size(leaf) >= _LARGE}
        hashes = [large[i].result() if i in large else constant_hash(leaf) for i, leaf in enumerate(leaves)]
    weights = joined_hash(hashes)
    return f"{name}#weights {weights}, program {program}"
