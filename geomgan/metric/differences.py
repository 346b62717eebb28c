"""Finite differences, for networks and distances without derivatives.

A step that is too small drowns in what a function rounds, its floats or samples of 8 bits; one that is too large bends.
Neither is known beforehand, so a ladder of steps is tried along a few random directions, and two steps about where
neighbours agree best are taken. By how much these still differ, in every direction, is the noise of the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.eigen.lapack import factorisation
from geomgan.errors import is_concrete, warn
from geomgan.metric.chunks import map_chunks
from geomgan.metric.finite import one_or_nan
from geomgan.metric.gram import gram

RUNGS, RATIO, LARGEST = 12, 4.0, 2.0  # of the ladder; its largest step, relative to the code's (root mean square, or 1)
DIRECTIONS = 3
AS_GOOD = 1.5  # disagreement, squared, up to which the larger step is taken: one that is too small misleads more
TRIED = 2 * (RUNGS * DIRECTIONS + 1)  # evaluations before the first derivative
ROUGH = 0.1  # relative error of a Jacobian or a matrix that is worth a warning


def central_differences(phi: Callable[..., Any], z: jax.Array, chunk: int) -> tuple[list[jax.Array], jax.Array]:
    """``J v ≈ (φ(z + h v) - φ(z - h v)) / 2h`` along all unit vectors, and the noise of what it says.

    Two steps, ``h`` and ``2h``, are extrapolated to none (Richardson): what bends with ``h²`` cancels.

    Returns:
        Leaves of rows ``(d, ...)``, and the largest eigenvalue of the Gram matrix of twice their error, relative to
        that of their own: eigenvalues of the metric below it are noise.
    """

    def swing(v: jax.Array) -> tuple[list[jax.Array], jax.Array]:
        ends = jnp.stack([z + v, z - v])
        values = jax.lax.map(phi, ends)  # one copy of the network
        return [leaf[0] - leaf[1] for leaf in jax.tree.leaves(values)], jnp.linalg.norm(ends[0] - ends[1])

    def quotients(steps: jax.Array) -> list[jax.Array]:
        change, width = map_chunks(swing, steps, chunk)  # the width as it was rounded
        width = jnp.where(width > 0, width, jnp.inf)
        return [leaf / _along(width, leaf) for leaf in change]

    ladder, steps = _trials(z)
    tried = quotients(steps)
    small = _chosen(ladder, [leaf[:-1].reshape(RUNGS, -1) for leaf in tried])
    eye = small * jnp.eye(z.size, dtype=z.dtype)
    both = quotients(jnp.concatenate([eye, 2 * eye]))
    halves = [(leaf[: z.size], leaf[z.size :]) for leaf in both]
    rows, errors = [(4 * a - b) / 3 for a, b in halves], [2 * (a - b) for a, b in halves]  # Richardson's
    mark = one_or_nan([leaf[-1] for leaf in tried])
    return [leaf * mark.astype(leaf.dtype) for leaf in rows], _ratio(_largest(gram(errors)), _largest(gram(rows)))


def second_differences(half_distance: Callable[..., Any], z: jax.Array, chunk: int) -> tuple[jax.Array, jax.Array]:
    """``g`` by polarisation of ``q(v) = ½ (d²(z, z + v) + d²(z, z - v)) ≈ vᵀ g v``, and the noise of what it says.

    ``g_ij = (q(h e_i + h e_j) - q(h e_i) - q(h e_j)) / 2h²``; odd orders cancel, and the value at the centre is zero.

    Returns:
        ``g (d, d)``, and the noise of its eigenvalues, relative to the largest: the length of twice the error of its
        diagonal, which is about the largest eigenvalue of a matrix of such errors.
    """
    q: Callable[..., Any] = lambda v: jax.lax.map(half_distance, jnp.stack([z + v, z - v])).sum()
    (ladder, steps), dim = _trials(z), z.size
    tried = map_chunks(q, steps, chunk)
    h = _chosen(ladder, [tried[:-1].reshape(RUNGS, -1) / ladder[:, None] ** 2])
    eye = h * jnp.eye(dim, dtype=z.dtype)
    i, j = jnp.tril_indices(dim, -1)
    values = map_chunks(q, jnp.concatenate([eye, 2 * eye, eye[i] + eye[j]]), chunk)
    single, double, pair = values[:dim], values[dim : 2 * dim], values[2 * dim :]
    lower = jnp.zeros((dim, dim), values.dtype).at[i, j].set(pair - single[i] - single[j]) / (2 * h**2)
    g = lower + lower.T + jnp.diag(single) / h**2
    errors = 2 * (single - double / 4) / h**2
    return g * one_or_nan(tried[-1]), _ratio(jnp.linalg.norm(errors), _largest(g))


def warn_if_rough(noise: Any, jacobian: bool) -> None:
    """A warning where two steps of finite differences disagree by much, at any of several codes; tracers pass."""
    if not is_concrete(noise):
        return
    worst = float(np.max(np.asarray(noise, float), initial=0.0, where=np.isfinite(noise)))
    error = (np.sqrt(worst) if jacobian else worst) / 2
    if error > ROUGH:
        warn(
            f"finite differences are uncertain by {100 * error:.1g} % or more: so much do two steps differ that fit "
            "best. The samples are coarse (8 bits?), noisy, or bend within the smallest step that they resolve; "
            "eigenvalues below the noise floor mean nothing. Let the network return floating-point samples before "
            "they are rounded, or take hvp='exact' where it has derivatives that are not all zero.",
        )


def _trials(z: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Lengths of steps ``(RUNGS,)``, ascending, and all steps to be tried: so long in each direction, and none at last.

    A code's own size is the only scale that is known of a latent space. A step of zero tells whether the code itself
    has a finite sample.
    """
    v = jax.random.normal(jax.random.key(0), (DIRECTIONS, z.size), z.dtype)
    v = v / jnp.linalg.norm(v, axis=1, keepdims=True)
    largest = LARGEST * jnp.maximum(1.0, jnp.sqrt(jnp.mean(z**2)))
    ladder = largest * jnp.asarray(RATIO ** np.arange(1.0 - RUNGS, 1.0), z.dtype)
    steps = (ladder[:, None, None] * v[None]).reshape(-1, z.size)
    return ladder, jnp.concatenate([steps, jnp.zeros_like(z)[None]])


