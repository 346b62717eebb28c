"""Many codes down one loss, by any local method: what BasinCMA and activation maximisation descend with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from geomgan.generators.generator import Generator, sample_of
from geomgan.optimize.local import Method, State, settle
from geomgan.optimize.prior import Prior


class Penalty(NamedTuple):
    """``weight · relu(‖z[begin:end] - centre‖ - radius)``, of a block of the code.

    Attributes:
        weight: of the term.
        radius: the distance that costs nothing.
        centre: ``(end - begin,)``, or a number for all.
        begin: where the block begins; static numbers, as are those of ``end``.
        end: where it ends; None for the code's end.
    """

    weight: Any
    radius: Any = 0.0
    centre: Any = 0.0
    begin: int = 0
    end: int | None = None

    def __call__(self, z: jax.Array) -> jax.Array:
        square = jnp.sum((z[self.begin : self.end] - self.centre) ** 2)
        length = jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1.0)), 0.0)
        return self.weight * jax.nn.relu(length - self.radius)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Penalised:
    """A loss with penalties of the code; what local methods ask of a loss."""

    loss: Any
    weights: tuple[tuple[Any, Any, Any], ...]
    blocks: tuple[tuple[int, int | None], ...] = field(metadata={"static": True})

    @classmethod
    def of(cls, loss: Any, penalties: tuple[Penalty, ...]) -> Any:
        """The loss itself where there are no penalties."""
        if not penalties:
            return loss
        as_leaf = lambda x: jnp.asarray(x, jnp.float32)
        numbers = tuple((as_leaf(p.weight), as_leaf(p.radius), as_leaf(p.centre)) for p in penalties)
        return cls(loss, numbers, tuple((p.begin, p.end) for p in penalties))

    @property
    def dim(self) -> int:
        return self.loss.dim

    def value(self, z: jax.Array) -> jax.Array:
        terms = self._terms(z)
        return self.loss.value(z) + sum(terms, start=jnp.zeros((), z.dtype))

    def residual(self, z: jax.Array) -> list[jax.Array]:
        roots = [jnp.where(t > 0, jnp.sqrt(jnp.where(t > 0, t, 1.0)), 0.0) for t in self._terms(z)]
        return [*self.loss.residual(z), *roots]

    def _terms(self, z: jax.Array) -> list[jax.Array]:
        pairs = zip(self.weights, self.blocks, strict=True)
        return [Penalty(*numbers, *block)(z).astype(z.dtype) for numbers, block in pairs]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Activation:
    """``-φ(G(z)) + p mean(((z - μ)/σ)²)``: an objective to maximise, as a loss.

    Attributes:
        G: the generator.
        params: of the objective.
        prior: of its codes.
        penalty: ``p``.
        function: ``(params, sample) -> ()``; static.
    """

    G: Generator
    params: Any
    prior: Prior
    penalty: jax.Array
    function: Callable[[Any, jax.Array], jax.Array] = field(metadata={"static": True})

    @property
    def dim(self) -> int:
        return self.G.latent_dim

    def value(self, z: jax.Array) -> jax.Array:
        value = -self.function(self.params, sample_of(self.G, z))
        return value + (self.penalty * jnp.mean(self.prior.standard(z) ** 2)).astype(value.dtype)


@jax.jit
def values(loss: Any, codes: jax.Array) -> jax.Array:
    """The loss of codes ``(n, d)``."""
    with jax.default_matmul_precision("highest"):
        return jax.vmap(loss.value)(codes)


def begin(method: Method, loss: Any, codes: jax.Array) -> State:
    """The states of a stack of codes, at one loss."""
    return _begin(method, loss, codes)


def advance(method: Method, loss: Any, state: State, i: int) -> State:
    """Step ``i`` of all; reverse passes stay outside of compiled loops, where they are slow on CPU."""
    if method.every and i and i % method.every == 0:
        state = _renew(method, loss, state)
    return _step(method, loss, state)


def downhill(method: Method, loss: Any, codes: jax.Array, steps: int) -> State:
    """Codes ``(n, d)`` after so many steps, settled: ``best`` is the best that each has met."""
    state = begin(method, loss, codes)
    for i in range(steps):
        state = advance(method, loss, state, i)
    return end(loss, state)


@jax.jit
def _begin(method: Method, loss: Any, codes: jax.Array) -> State:
    with jax.default_matmul_precision("highest"):
        return jax.vmap(method.init, (None, 0))(loss, codes)


@jax.jit
def _step(method: Method, loss: Any, state: State) -> State:
    with jax.default_matmul_precision("highest"):
        return jax.vmap(method.step, (None, 0))(loss, state)


@jax.jit
def _renew(method: Method, loss: Any, state: State) -> State:
    with jax.default_matmul_precision("highest"):
        return jax.vmap(method.renew, (None, 0))(loss, state)


@jax.jit
def end(loss: Any, state: State) -> State:
    """The states with the loss of their last codes."""
    with jax.default_matmul_precision("highest"):
        return jax.vmap(settle, (None, 0))(loss, state)
