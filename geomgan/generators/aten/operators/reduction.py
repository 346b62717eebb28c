"""Sums, moments, norms, extremes, order and running sums over axes."""

from __future__ import annotations

import math
from functools import wraps

import jax
import jax.numpy as jnp
from jax import lax

from geomgan.generators.aten.operators.arguments import Operators, axes_of, converted


def _reduction(reduce):
    return lambda x, dim=None, keepdim=False: reduce(x, axes_of(dim, x.ndim), keepdims=keepdim)


def _reduction_as(reduce):
    return lambda x, dim=None, keepdim=False, *, dtype=None: reduce(
        converted(x, dtype), axes_of(dim, x.ndim), keepdims=keepdim
    )


def var_mean(x, unbiased=True):
    return var_mean_correction(x, correction=int(unbiased))


def var_mean_dim(x, dim, unbiased=True, keepdim=False):
    return var_mean_correction(x, dim, correction=int(unbiased), keepdim=keepdim)


def var_mean_correction(x, dim=None, *, correction=None, keepdim=False):
    """The variance over ``n - correction`` of ``n`` numbers (none is 1), and the mean."""
    axes = axes_of(dim, x.ndim)
    variance = jnp.var(x, axes, ddof=1 if correction is None else correction, keepdims=keepdim)
    return variance, jnp.mean(x, axes, keepdims=keepdim)


def _std_mean(moments):
    @wraps(moments)
    def both(*arguments, **options):
        variance, mean = moments(*arguments, **options)
        return jnp.sqrt(variance), mean

    return both


def _first(results):
    return wraps(results)(lambda *arguments, **options: results(*arguments, **options)[0])


MOMENTS: Operators = {"": var_mean, ".dim": var_mean_dim, ".correction": var_mean_correction}


def _root(x, order):
    """``x^(1/order)`` of what is not negative, with the derivative 0 at 0."""
    positive = jnp.where(x > 0, x, 1)
    return jnp.where(x > 0, jnp.sqrt(positive) if order == 2 else positive ** (1 / order), 0)


def vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None):
    """``(Σ |x|^ord)^(1/ord)``; where that is 0 its derivative is 0, as in torch."""
    axes, size = axes_of(dim, x.ndim), jnp.abs(converted(x, dtype))
    if math.isinf(ord):
        return (jnp.max if ord > 0 else jnp.min)(size, axes, keepdims=keepdim)
    if ord == 0:
        return jnp.sum(size != 0, axes, keepdims=keepdim).astype(size.dtype)
    if ord == 1:
        return jnp.sum(size, axes, keepdims=keepdim)
    return _root(jnp.sum(jnp.square(size) if ord == 2 else _root(size, 1 / ord), axes, keepdims=keepdim), ord)


def norm(x, p=2, dim=None, keepdim=False, *, dtype=None):
    return vector_norm(x, 2 if p is None else p, dim, keepdim, dtype=dtype)


def linalg_norm(x, ord=None, dim=None, keepdim=False, *, dtype=None):
    """The norm of vectors; of matrices where an order and two axes are given."""
    axes = axes_of(dim, x.ndim)
    if ord is None or len(axes) == 1:
        return vector_norm(x, 2 if ord is None else ord, dim, keepdim, dtype=dtype)
    return jnp.linalg.norm(converted(x, dtype), ord, axes, keepdim)


def logsumexp(x, dim, keepdim=False):
    return jax.nn.logsumexp(x, axes_of(dim, x.ndim), keepdims=keepdim)


def max_dim(x, dim, keepdim=False):
    """The largest along ``dim``, and where they stand."""
    return _taken(x, jnp.argmax(x, dim, keepdims=True), dim, keepdim)


def min_dim(x, dim, keepdim=False):
    """The smallest along ``dim``, and where they stand."""
    return _taken(x, jnp.argmin(x, dim, keepdims=True), dim, keepdim)


def _taken(x, at, dim, keepdim):
    values = jnp.take_along_axis(x, at, dim)
    return (values, at) if keepdim else (values.squeeze(dim), at.squeeze(dim))


def median(x):
    return median_dim(x.reshape(-1), 0)[0]


def median_dim(x, dim, keepdim=False):
    """The lower of the two in the middle along ``dim``, and where it stood."""
    at = (x.shape[dim] - 1) // 2
    return tuple(lax.index_in_dim(part, at, dim, keepdim) for part in sort(x, dim))


def aminmax(x, *, dim=None, keepdim=False):
    axes = axes_of(dim, x.ndim)
    return jnp.min(x, axes, keepdims=keepdim), jnp.max(x, axes, keepdims=keepdim)


def argsort(x, dim=-1, descending=False, *, stable=True):
    return jnp.argsort(x, dim, descending=descending)


def sort(x, dim=-1, descending=False, *, stable=True):
    """The sorted entries, and where they stood."""
    order = jnp.argsort(x, dim, descending=descending)
    return jnp.take_along_axis(x, order, dim), order


def topk(x, k, dim=-1, largest=True, sorted=True):
    """The ``k`` largest or smallest along ``dim``, in order, and where they stand."""
    values, at = (lax.slice_in_dim(part, 0, k, axis=dim) for part in sort(x, dim, largest))
    return values, at


def cumsum(x, dim, *, dtype=None):
    return jnp.cumsum(converted(x, dtype), dim)


def cumprod(x, dim, *, dtype=None):
    return jnp.cumprod(converted(x, dtype), dim)


OPERATORS: Operators = {
    "sum": _reduction_as(jnp.sum),
    "mean": _reduction_as(jnp.mean),
    "prod": _reduction_as(jnp.prod),
    **{f"var_mean{overload}": moments for overload, moments in MOMENTS.items()},
    **{f"var{overload}": _first(moments) for overload, moments in MOMENTS.items()},
    **{f"std_mean{overload}": _std_mean(moments) for overload, moments in MOMENTS.items()},
    **{f"std{overload}": _first(_std_mean(moments)) for overload, moments in MOMENTS.items()},
    "norm": norm,
    "linalg_vector_norm": vector_norm,
    "linalg_norm": linalg_norm,
    "logsumexp": logsumexp,
    "amax": _reduction(jnp.max),
    "amin": _reduction(jnp.min),
    "aminmax": aminmax,
    "max": jnp.max,
    "min": jnp.min,
    "max.dim": max_dim,
    "min.dim": min_dim,
    "argmax": lambda x, dim=None, keepdim=False: jnp.argmax(x, dim, keepdims=keepdim),
    "argmin": lambda x, dim=None, keepdim=False: jnp.argmin(x, dim, keepdims=keepdim),
    "any": _reduction(jnp.any),
    "all": _reduction(jnp.all),
    "median": median,
    "median.dim": median_dim,
    "argsort": argsort,
    "sort": sort,
    "topk": topk,
    "cumsum": cumsum,
    "cumprod": cumprod,
    "diff": lambda x, n=1, dim=-1, prepend=None, append=None: jnp.diff(x, n, dim, prepend, append),
}
