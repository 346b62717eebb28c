"""Gauss-Newton with Levenberg's and Marquardt's damping: steps that know the metric of the loss.

A loss that is a sum of squares, ``L = ‖r(z)‖²``, has the quadratic model ``L + 2 bᵀy + yᵀ H y`` at ``z + V y``, with
``b = Vᵀ Jᵀ r`` and ``H = Vᵀ Jᵀ J V``: no second derivatives, and exact where the residual is linear. The four ways to
one differ in the basis ``V`` and in what is computed anew at each step:

========== ============================================ ================================= ===========================
solver     ``V``                                        ``H``                             forward passes of a model
========== ============================================ ================================= ===========================
dense      all of space                                 ``JᵀJ``                           ``1 + d``
subspace   top ``k`` eigenvectors of a metric           ``(JV)ᵀ(JV)``                     ``1 + k``
cg         ``k`` steps of conjugate gradients           tridiagonal, from ``k`` products  ``3 + 3 k``
metric     eigenvectors of a metric                     its eigenvalues                   ``3``
========== ============================================ ================================= ===========================

The metric is a given one, or that of the loss at the start, renewed every so many steps (``1 + d`` passes each time).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.brief import brief
from geomgan.eigen.lapack import factorisation
from geomgan.errors import check_choice, check_count
from geomgan.metric.gram import gram
from geomgan.optimize.local import GRADIENT, State, start
from geomgan.optimize.loss import Loss
from geomgan.optimize.metrics import eigenpairs_of, given_pairs, pairs_at
from geomgan.optimize.residuals import against, linearised, metric_at, metrics_together, rows, squared

SOLVERS = ("dense", "subspace", "cg", "metric")
SPREAD = np.array([0.03, 0.3, 3.0, 30.0])  # of the damping: so many steps are tried together, the best is taken
LEAST = 1e-7  # of the damping, relative to the model's largest diagonal entry: float32 solves no less


class Model(NamedTuple):
    """A quadratic model at a code: basis ``V (d, k)``, ``H (k, k)``, ``b (k,)``, the loss there, and what it took."""

    basis: jax.Array
    matrix: jax.Array
    slope: jax.Array
    value: jax.Array
    passes: int


class Damped(NamedTuple):
    """The damping ``μ`` (0 before the first step), and the metric's eigenpairs where a solver needs them."""

    damping: jax.Array
    pairs: Any


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LevenbergMarquardt:
    """A local method; :func:`levenberg_marquardt` makes one.

    Attributes:
        solver: see the module; static.
        damping: the first one, relative to the largest diagonal entry of ``H`` ``()``.
        metric: given eigenpairs ``(values, vectors)``; None for those of the loss at the start.
        k: directions of ``subspace`` and ``cg``; static.
        every: steps after which the own metric is renewed; 0 for never; static.
    """

    solver: str = field(metadata={"static": True})
    damping: jax.Array
    metric: Any = None
    k: int | None = field(default=None, metadata={"static": True})
    every: int = field(default=0, metadata={"static": True})

    def together(self, loss: Loss, function: str) -> int | None:
        """All, where there are reverse passes; else as many Jacobians as suit the device."""
        reverse = self.solver in ("cg", "metric") and function == "step"
        if reverse or (function != "step" and not self._needs_metric):
            return None
        return metrics_together(loss)

    def init(self, loss: Loss, z: jax.Array) -> State:
        pairs, passes = self._pairs(loss, z)
        return start(z, Damped(jnp.zeros((), z.dtype), pairs), passes)

    def renew(self, loss: Loss, state: State) -> State:
        pairs, passes = self._pairs(loss, state.code)
        inner = state.inner._replace(pairs=pairs)
        return replace(state, inner=inner, passes=state.passes + jnp.asarray(passes, jnp.int32))

    def step(self, loss: Loss, state: State) -> State:
        """Build the model, try steps of several dampings, and take the best one if it is better than none."""
        z, inner = state.code, state.inner
        model = self._model(loss, z, inner)
        state = state.seen(model.value, model.passes)
        scale = jnp.max(jnp.diagonal(model.matrix))
        damping = jnp.maximum(jnp.where(inner.damping > 0, inner.damping, self.damping * scale), LEAST * scale)
        tried = damping * jnp.asarray(SPREAD, z.dtype)
        moves = jax.vmap(_solve, (None, None, 0))(model.matrix, model.slope, tried)
        codes = z + moves @ model.basis.T
        found = jax.vmap(loss.value)(codes)
        found = jnp.where(jnp.isfinite(found), found, jnp.inf)
        i = jnp.argmin(found)
        y, better = moves[i], found[i] < model.value
        predicted = -(2 * y @ model.slope + y @ model.matrix @ y)
        gain = (model.value - found[i]) / jnp.where(predicted > 0, predicted, jnp.inf)
        # Nielsen's rule, from the damping that was best; where none was, a step that is surely shorter comes next
        calmer = tried[i] * jnp.clip(1 - (2 * gain - 1) ** 3, 1 / 3, 2)
        state = replace(
            state,
            code=jnp.where(better, codes[i], z),
            inner=inner._replace(damping=jnp.where(better, calmer, tried[-1] * 30)),
        )
        return state.seen(jnp.where(better, found[i], model.value), len(SPREAD))

    @property
    def _needs_metric(self) -> bool:
        return self.metric is None and self.solver in ("subspace", "metric")

    def _pairs(self, loss: Loss, z: jax.Array) -> tuple[Any, int]:
        if self.solver in ("dense", "cg"):
            return (), 0
        if self.metric is not None:
            values, vectors = pairs_at(self.metric, z)
            return (values[: self.k], vectors[:, : self.k]), 0
        metric, passes = metric_at(loss, z)
        values, vectors = eigenpairs_of(metric)
        return (values[: self.k], vectors[:, : self.k]), passes

    def _model(self, loss: Loss, z: jax.Array, inner: Damped) -> Model:
        if self.solver == "metric":
            values, vectors = inner.pairs
            value, gradient = jax.value_and_grad(loss.value)(z)
            return Model(vectors, jnp.diag(jnp.maximum(values, 0)), 0.5 * gradient @ vectors, value, GRADIENT)
        residual, push = linearised(loss, z)
        if self.solver == "cg":
            return _krylov(residual, push, z, self.k or 1)
        basis = jnp.eye(z.size, dtype=z.dtype) if self.solver == "dense" else inner.pairs[1]
        jacobian = rows(push, basis.T)
        return Model(basis, gram(jacobian), against(jacobian, residual), squared(residual), 1 + basis.shape[1])


