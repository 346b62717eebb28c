"""Local methods: what they are, and the loop that takes many codes down at once.

A method is a frozen pytree with pure functions of one code::

    state = method.init(loss, z)
    state = method.step(loss, state)  # as often as one likes
    state = settle(loss, state)  # the last code counts too
    state.best, state.best_value

:func:`descend` does that for a stack of losses and codes, one compiled step for all of them. Its loop is Python's:
reverse passes of convolutions inside compiled loops are slow on CPU.

Forward passes are counted like this: a sample with its loss is 1, its gradient 2 more, a Jacobian-vector product 1, a
vector-Jacobian product 2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import jax
import jax.numpy as jnp

from geomgan.brief import brief
from geomgan.optimize.loss import Loss, over
from geomgan.optimize.residuals import prepared

GRADIENT = 3  # forward passes of a value with its gradient


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class State:
    """Where a method is.

    Attributes:
        code: ``(d,)``, from which the next step starts.
        value: the loss that was computed last, of the code before ``code`` in methods that move without looking.
        best: the code of the least loss so far.
        best_value: that loss; infinity before one was computed.
        passes: forward passes spent.
        inner: what the method itself keeps.
    """

    code: jax.Array
    value: jax.Array
    best: jax.Array
    best_value: jax.Array
    passes: jax.Array
    inner: Any

    def seen(self, value: jax.Array, passes: Any) -> State:
        """The state after the loss of ``code`` was computed, with so many more passes; NaN is never the best."""
        better = value < self.best_value
        return replace(
            self,
            value=value,
            best=jnp.where(better, self.code, self.best),
            best_value=jnp.where(better, value, self.best_value),
            passes=self.passes + jnp.asarray(passes, self.passes.dtype),
        )


class Method(Protocol):
    """A local method: a frozen pytree, whose numbers (rates, metrics) are leaves.

    Attributes:
        every: steps after which :meth:`renew` is called; 0 for never.
    """

    @property
    def every(self) -> int: ...

    def together(self, loss: Loss, function: str) -> int | None:
        """How many codes of a stack ``"init"``, ``"step"`` or ``"renew"`` takes at a time; None for all.

        A number makes a compiled loop: for functions without reverse passes, which need much memory.
        """

    def init(self, loss: Loss, z: jax.Array) -> State:
        """The state at a code."""

    def step(self, loss: Loss, state: State) -> State:
        """One step."""

    def renew(self, loss: Loss, state: State) -> State:
        """The metric at the present code."""


def start(z: jax.Array, inner: Any, passes: Any = 0, value: Any = jnp.inf) -> State:
    """A state at a code whose loss is not known yet, or is ``value``."""
    value = jnp.asarray(value, z.dtype)
    best = jnp.where(jnp.isnan(value), jnp.inf, value)
    return State(z, value, z, best, jnp.asarray(passes, jnp.int32), inner)


def settle(loss: Loss, state: State) -> State:
    """The state after the loss of its last code was computed."""
    return state.seen(loss.value(state.code), 1)


def descend(method: Method, loss: Loss, codes: Any, steps: int) -> State:
    """Take ``codes (n, d)`` down a stack of ``n`` losses together, ``steps`` steps, and settle.

    Args:
        method: a local method.
        loss: a stack of ``n`` losses; of one target, ``losses(G, D, target[None])[numpy.zeros(n, int)]``.
        codes: ``(n, d)``.
        steps: how many.

    Returns:
        The states, stacked.
    """
    loss = suited(method, loss)
    state = begin(method, loss, jnp.asarray(codes, loss.shared.G.dtype))
    for i in range(steps):
        state = advance(method, loss, state, i)
    return end(loss, state)


def suited(method: Method, loss: Loss) -> Loss:
    """The stack of losses as the method takes it best: with prepared kernels where its steps have no reverse passes."""
    return loss if method.together(loss, "step") is None else prepared(loss)


def advance(method: Method, loss: Loss, state: State, i: int) -> State:
    """Step ``i`` of a stack of states, which are given up for the new ones."""
    if method.every and i and i % method.every == 0:
        state = renewed(method, loss, state)
    return stepped(method, loss, state)


@jax.jit
def begin(method: Method, loss: Loss, codes: jax.Array) -> State:
    """The states of a stack of codes."""
    return _each(method.init, method.together(loss, "init"), loss, codes)


@jax.jit
def end(loss: Loss, state: State) -> State:
    """:func:`settle` of a stack of states."""
    return _each(settle, None, loss, state)


@jax.jit
def stepped(method: Method, loss: Loss, state: State) -> State:
    """A step of a stack of states."""
    return _each(method.step, method.together(loss, "step"), loss, state)


@jax.jit
def renewed(method: Method, loss: Loss, state: State) -> State:
    """A stack of states with their metrics renewed."""
    return _each(method.renew, method.together(loss, "renew"), loss, state)


def _each(function: Callable[..., Any], together: int | None, loss: Loss, operands: Any) -> Any:
    """``function(loss_i, operand_i)`` for all of a stack, so many together."""
    with jax.default_matmul_precision("highest"):
        count = len(jax.tree.leaves(operands)[0])
        if together is None or together >= count:
            return jax.vmap(function, (over(loss), 0))(loss, operands)

        def one(pair: tuple[Any, Any]) -> Any:
            target, operand = pair
            return function(Loss(loss.shared, target), operand)

        return jax.lax.map(one, (loss.target, operands), batch_size=together if together > 1 else None)
