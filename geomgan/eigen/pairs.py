"""Eigenpairs of a metric tensor, with residuals, noise floor and convergence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.core import FrozenDict

from geomgan.eigen.arpack import arpack
from geomgan.eigen.block import block_lanczos, block_width
from geomgan.eigen.choice import (
    WHICH,
    choose_solver,
    enough_products,
    most_products,
    reachable,
    relative_noise,
    within_tolerance,
)
from geomgan.eigen.dense import check_k, check_symmetric, dense_pairs, signed
from geomgan.eigen.found import Pairs
from geomgan.eigen.generalised import Change, reduction
from geomgan.eigen.operator import Cost, is_operator
from geomgan.eigen.refine import refined
from geomgan.errors import (
    NotFiniteError,
    TracedError,
    as_array,
    check_choice,
    check_count,
    check_finite,
    check_floating,
    is_concrete,
    warn,
)

FLAT = (
    "every eigenvalue is exactly zero. Of a metric: no small step changes the sample; where finite steps do (it is "
    "rounded, cast or constant in pieces on the way), take metric_operator(..., hvp='finite-difference')."
)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Eigenpairs:
    """Eigenpairs ``g v = λ v``, in numpy float64.

    Attributes:
        values: ``(k,)``, descending, whichever were asked for.
        vectors: ``(d, k)``, columns of unit length (``vᵀ B v = 1`` for a generalised problem); the component of
            largest magnitude is positive.
        residuals: ``(k,)``, ``‖g v - λ v‖``.
        noise_floor: eigenvalues below it are rounding noise of the precision that ``g`` was computed in.
        relative_error: of ``g`` (Frobenius norm), at most, from that precision: all eigenvalues may be off by as much
            of the largest. Pairs of an iterative solver are those of float32 products, whatever ``precision`` is; of a
            matrix no more is known than its type.
        converged: ``(k,)``, whether each residual is within the solver's tolerance; false for all while wanted pairs
            may be missing (further copies of a repeated value).
        info: which solver ran and why, products it used (a dense one: rows), those of an iterative one that was given
            up before, those in float32 that refined what coarse ones had found, tolerance; static.
    """

    values: np.ndarray
    vectors: np.ndarray
    residuals: np.ndarray
    noise_floor: float
    converged: np.ndarray
    info: FrozenDict[str, Any] = field(metadata={"static": True})
    relative_error: float = float("nan")

    def __repr__(self) -> str:
        if not isinstance(self.values, np.ndarray):  # as in jax.tree.map and jax.jit
            return f"Eigenpairs({self.values})"
        return (
            f"Eigenpairs({len(self.values)} of dimension {len(self.vectors)}, {np.sum(self.converged)} converged, "
            f"noise floor {self.noise_floor:.2g}, relative error {self.relative_error:.2g}; {self.info.get('solver')})"
        )


def eigenpairs(
    g: Any,
    k: int | None = None,
    *,
    which: str = "largest",
    solver: str = "auto",
    relative_to: Any = None,
    tol: float = 1e-6,
    max_products: int | None = None,
    seed: int = 0,
) -> Eigenpairs:
    """The ``k`` largest eigenpairs of a metric tensor, or the smallest, or those of largest magnitude.

    Runs on the host in double precision; inside ``jit`` and ``vmap`` take :func:`geomgan.eigh`.

    Args:
        g: a matrix ``(d, d)``, of numpy, JAX or PyTorch, or an operator such as :class:`geomgan.MetricOperator`.
        k: how many; by default all ``d``.
        which: ``"largest"``; ``"smallest"`` (of a metric: what changes least, where iterative solvers are slow, as
            these values lie close together on the scale of the largest); or ``"magnitude"`` (of a Hessian: the
            directions of sharpest tuning, of either sign). Values are in descending order always: the ``k`` smallest
            are the last ``k`` of all.
        solver: ``"dense"`` (the matrix, summed in float64, and LAPACK), ``"arpack"`` (scipy's ``eigsh``), ``"block"``
            (block Lanczos with restarts, many products together), or ``"auto"``, the cheapest by estimate: where that
            is block Lanczos, the dense solver takes over when so many products would have paid for it.
        relative_to: another metric ``B``, matrix or operator: solves ``g v = λ B v``.
        tol: iterative solvers stop at residuals of ``tol`` times the largest eigenvalue. Of an operator with coarse
            ``precision`` these are the residuals in float32: what coarse products found is refined by a few such.
        max_products: bound on products ``g v`` of an iterative solver.
        seed: of the start vectors.

    Returns:
        :class:`Eigenpairs`. An iterative solver looks for further copies of repeated values before it calls its pairs
        converged (``geomgan.eigen.outside``). One that ends early warns; ``"arpack"`` then returns the pairs that
        converged, ``"block"`` all of them with ``converged`` marking those.

    Raises:
        TypeError, ValueError: ``g`` is not symmetric or not finite, ``k`` is larger than ``d``, an option is unknown,
            ``B`` is not positive definite, or the call is inside ``jit`` or ``vmap``.
    """
    e, advice = solved(g, k, which, solver, relative_to, tol, max_products, seed)
    if is_operator(g) and which != "smallest" and not e.values.any():
        advice = FLAT
    if advice:
        warn(advice)
    return e


def solved(
    g: Any,
    k: int | None,
    which: str = "largest",
    solver: str = "auto",
    relative_to: Any = None,
    tol: float = 1e-6,
    max_products: int | None = None,
    seed: int = 0,
) -> tuple[Eigenpairs, str]:
    """:func:`eigenpairs`, and what to say where they have not all converged."""
    g, relative_to = (_operand(x, name) for x, name in ((g, "g"), (relative_to, "relative_to")))
    dim = _check_operand(g, "g")
    k = check_k(k, dim)
    check_choice(which, WHICH, "which")
    if not tol > 0:
        raise ValueError(f"tol is {tol!r}; expected a positive number.")
    if max_products is not None:
        max_products = check_count(max_products, np.inf, "max_products")
    cost = g.cost if is_operator(g) else Cost(0.0, 0.0, ("dense", "the matrix is given"))
    width = block_width(dim, k, heavy=cost.heavy)
    chosen, reason = choose_solver(cost, dim, k, solver, width)
    to_standard, from_standard = reduction(_relative_to(relative_to, dim))
    epsilon = g.epsilon if is_operator(g) else float(jnp.finfo(np.asarray(g).dtype).eps)
    rounding = reachable(epsilon if is_operator(g) else float(np.finfo(float).eps))
    tolerance = max(tol, rounding)
    limit, given_up, found = max_products or most_products(dim), 0, None

    if chosen != "dense":
        multiply = _multiplier(g, to_standard, from_standard)
        enough = enough_products(cost, dim) if solver == "auto" else None
        arguments = (multiply, dim, k, tol, min(limit, enough or limit), seed, rounding)
        if chosen == "arpack" and k < dim:  # ARPACK cannot find all d
            found = arpack(*arguments, which=which)
        else:
            found = block_lanczos(*arguments, width, which=which)
        if enough and enough <= limit and not within_tolerance(found, tolerance).all():
            given_up, found, chosen = found.products, None, "dense"
            reason += f"; block Lanczos was given up after {given_up} products, which would have paid for the matrix"
    if found is None:
        found = dense_pairs(to_standard(to_standard(_matrix(g, "g")).T), k, which)
    error, products, refining = cost.error if is_operator(g) else 8 * epsilon, found.products, 0
    if chosen != "dense" and (exact := getattr(g, "exact", None)) is not None:
        epsilon, error = exact.epsilon, exact.cost.error
        tolerance = max(tol, reachable(epsilon))
        found = refined(_multiplier(exact, to_standard, from_standard), found, tolerance, which)
        refining = found.products
    converged = within_tolerance(found, tolerance)
    advice = (
        "" if len(converged) == k and converged.all() else _advice(found, converged, chosen, k, tol, limit, refining)
    )
    floor = found.scale * max(relative_noise(cost.squared and chosen == "dense", epsilon, dim), cost.noise)
    info: FrozenDict[str, Any] = FrozenDict(
        solver=chosen,
        reason=reason,
        which=which,
        products=products,
        given_up=given_up,
        refining=refining,
        tol=tol,
        requested=k,
        dim=dim,
    )
    vectors = signed(from_standard(found.vectors))
    return Eigenpairs(found.values, vectors, found.residuals, floor, converged, info, error), advice


def _advice(found: Pairs, converged: np.ndarray, solver: str, k: int, tol: float, limit: int, refining: int = 0) -> str:
    """What to say of pairs that have not all converged: got, expected, and a fix that can help."""
    within = f"within {found.products} products" + " in float32, after coarse ones" * bool(refining)
    if not found.complete:
        said = f"{k} eigenpairs converged, but values repeat, and the search for more of them did not end {within}"
    else:
        reached = f"{int(converged.sum())} of {k} eigenpairs"
        said = f"{reached} reached a residual of {tol:g} times the largest eigenvalue {within}"
    if found.spent:
        return f"{solver}: {said}. Raise max_products (now {limit}) or tol, or take solver='dense'."
    if refining:
        return f"{solver}: {said}. Raise tol, or take precision='highest', whose products are float32 all along."
    return f"{solver}: {said}; the rounding of its products allows no more. Raise tol, or take solver='dense'."


def _matrix(g: Any, name: str) -> np.ndarray:
    if not is_operator(g):
        return np.asarray(g, np.float64)
    matrix = g.to_dense()
    _check_image(matrix, f"the matrix of {name}")
    return matrix


def _multiplier(g: Any, to_standard: Change, from_standard: Change) -> Change:
    """``V -> L⁻¹ g L⁻ᵀ V`` on float64 blocks ``(d, k)``."""
    if not is_operator(g):
        matrix = np.asarray(g, np.float64)
        return lambda V: to_standard(matrix @ from_standard(V))
    one, many = g.matvec, g.matmat

    def multiply(V: np.ndarray) -> np.ndarray:
        V = from_standard(V)
        image = np.asarray(one(V[:, 0])[:, None] if V.shape[1] == 1 else many(V), np.float64)
        _check_image(image, "a product with g")
        return to_standard(image)

    return multiply


def _check_image(image: np.ndarray, what: str) -> None:
    """Raise :class:`NotFiniteError` that names the rows, before LAPACK or ARPACK see an array that is not finite."""
    finite = np.isfinite(image)
    if not finite.all():
        rows = np.flatnonzero(~finite.all(axis=1))
        shown = ", ".join(map(str, rows[:8])) + (", ..." if len(rows) > 8 else "")
        raise NotFiniteError(
            f"{what} holds {int((~finite).sum())} NaN or infinite values of {image.size}, in latent dimensions "
            f"{shown}; expected finite numbers. The network, the distance or a derivative is not finite at this code: "
            "geomgan.metric_field(G, D, z[None]) names the layer."
        )


def _relative_to(B: Any, dim: int) -> np.ndarray | None:
    if B is None:
        return None
    if _check_operand(B, "relative_to") != dim:
        raise ValueError(f"relative_to has {np.shape(B)[0]} dimensions; expected {dim}, those of g.")
    return _matrix(B, "relative_to")


def _operand(g: Any, name: str) -> Any:
    """An operator or None as it is, and a matrix as an array, also one of PyTorch."""
    return g if g is None or is_operator(g) else as_array(g, name)


def _check_operand(g: Any, name: str) -> int:
    """The dimension of a matrix or operator, or an error that says what is wrong with it."""
    if not all(is_concrete(leaf) for leaf in jax.tree.leaves(g)):
        raise TracedError(
            f"{name} is traced: geomgan.eigenpairs runs on the host, in double precision, and cannot be inside jit, "
            "vmap or grad. Take geomgan.eigh(g, k) there, or call eigenpairs outside, one matrix or operator at a time."
        )
    if is_operator(g):
        return g.shape[0]
    shape = np.shape(g)
    if len(shape) != 2 or shape[0] != shape[1] or not shape[0]:
        raise ValueError(f"{name} has shape {shape}; expected one matrix (d, d), or a MetricOperator.")
    check_floating(g, name)
    check_finite(g, name)
    check_symmetric(g, name)
    return shape[0]