def levenberg_marquardt(
    solver: str = "dense", *, k: int | None = None, metric: Any = None, every: int = 0, damping: float = 1e-2
) -> LevenbergMarquardt:
    """Gauss-Newton steps with Levenberg-Marquardt damping: ``δ = -V (H + μ I)⁻¹ b``.

    Each step tries four dampings around the present one, four decades apart in all, and takes the best; ``μ`` then
    follows the gain ratio, actual over predicted decrease, by Nielsen's rule. Where none of the four is better the
    code stays, and ``μ`` grows: a rejected step loses nothing but its passes.

    Args:
        solver: ``"dense"`` (the whole Jacobian, forward mode only), ``"subspace"`` (the top ``k`` eigenvectors of a
            metric), ``"cg"`` (matrix-free, ``k`` steps of conjugate gradients, for many dimensions), or ``"metric"``
            (exact gradients and a metric that is not computed anew: the damped natural gradient).
        k: directions of ``"subspace"`` (by default 32) and steps of ``"cg"`` (8). Of ``"metric"``, how many of its
            eigenpairs; by default all.
        metric: for ``"subspace"`` and ``"metric"``: None for that of the loss at each start, a matrix ``(d, d)``, for
            example the mean metric of a field, or its :class:`geomgan.Eigenpairs`.
        every: steps after which an own metric is renewed; 0 for never.
        damping: the first ``μ``, relative to the largest diagonal entry of ``H``.

    Raises:
        ValueError: an option is unknown or out of its bounds, or ``k`` is beyond the eigenpairs given.

    Source: Madsen, Nielsen and Tingleff, "Methods for non-linear least squares problems", 2004, section 3.2.
    """
    check_choice(solver, SOLVERS, "solver")
    if not (np.isfinite(damping) and damping > 0):
        raise ValueError(f"damping is {damping!r}; expected a positive number.")
    if metric is not None and solver in ("dense", "cg"):
        raise ValueError(f"solver={solver!r} computes its own metric at each step; expected metric=None with it.")
    if every and (metric is not None or solver in ("dense", "cg")):
        raise ValueError(f"every={every} renews the metric of each start; expected 'subspace' or 'metric' without one.")
    if k is None:
        k = {"subspace": 32, "cg": 8}.get(solver)
    elif solver == "dense":
        raise ValueError(f"k={k} with solver='dense', which takes all directions. Take 'subspace' or 'cg'.")
    else:
        k = check_count(k, np.inf, "k", ", a number of directions")
    pairs = None if metric is None else given_pairs(metric)
    if pairs is not None and k is not None and k > len(pairs[0]):
        raise ValueError(f"k is {k}; expected at most {len(pairs[0])}, the eigenpairs given. Compute more, or lower k.")
    return LevenbergMarquardt(solver, jnp.asarray(damping, jnp.float32), pairs, k, int(every))


@factorisation
def _solve(matrix: jax.Array, slope: jax.Array, damping: jax.Array) -> jax.Array:
    """``y = -(H + μ I)⁻¹ b``, in as many digits as the matrix has."""
    H = matrix + damping * jnp.eye(len(slope), dtype=matrix.dtype)
    return -jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(H), slope)


def _krylov(residual: Any, push: Any, z: jax.Array, k: int) -> Model:
    """The model in the Krylov space of ``JᵀJ`` and ``Jᵀr``, by Lanczos with full orthogonalisation.

    Its damped minimiser is that of ``k`` steps of conjugate gradients, for every damping at once. The steps are not a
    compiled loop: reverse passes are slow in those on CPU.
    """
    pull = jax.linear_transpose(push, z)
    gradient = pull(residual)[0]
    vectors, images = [_unit(gradient, [])], []
    for i in range(k):
        images.append(push(vectors[i]))
        if i + 1 < k:
            vectors.append(_unit(pull(images[i])[0], vectors))
    basis = jnp.stack(vectors, axis=1)
    jacobian = [jnp.stack(parts) for parts in zip(*images, strict=True)]
    return Model(basis, gram(jacobian), gradient @ basis, squared(residual), GRADIENT + GRADIENT * k)


def _unit(v: jax.Array, others: list[jax.Array]) -> jax.Array:
    """``v`` orthogonal to the others and of length one; zero where nothing is left of it."""
    whole = jnp.linalg.norm(v)
    for _ in range(2):
        for u in others:
            v = v - (v @ u) * u
    length = jnp.linalg.norm(v)
    left = length > 1e-5 * whole
    return jnp.where(left, v / jnp.where(left, length, 1), 0)
