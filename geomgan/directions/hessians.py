"""Whole Hessians of every number of a sample, and what they say about the axes of a latent space.

The figures and tables of the Hessian Penalty (Peebles et al., 2020): Hessians of pixels, how strong their diagonals are
(table 2), where in the image coordinates act together (heat maps), and which coordinates do anything (activeness).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.backend import usual_promotion
from geomgan.brief import brief
from geomgan.errors import as_array, check_code, check_codes, check_key
from geomgan.generators import Generator
from geomgan.metric.derivatives import needs_derivatives
from geomgan.metric.hessian_penalty import Function, check_options, function_of, mixed_forms, quadratic_forms

_TOGETHER = 16  # quadratic forms of one code at a time
_TINY = 1e-8  # of the published code: keeps the strength of a pixel without any curvature at zero


@brief
@dataclass(frozen=True)
class DiagonalStrength:
    """How near the Hessians of numbers of a sample are to diagonal ones.

    Attributes:
        fraction: of the Hessians whose entry of largest magnitude is on the diagonal; ``1 / d`` or so by chance.
        relative: mean over Hessians of the mean magnitude on the diagonal over that off it; 1 or so by chance.
    """

    fraction: float
    relative: float


def pixel_hessians(
    f: Any, z: Any, *, layers: Sequence[str] | None = None, method: str = "exact", epsilon: float = 0.1
) -> Any:
    """The Hessian ``∂²x / ∂z_i ∂z_j`` of every number ``x`` of a sample.

    ``d²`` second derivatives, one row of the Hessians in a program: ``(d + 1)²`` forward passes or so, ``4 d²`` by
    differences.

    Args:
        f: a :class:`Generator`, or a function of one code that returns an array or a tree of arrays.
        z: one code ``(d,)``.
        layers: names of a generator's activations in place of its sample.
        method: ``"exact"``, or ``"differences"``:
            ``[x(++) - x(+-) - x(-+) + x(--)] / 4ε²``, with steps of ``ε`` along ``i`` and ``j``, as published.
        epsilon: ``ε``, in latent units.

    Returns:
        ``(d, d, ...)`` in numpy, for every array that ``f`` returns.

    Raises:
        ValueError, OptionError: as :func:`geomgan.directions.hessian_penalty`.
    """
    check_options(2, method, epsilon, 1)
    function, z = function_of(f, layers), check_code(z, f.latent_dim if isinstance(f, Generator) else np.size(z))
    z = jnp.asarray(z, f.dtype if isinstance(f, Generator) else None)
    rows = [jax.tree.map(np.asarray, _row(function, z, i, method, epsilon)) for i in range(z.size)]
    return jax.tree.map(lambda *of_rows: np.stack(of_rows), *rows)


def penalty_of_hessians(hessians: Any) -> np.ndarray:
    """``2 Σ_{i≠j} H_ij²`` for each of ``hessians (d, d, ...)``: what the Hessian Penalty estimates; ``(...)``."""
    squares = np.asarray(_checked(hessians), np.float64) ** 2
    penalty: np.ndarray = 2 * (squares.sum((0, 1)) - np.einsum("ii...->...", squares))
    return penalty


def diagonal_strength(hessians: Any) -> DiagonalStrength:
    """How near ``hessians (d, d, ...)`` are to diagonal ones (table 2 of the paper)."""
    size = np.abs(np.asarray(_checked(hessians), np.float64)).reshape(*np.shape(hessians)[:2], -1)
    d = len(size)
    diagonal, largest = np.einsum("iin->in", size), size.max((0, 1))
    off = (size.sum((0, 1)) - diagonal.sum(0)) / (d * (d - 1))
    curved = largest > 0
    fraction = (diagonal.max(0) == largest)[curved].mean() if curved.any() else np.nan
    return DiagonalStrength(float(fraction), float((diagonal.mean(0) / (off + _TINY)).mean()))


def penalty_map(
    f: Any, z: Any, key: jax.Array, *, k: int = 200, method: str = "differences", epsilon: float = 0.1, ddof: int = 1
) -> np.ndarray:
    """Where in a sample coordinates act together: the penalty of each number, its maximum over channels.

    Args:
        f: a :class:`Generator`, or a function of one code that returns an array ``(..., C)``.
        z: one code ``(d,)``.
        key: a ``jax.random.key``.
        k: draws of signs.
        method: as of :func:`geomgan.directions.hessian_penalty`.
        epsilon: likewise.
        ddof: likewise.

    Returns:
        ``(...)``, of an image ``(H, W)``.
    """
    check_options(k, method, epsilon, ddof)
    check_key(key)
    function, z = function_of(f), check_code(z, f.latent_dim if isinstance(f, Generator) else np.size(z))
    z = jnp.asarray(z, f.dtype if isinstance(f, Generator) else None)
    total: Any = 0.0
    squares: Any = 0.0
    shift = None
    signs = jax.random.rademacher(key, (-(-k // _TOGETHER) * _TOGETHER, z.size), z.dtype)
    for first in range(0, k, _TOGETHER):  # as many in each, so that one program serves
        forms = _forms(function, z, signs[first : first + _TOGETHER], method, epsilon)
        forms = np.asarray(forms, np.float64)[: k - first]
        shift = forms[0] if shift is None else shift
        total, squares = total + (forms - shift).sum(0), squares + ((forms - shift) ** 2).sum(0)
    variance: np.ndarray = (squares - total**2 / k) / (k - ddof)
    return variance.max(-1)


def activeness(f: Any, codes: Any, *, extent: float = 2.0) -> np.ndarray:
    """How much each coordinate does: the variance of samples over ``z_i`` in ``{-extent, 0, extent}``, ddof 1.

    Args:
        f: a :class:`Generator`, or a function of one code that returns an array.
        codes: ``(n, d)``; the other coordinates are theirs.
        extent: in latent units.

    Returns:
        ``(d,)``, means over numbers and codes.
    """
    d = f.latent_dim if isinstance(f, Generator) else np.shape(codes)[-1]
    codes = jnp.asarray(check_codes(codes, d), f.dtype if isinstance(f, Generator) else None)
    function = function_of(f)
    each = [[_activeness(function, z, i, extent) for i in range(d)] for z in codes]
    return np.asarray(each, np.float64).mean(0)


def _checked(hessians: Any) -> Any:
    hessians = as_array(hessians, "hessians")
    if np.ndim(hessians) < 2 or hessians.shape[0] != hessians.shape[1] or hessians.shape[0] < 2:
        raise ValueError(f"hessians have shape {np.shape(hessians)}; expected (d, d, ...) with d of 2 or more.")
    return hessians


@partial(jax.jit, static_argnames="method")
def _row(f: Function, z: jax.Array, i: Any, method: str, epsilon: Any) -> Any:
    """``H_ij`` for all ``j``, in leaves ``(d, ...)``."""
    axes = jnp.eye(z.size, dtype=z.dtype)
    with jax.default_matmul_precision("highest"), usual_promotion():
        if method == "exact":
            with needs_derivatives():
                slope = lambda z: jax.jvp(f, (z,), (axes[i],))[1]
                return jax.vmap(lambda v: jax.jvp(slope, (z,), (v,))[1])(axes)
        forms = mixed_forms(f, z, jnp.broadcast_to(2 * axes[i], axes.shape), 2 * axes, method, epsilon)
    return jax.tree.map(lambda x: x / 4, forms)  # of twice the axes: steps of ε along both


@partial(jax.jit, static_argnames="method")
def _forms(f: Function, z: jax.Array, v: jax.Array, method: str, epsilon: Any) -> Any:
    with jax.default_matmul_precision("highest"), usual_promotion():
        return quadratic_forms(f, z, v, method, epsilon)


@jax.jit
def _activeness(f: Function, z: jax.Array, i: Any, extent: Any) -> jax.Array:
    with jax.default_matmul_precision("highest"), usual_promotion():
        samples = jax.vmap(lambda t: f(z.at[i].set(t)))(extent * jnp.asarray([-1, 0, 1], z.dtype))
    return jnp.var(samples, axis=0, ddof=1).mean()
