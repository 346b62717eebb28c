"""Whether the pairs that a Krylov solver converged to are the wanted ones, or copies of a value are missing.

A space that grows from ``b`` random directions holds ``b`` copies of an eigenvalue at most, however often it repeats:
the others never appear, and no residual tells. Two facts do.

Where fewer than ``b`` of the wanted values lie together, none is missing: ``b`` directions would have shown ``b``
(:func:`may_hide_copies`). Most spectra end there, and pay nothing.

Otherwise ``b`` new random directions, orthogonal to all that is known, grow a space of their own (:func:`search`). If
an eigenvalue beyond ``t`` were outside, the largest Ritz value of that space would come near ``t`` within a few steps;
Kuczyński and Woźniakowski (1992) bound the chance that it does not (:func:`steps_that_prove`).
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.eigen.lapack import symmetric
from geomgan.eigen.space import Space
from geomgan.eigen.threads import one_blas_thread

CHANCE = 1e-6  # that something is outside although the search says that nothing is
TOGETHER = (12, 100)  # tolerances: bounds on how far apart values are that a space may mix unseen


def may_hide_copies(values: Any, shown: int, tolerance: Any) -> Any:
    """Whether ``shown`` of the values lie so close together that there may be more of them.

    Values need not be equal. A space of ``b`` vectors that mixes more than ``b`` values within ``s`` has residuals of
    about ``s``; all of them are below a tolerance ``r`` with a chance of about ``(r / s)^b``. So ``s`` is taken with
    ``CHANCE`` for that, within ``TOGETHER``.

    Args:
        values: the wanted ones ``(k,)``, ascending or descending; an array of numpy or JAX.
        shown: how many copies of a value the solver shows, if there are as many.
        tolerance: the largest residual of a converged pair.
    """
    spans = abs(values[shown - 1 :] - values[: max(0, len(values) - shown + 1)])
    return (spans <= np.clip(CHANCE ** (-1 / shown), *TOGETHER) * tolerance).any()


def search(space: Space) -> Generator[np.ndarray, np.ndarray, bool | None]:
    """Look for wanted pairs outside a space whose first ``k`` have converged: a conversation about products.

    Returns:
        True: there are none, but for ``CHANCE`` (and for values beyond the ``k``-th by less than a tolerance). False:
        there are, and the space holds their beginnings. None: the products ended before.
    """
    space.restart(converged=True)  # what is outside an invariant space are eigenvectors; outside others it is a mixture
    known, total = space.size, space.score(space.theta[: space.k]).sum()
    beyond = float(space.score(space.theta[space.k - 1])) + space.within
    block, steps, width = space.random_block(), 0, space.left
    while space.left:
        if not space.affordable:
            return None
        space.add(block, (yield block))
        steps += 1
        if space.score(space.theta[: space.k]).sum() > total + space.within:
            return False
        with one_blas_thread(space.size):
            highest, lowest = _range_outside(space, known, beyond)
        if steps >= steps_that_prove((beyond - highest) / (beyond - lowest), space.dim - known, width):
            return True
        block = space.lanczos_block()
    return False  # the space is the whole one, and knows all


def _range_outside(space: Space, known: int, beyond: float) -> tuple[float, float]:
    """The best score of a Ritz value outside the first ``known`` columns, and the lowest that a value can have.

    Those that have converged do not count: they are eigenvalues, and what hides is another one.
    """
    theta, y = symmetric(space.projected[known:, known:])
    inner, mine = space.basis[:, :known], space.basis[:, known:]
    residuals = space.image[:, known:] @ y - mine @ y * theta
    residuals -= inner @ (inner.T @ residuals)
    lowest = -beyond if space.which == "magnitude" else float(min(space.theta.min(), theta[0]))
    open_ = theta[np.linalg.norm(residuals, axis=0) > space.within]
    return float(space.score(open_).max(initial=lowest)), lowest


def steps_that_prove(ratio: Any, dim: Any, width: Any) -> Any:
    """Steps from ``width`` random directions that prove, but for ``CHANCE``, that nothing is outside.

    The largest Ritz value of ``j`` steps is below the largest eigenvalue by more than a part ``ε`` of the spectrum's
    width with probability ``(1.648 √n exp(-√ε (2 j - 1)))^b`` at most.

    Args:
        ratio: ``ε``: by how much the largest Ritz value is below the bound ``t``, relative to ``t`` less the lowest.
        dim: ``n``, of the space that is searched.
        width: ``b``; columns are independent. All may be numbers of a program.

    Source: Kuczyński and Woźniakowski (1992), SIAM Journal on Matrix Analysis and Applications 13(4), theorem 4.2.
    """
    arrays: Any = jnp if isinstance(ratio, jax.Array) else np
    steps = arrays.log(1.648 * arrays.sqrt(dim)) - np.log(CHANCE) / width
    return arrays.where(ratio > 0, 0.5 + 0.5 * steps / arrays.sqrt(arrays.maximum(ratio, 1e-300)), np.inf)
