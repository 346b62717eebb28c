"""Metric tensors in float64, by JAX alone: what those of the package are compared with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def in_float64(tree: Any) -> Any:
    """A generator or a distance with float64 weights; inside ``jax.enable_x64``."""
    widen = lambda x: jnp.asarray(np.asarray(x), jnp.float64) if jnp.issubdtype(x.dtype, jnp.floating) else x
    return jax.tree.map(widen, tree)


def metric_blocks(G: Any, D: Any, codes: np.ndarray, rows: int | None = None, together: int = 32) -> np.ndarray:
    """``JᵀJ (n, rows, rows)`` in float64: the leading block of the metric, by forward mode in float64 throughout.

    Args:
        G: the generator.
        D: a distance with an embedding, that has the generator's range or none.
        codes: ``(n, d)``.
        rows: of the block; by default all ``d``.
        together: tangents pushed at a time.
    """
    rows = codes.shape[1] if rows is None else rows
    D = bound_range(G, D)
    together = -(-rows // -(-rows // together))  # nearly equal parts

    @jax.jit
    def pushed(G: Any, D: Any, z: jax.Array, tangents: jax.Array) -> jax.Array:
        return jax.vmap(lambda v: jax.jvp(lambda z: D.embed(G(z)), (z,), (v,))[1])(tangents)

    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        wide, found = (in_float64(G), in_float64(D)), []
        unit = np.eye(codes.shape[1])[:rows]
        for z in codes.astype(np.float64):
            parts = [pushed(*wide, z, unit[i : i + together]) for i in range(0, len(unit), together)]
            J = jnp.concatenate(parts)
            found.append(np.asarray(J @ J.T))
    return np.stack(found)


def bound_range(G: Any, D: Any) -> Any:
    """The distance with the range of the generator's samples, if it has one to be told."""
    wants = D.expects is not None and D.input_range is None and G.output_range is not None
    return replace(D, input_range=G.output_range) if wants else D


def relative_errors(got: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Frobenius norm of the difference of each matrix, relative to that of the expected one."""
    return np.linalg.norm(got - expected, axis=(1, 2)) / np.linalg.norm(expected, axis=(1, 2))
