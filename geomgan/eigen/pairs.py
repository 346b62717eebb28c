"""Eigenpairs of a metric tensor, with residuals, noise floor and convergence."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import numpy as np
from flax.core import FrozenDict

from geomgan.backend import memory_budget
from geomgan.eigen.block import block_lanczos, block_width
from geomgan.eigen.threads import one_blas_thread
from geomgan.errors import check_choice, check_finite, check_floating
from geomgan.metric.tensor import MetricOperator

HEAVY_BYTES = 128 * 2**20
SOLVERS = ("auto", "dense", "arpack", "block")
FORWARD_MODE, PRODUCT = 1.2, 5.5  # cost of one of many batched JVPs, and of one product g v, in forward passes


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
    info: FrozenDict = field(metadata={"static": True})

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
        g: a matrix ``(d, d)`` or a :class:`MetricOperator`.
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
    solver, reason = _choose(g, dim, k, solver)
    to_standard, from_standard = _reduction(relative_to, dim)

    if solver == "dense":
        matrix = g.to_dense() if isinstance(g, MetricOperator) else np.asarray(g, np.float64)
        values, vectors, residuals = largest_pairs(to_standard(to_standard(matrix).T), k)
        products = dim
    else:
        multiply = _multiplier(g, to_standard, from_standard)
        width = block_width(dim, k, heavy=_is_heavy(g))
        iterative: Callable = partial(block_lanczos, rounding=reachable(_epsilon(g)), width=width)
        solve = _arpack if solver == "arpack" and k < dim else iterative  # ARPACK cannot find all d
        values, vectors, residuals, products = solve(multiply, dim, k, tol, max_products or most_products(dim), seed)
    largest = float(np.abs(values).max(initial=0.0))
    epsilon = _epsilon(g)
    converged = within_tolerance(values, residuals, tol, epsilon)
    if len(values) < k or not converged.all():
        warnings.warn(
            f"{solver}: {int(converged.sum())} of {k} eigenpairs reached a residual of {tol:g} times the largest "
            f"eigenvalue within {products} products. Raise max_products or tol, or take solver='dense'.",
            stacklevel=2,
        )
    kind = g.kind if isinstance(g, MetricOperator) else "matrix"
    floor = largest * relative_noise(kind, solver, epsilon, dim)
    info: FrozenDict = FrozenDict(solver=solver, reason=reason, products=products, tol=tol, requested=k, dim=dim)
    return Eigenpairs(values, signed(from_standard(vectors)), residuals, floor, converged, info)


def most_products(dim: int) -> int:
    """The default bound on products of an iterative solver."""
    return max(10 * dim, 200)


def within_tolerance(values: np.ndarray, residuals: np.ndarray, tol: float, epsilon: float) -> np.ndarray:
    """Whether each residual is within ``tol``, or within rounding, of the largest eigenvalue."""
    return residuals <= max(tol, reachable(epsilon)) * np.abs(values).max(initial=0.0)


def reachable(epsilon: float) -> float:
    """The relative residual that products of rounding ``epsilon`` let an iterative solver reach for certain."""
    return 32 * epsilon


def check_k(k: int | None, dim: int) -> int:
    """``k``, or ``dim`` for None; raises ``ValueError`` unless it is from 1 to ``dim``."""
    if k is not None and (isinstance(k, bool) or int(k) != k or not 1 <= k <= dim):
        raise ValueError(f"k is {k!r}; expected an integer from 1 to {dim}, the number of latent dimensions.")
    return dim if k is None else int(k)


def largest_pairs(matrices: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values, signed vectors and residuals of the ``k`` largest eigenpairs of float64 matrices ``(..., d, d)``."""
    with one_blas_thread(matrices.shape[-1]):
        matrices = 0.5 * (matrices + np.swapaxes(matrices, -1, -2))
        values, vectors = np.linalg.eigh(matrices)
        values, vectors = values[..., ::-1][..., :k], signed(vectors[..., ::-1][..., :k])
        return values, vectors, _norms(matrices @ vectors - vectors * values[..., None, :])


def relative_noise(kind: str, solver: str, epsilon: float, dim: int) -> float:
    """Noise of eigenvalues relative to the largest.

    A Jacobian with relative rounding ``ε`` blurs singular values by ``ε σmax``, hence eigenvalues below ``ε² λmax``
    (the matrix itself is summed in float64). Products or a matrix in single precision blur ``λ`` itself by ``ε``.
    """
    if solver == "dense" and kind in ("pushforward", "jacobian"):
        return (4 * epsilon) ** 2 + dim * float(np.finfo(np.float64).eps)
    return 8 * epsilon


def choose_solver(kind: str, dim: int, k: int, passes: int, solver: str = "auto") -> tuple[str, str]:
    """The solver, and why: the cheaper one by estimate unless ``solver`` names it.

    ``d`` batched JVPs cost 1.2 forward passes each. An iterative solver needs about ``2.65 k`` products of one JVP
    and one VJP, 5.5 forward passes each (measured on DCGAN-64 and BigGAN-128 on CPU).

    Args:
        kind: of the linear map.
        dim: ``d``.
        k: number of pairs.
        passes: how often the tangents are pushed, for a part of the embedding each time, so that a part of the
            Jacobian fits into memory; 0 where no part fits.
        solver: what was asked for.
    """
    check_choice(solver, SOLVERS, "solver")
    if solver != "auto":
        return solver, "asked for"
    if kind in ("jacobian", "matrix"):
        return "dense", "finite differences give the whole Jacobian or matrix"
    if kind == "pushforward" and not passes:
        return "block", "no part of the Jacobian would fit into memory"
    dense = dim * (FORWARD_MODE * passes if kind == "pushforward" else PRODUCT / 2)
    iterative = PRODUCT * max(2.65 * k, 20)
    reason = f"about {dense:.0f} forward passes dense, {iterative:.0f} iterative"
    return ("dense" if dense <= iterative else "block"), reason


