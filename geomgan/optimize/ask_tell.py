"""A search by ask and tell: pure functions and their sizes, as an optimiser of optax is ``init`` and ``update``.

::

    method = cma(20, sigma=0.5)
    state = method.init(mean, jax.random.key(0))
    while ...:
        codes = method.ask(state)  # (population, dim), float64
        state = method.tell(state, codes, score(codes.astype("float32")))  # lower is better

States are pytrees of float64 arrays whatever JAX's x64 flag is. The functions are compiled already, and ``jax.vmap``
takes them (one key and one start for each restart). A ``jax.jit`` of one's own around them needs
``jax.enable_x64(True)`` around that: without, JAX makes float32 of all that passes its border, so they refuse.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.errors import TracedError, as_array, check_finite, check_floating, check_key

Call = TypeVar("Call", bound=Callable[..., Any])
MOST_CONDITION = 1e14  # of a covariance: beyond it float64 has lost the smallest axes to the largest


class Health(NamedTuple):
    """What a search's distribution has come to: the inputs of the reasons to stop that scores do not show.

    Attributes:
        condition: ``()``, of the covariance.
        growth: ``()``, the largest standard deviation relative to the start's.
        lost: ``()``, whether a step of a fifth of a standard deviation leaves a coordinate of the mean as it is.
    """

    condition: jax.Array
    growth: jax.Array
    lost: jax.Array


class AskTell(NamedTuple):
    """A method of search that asks for the scores of codes.

    Attributes:
        init: ``(mean (dim,), key) -> state``.
        ask: ``state -> codes (population, dim)``, the same for the same state.
        tell: ``(state, codes, scores (population,)) -> state``; codes may be others than those asked for, such as
            those after a descent; lower scores are better, NaN ranks last, and a generation without a score is skipped.
        mean: ``state -> (dim,)``, where the search stands.
        health: ``state -> Health``.
        dim: number of latent dimensions.
        population: codes of a generation; None: as many as the others' (of a block that stays fixed).
        options: what the method was made with, as JSON can hold it.
    """

    init: Callable[[Any, jax.Array], Any]
    ask: Callable[[Any], jax.Array]
    tell: Callable[[Any, Any, Any], Any]
    mean: Callable[[Any], jax.Array]
    health: Callable[[Any], Health]
    dim: int
    population: int | None
    options: dict[str, Any]


def in_double(function: Call) -> Call:
    """``function``, traced and run with 64-bit types, whatever the flag of its caller."""

    @wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        check_wide(arguments)
        with jax.enable_x64(True):
            return function(*arguments, **named)

    return call  # type: ignore[return-value]


def is_wide() -> bool:
    """Whether 64-bit types are on here."""
    return jax.dtypes.canonicalize_dtype(np.float64) == np.float64


def check_wide(arguments: Any) -> None:
    """Raise :class:`TracedError` inside a ``jax.jit`` that has 64-bit types off: it cannot compile them."""
    if is_wide():
        return
    for leaf in jax.tree.leaves(arguments):
        while type(leaf).__name__ == "BatchTracer":  # of jax.vmap, which computes as it goes
            leaf = leaf.val
        if isinstance(leaf, jax.core.Tracer):
            raise TracedError(
                "a search is traced inside jax.jit (or scan, or while_loop) with 64-bit types off; expected them on, "
                "as its covariance is float64. Put `with jax.enable_x64(True):` around the compiled call, or leave out "
                "jax.jit: its functions are compiled already."
            )


def start(mean: Any, key: jax.Array, dim: int) -> jax.Array:
    """The start of a search as float64; raises unless it is one finite code of ``dim`` numbers and a typed key."""
    mean = as_array(mean, "mean")
    if np.shape(mean) != (dim,):
        fix = "use jax.vmap for several starts" if np.ndim(mean) == 2 else "one number per dimension"
        raise ValueError(f"mean has shape {np.shape(mean)}; expected ({dim},): {fix}.")
    check_floating(mean, "mean")
    check_finite(mean, "mean")
    check_key(key)
    return jnp.asarray(mean, jnp.float64)


def told(mean: jax.Array, codes: Any, scores: Any, population: int) -> tuple[jax.Array, jax.Array]:
    """Codes and scores as float64; raises where they do not fit, or the state has come out of float64."""
    if mean.dtype != jnp.float64:
        raise TypeError(
            f"the state of the search is {mean.dtype}; expected float64, without which covariances of ten decades are "
            "lost. Put `with jax.enable_x64(True):` around a jax.jit of your own, or leave it out: ask and tell are "
            "compiled."
        )
    codes, scores = as_array(codes, "codes"), as_array(scores, "scores")
    expected = (population, mean.shape[-1])
    if jnp.shape(codes) != expected or jnp.shape(scores) != (population,):
        raise ValueError(
            f"tell got codes of shape {jnp.shape(codes)} and scores of shape {jnp.shape(scores)}; expected {expected} "
            f"and ({population},): all codes of one ask, and one score for each."
        )
    return jnp.asarray(codes, jnp.float64), jnp.asarray(scores, jnp.float64)


def ranked(scores: jax.Array, weights: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The order from the best to the worst score, NaN last, and the weights of the best, of which none is of a NaN.

    Args:
        scores: ``(population,)``.
        weights: ``(parents,)``, positive, of sum 1.

    Returns:
        ``(population,)`` indices and ``(parents,)`` weights of sum 1; all zero where every score is NaN.
    """
    order = jnp.argsort(scores)
    usable = weights * ~jnp.isnan(scores[order[: weights.shape[0]]])
    return order, usable / jnp.maximum(usable.sum(), 1e-300)


def normals(key: jax.Array, generation: jax.Array, shape: tuple[int, int]) -> jax.Array:
    """The generation's standard normal numbers, of float32's resolution, so the same under any flag, as float64."""
    return jax.random.normal(jax.random.fold_in(key, generation), shape, jnp.float32).astype(jnp.float64)


def kept_unless_told(scores: jax.Array, new: Any, old: Any) -> Any:
    """``new``, or where every score is NaN ``old`` with the next generation's number: nothing was learnt."""
    any_score = ~jnp.isnan(scores).all()
    chosen = jax.tree.map(
        lambda a, b: b if jnp.issubdtype(b.dtype, jax.dtypes.prng_key) else jnp.where(any_score, a, b), new, old
    )
    return chosen._replace(generation=new.generation)


def expected_norm(dim: int) -> float:
    """``E‖N(0, I)‖`` to the approximation that every CMA-ES uses."""
    return dim**0.5 * (1 - 1 / (4 * dim) + 1 / (21 * dim**2))


def check_positive(value: Any, what: str) -> float:
    """``value`` as a float; raises ``ValueError`` unless it is finite and positive."""
    if not (np.ndim(value) == 0 and np.isfinite(value) and value > 0):
        raise ValueError(f"{what} is {value!r}; expected a positive number.")
    return float(value)
