"""Eigenpairs of a metric tensor, with residuals, noise floor and convergence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import numpy as np
from flax.core import FrozenDict

from geomgan.eigen.arpack import arpack
from geomgan.eigen.block import block_lanczos, block_width
from geomgan.eigen.choice import (
    SOLVERS,
    choose_solver,
    most_products,
    reachable,
    relative_noise,
    within_tolerance,
)
from geomgan.eigen.dense import check_k, largest_pairs, signed
from geomgan.eigen.generalised import Change, reduction
from geomgan.eigen.operator import is_operator
from geomgan.errors import check_choice, check_finite, check_floating, warn


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Eigenpairs:
    """Eigenpairs ``g v = λ v``, in numpy float64.

    Attributes:
        values: ``(k,)``, descending.
        vectors: ``(d, k)``, columns of unit length (``vᵀ B v = 1`` for a generalised problem); the component of
            largest magnitude is positive.
        residuals: ``(k,)``, ``‖g v - λ v‖``.
        noise_floor: eigenvalues below it are rounding noise of the precision that ``g`` was computed in.
        converged: ``(k,)``, whether each residual is within the solver's tolerance.
        info: which solver ran and why, products used, tolerance; static.
    """

    values: np.ndarray
    vectors: np.ndarray
    residuals: np.ndarray
    noise_floor: float
    converged: np.ndarray
    info: FrozenDict[str, Any] = field(metadata={"static": True})

    def __repr__(self) -> str:
        if not isinstance(self.values, np.ndarray):  # as in jax.tree.map and jax.jit
            return f"Eigenpairs({self.values})"
        return (
            f"Eigenpairs({len(self.values)} of dimension {len(self.vectors)}, {np.sum(self.converged)} converged, "
            f"noise floor {self.noise_floor:.2g}; {self.info.get('solver')})"
        )


def eigenpairs(
    g: Any,
    k: int | None = None,
    *,
    solver: str = "auto",
    relative_to: Any = None,
    tol: float = 1e-6,
    max_products: int | None = None,
    seed: int = 0,
) -> Eigenpairs:
    """The ``k`` largest eigenpairs of a metric tensor.

    Args:
        g: a matrix ``(d, d)``, or an operator such as :class:`geomgan.MetricOperator`.
        k: how many; by default all ``d``.
        solver: ``"dense"`` (the matrix, summed in float64, and LAPACK), ``"arpack"`` (scipy's ``eigsh``), ``"block"``
            (block Lanczos with restarts, many products together), or ``"auto"``, the cheapest by estimate.
        relative_to: another metric ``B``, matrix or operator: solves ``g v = λ B v``.
        tol: iterative solvers stop at residuals of ``tol`` times the largest eigenvalue.
        max_products: bound on products ``g v`` of an iterative solver.
        seed: of the start vectors.

    Returns:
        :class:`Eigenpairs`. An iterative solver that ends early warns; ``"arpack"`` then returns the pairs that
        converged, ``"block"`` all of them with ``converged`` marking those.

    Raises:
        TypeError, ValueError: ``g`` is not symmetric, ``k`` is larger than ``d``, an option is unknown, ``B`` is not
            positive definite.
    """
    dim = _check_operand(g, "g")
    k = check_k(k, dim)
    if not tol > 0:
        raise ValueError(f"tol is {tol!r}; expected a positive number.")
    solver, reason, heavy, squared = _choose(g, dim, k, solver)
    to_standard, from_standard = reduction(_relative_to(relative_to, dim))
    epsilon = g.epsilon if is_operator(g) else float(np.finfo(np.asarray(g).dtype).eps)

    if solver == "dense":
        values, vectors, residuals = largest_pairs(to_standard(to_standard(_matrix(g)).T), k)
        products = dim
    else:
        multiply = _multiplier(g, to_standard, from_standard)
        width = block_width(dim, k, heavy=heavy)
        iterative: Callable[..., Any] = partial(block_lanczos, rounding=reachable(epsilon), width=width)
        solve = arpack if solver == "arpack" and k < dim else iterative  # ARPACK cannot find all d
        values, vectors, residuals, products = solve(multiply, dim, k, tol, max_products or most_products(dim), seed)
    largest = float(np.abs(values).max(initial=0.0))
    converged = within_tolerance(values, residuals, tol, epsilon)
    if len(values) < k or not converged.all():
        warn(
            f"{solver}: {int(converged.sum())} of {k} eigenpairs reached a residual of {tol:g} times the largest "
            f"eigenvalue within {products} products. Raise max_products or tol, or take solver='dense'.",
        )
    floor = largest * relative_noise(squared and solver == "dense", epsilon, dim)
    info: FrozenDict[str, Any] = FrozenDict(
        solver=solver, reason=reason, products=products, tol=tol, requested=k, dim=dim
    )
    return Eigenpairs(values, signed(from_standard(vectors)), residuals, floor, converged, info)


def _choose(g: Any, dim: int, k: int, solver: str) -> tuple[str, str, bool, bool]:
    """The solver and why; whether one product fills the device; whether the matrix is a Gram matrix in float64."""
    if is_operator(g):
        cost = g.cost
        return *choose_solver(cost, dim, k, solver), cost.heavy, cost.squared
    check_choice(solver, SOLVERS, "solver")
    return *((solver, "asked for") if solver != "auto" else ("dense", "the matrix is given")), False, False


def _matrix(g: Any) -> np.ndarray:
    return g.to_dense() if is_operator(g) else np.asarray(g, np.float64)


def _multiplier(g: Any, to_standard: Change, from_standard: Change) -> Change:
    """``V -> L⁻¹ g L⁻ᵀ V`` on float64 blocks ``(d, k)``."""
    if is_operator(g):
        one, many = g.matvec, g.matmat
        product = lambda V: np.asarray(one(V[:, 0])[:, None] if V.shape[1] == 1 else many(V), np.float64)
    else:
        matrix = np.asarray(g, np.float64)
        product = lambda V: matrix @ V
    return lambda V: to_standard(product(from_standard(V)))


def _relative_to(B: Any, dim: int) -> np.ndarray | None:
    if B is None:
        return None
    if _check_operand(B, "relative_to") != dim:
        raise ValueError(f"relative_to has {np.shape(B)[0]} dimensions; expected {dim}, those of g.")
    return _matrix(B)


def _check_operand(g: Any, name: str) -> int:
    """The dimension of a matrix or operator, or an error that says what is wrong with it."""
    if is_operator(g):
        return g.shape[0]
    shape = np.shape(g)
    if len(shape) != 2 or shape[0] != shape[1]:
        raise ValueError(f"{name} has shape {shape}; expected one matrix (d, d), or a MetricOperator.")
    check_floating(g, name)
    check_finite(g, name)
    g = np.asarray(g, np.float64)
    asymmetry, scale = float(np.abs(g - g.T).max()), float(np.abs(g).max())
    if asymmetry > 1e-3 * scale:
        raise ValueError(f"{name} is not symmetric: it differs from its transpose by {asymmetry:.3g} of {scale:.3g}.")
    return shape[0]
