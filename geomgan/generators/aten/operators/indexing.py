"""Entries by computed places: taken, written, added, and found in sorted lists."""

from __future__ import annotations

import jax.numpy as jnp

from geomgan.generators.aten.operators.arguments import Operators, dtype_of


def index(x, indices):
    """``x[indices]``; None is a whole axis."""
    return x[_places(indices)]


def index_put(x, indices, values, accumulate=False):
    """``x`` with ``values`` at ``x[indices]``, or added to what is there."""
    at = x.at[_places(indices)]
    return at.add(values) if accumulate else at.set(values)


def index_select(x, dim, index):
    return jnp.take(x, index, dim)


def gather(x, dim, index, *, sparse_grad=False):
    """``out[i, j] = x[index[i, j], j]`` for ``dim`` 0."""
    return x[_along(index, dim)]


def scatter(x, dim, index, src):
    """``x`` with ``src[i, j]`` (a number: that) at ``[index[i, j], j]`` for ``dim`` 0."""
    return x.at[_along(index, dim)].set(_cut(src, index))


def scatter_add(x, dim, index, src):
    return x.at[_along(index, dim)].add(_cut(src, index))


def select_scatter(x, src, dim, index):
    return jnp.moveaxis(jnp.moveaxis(x, dim, 0).at[index].set(src), 0, dim)


def slice_scatter(x, src, dim=0, start=None, end=None, step=1):
    places = (slice(None),) * (dim % x.ndim) + (slice(*slice(start, end, step).indices(x.shape[dim])),)
    return x.at[places].set(src)


def searchsorted(sorted_sequence, x, *, out_int32=False, right=False, side=None, sorter=None):
    """How many of the sorted numbers along the last axis are below every entry; ``right``: not above."""
    right = side == "right" if side is not None else right
    sequence = sorted_sequence if sorter is None else jnp.take_along_axis(sorted_sequence, sorter, -1)
    entries = jnp.asarray(x)[..., None]
    sequence = sequence[..., None, :] if sequence.ndim > 1 else sequence
    below = sequence <= entries if right else sequence < entries
    return jnp.sum(below, -1, dtype=dtype_of("int32" if out_int32 else "int64"))


def bucketize(x, boundaries, *, out_int32=False, right=False):
    return searchsorted(boundaries, x, out_int32=out_int32, right=right)


def _places(indices):
    return tuple(slice(None) if at is None else at for at in indices)


def _along(index, dim):
    """Places of every entry of ``index``: its own, but along ``dim`` what it says."""
    places = list(jnp.indices(index.shape, sparse=True))
    places[dim] = index
    return tuple(places)


def _cut(src, index):
    return src[tuple(map(slice, index.shape))] if jnp.ndim(src) else src


OPERATORS: Operators = {
    "index": index,
    "index_put": index_put,
    "index_select": index_select,
    "gather": gather,
    "take_along_dim": lambda x, indices, dim=None: jnp.take_along_axis(x, indices, dim),
    "scatter": scatter,
    "scatter_add": scatter_add,
    "select_scatter": select_scatter,
    "slice_scatter": slice_scatter,
    "searchsorted": searchsorted,
    "bucketize": bucketize,
}
