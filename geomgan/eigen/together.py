"""Block Lanczos as a part of a program, for many maps together: the conversation of :mod:`geomgan.eigen.block`.

The same steps on arrays of fixed size, for the largest pairs. A map that is done waits for the others. Nothing goes to
the host before the end, unless a search for hidden copies needs more room than bases have: then the program ends, and
goes on from where it was with larger ones (:func:`enlarged`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.eigen.block import PATIENCE
from geomgan.eigen.found import Pairs
from geomgan.eigen.outside import may_hide_copies, steps_that_prove
from geomgan.eigen.padded import Ritz, in_front, outside, projected_with, ritz, written

GROWING, SEARCHING, FULL, DONE, FAILED = range(5)
ROUNDS = 5  # of orthogonalisation: two tell where a block lies, three more keep all digits of it
ANSWER = ("values", "vectors", "errors", "scale", "products", "complete", "spent", "phase")


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Limits:
    """When to stop, in numbers that a program takes; see :func:`geomgan.eigen.block.lanczos_blocks`."""

    tol: Any
    rounding: Any
    max_products: Any
    seed: Any


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class State:
    """Where the solver is with a map; of ``n`` maps all arrays have a leading axis. Float64 but for the counts.

    Attributes:
        basis, image: ``V`` and ``A V (d, capacity)``, zeros beyond ``size``.
        projected: ``Vᵀ A V (capacity, capacity)``.
        block: the next to be multiplied ``(d, w)``, orthonormal and outside; zeros beyond the dimensions that are left.
        size, products, stalled, steps, known: counts, as in :mod:`geomgan.eigen.block` and its search.
        best, scale, total, beyond: numbers, as there.
        phase: it grows a space, searches for copies, searches and has no room, is done, or its map is not finite.
        values, vectors, errors, complete, spent: the answer, as in :class:`Pairs`; ``(k,)``, ``(d, k)``, ``(k,)``.
    """

    basis: Any
    image: Any
    projected: Any
    block: Any
    size: Any
    products: Any
    stalled: Any
    steps: Any
    known: Any
    best: Any
    scale: Any
    total: Any
    beyond: Any
    phase: Any
    values: Any
    vectors: Any
    errors: Any
    complete: Any
    spent: Any


def first_capacity(dim: int, k: int, width: int) -> int:
    """Columns at which a space restarts, or all."""
    return min(dim, max(3 * k, k + 6 * width))


def first_block(dim: int, width: int, seed: int) -> np.ndarray:
    """The random block ``(d, w)`` that a conversation with that seed begins with."""
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((dim, min(width, dim))))[0]


def begin(n: int, k: int, start: jax.Array) -> State:
    """The state of ``n`` maps before the first product with ``start``; inside ``jit`` with 64-bit types on."""
    dim, width = start.shape
    room = first_capacity(dim, k, width)
    zeros = lambda *shape: jnp.zeros((n, *shape), jnp.float64)
    count = jnp.zeros(n, jnp.int32)
    return State(
        basis=zeros(dim, room),
        image=zeros(dim, room),
        projected=zeros(room, room),
        block=jnp.broadcast_to(start, (n, *start.shape)),
        size=count,
        products=count,
        stalled=count,
        steps=count,
        known=count,
        best=zeros() + jnp.inf,
        scale=zeros(),
        total=zeros(),
        beyond=zeros(),
        phase=count,
        values=zeros(k),
        vectors=zeros(dim, k),
        errors=zeros(k),
        complete=jnp.ones(n, bool),
        spent=jnp.zeros(n, bool),
    )


def enlarged(state: State, capacity: int) -> State:
    """The state with room for so many columns; searches that had none go on. Inside ``jit``."""
    more = (0, capacity - state.basis.shape[2])
    return replace(
        state,
        basis=jnp.pad(state.basis, ((0, 0), (0, 0), more)),
        image=jnp.pad(state.image, ((0, 0), (0, 0), more)),
        projected=jnp.pad(state.projected, ((0, 0), more, more)),
        phase=jnp.where(state.phase == FULL, SEARCHING, state.phase).astype(jnp.int32),
    )


def run(multiply: Callable[[jax.Array], jax.Array], state: State, limits: Limits) -> State:
    """Go on until every map is done, has failed or needs more room; inside ``jit`` with 64-bit types on.

    Args:
        multiply: blocks ``(n, d, w)`` -> ``A V``, of all maps, both in float64.
        state: of :func:`begin`, or of an earlier run.
        limits: when to stop.
    """
    going_on = lambda state: (state.phase <= SEARCHING).any()
    return jax.lax.while_loop(going_on, lambda state: _step(multiply, state, limits), state)


def pairs_of(answer: Any, i: int) -> Pairs:
    """The answer for one map, from arrays by the names of ``ANSWER``."""
    values, vectors, errors, *numbers = (answer[name][i] for name in ANSWER[:-1])
    scale, products, complete, spent = numbers
    return Pairs(values, vectors, errors, int(products), float(scale), bool(complete), bool(spent))


def _step(multiply: Callable[[jax.Array], jax.Array], state: State, limits: Limits) -> State:
    """One product of every map, and what follows from it."""
    product = multiply(state.block)
    dim, capacity = state.basis.shape[1:]
    k, width = state.values.shape[1], state.block.shape[2]
    going_on = state.phase <= SEARCHING
    finite = jnp.isfinite(product).all(axis=(1, 2))
    product = jnp.where((going_on & finite)[:, None, None], product, 0.0)
    state = replace(state, phase=jnp.where(going_on & ~finite, FAILED, state.phase).astype(jnp.int32))
    going_on &= finite
    state = jax.vmap(_added)(state, product, going_on)

    def when(needed: jax.Array, first: jax.Array, count: int) -> Ritz:
        """Ritz pairs of all maps, if any of them needs some."""
        arguments = state.basis, state.image, state.projected, first, state.size
        find = jax.vmap(partial(ritz, count=count))
        shapes = jax.eval_shape(find, *arguments)
        nothing = lambda *_: jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
        return jax.lax.cond(needed.any(), find, nothing, *arguments)

    searching = going_on & (state.phase == SEARCHING)
    found = when(going_on & (state.size >= k), jnp.zeros_like(state.known), k + width)
    apart = when(searching, state.known, capacity)
    decide = partial(_decided, limits=limits, dim=dim, restarts=first_capacity(dim, k, width))
    decided = jax.vmap(decide)(state, product, found, apart)
    keep = lambda new, old: jnp.where(going_on.reshape(-1, *[1] * (new.ndim - 1)), new, old)
    return jax.tree.map(keep, decided, state)


def _added(state: State, product: jax.Array, going_on: jax.Array) -> State:
    """The state with its block and the product in the space; a map that is done takes in nothing."""
    left = jnp.where(going_on, _left(state), 0)
    basis = written(state.basis, state.block, state.size, left)
    image = written(state.image, product, state.size, left)
    rows = 0.5 * (basis.T @ product + image.T @ state.block)
    projected = projected_with(state.projected, rows, state.size, left)
    sizes = {"size": state.size + left, "products": state.products + left}
    return replace(state, basis=basis, image=image, projected=projected, **sizes)


def _left(state: State) -> jax.Array:
    """Columns of the next block."""
    return jnp.minimum(state.block.shape[1], state.basis.shape[0] - state.size).astype(jnp.int32)


def _decided(
    state: State, product: jax.Array, found: Ritz, apart: Ritz, *, limits: Limits, dim: int, restarts: int
) -> State:
    """What follows of a space that has grown: an answer, a restart, a search; and the next block."""
    k, width, capacity = len(state.values), state.block.shape[1], state.basis.shape[1]
    known = state.size >= k  # before, nobody looked
    scale = jnp.maximum(state.scale, found.largest)
    within = jnp.maximum(jnp.maximum(limits.tol, limits.rounding) * scale, jnp.finfo(jnp.float64).tiny)
    left, searching = _left(state), state.phase == SEARCHING
    affordable = ~known | (state.products + left <= limits.max_products)

    # growing: have the wanted pairs converged, and may there be copies of them?
    worst = found.errors[:k].max() / jnp.where(scale > 0, scale, 1.0)
    improved = worst < 0.5 * state.best
    best, stalled = jnp.where(improved, worst, state.best), jnp.where(improved, 0, state.stalled + 1)
    reached = (worst <= limits.tol) | ((worst <= limits.rounding) & (stalled >= PATIENCE))
    converged = ~searching & known & reached
    hidden = converged & may_hide_copies(found.theta[:k], width, within)

    # searching: has it found some, or proven that there are none?
    steps = state.steps + 1
    more = searching & ((found.theta[:k].sum() > state.total + within) | (left == 0))
    inner = jnp.where(jnp.arange(capacity) < state.known, state.basis, 0.0)
    beside = jnp.linalg.norm(apart.residuals - inner @ (inner.T @ apart.residuals), axis=0)
    open_ = (beside > within) & jnp.isfinite(apart.errors)
    highest = jnp.maximum(jnp.where(open_, apart.theta, -jnp.inf).max(), found.lowest)
    ratio = (state.beyond - highest) / (state.beyond - found.lowest)
    columns = jnp.minimum(width, dim - state.known)
    proven = searching & ~more & (steps >= steps_that_prove(ratio, dim - state.known, columns))
    unproven = searching & ~more & ~proven & ~affordable

    grows = (~searching & ~converged) | more
    ended = grows & ((left == 0) | ~affordable)
    answered = converged | ended
    state = replace(
        state,
        scale=scale,
        best=jnp.where(more, jnp.inf, jnp.where(known, best, state.best)),
        stalled=jnp.where(more | ~known, 0, stalled).astype(jnp.int32),
        steps=jnp.where(hidden, 0, steps).astype(jnp.int32),
        values=jnp.where(answered, found.theta[:k], state.values),
        vectors=jnp.where(answered, found.vectors[:, :k], state.vectors),
        errors=jnp.where(answered, found.errors[:k], state.errors),
    )

    # a space that restarts: with all best pairs, or before a search with those that have converged
    full = grows & (state.size + left > restarts) & (restarts < dim)
    kept = (found.errors <= within) | (full & jnp.isfinite(found.errors))
    size = jnp.where(full | hidden, kept.sum(), state.size).astype(jnp.int32)
    basis, image, projected = _restarted(state, found, kept, full | hidden)

    key = jax.random.fold_in(jax.random.key(limits.seed), state.products)
    fresh = jax.random.normal(key, (ROUNDS, dim, width), jnp.float32).astype(jnp.float64) / dim**0.5
    space = jnp.where(hidden, basis, state.basis)
    block = _next_block(state, product, found, space, within, _left(replace(state, size=size)), hidden, grows, fresh)
    state = replace(state, basis=basis, image=image, projected=projected, size=size, block=block)

    # a search that begins has to have dimensions, products and room, one that goes on room
    more_left = _left(state)
    poor = hidden & (more_left > 0) & (state.products + more_left > limits.max_products)
    nothing = hidden & (more_left == 0)  # nothing is outside
    done = ended | (converged & ~hidden) | proven | unproven | poor | nothing
    search = hidden | (searching & ~more)
    phase = jnp.where(search, jnp.where(state.size + more_left > capacity, FULL, SEARCHING), GROWING)
    return replace(
        state,
        known=jnp.where(hidden, size, state.known).astype(jnp.int32),
        total=jnp.where(hidden, found.theta[:k].sum(), state.total),
        beyond=jnp.where(hidden, found.theta[k - 1] + within, state.beyond),
        phase=jnp.where(done, DONE, phase).astype(jnp.int32),
        complete=~(unproven | poor),
        spent=unproven | poor | (ended & (left > 0)),
    )


def _restarted(state: State, found: Ritz, kept: jax.Array, really: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The space of the pairs that are kept, if really; else as it is."""
    capacity = state.basis.shape[1]
    room = lambda columns: jnp.pad(in_front(columns, kept), ((0, 0), (0, capacity - len(kept))))
    theta = jnp.pad(in_front(found.theta, kept), (0, capacity - len(kept)))
    space = room(found.vectors), room(found.images), jnp.diag(theta)
    old = state.basis, state.image, state.projected
    basis, image, projected = (jnp.where(really, new, was) for new, was in zip(space, old, strict=True))
    return basis, image, projected


def _next_block(
    state: State,
    product: jax.Array,
    found: Ritz,
    space: jax.Array,
    within: jax.Array,
    left: jax.Array,
    hidden: jax.Array,
    grows: jax.Array,
    fresh: jax.Array,
) -> jax.Array:
    """What the last product has outside, the residuals of open pairs where those lie elsewhere; or random directions.

    See ``Space.next_block``.
    """
    k, width = len(state.values), product.shape[1]
    lanczos = outside(space, jnp.where(hidden, 0.0, product), left, fresh[:2])
    errors = found.errors[:k]
    open_ = (errors > within) & jnp.isfinite(errors) & (state.size >= k)
    directions = jnp.where(open_, found.residuals[:, :k] / jnp.where(open_, errors, 1.0), 0.0)
    missed = jnp.linalg.norm(directions - lanczos @ (lanczos.T @ directions), axis=0) > 0.5
    residuals = jnp.pad(in_front(directions, open_), ((0, 0), (0, max(0, width - k))))[:, :width]
    block = jnp.where(grows & missed.any(), residuals, lanczos)
    return outside(space, block, left, fresh[2:])
