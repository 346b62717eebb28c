"""Entries by computed places: taken, written, added, and found in sorted lists."""

from __future__ import annotations

import jax.numpy as jnp

from geomgan.generators.aten.operators.arguments import Operators, dtype_of


def index(x, indices):
    """``x[indices]``; None is a whole axis."""
    return x[_places(indices)]


def index_put(x, indices, values, accumulate=False):
    """``x`` with ``values`` at ``x[indices]``, or added to what is there; where a mask says so, one value."""
    if indices[0] is not None and indices[0].dtype == bool and jnp.size(values) == 1:
        mask = indices[0].reshape(*indices[0].shape, *(1,) * (x.ndim - indices[0].ndim))
        return jnp.where(mask, jnp.reshape(values, ()) + (x if accumulate else 0), x)
    at = x.at[_places(indices)]
    return at.add(values) if accumulate else at.set(values)


def masked_index(x, mask, indices, fill):
    """``x[indices]`` where ``mask``, ``fill`` elsewhere: there the places may lie outside."""
    inside = [None if at is None else jnp.clip(at, 0, side - 1) for at, side in zip(indices, x.shape, strict=False)]
    return jnp.where(mask, index(x, inside), fill)


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
    return _axis_at(x, dim, index).set(src)


def index_add(x, dim, index, source, *, alpha=1):
    return _axis_at(x, dim, index).add(alpha * source)


def slice_scatter(x, src, dim=0, start=None, end=None, step=1):
    return _axis_at(x, dim, slice(*slice(start, end, step).indices(x.shape[dim]))).set(src)


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


def _axis_at(x, dim, places):
    """These places along ``dim``, to be written to."""
    return x.at[(slice(None),) * (dim % x.ndim) + (places,)]


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
    "_unsafe_index": index,
    "_unsafe_masked_index": masked_index,
    "index_put": index_put,
    "_unsafe_index_put": index_put,
    "index_select": index_select,
    "index_add": index_add,
    "index_copy": lambda x, dim, index, source: _axis_at(x, dim, index).set(source),
    "index_fill": lambda x, dim, index, value: _axis_at(x, dim, index).set(value),
    "take": lambda x, index: x.reshape(-1)[index],
    "gather": gather,
    "take_along_dim": lambda x, indices, dim=None: jnp.take_along_axis(x, indices, dim),
    "scatter.src": scatter,
    "scatter.value": scatter,
    "scatter_add": scatter_add,
    "select_scatter": select_scatter,
    "slice_scatter": slice_scatter,
    "searchsorted": searchsorted,
    "bucketize": bucketize,
}