def _chosen(ladder: jax.Array, estimates: Sequence[jax.Array]) -> jax.Array:
    """A step between two neighbours whose ``estimates (RUNGS, m)`` differ least, relative to their size.

    Steps that change nothing, or are not finite, do not count: zero agrees with zero.
    """
    difference = _total([jnp.sum((a[1:] - a[:-1]) ** 2, axis=1) for a in estimates])
    size = _total([jnp.sum(a**2, axis=1) for a in estimates])
    larger = jnp.maximum(size[1:], size[:-1])
    counts = jnp.isfinite(difference) & (larger > 0)
    disagreement = jnp.where(counts, difference, jnp.inf) / jnp.where(counts, larger, 1)
    good = disagreement <= AS_GOOD * disagreement.min()
    return ladder[RUNGS - 2 - jnp.argmax(good[::-1])] * RATIO**0.5


def _total(arrays: Sequence[jax.Array]) -> jax.Array:
    return sum(arrays[1:], start=arrays[0])


def _along(width: jax.Array, leaf: jax.Array) -> jax.Array:
    return width.reshape(-1, *[1] * (leaf.ndim - 1)).astype(leaf.dtype)


@factorisation
def _largest(g: jax.Array) -> jax.Array:
    return jnp.linalg.eigvalsh(g)[-1]


def _ratio(error: jax.Array, size: jax.Array) -> jax.Array:
    """``error / size``; all is error where something changes that has no size."""
    return jnp.where(size > 0, error / jnp.where(size > 0, size, 1), jnp.where(error > 0, 1.0, 0.0).astype(size.dtype))
