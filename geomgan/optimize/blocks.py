"""A code in parts (noise and class, layers of w+), each searched by a method of its own or left as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.errors import check_count
from geomgan.optimize.ask_tell import AskTell, Health, in_double, start, told


class FixedState(NamedTuple):
    """A code that stays as it is."""

    code: jax.Array


def fixed(dim: int) -> AskTell:
    """A block of ``dim`` numbers that stays as it starts; its scores are not looked at."""
    dim = check_count(dim, np.inf, "dim")

    @in_double
    def init(mean: jax.Array, key: jax.Array) -> FixedState:
        return FixedState(start(mean, key, dim))

    @in_double
    def health(state: FixedState) -> Health:
        del state
        return Health(jnp.ones(()), jnp.ones(()), jnp.zeros((), bool))

    return AskTell(
        init,
        lambda state: state.code[None],
        lambda state, codes, scores: state,  # noqa: ARG005 (nothing is learnt)
        lambda state: state.code,
        health,
        dim,
        None,
        {"method": "fixed", "dim": dim},
    )


def in_blocks(methods: Sequence[AskTell]) -> AskTell:
    """One search of the blocks of a code, in their order: every block's method is told the scores of whole codes.

    Args:
        methods: for each block one, such as ``[cma(128, 0.4, population=18), cma(128, 0.2, population=18)]`` for noise
            and class; :func:`fixed` keeps a block.

    Raises:
        ValueError: the populations differ, or every block is fixed.
    """
    methods = list(methods)
    populations = {method.population for method in methods} - {None}
    if len(populations) != 1:
        found = ", ".join(str(method.population) for method in methods) or "no block"
        raise ValueError(
            f"the blocks have populations {found}; expected one number: pass population= to each, and leave at least "
            "one block that is not fixed."
        )
    (population,) = populations
    assert population is not None
    ends = np.cumsum([method.dim for method in methods])
    dim, cuts = int(ends[-1]), [int(end) for end in ends[:-1]]

    @in_double
    def init(mean: jax.Array, key: jax.Array) -> tuple[Any, ...]:
        parts = jnp.split(start(mean, key, dim), cuts)
        return tuple(
            method.init(part, k)
            for method, part, k in zip(methods, parts, jax.random.split(key, len(methods)), strict=True)
        )

    @in_double
    def ask(state: tuple[Any, ...]) -> jax.Array:
        parts = (method.ask(part) for method, part in zip(methods, state, strict=True))
        return jnp.concatenate([jnp.broadcast_to(part, (population, part.shape[1])) for part in parts], axis=1)

    @in_double
    def tell(state: tuple[Any, ...], codes: Any, scores: Any) -> tuple[Any, ...]:
        codes, scores = told(mean(state), codes, scores, population)
        parts = jnp.split(codes, cuts, axis=1)
        return tuple(method.tell(old, part, scores) for method, old, part in zip(methods, state, parts, strict=True))

    @in_double
    def mean(state: tuple[Any, ...]) -> jax.Array:
        return jnp.concatenate([method.mean(part) for method, part in zip(methods, state, strict=True)])

    @in_double
    def health(state: tuple[Any, ...]) -> Health:
        parts = [method.health(part) for method, part in zip(methods, state, strict=True)]
        return Health(*(jnp.stack(leaves).max() for leaves in zip(*parts, strict=True)))

    return AskTell(init, ask, tell, mean, health, dim, population, {"blocks": [method.options for method in methods]})
