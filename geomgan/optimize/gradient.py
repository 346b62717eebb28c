"""Methods that follow gradients: any optimiser of optax, as it is or in the eigenbasis of a metric."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from geomgan.brief import brief
from geomgan.optimize.eigenbasis import EigenbasisState, basis_state, update_in_basis
from geomgan.optimize.local import GRADIENT, State, start
from geomgan.optimize.loss import Loss
from geomgan.optimize.metrics import eigenpairs_of, given_pairs, pairs_at
from geomgan.optimize.residuals import metric_at, metrics_together

LINE_SEARCH = 12  # halvings at most


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Gradient:
    """An optimiser of optax as a local method; :func:`adam`, :func:`sgd`, :func:`lbfgs` make the usual ones.

    Attributes:
        optimizer: the transformation; static.
        rate: factor of its updates ``()``, a leaf: another one does not recompile.
        schedule: ``step -> factor`` of the rate, or None; static.
        metric: what the eigenbasis is of: None for no basis, a matrix ``(d, d)``, or ``(values, vectors)``.
        own: whether the metric is instead that of the loss itself at the code where a run starts; static.
        scale: see :func:`in_eigenbasis` ``()``.
        floor: see :func:`in_eigenbasis` ``()``.
        every: steps after which the own metric is renewed, and the optimiser begins anew; 0 for never; static.
        searches: whether each step looks at further losses, whose number its state has; static.
    """

    optimizer: optax.GradientTransformationExtraArgs = field(metadata={"static": True})
    rate: jax.Array
    schedule: Any = field(default=None, metadata={"static": True})
    metric: Any = None
    own: bool = field(default=False, metadata={"static": True})
    scale: Any = 0.0
    floor: Any = 1e-3
    every: int = field(default=0, metadata={"static": True})
    searches: bool = field(default=False, metadata={"static": True})

    def together(self, loss: Loss, function: str) -> int | None:
        """All: reverse passes are slow inside compiled loops on CPU; but own metrics as suits the device."""
        return metrics_together(loss) if self.own and function != "step" else None

    def init(self, loss: Loss, z: jax.Array) -> State:
        inner, passes = self._begin(loss, z)
        return start(z, (jnp.zeros((), jnp.int32), inner), passes)

    def step(self, loss: Loss, state: State) -> State:
        count, inner = state.inner
        z = state.code
        value, gradient = jax.value_and_grad(loss.value)(z)
        state = state.seen(value, GRADIENT)
        extra = {"value": value, "grad": gradient, "value_fn": loss.value} if self.searches else {}
        if isinstance(inner, EigenbasisState):
            update, inner = update_in_basis(self.optimizer, gradient, inner, z, **extra)
        else:
            update, inner = self.optimizer.update(gradient, inner, z, **extra)
        looked = optax.tree.get(inner, "num_linesearch_steps", 0) if self.searches else 0
        rate = self.rate if self.schedule is None else self.rate * self.schedule(count)
        moved = z + jnp.asarray(rate, z.dtype) * update
        return replace(
            state, code=moved, inner=(count + 1, inner), passes=state.passes + jnp.asarray(looked, jnp.int32)
        )

    def renew(self, loss: Loss, state: State) -> State:
        inner, passes = self._begin(loss, state.code)
        return replace(state, inner=(state.inner[0], inner), passes=state.passes + jnp.asarray(passes, jnp.int32))

    def _begin(self, loss: Loss, z: jax.Array) -> tuple[Any, int]:
        if self.own:
            metric, passes = metric_at(loss, z)
            pairs = eigenpairs_of(metric)
        elif self.metric is not None:
            pairs, passes = pairs_at(self.metric, z), 0
        else:
            return self.optimizer.init(z), 0
        values, vectors = pairs
        return basis_state(self.optimizer, values, vectors, self.scale, self.floor, z), passes


def adam(rate: float = 0.05, **options: Any) -> Gradient:
    """Adam; ``options`` are those of :func:`with_optimizer`."""
    return with_optimizer(_adam(), rate, **options)


def sgd(rate: float = 1.0, **options: Any) -> Gradient:
    """Gradient descent; in the eigenbasis with ``scale=1`` it is the natural gradient, with damping ``floor λ₁``."""
    return with_optimizer(_sgd(), rate, **options)


def lbfgs(memory: int = 10, **options: Any) -> Gradient:
    """L-BFGS with a backtracking line search, which computes losses only: its further forward passes are counted."""
    return replace(with_optimizer(_lbfgs(memory), 1.0, **options), searches=True)


def with_optimizer(
    optimizer: optax.GradientTransformation,
    rate: float = 1.0,
    *,
    schedule: Any = None,
    metric: Any = None,
    scale: float = 0.0,
    floor: float = 1e-3,
    every: int = 0,
) -> Gradient:
    """Any optimiser of optax as a local method.

    Args:
        optimizer: the transformation. It is static in compiled programs: pass the same object each time.
        rate: factor of its updates; one of ``optax.adam(0.05)`` stays as it is with 1.
        schedule: ``step -> factor`` of the rate, as those of optax; pass the same function each time.
        metric: for the eigenbasis: None for none, ``"own"`` for the metric of the loss at each start, a matrix
            ``(d, d)``, for example the mean metric of a field, or its :class:`geomgan.Eigenpairs`.
        scale: from a rotation, 0, to whitening, 1; see :func:`in_eigenbasis`.
        floor: of eigenvalues, relative to the largest.
        every: steps after which an own metric is renewed, and the optimiser begins anew; 0 for never.

    Raises:
        ValueError: the metric is no symmetric matrix, or a number is out of its bounds.
    """
    if not np.all(np.isfinite(rate)) or np.any(np.asarray(rate) <= 0):
        raise ValueError(f"rate is {rate!r}; expected a positive number.")
    for number, name in ((scale, "scale"), (floor, "floor")):
        if not 0 <= number <= 1:
            raise ValueError(f"{name} is {number!r}; expected 0 to 1.")
    own = isinstance(metric, str)
    if own and metric != "own":
        raise ValueError(f"metric is {metric!r}; expected 'own', a matrix (d, d), Eigenpairs, or None.")
    if every and not own:
        raise ValueError(f"every={every} renews the metric of each start; expected metric='own' with it.")
    return Gradient(
        optax.with_extra_args_support(optimizer),
        jnp.asarray(rate, jnp.float32),
        schedule,
        None if own or metric is None else given_pairs(metric),
        own,
        jnp.asarray(scale, jnp.float32),
        jnp.asarray(floor, jnp.float32),
        int(every),
    )


@cache
def _adam() -> Any:
    return optax.adam(1.0)


@cache
def _sgd() -> Any:
    return optax.sgd(1.0)


@cache
def _lbfgs(memory: int) -> Any:
    search = optax.scale_by_backtracking_linesearch(max_backtracking_steps=LINE_SEARCH, store_grad=False)
    return optax.chain(optax.scale_by_lbfgs(memory_size=memory), optax.scale(-1.0), search)
