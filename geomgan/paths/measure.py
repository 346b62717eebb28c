"""Samples of many codes and distances between them, by one compiled program for all walks of a model.

Walks are laid end to end, each behind its reference, and cut into blocks of one size, whatever their number and
lengths: every block but the last is full. A block compares each of its rows with an earlier one. That one lies in the
same block, or it is the one row that the block before has handed on, as the distance sees it: nothing is generated or
embedded twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from geomgan.backend import backend, top_level_jit
from geomgan.brief import brief
from geomgan.distances.distance import Distance
from geomgan.errors import NotFiniteError
from geomgan.generators.generator import Generator, output_of
from geomgan.generators.outputs import mean_sample
from geomgan.metric.outputs import embed_output, squared_distance
from geomgan.metric.pair import Pair, bound


@brief
@dataclass(frozen=True)
class Measured:
    """Codes compared with their references.

    Attributes:
        distances: ``(n, T)``, ``d``, the square root of the squared distance.
        samples: ``(m, T, ...)``, of the ``m`` series that were to be kept.
        references: ``(m, ...)``, the samples of their references.
    """

    distances: np.ndarray
    samples: np.ndarray
    references: np.ndarray


def measure(
    G: Generator,
    D: Distance,
    references: np.ndarray,
    codes: np.ndarray,
    *,
    keep: bool | np.ndarray = False,
    batch: int | None = None,
    progress: bool = False,
) -> Measured:
    """Distances of series of codes from their references, and samples.

    Args:
        G: the generator.
        D: the squared distance.
        references: a code for each series ``(n, d)``; equal ones in a row are computed once.
        codes: ``(n, T, d)``.
        keep: the samples: of all series, of none, or of those that are true in ``(n,)``.
        batch: codes computed together; by default what suits the device, fewer where samples are large.
        progress: show a progress bar, with the time left.

    Raises:
        TypeError, ValueError: these are no generator and distance, or they do not fit; ``batch`` is not positive.
    """
    n, T, d = codes.shape
    references, codes = references.astype(G.dtype), codes.astype(G.dtype)
    first = np.append(True, (references[1:] != references[:-1]).any(axis=1))  # of a run of series with one reference
    before = np.cumsum(first)  # references in front of each series' codes
    at = (np.arange(n) * T + before)[:, None] + np.arange(T)
    origin = np.maximum.accumulate(np.where(first, at[:, 0] - 1, 0))
    rows, against = np.empty((n * T + before[-1], d), G.dtype), np.arange(n * T + before[-1])
    rows[at], rows[origin], against[at] = codes, references, origin[:, None]

    kept = np.broadcast_to(keep, n)
    wanted = np.zeros(len(rows), bool)
    wanted[at[kept]] = wanted[origin[kept]] = True
    distances, samples = _compare(G, D, rows, against, wanted, batch, progress, "walks")
    place = np.cumsum(wanted) - 1  # of a row among the samples
    return Measured(distances[at], samples[place[at[kept]]], samples[place[origin[kept]]])


def neighbour_distances(
    G: Generator, D: Distance, codes: np.ndarray, *, batch: int | None = None, progress: bool = False
) -> np.ndarray:
    """``d(x_i, x_{i+1})`` along series of codes ``(n, T, d)``: ``(n, T - 1)``. Arguments as for :func:`measure`."""
    n, T, d = codes.shape
    against = np.arange(n * T).reshape(n, T) - 1
    against[:, 0] += 1
    rows = codes.reshape(n * T, d).astype(G.dtype)
    distances, _ = _compare(G, D, rows, against.ravel(), np.zeros(n * T, bool), batch, progress, "arc lengths")
    return distances.reshape(n, T)[:, 1:]


def check_overflow(distances: np.ndarray, dtype: Any) -> None:
    """Raise ``NotFiniteError`` where distances are infinite: nothing can be concluded from them."""
    if np.isinf(distances).any():
        raise NotFiniteError(
            f"{int(np.isinf(distances).sum())} of {distances.size} distances between samples are infinite: the samples "
            f"are, or squares of their differences overflow {np.dtype(dtype)}; expected numbers. Let the generator "
            "divide its samples by a constant, or take shorter steps."
        )


def block_size(G: Generator, batch: int | None = None) -> int:
    """Codes computed together: ``batch`` if it is given, else as many samples as suit the device."""
    if batch is not None and batch < 1:
        raise ValueError(f"batch is {batch}; expected a positive number of samples computed together.")
    device, size = backend(), int(np.prod(G.sample_shape.shape))
    return batch if batch is not None else int(np.clip(device.walk_values // size, 1, device.walk_samples))


def _compare(
    G: Generator,
    D: Distance,
    rows: np.ndarray,
    against: np.ndarray,
    wanted: np.ndarray,
    batch: int | None,
    progress: bool,
    what: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Distances ``(N,)`` of the codes ``rows (N, d)`` from the earlier rows ``against``, and the samples ``wanted``.

    Of the rows before a block, those in it may look back at one only. Where a block fills one thread of the host,
    several parts of the rows are under way, each behind the row that it looks back at.
    """
    pair, size = bound(G, D), block_size(G, batch)
    distances, samples = np.empty(len(rows), G.dtype), np.empty((wanted.sum(), *G.sample_shape.shape), G.dtype)
    place = np.cumsum(wanted) - 1  # of a row among the samples
    wide = jax.dtypes.canonicalize_dtype(np.float64) == np.float64  # in this thread: others do not inherit it
    seen = jax.eval_shape(_seen_at, pair, jax.ShapeDtypeStruct(rows.shape[1:], rows.dtype))
    nothing = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), seen)
    with tqdm(total=len(rows), desc=what, unit="sample", disable=not progress) as bar:

        def run(start: int, stop: int) -> None:
            first = against[start:stop].min()  # the one row in front of the part, if it is not in it
            ahead = [first] if first < start else []
            index = np.array([*ahead, *range(start, stop)])
            local = np.maximum(against[index] - start + len(ahead), 0)
            carried = nothing
            with jax.enable_x64(wide):
                for part, padded, looks, last in _blocks(rows[index], local, size):
                    moved, measured, carried = _block(pair, carried, padded, looks, last)
                    rows_of = index[part]
                    mine = rows_of >= start  # the row ahead is another thread's to write
                    distances[rows_of[mine]] = np.asarray(measured)[: len(mine)][mine]
                    if (kept := mine & wanted[rows_of]).any():
                        samples[place[rows_of[kept]]] = np.asarray(moved)[: len(mine)][kept]
                    bar.update(int(mine.sum()))

        here = backend()
        parts = here.steps if here.host_threads and len(rows) > 2 * here.steps * size else 1
        bounds = np.linspace(0, len(rows), parts + 1).astype(int)
        if parts == 1:
            run(0, len(rows))
        else:
            with ThreadPoolExecutor(parts) as pool:
                list(pool.map(run, bounds[:-1], bounds[1:]))
    return distances, samples


