"""Samples and distances of many codes of a walk, a block at a time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from geomgan.distances.distance import Distance, distance_of
from geomgan.generators.generator import Generator, output_of
from geomgan.generators.outputs import Members, mean_sample

BLOCK, BLOCK_VALUES = 16, 2**22  # samples computed together: at most so many, fewer where they are large


def measure(
    G: Generator, D: Distance, z: np.ndarray, codes: np.ndarray, batch: int | None, progress: bool, keep: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Samples ``(n, T, ...)``, empty unless ``keep``, and distances ``(n, T)`` of the codes from their references."""
    samples: list[np.ndarray] = []
    distances = np.empty(codes.shape[:2], G.dtype)
    with tqdm(total=distances.size, desc="walks along axes", unit="sample", disable=not progress) as bar:
        for i, row in enumerate(codes):
            reference = _output(G, z[i])
            for part, padded in _blocks(row, _batch(G, batch)):
                moved, measured = _from_reference(G, D, reference, padded)
                count = part.stop - part.start
                distances[i, part] = measured[:count]
                if keep:
                    samples.append(np.asarray(moved[:count]))
                bar.update(count)
    shape = G.sample_shape.shape
    return np.concatenate(samples).reshape(*distances.shape, *shape) if keep else np.empty(0, G.dtype), distances


def successive_distances(G: Generator, D: Distance, codes: np.ndarray, batch: int | None, progress: bool) -> np.ndarray:
    """``d(x_i, x_{i+1})`` along each walk, ``(n, T - 1)``."""
    distances = np.empty((len(codes), codes.shape[1] - 1), G.dtype)
    with tqdm(total=distances.size, desc="arc lengths", unit="sample", disable=not progress) as bar:
        for i, row in enumerate(codes):
            for part, padded in _blocks(row[1:], _batch(G, batch)):
                joined = np.concatenate([row[part.start][None], padded])
                distances[i, part] = _from_previous(G, D, joined)[: part.stop - part.start]
                bar.update(part.stop - part.start)
    return distances


def _batch(G: Generator, batch: int | None) -> int:
    if batch is not None and batch < 1:
        raise ValueError(f"batch is {batch}; expected a positive number of samples computed together.")
    size = int(np.prod(G.sample_shape.shape))
    return batch if batch is not None else int(np.clip(BLOCK_VALUES // size, 1, BLOCK))


def _blocks(rows: np.ndarray, size: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Parts of ``rows``, and these rows padded to one common length: one compiled program for all of them."""
    count = -(-len(rows) // size)
    size = -(-len(rows) // count)
    for start in range(0, len(rows), size):
        part = slice(start, min(start + size, len(rows)))
        yield part, np.pad(rows[part], ((0, size - (part.stop - start)), (0, 0)), mode="edge")


@jax.jit
def _output(G: Generator, z: jax.Array) -> Any:
    with jax.default_matmul_precision("highest"):
        return output_of(G, z)


@jax.jit
def _from_reference(G: Generator, D: Distance, reference: Any, codes: jax.Array) -> tuple[jax.Array, jax.Array]:
    with jax.default_matmul_precision("highest"):
        outputs = jax.vmap(partial(output_of, G))(codes)
        return jax.vmap(mean_sample)(outputs), jax.vmap(partial(_distance, D, reference))(outputs)


@jax.jit
def _from_previous(G: Generator, D: Distance, codes: jax.Array) -> jax.Array:
    with jax.default_matmul_precision("highest"):
        outputs = jax.vmap(partial(output_of, G))(codes)
        earlier, later = (jax.tree.map(lambda x: x[part], outputs) for part in (slice(None, -1), slice(1, None)))  # noqa: B023
        return jax.vmap(partial(_distance, D))(earlier, later)


def _distance(D: Distance, reference: Any, moved: Any) -> jax.Array:
    """``d`` between two outputs; over an ensemble the root of the mean square, as in its metric."""

    def squared(reference: Any, moved: Any) -> jax.Array:
        if not D.distribution:
            reference, moved = mean_sample(reference), mean_sample(moved)
        return distance_of(D, reference, moved)

    if isinstance(moved, Members):
        square = jax.vmap(squared)(reference.outputs, moved.outputs).mean()
    else:
        square = squared(reference, moved)
    return jnp.sqrt(jnp.maximum(square, 0.0))
