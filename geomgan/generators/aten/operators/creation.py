"""New arrays, and arrays in other types. Where arrays lie (``placement``: device, layout, strides) is JAX's matter."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import lax

from geomgan.generators.aten.operators.arguments import Operators, bounded, converted, dtype_of


def full(size, fill_value, *, dtype=None, **placement):
    kind = "bool" if isinstance(fill_value, bool) else "int64" if isinstance(fill_value, int) else "float32"
    return jnp.full(size, fill_value, dtype_of(dtype or kind))


def full_like(x, fill_value, *, dtype=None, **placement):
    return jnp.full(x.shape, fill_value, dtype_of(dtype or x.dtype))


def new_full(x, size, fill_value, *, dtype=None, **placement):
    return jnp.full(size, fill_value, dtype_of(dtype or x.dtype))


def _filled(value):
    return lambda size, *, dtype=None, **placement: full(size, value, dtype=dtype or "float32")


def _filled_like(value):
    return lambda x, *, dtype=None, **placement: full_like(x, value, dtype=dtype)


def _newly_filled(value):
    return lambda x, size, *, dtype=None, **placement: new_full(x, size, value, dtype=dtype)


def arange(end, *, dtype=None, **placement):
    return arange_from(0, end, dtype=dtype)


def arange_from(start, end, step=1, *, dtype=None, **placement):
    values = np.arange(start, end, step)
    return jnp.asarray(values, dtype_of(dtype or ("int64" if values.dtype.kind == "i" else "float32")))


def linspace(start, end, steps, *, dtype=None, **placement):
    return jnp.asarray(np.linspace(start, end, steps), dtype_of(dtype or "float32"))


def eye(n, m=None, *, dtype=None, **placement):
    return jnp.eye(n, m, dtype=dtype_of(dtype or "float32"))


def _triangle(indices):
    def places(row, col, offset=0, *, dtype="int64", **placement):
        bounded(row, col)
        return jnp.asarray(np.stack(indices(row, offset, col)), dtype_of(dtype))

    return places


def hann_window(window_length, periodic=True, *, dtype=None, **placement):
    bounded(window_length)
    count = window_length + 1 if periodic else window_length
    return jnp.asarray(np.hanning(count)[:window_length], dtype_of(dtype or "float32"))


def one_hot(x, num_classes=-1):
    if num_classes < 0:
        raise ValueError("one_hot with as many classes as the numbers need, got num_classes=-1: give their number")
    return (x[..., None] == jnp.arange(num_classes)).astype(dtype_of("int64"))


def same(x, *settings, **placement):
    """The array itself: arrays of JAX do not change, and where they lie is JAX's matter."""
    return x


OPERATORS: Operators = {
    "arange": arange,
    "arange.start": arange_from,
    "arange.start_step": arange_from,
    "linspace": linspace,
    "eye": eye,
    "tril_indices": _triangle(np.tril_indices),
    "triu_indices": _triangle(np.triu_indices),
    "hann_window": hann_window,
    "full": full,
    "full_like": full_like,
    "new_full": new_full,
    "fill": lambda x, value: jnp.full(x.shape, value, x.dtype),
    "zeros": _filled(0),
    "zeros_like": _filled_like(0),
    "new_zeros": _newly_filled(0),
    "zero": _filled_like(0),
    "ones": _filled(1),
    "ones_like": _filled_like(1),
    "new_ones": _newly_filled(1),
    "empty": _filled(0),
    "empty_like": _filled_like(0),
    "empty_permuted": lambda size, order, *, dtype=None, **placement: full(size, 0, dtype=dtype or "float32"),
    "new_empty": _newly_filled(0),
    "scalar_tensor": lambda s, *, dtype=None, **placement: full((), s, dtype=dtype or "float32"),
    "one_hot": one_hot,
    "copy": lambda x, src, non_blocking=False: jnp.broadcast_to(src, x.shape).astype(x.dtype),
    "to.dtype": lambda x, dtype, *settings, **placement: converted(x, dtype),
    "to.device": lambda x, device, dtype, *settings, **placement: converted(x, dtype),
    "to.dtype_layout": lambda x, *, dtype=None, **placement: converted(x, dtype),
    "to.other": lambda x, other, *settings, **placement: x.astype(other.dtype),
    "_to_copy": lambda x, *, dtype=None, **placement: converted(x, dtype),
    "type_as": lambda x, other: x.astype(other.dtype),
    "clone": same,
    "contiguous": same,
    "detach": lax.stop_gradient,
    "alias": same,
    "lift_fresh_copy": same,
    "lift_fresh": same,
    "positive": same,
    "_assert_tensor_metadata": same,
}
