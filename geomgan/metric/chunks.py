"""Functions of many rows, some rows at a time, and how many tangents go together."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax

from geomgan.backend import backend
from geomgan.errors import check_count
from geomgan.generators.cost import largest_array


def map_chunks(fn: Callable[..., Any], rows: jax.Array, chunk: int) -> Any:
    """``fn`` of every row, ``chunk`` rows at a time; one at a time without ``vmap``, for functions that have none."""
    if chunk == 1:
        return jax.lax.map(fn, rows)
    if chunk >= len(rows):
        return jax.vmap(fn)(rows)
    return jax.lax.map(fn, rows, batch_size=chunk)


def map_into(fn: Callable[..., Any], rows: jax.Array, chunk: int, into: Sequence[jax.Array]) -> list[jax.Array]:
    """:func:`map_chunks` that overwrites the arrays ``into``: a loop that makes its own has to clear them first."""

    def write(start: jax.Array | int, size: int, arrays: Sequence[jax.Array]) -> list[jax.Array]:
        parts = map_chunks(fn, jax.lax.dynamic_slice_in_dim(rows, start, size), size)
        return [jax.lax.dynamic_update_slice_in_dim(a, x, start, 0) for a, x in zip(arrays, parts, strict=True)]

    whole, rest = divmod(len(rows), chunk)
    arrays = jax.lax.fori_loop(0, whole, lambda i, arrays: write(i * chunk, chunk, arrays), list(into))
    return write(whole * chunk, rest, arrays) if rest else arrays


def tangent_chunk(dim: int, limit: int | None = None) -> int:
    """Tangents pushed together: the largest divisor of ``dim`` up to ``limit``, or ``limit`` if that is too small.

    A whole number of chunks compiles one loop body instead of two. On CPU more than about 25 gain nothing or lose, as
    their activations leave the cache, and take more memory (measured on DCGAN-64 and BigGAN-deep-128 with LPIPS).
    """
    limit = limit or backend().chunk
    divisor = max(n for n in range(1, min(dim, limit) + 1) if dim % n == 0)
    return divisor if 2 * divisor >= min(dim, limit) else limit


def tangents_at_once(chunk: int | None, dim: int, hvp: str) -> int:
    """The chunk: as asked, else one where there may be no ``vmap``, else what divides ``dim`` well."""
    if chunk is None:
        return 1 if hvp == "finite-difference" else tangent_chunk(dim)
    return min(check_count(chunk, math.inf, "chunk", ": tangents computed together"), dim)


def are_small_together(push: Callable[..., Any], z: jax.Array) -> bool:
    """Whether the largest activations of all tangents together are small enough to need no loop over chunks.

    One metric is then a tenth faster without a loop over chunks (measured on DCGAN-64 with LPIPS), in the same memory:
    a loop stacks its results. In a field it is not, as there another code is under way meanwhile.
    """
    most = backend().whole_bytes
    return most > 0 and z.size * largest_array(push, z) <= most