def _blocks(
    rows: np.ndarray, against: np.ndarray, size: int
) -> Iterator[tuple[slice, np.ndarray, np.ndarray, np.int32]]:
    """Parts of ``rows``: where they are, their codes, and, in the block behind the carried row, whom they look at.

    And which of them is to be carried on. All padded to one size.
    """
    for start in range(0, len(rows), size):
        stop = min(start + size, len(rows))
        ahead = against[stop : stop + size]
        back = ahead[ahead < stop]
        looked = np.append(against[start:stop], back[0] if len(back) else start)
        local = np.maximum(looked - start + 1, 0).astype(np.int32)  # 0 is the carried row
        missing = size - (stop - start)
        padded = np.pad(rows[start:stop], ((0, missing), (0, 0)), mode="edge")
        yield slice(start, stop), padded, np.pad(local[:-1], (0, missing), mode="edge"), local[-1]


@top_level_jit
def _block(
    pair: Pair, carried: Any, codes: jax.Array, against: jax.Array, last: jax.Array
) -> tuple[jax.Array, jax.Array, Any]:
    """Samples ``(B, ...)``, distances ``(B,)``, and what the next block looks back at."""
    with jax.default_matmul_precision("highest"):
        outputs = jax.vmap(partial(output_of, pair.G))(codes)
        seen = jax.vmap(partial(_seen, pair.D))(outputs)
        pool = jax.tree.map(lambda one, several: jnp.concatenate([one[None], several]), carried, seen)
        references, following = (jax.tree.map(lambda leaf: leaf[index], pool) for index in (against, last))  # noqa: B023
        distances = jnp.sqrt(jnp.maximum(jax.vmap(partial(_squared, pair.D))(references, seen), 0.0))
        return jax.vmap(mean_sample)(outputs), distances, following


@jax.jit
def _seen_at(pair: Pair, z: jax.Array) -> Any:
    return _seen(pair.D, output_of(pair.G, z))


def _seen(D: Distance, output: Any) -> Any:
    """What a distance needs of an output: its embedding where that says the distance, otherwise all of it."""
    return embed_output(D, output) if D.function is None else output


def _squared(D: Distance, reference: Any, moved: Any) -> jax.Array:
    """``d²`` of what is seen of two outputs."""
    if D.function is not None:
        return squared_distance(D, reference, moved)
    squares = [jnp.sum((a - b) ** 2) for a, b in zip(reference, moved, strict=True)]
    return jnp.sum(jnp.stack(squares))
