"""Block Lanczos with full orthogonalisation and thick restarts, for many products at a time."""

from __future__ import annotations

from collections.abc import Callable, Generator

import numpy as np

PATIENCE = 4
Pairs = tuple[np.ndarray, np.ndarray, np.ndarray, int]


def block_lanczos(
    multiply: Callable[[np.ndarray], np.ndarray],
    dim: int,
    k: int,
    tol: float,
    max_products: int,
    seed: int,
    rounding: float = 0.0,
    width: int | None = None,
) -> Pairs:
    """The ``k`` largest eigenpairs of a symmetric map that is known by products with blocks, ``multiply(V (d, b))``.

    See :func:`lanczos_blocks` for the other arguments and what is returned.
    """
    steps = lanczos_blocks(dim, k, tol, max_products, seed, rounding, width)
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
    dim: int, k: int, tol: float, max_products: int, seed: int, rounding: float = 0.0, width: int | None = None
) -> Generator[np.ndarray, np.ndarray, Pairs]:
    """The algorithm as a conversation: yields a block ``V (d, b)``, takes ``A V``, and returns the eigenpairs.

    Only the products run on the device, in its precision; the small projected problem and the orthogonalisation run
    in float64 on the host. Whoever multiplies may serve many conversations, one for each code, at a time.

    Args:
        dim: ``d``.
        k: number of pairs.
        tol: stops when every ``‖A x - θ x‖ <= tol * θ_max``.
        max_products: stops after so many products, converged or not.
        seed: of the start block.
        rounding: relative residuals below it may be all that the products' rounding allows; stops when they have not
            halved for ``PATIENCE`` blocks.
        width: columns of a block; by default :func:`block_width`.

    Returns:
        values ``(k,)`` descending, vectors ``(d, k)``, residual norms ``(k,)`` and the number of products.

    Source: Golub and Underwood (1977) for blocks; Wu and Simon (2000) for thick restarts.
    """
    rng = np.random.default_rng(seed)
    width = width or block_width(dim, k)
    largest_basis = min(dim, max(3 * k, k + 6 * width))
    block = np.linalg.qr(rng.standard_normal((dim, width)))[0]
    basis = image = np.zeros((dim, 0))
    products, best, stalled = 0, np.inf, 0
    while True:
        product = yield block
        products += block.shape[1]
        basis, image = np.hstack([basis, block]), np.hstack([image, product])
        projected = basis.T @ image
        theta, y = np.linalg.eigh(0.5 * (projected + projected.T))
        theta, y = theta[::-1], y[:, ::-1]
        values, vectors = theta[:k], basis @ y[:, :k]
        residuals = np.linalg.norm(image @ y[:, :k] - vectors * values, axis=0)
        worst = residuals.max() / max(np.abs(theta).max(), np.finfo(float).tiny)
        best, stalled = (worst, 0) if worst < 0.5 * best else (best, stalled + 1)
        done = worst <= tol or (worst <= rounding and stalled >= PATIENCE)
        if basis.shape[1] >= k and (done or products >= max_products):
            break
        if basis.shape[1] == dim:  # the whole space: exact up to the rounding of the products
            break
        block = _orthonormal_outside(product, basis, rng, min(width, dim - basis.shape[1]))
        if basis.shape[1] + block.shape[1] > largest_basis and largest_basis < dim:
            keep = y[:, : k + width]
            basis, image = basis @ keep, image @ keep
    return values, vectors, residuals, products


def _orthonormal_outside(block: np.ndarray, basis: np.ndarray, rng: np.random.Generator, width: int) -> np.ndarray:
    """``width`` orthonormal directions of ``block`` outside ``basis``; random ones where it has fewer."""
    block = block[:, :width] if block.shape[1] >= width else block
    scale = np.linalg.norm(block, axis=0).max(initial=0.0)
    for _ in range(2):  # twice is enough (Kahan and Parlett)
        block = block - basis @ (basis.T @ block)
    u, s, _ = np.linalg.svd(block, full_matrices=False)
    found = u[:, s > 1e-10 * scale] if scale > 0 else u[:, :0]
    missing = width - found.shape[1]
    if missing:
        fresh = rng.standard_normal((basis.shape[0], missing))
        for _ in range(2):
            fresh = fresh - basis @ (basis.T @ fresh) - found @ (found.T @ fresh)
            fresh = np.linalg.qr(fresh)[0]
        found = np.hstack([found, fresh])
    return found
