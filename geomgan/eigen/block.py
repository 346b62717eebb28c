"""Block Lanczos with full orthogonalisation, thick restarts and a search for what it missed."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace

import numpy as np

from geomgan.eigen.found import Pairs
from geomgan.eigen.outside import may_hide_copies, search
from geomgan.eigen.space import Space

PATIENCE = 4
Conversation = Generator[np.ndarray, np.ndarray, Pairs]


def block_lanczos(
    multiply: Callable[[np.ndarray], np.ndarray],
    dim: int,
    k: int,
    tol: float,
    max_products: int,
    seed: int,
    rounding: float = 0.0,
    width: int | None = None,
    *,
    which: str = "largest",
    start: tuple[np.ndarray, np.ndarray] | None = None,
) -> Pairs:
    """The ``k`` wanted eigenpairs of a symmetric map that is known by products with blocks, ``multiply(V (d, b))``.

    See :func:`lanczos_blocks` for the other arguments and what is returned.
    """
    steps = lanczos_blocks(dim, k, tol, max_products, seed, rounding, width, which=which, start=start)
    block = next(steps)
    while True:
        try:
            block = steps.send(multiply(block))
        except StopIteration as finished:
            return finished.value


def block_width(dim: int, k: int, *, heavy: bool = False) -> int:
    """Columns of a block for ``k`` pairs: the most that :func:`lanczos_blocks` asks to multiply at once.

    Narrow blocks need fewer products (BigGAN-deep-128, 20 pairs: 58 with one column, 70 with two, 150 with ten), wide
    ones fill a processor. A ``heavy`` product fills it alone; two columns find double eigenvalues sooner than one.
    """
    return min(dim, 2 if heavy else max(4, min(32, (k + 1) // 2)))


def lanczos_blocks(
    dim: int,
    k: int,
    tol: float,
    max_products: int,
    seed: int,
    rounding: float = 0.0,
    width: int | None = None,
    *,
    which: str = "largest",
    start: tuple[np.ndarray, np.ndarray] | None = None,
) -> Conversation:
    """The algorithm as a conversation: yields a block ``V (d, b)``, takes ``A V``, and returns the eigenpairs.

    Only the products run on the device, in its precision; the small projected problem and the orthogonalisation run
    in float64 on the host. Whoever multiplies may serve many conversations, one for each code, at a time.

    Converged pairs may be the wrong ones: where a value repeats more often than a block has columns, the others never
    show. Before it ends, it therefore searches outside them, where that can be (:mod:`geomgan.eigen.outside`).

    Args:
        dim: ``d``.
        k: number of pairs.
        tol: stops when every ``‖A x - θ x‖ <= tol * |θ|_max``.
        max_products: stops before more than so many products (and ``k``), converged or not.
        seed: of the start block.
        rounding: relative residuals below it may be all that the products' rounding allows; stops when they have not
            halved for ``PATIENCE`` blocks.
        width: columns of a block; by default :func:`block_width`.
        which: ``"largest"``, ``"smallest"`` or ``"magnitude"``.
        start: orthonormal ``V (d, k)`` and ``A V`` of converged pairs that a single vector found: begins with the
            search outside them.

    Returns:
        The :class:`Pairs`; ``complete`` is false where the products ended before the search did.

    Source: Golub and Underwood (1977) for blocks; Wu and Simon (2000) for thick restarts.
    """
    width = width or block_width(dim, k)
    space = Space(dim, k, width, which, max(tol, rounding), max_products, np.random.default_rng(seed))
    shown = width
    if start is not None:
        space.add(*start)
        shown = 1
    while True:
        if start is None:
            converged = yield from _converge(space, tol, rounding)
            if not converged:
                return replace(space.pairs(), spent=space.left > 0)
            if not may_hide_copies(np.sort(space.theta[:k]), shown, space.within):
                return space.pairs()
        start, answer = None, space.pairs()
        proven = yield from search(space)
        if proven is not False:
            return replace(answer, products=space.products, complete=proven is True, spent=proven is None)


def _converge(space: Space, tol: float, rounding: float) -> Generator[np.ndarray, np.ndarray, bool]:
    """Grow a space until its first ``k`` pairs have converged; false where its products or dimensions end before."""
    largest, best, stalled = max(3 * space.k, space.k + 6 * space.width), np.inf, 0
    while space.left and space.affordable:
        block = space.next_block()
        if space.size + block.shape[1] > largest and largest < space.dim:
            space.restart()
        space.add(block, (yield block))
        worst = space.errors[: space.k].max() / (space.scale or 1.0)
        best, stalled = (worst, 0) if worst < 0.5 * best else (best, stalled + 1)
        if space.size >= space.k and (worst <= tol or (worst <= rounding and stalled >= PATIENCE)):
            return True
    return False
