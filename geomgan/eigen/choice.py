"""Which solver is cheapest, how far it can get, and where its noise begins."""

from __future__ import annotations

import numpy as np

from geomgan.eigen.operator import Cost
from geomgan.errors import check_choice

SOLVERS = ("auto", "dense", "arpack", "block")


def choose_solver(cost: Cost, dim: int, k: int, solver: str = "auto") -> tuple[str, str]:
    """The solver, and why: the cheaper one by estimate unless ``solver`` names it.

    The dense one needs ``d`` rows, an iterative one about ``2.65 k`` products (measured on DCGAN-64 and BigGAN-128).

    Args:
        cost: of rows and products.
        dim: ``d``.
        k: number of pairs.
        solver: what was asked for.
    """
    check_choice(solver, SOLVERS, "solver")
    if solver != "auto":
        return solver, "asked for"
    if cost.forced:
        return cost.forced
    dense, iterative = dim * cost.row, cost.product * expected_products(k)
    reason = f"about {dense:.0f} forward passes dense, {iterative:.0f} iterative"
    return ("dense" if dense <= iterative else "block"), reason


def expected_products(k: int) -> float:
    """Products that an iterative solver needs for ``k`` pairs, as measured."""
    return max(2.65 * k, 20)


def most_products(dim: int) -> int:
    """The default bound on products of an iterative solver."""
    return max(10 * dim, 200)


def reachable(epsilon: float) -> float:
    """The relative residual that products of rounding ``epsilon`` let an iterative solver reach for certain."""
    return 32 * epsilon


def within_tolerance(values: np.ndarray, residuals: np.ndarray, tol: float, epsilon: float) -> np.ndarray:
    """Whether each residual is within ``tol``, or within rounding, of the largest eigenvalue."""
    return residuals <= max(tol, reachable(epsilon)) * np.abs(values).max(initial=0.0)


def relative_noise(squared: bool, epsilon: float, dim: int) -> float:
    """Noise of eigenvalues relative to the largest.

    A Jacobian with relative rounding ``ε`` blurs singular values by ``ε σmax``, hence eigenvalues below ``ε² λmax``
    where the matrix itself is summed in float64 (``squared``). Products or a matrix in single precision blur ``λ``
    itself by ``ε``.
    """
    return (4 * epsilon) ** 2 + dim * float(np.finfo(np.float64).eps) if squared else 8 * epsilon
