"""Which solver is cheapest, how far it can get, and where its noise begins."""

from __future__ import annotations

import numpy as np

from geomgan.eigen.found import Pairs
from geomgan.eigen.operator import Cost
from geomgan.errors import check_choice

SOLVERS = ("auto", "dense", "arpack", "block")
WHICH = ("largest", "smallest", "magnitude")


def choose_solver(cost: Cost, dim: int, k: int, solver: str = "auto", width: int = 1) -> tuple[str, str]:
    """The solver, and why: the cheaper one by estimate unless ``solver`` names it.

    The dense one needs ``d`` rows, an iterative one :func:`expected_products`.

    Args:
        cost: of rows and products.
        dim: ``d``.
        k: number of pairs.
        solver: what was asked for.
        width: columns of a block of the iterative solver.
    """
    check_choice(solver, SOLVERS, "solver")
    if solver != "auto":
        return solver, "asked for"
    if cost.forced:
        return cost.forced
    dense, iterative = dim * cost.row, cost.product * expected_products(k, width)
    reason = f"about {dense:.0f} forward passes dense, {iterative:.0f} iterative"
    return ("dense" if dense <= iterative else "block"), reason


def expected_products(k: int, width: int = 1) -> float:
    """Products that an iterative solver needs for ``k`` pairs with blocks of ``width`` columns.

    Measured for 20 pairs with 1, 2 and 10 columns: 58, 70 and 150 on BigGAN-deep-128; 33 to 43, 38 to 50 and 60 to 90
    where eigenvalues fall by a power or exponentially.
    """
    return max(2.65 * k + 8 * (width - 1), 20)


def most_products(dim: int) -> int:
    """The default bound on products of an iterative solver."""
    return max(10 * dim, 200)


def enough_products(cost: Cost, dim: int) -> int | None:
    """Products after which the dense solver would have been the better choice; None where only one is possible.

    They cost twice what its rows do, and are never more than those: a solver that is chosen by estimate may miss it a
    little before it is given up.
    """
    return None if cost.forced or not cost.product else max(1, min(dim, int(2 * dim * cost.row / cost.product)))


def reachable(epsilon: float) -> float:
    """The relative residual that products of rounding ``epsilon`` let an iterative solver reach for certain."""
    return 32 * epsilon


def within_tolerance(found: Pairs, tolerance: float) -> np.ndarray:
    """Whether each residual is within ``tolerance`` of the largest eigenvalue; none while pairs may be missing."""
    return found.complete & (found.residuals <= tolerance * found.scale)


def relative_noise(squared: bool, epsilon: float, dim: int) -> float:
    """Noise of eigenvalues relative to the largest.

    A Jacobian with relative rounding ``ε`` blurs singular values by ``ε σmax``, hence eigenvalues below ``ε² λmax``
    where the matrix itself is summed in float64 (``squared``). Products or a matrix in single precision blur ``λ``
    itself by ``ε``.
    """
    return (4 * epsilon) ** 2 + dim * float(np.finfo(np.float64).eps) if squared else 8 * epsilon