def _choose(g: Any, dim: int, k: int, solver: str) -> tuple[str, str]:
    if not isinstance(g, MetricOperator):
        check_choice(solver, SOLVERS, "solver")
        return (solver, "asked for") if solver != "auto" else ("dense", "the matrix is given")
    size = 0
    if g.kind == "pushforward":
        outputs = jax.eval_shape(g.state, jax.ShapeDtypeStruct((dim,), g.dtype))
        size = dim * sum(leaf.size * leaf.dtype.itemsize for leaf in outputs)
    return choose_solver(g.kind, dim, k, int(size <= memory_budget()), solver)


def _is_heavy(g: Any) -> bool:
    """Whether one product fills the processor alone, by the bytes that it reads."""
    if not isinstance(g, MetricOperator) or jax.default_backend() != "cpu":
        return False
    return sum(leaf.nbytes for leaf in jax.tree.leaves(g.state)) > HEAVY_BYTES


def _multiplier(g: Any, to_standard: Callable, from_standard: Callable) -> Callable[[np.ndarray], np.ndarray]:
    """``V -> B^(-1/2) g B^(-1/2) V`` on float64 blocks ``(d, k)``."""
    if isinstance(g, MetricOperator):
        operator = g.as_linear_operator()
        product = lambda V: operator.matvec(V[:, 0])[:, None] if V.shape[1] == 1 else operator.matmat(V)
    else:
        matrix = np.asarray(g, np.float64)
        product = lambda V: matrix @ V
    return lambda V: to_standard(product(from_standard(V)))


def _arpack(multiply: Callable, dim: int, k: int, tol: float, limit: int, seed: int) -> tuple:
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

    count = 0

    def matvec(v: np.ndarray) -> np.ndarray:
        nonlocal count
        count += 1
        return multiply(v.reshape(-1, 1))[:, 0]

    start = np.random.default_rng(seed).standard_normal(dim)
    basis = min(dim, max(2 * k + 1, 20))
    restarts = max(1, (limit - basis) // max(basis - k, 1))
    operator = LinearOperator((dim, dim), matvec=matvec, dtype=np.float64)
    try:
        values, vectors = eigsh(operator, k, which="LA", tol=tol, v0=start, ncv=basis, maxiter=restarts)
    except ArpackNoConvergence as stopped:
        values, vectors = stopped.eigenvalues, stopped.eigenvectors
    order = np.argsort(values)[::-1]
    values, vectors = values[order], vectors[:, order]
    if not len(values):
        return values, vectors, np.zeros(0), count
    return values, vectors, _norms(multiply(vectors) - vectors * values), count + len(values)


def _reduction(relative_to: Any, dim: int) -> tuple[Callable, Callable]:
    """Maps between ``g v = λ B v`` and the standard problem: ``L⁻¹ ·`` and ``L⁻ᵀ ·`` with ``B = L Lᵀ``."""
    if relative_to is None:
        return (lambda V: V), (lambda V: V)
    if _check_operand(relative_to, "relative_to") != dim:
        raise ValueError(f"relative_to has {np.shape(relative_to)[0]} dimensions; expected {dim}, those of g.")
    import scipy.linalg

    B = relative_to.to_dense() if isinstance(relative_to, MetricOperator) else np.asarray(relative_to, np.float64)
    try:
        L = np.linalg.cholesky(0.5 * (B + B.T))
    except np.linalg.LinAlgError:
        smallest = float(np.linalg.eigvalsh(B)[0])
        raise ValueError(
            f"relative_to is not positive definite: its smallest eigenvalue is {smallest:.3g}. "
            "Add a ridge, for example relative_to=B + 1e-6 * trace(B) / d * eye(d)."
        ) from None
    to_standard = lambda V: scipy.linalg.solve_triangular(L, V, lower=True)
    from_standard = lambda V: scipy.linalg.solve_triangular(L, V, lower=True, trans="T")
    return to_standard, from_standard


def _check_operand(g: Any, name: str) -> int:
    """The dimension of a matrix or operator, or an error that says what is wrong with it."""
    if isinstance(g, MetricOperator):
        return g.dim
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


def _epsilon(g: Any) -> float:
    return g.epsilon if isinstance(g, MetricOperator) else float(np.finfo(np.asarray(g).dtype).eps)


def _norms(columns: np.ndarray) -> np.ndarray:
    return np.linalg.norm(columns, axis=-2)


def signed(vectors: np.ndarray) -> np.ndarray:
    """Columns ``(..., d, k)`` with the component of largest magnitude positive."""
    if vectors.shape[-1] == 0:
        return vectors
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=-2, keepdims=True), axis=-2)
    return vectors * np.where(largest < 0, -1.0, 1.0)
