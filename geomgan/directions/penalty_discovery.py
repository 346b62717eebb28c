"""Directions by the Hessian Penalty: an orthonormal matrix of them is trained until they act independently.

A code ``z`` and one coordinate ``w`` a direction make the sample ``G(z + w Q)``, with the directions as rows of ``Q``
``(n, d)``. The penalty of that function of ``w`` falls when the directions' effects do not depend on each other's
coordinates (Peebles et al., 2020, section 4.3). The generator is fixed, and ``Q`` is ``A`` after Gram and Schmidt's
process in row order, so that early rows have the greatest freedom.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from geomgan.backend import backend, usual_promotion
from geomgan.brief import brief
from geomgan.directions.classes import class_table, with_class
from geomgan.directions.collection import DirectionSet, direction_set, save
from geomgan.directions.fit import model_hash
from geomgan.directions.rows import METHOD, SearchSpace, digest, first_rows, orthonormalised, padded
from geomgan.directions.subspace import block_basis
from geomgan.errors import OptionError, check_count, check_key, warn
from geomgan.generators import Generator
from geomgan.generators.cost import count_flops
from geomgan.generators.generator import sample_of
from geomgan.generators.prepared import kernels_used, prepare
from geomgan.metric.hessian_penalty import (
    CLEAR,
    check_deterministic,
    check_options,
    clear_of_rounding,
    quadratic_forms,
    rounding_warning,
)
from geomgan.runs.files import local_path
from geomgan.runs.loop import run

CHECKPOINT, DIRECTIONS = "checkpoint.npz", "directions.npz"
_FEW = 4  # codes whose gradients are computed together, of a network that fills the device alone


class PenaltyOptions(NamedTuple):
    """What a discovery is made of; the defaults are the published ones, but for steps and batch (50,000 of 96).

    Attributes:
        ndirs: directions; None for as many as the searched part of the code has dimensions.
        search_space: the part of the code that they are in, ``"all"``, ``"coarse"``, ``"mid"``, ``"fine"`` or
            ``(first, last)``; see :func:`geomgan.directions.rows.part_of`.
        path_size: codes are moved by up to so much along one direction before the penalty is taken, in latent units.
        orthogonal: the directions are made orthonormal in every step; otherwise they are what Adam makes of them.
        steps: of Adam.
        batch: codes a step.
        learning_rate: of Adam.
        k: draws of signs of each code.
        epsilon: of the differences, in latent units.
        method: ``"differences"`` or ``"exact"``, see :mod:`geomgan.metric.hessian_penalty`.
    """

    ndirs: int | None = None
    search_space: SearchSpace = "all"
    path_size: float = 5.0
    orthogonal: bool = True
    steps: int = 1000
    batch: int = 16
    learning_rate: float = 0.01
    k: int = 2
    epsilon: float = 0.1
    method: str = "differences"


PENALTY_DEFAULTS = PenaltyOptions()


@brief
class PenaltyState(NamedTuple):
    """Everything the next step depends on; ``matrix (n, last - first)`` is ``A``."""

    matrix: jax.Array
    optimizer: Any
    step: jax.Array
    key: jax.Array


def discover_by_penalty(
    G: Generator,
    key: jax.Array,
    options: PenaltyOptions = PENALTY_DEFAULTS,
    *,
    start: Any = "random",
    classes: Any = None,
    within: Any = None,
    out: str | os.PathLike[str] | None = None,
    every: int = 100,
    picture: Callable[[DirectionSet, int], object] | None = None,
    picture_every: int = 500,
    progress: bool = True,
) -> DirectionSet:
    """Find directions whose effects do not depend on each other.

    Args:
        G: the generator; its weights stay as they are.
        key: a ``jax.random.key``; the result is a function of it, ``G``, ``options``, ``start`` and ``classes``.
        options: sizes and rates.
        start: ``"random"``, ``"coordinates"``, a file of :func:`geomgan.directions.save`, or a matrix of rows.
        classes: embeddings ``(m, e)`` of classes, one of which is drawn for every code; by default all codes have the
            class of ``G``. Those of a BigGAN are ``gg.load(MODEL, space="class").params["context"]["classes"]``.
        within: search in the span of these orthonormal columns ``(d, m)`` alone, such as some metric axes: what is
            found is a turn of them, where there are as many directions.
        out: folder for the state, from which the same call goes on, the curve of the penalty, and the directions.
        every: steps between two checkpoints.
        picture: called with the directions so far and the step, to draw what they do.
        picture_every: steps between two pictures.
        progress: show a progress bar, with the time left.

    Returns:
        The directions, in the order of the rows: the published ones of interest are among the first 8 to 16.

    Fewer directions than the searched space has dimensions can lower their penalty by leaving what bends: the least
    there is have directions that do nothing. As many can only share the curvature out differently among them.

    Raises:
        OptionError: an option has a value that it cannot take, such as more orthonormal directions than dimensions.
        ValueError: two samples of one code differ.
        CheckpointError: ``out`` holds the state of a discovery with other settings.

    Warns:
        UserWarning: ``epsilon`` is so small that the differences are rounding.
    """
    check_key(key)
    options = _checked(options)
    key_start, key_train, key_code = jax.random.split(key, 3)
    basis = None if within is None else _span(G, within, options.search_space)
    size = G.latent_dim if basis is None else basis.shape[1]
    matrix = first_rows(start, key_start, options.ndirs, options.search_space, size, orthogonal=options.orthogonal)
    table = None if classes is None else class_table(G, classes)
    check_deterministic(partial(sample_of, G), G.sample_latent(key_code, 1)[0], G.name)
    state = PenaltyState(matrix, _adam(options).init(matrix), jnp.asarray(0, jnp.int32), key_train)
    settings = {**options._asdict(), "ndirs": len(matrix)}
    inputs = {
        "model": model_hash(G),
        "start": start if isinstance(start, str) and not os.path.exists(start) else digest(np.asarray(matrix)),
        "classes": None if table is None else digest(np.asarray(table)),
        "within": None if basis is None else digest(np.asarray(basis)),
        "key": np.asarray(jax.random.key_data(key)).tolist(),
    }
    found = partial(_found, G, settings=settings, basis=basis)
    folder = None if out is None else local_path(out)
    state, _ = run(
        _stepper(prepared(G, options.method), table, options, basis),
        state,
        options.steps,
        checkpoint=None if folder is None else folder / CHECKPOINT,
        every=every,
        settings={**{name: value for name, value in settings.items() if name != "steps"}, **inputs},
        label="hessian penalty",
        progress=progress,
        picture=None if picture is None else lambda state: picture(found(state), int(state.step)),
        picture_every=picture_every,
    )
    return found(state) if folder is None else save(found(state), Path(folder) / DIRECTIONS)


def moved_penalty(
    matrix: jax.Array,
    G: Generator,
    z: jax.Array,
    w: jax.Array,
    signs: jax.Array,
    options: PenaltyOptions,
    basis: Any = None,
) -> tuple[jax.Array, jax.Array]:
    """The penalty of ``w -> G(z + w Q)`` at one code: the mean over its numbers; and how far it is from rounding.

    Args:
        matrix: ``A (n, last - first)``.
        G: the generator.
        z: the code ``(d,)``.
        w: coordinates ``(n,)`` along the directions, about which the penalty is taken.
        signs: ``(k, n)``.
        options: of the discovery.
        basis: orthonormal columns ``(d, m)`` in whose span the rows of ``A`` are; None for the search space.
    """
    rows = _rows(matrix, G.latent_dim, options.search_space, basis, orthogonal=options.orthogonal)
    along = lambda w: sample_of(G, z + w @ rows)
    with jax.default_matmul_precision("highest"), usual_promotion():
        forms = quadratic_forms(along, w, signs, options.method, options.epsilon)
    spread = jnp.var(forms, axis=0, ddof=1)
    return spread.mean(), clear_of_rounding(forms, spread)


def _checked(options: PenaltyOptions) -> PenaltyOptions:
    """The options, whose numbers have been looked at."""
    check_options(options.k, options.method, options.epsilon, 1)
    for name in ("steps", "batch"):
        check_count(getattr(options, name), np.inf, name)
    for name in ("path_size", "learning_rate"):
        value = getattr(options, name)
        if not (isinstance(value, int | float | np.number) and 0 < float(value) < np.inf):
            raise OptionError(f"{name} is {value!r}; expected a positive number.")
    space = options.search_space
    return options._replace(search_space=space if isinstance(space, str) else (int(space[0]), int(space[1])))


def _span(G: Generator, within: Any, space: SearchSpace) -> jax.Array:
    """The columns of a subspace, which have been looked at."""
    if space != "all":
        raise OptionError(f"within= and search_space={space!r} are two subspaces; expected one of them.")
    return jnp.asarray(block_basis(G.latent_dim, within), G.dtype)


def _rows(matrix: Any, d: int, space: SearchSpace, basis: Any, *, orthogonal: bool) -> Any:
    """The directions ``(n, d)`` of a matrix."""
    rows = orthonormalised(matrix) if orthogonal else matrix
    return padded(rows, space, d) if basis is None else rows @ basis.T


def prepared(G: Generator, method: str = "differences") -> Generator:
    """The generator with prepared kernels, where they pay: thousands of steps pull back through the same weights.

    Differences take samples and reverse passes alone, so that these may be by Winograd's way too.
    """
    if backend().fast_tangents is None:
        return G
    code = jax.ShapeDtypeStruct((G.latent_dim,), G.dtype)
    fast: Generator = prepare(G, kernels_used(sample_of, G, code), frozen=method == "differences")
    return fast


def _stepper(G: Generator, table: Any, options: PenaltyOptions, basis: Any) -> Callable[[PenaltyState], Any]:
    """``state -> (state, scalars)``; the first step says where its differences are rounding."""
    code = jax.ShapeDtypeStruct((G.latent_dim,), G.dtype)
    heavy = count_flops(sample_of, G, code) > backend().heavy_flops
    together = min(_FEW, options.batch) if heavy else options.batch
    unseen = options.method == "differences"
    options = options._replace(steps=0)  # a longer run is the same programs

    def step(state: PenaltyState) -> tuple[PenaltyState, dict[str, jax.Array]]:
        nonlocal unseen
        drawn, gradient, penalty = _draw(state, G, table, options), 0.0, 0.0
        clear: list[jax.Array] = []
        for first in range(0, options.batch, together):
            part = jax.tree.map(lambda x, at=first: x[at : at + together], drawn)
            (one, lies), slope = penalty_gradient(state.matrix, G, part, options, basis)
            gradient, penalty, clear = gradient + slope, penalty + one, [*clear, lies]
        if unseen and not max(float(x) for x in clear) > CLEAR:
            warn(rounding_warning(options.epsilon, G.dtype))
        unseen = False
        return _updated(state, gradient, penalty, options)

    return step


@partial(jax.jit, static_argnames="options")
def _draw(state: PenaltyState, G: Generator, table: Any, options: PenaltyOptions) -> Any:
    """Codes, coordinates, signs and class embeddings (or None) of one step; ``batch`` is their first axis."""
    keys, n = jax.random.split(jax.random.fold_in(state.key, state.step), 5), len(state.matrix)
    z = G.sample_latent(keys[0], options.batch)
    which = jax.random.randint(keys[1], (options.batch,), 0, n)
    far = jax.random.uniform(keys[2], (options.batch, 1), z.dtype, -options.path_size, options.path_size)
    signs = jax.random.rademacher(keys[3], (options.batch, options.k, n), z.dtype)
    chosen = None if table is None else table[jax.random.randint(keys[4], (options.batch,), 0, len(table))]
    return z, far * jax.nn.one_hot(which, n, dtype=z.dtype), signs, chosen


@partial(jax.jit, static_argnames="options")
def penalty_gradient(matrix: jax.Array, G: Generator, part: Any, options: PenaltyOptions, basis: Any = None) -> Any:
    """The part's share of the mean penalty, how far it is from rounding, and the gradient of the former."""

    def loss(matrix: jax.Array) -> tuple[jax.Array, jax.Array]:
        def one(z: jax.Array, w: jax.Array, signs: jax.Array, chosen: Any) -> tuple[jax.Array, jax.Array]:
            at = G if chosen is None else replace(G, params=with_class(G.params, chosen))
            return moved_penalty(matrix, at, z, w, signs, options, basis)

        penalties, clear = jax.vmap(one)(*part)
        return penalties.sum() / options.batch, clear.max()

    return jax.value_and_grad(loss, has_aux=True)(matrix)


@partial(jax.jit, static_argnames="options")
def _updated(state: PenaltyState, gradient: Any, penalty: Any, options: PenaltyOptions) -> Any:
    updates, optimizer = _adam(options).update(gradient, state.optimizer)
    matrix = optax.apply_updates(state.matrix, updates)
    scalars = {"penalty": penalty, "matrix": jnp.sqrt(jnp.mean(matrix**2))}
    return PenaltyState(matrix, optimizer, state.step + 1, state.key), scalars


def _found(G: Generator, state: PenaltyState, *, settings: dict[str, Any], basis: Any) -> DirectionSet:
    """The directions of a state."""
    matrix, orthogonal = np.asarray(state.matrix, np.float64), settings["orthogonal"]
    columns = None if basis is None else np.asarray(basis, np.float64)
    rows = np.asarray(_rows(matrix, G.latent_dim, settings["search_space"], columns, orthogonal=orthogonal))
    settings = {**settings, "steps": int(state.step)} | ({} if basis is None else {"within": basis.shape[1]})
    return direction_set(G, rows.T, METHOD, settings=settings, orthonormal=orthogonal)


def _adam(options: PenaltyOptions) -> optax.GradientTransformation:
    return optax.adam(options.learning_rate)
