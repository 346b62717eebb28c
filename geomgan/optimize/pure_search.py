"""A whole search as one pure function: traceable, so that restarts and seeds run side by side in one program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from geomgan.errors import check_count
from geomgan.optimize.ask_tell import AskTell, check_wide, is_wide
from geomgan.optimize.record import Record, Status, new_record, observe


def pure_search(
    score: Callable[[Any, jax.Array], jax.Array],
    params: Any,
    method: AskTell,
    mean: Any,
    key: jax.Array,
    *,
    generations: int,
    target: Any = -jnp.inf,
    tol: float = 1e-12,
    dtype: Any = None,
) -> tuple[Any, Record]:
    """Search for the code of the lowest score until it stops or ``generations`` are spent; ``jit`` and ``vmap`` it.

    The search itself is in float64, whatever the flag; the score gets codes of ``dtype`` and runs under the flag of the
    caller. Inside ``jax.jit`` put ``jax.enable_x64(True)`` around that.

    Args:
        score: ``(params, code (d,)) -> ()``, pure.
        params: pytree of arrays.
        method: of ``d`` dimensions.
        mean: ``(d,)``, where it starts; with ``jax.vmap`` one for each restart.
        key: of its random numbers; with ``jax.vmap`` one for each restart.
        generations: at most, static.
        target: as in :func:`observe`, like ``tol``.
        tol: when it has converged.
        dtype: of the codes that are scored; None: that of ``jnp.zeros(())`` under the caller's flag.

    Returns:
        The method's state, and the :class:`Record`.
    """
    check_wide((params, mean, key))
    generations = check_count(generations, jnp.inf, "generations")
    wide = is_wide()
    dtype = jnp.zeros(()).dtype if dtype is None else dtype

    def going(carry: tuple[Any, Record]) -> jax.Array:
        return carry[1].status == int(Status.RUNNING)

    def generation(carry: tuple[Any, Record]) -> tuple[Any, Record]:
        state, record = carry
        codes = method.ask(state)
        rounded = codes.astype(dtype)
        with jax.enable_x64(wide):
            scores = jax.vmap(score, (None, 0))(params, rounded)
        state = method.tell(state, codes, scores)
        record = observe(record, codes, scores, method.health(state), target=target, tol=tol)
        spent = (record.status == int(Status.RUNNING)) & (record.generations >= generations)
        return state, record._replace(status=jnp.where(spent, int(Status.BUDGET), record.status).astype(jnp.int32))

    assert method.population is not None
    with jax.enable_x64(True):
        state = method.init(mean, key)
        return jax.lax.while_loop(going, generation, (state, new_record(method.dim, method.population)))
