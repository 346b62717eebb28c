"""The linear map behind a metric tensor: built once at a code, then pushed many tangents at a time.

It comes in four kinds, all of them pytrees that compiled functions take as an argument:

``pushforward``  ``v -> J v``, a linearised ``φ∘G`` with its residuals; the metric is ``JᵀJ``.
``jacobian``     ``J`` itself, from central differences; the metric is ``JᵀJ``.
``product``      ``v -> g v``, a linearised gradient of a distance without embedding.
``matrix``       ``g`` itself, from second differences.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache, partial, wraps
from typing import Any, TypeVar, cast

import jax
import jax.numpy as jnp

from geomgan.distances.distance import Distance, distance_of, embed_tree
from geomgan.generators.cost import count_flops, largest_array
from geomgan.generators.generator import Generator, output_of
from geomgan.generators.outputs import Members, mean_sample
from geomgan.generators.prepared import KernelUse, any_prepared, kernels_used, pays, prepare

PRECISIONS = {"highest": 2.0**-23, "high": 2.0**-20, "tf32": 2.0**-10, "bf16": 2.0**-8}
_JAX_NAMES = {"tf32": "tensorfloat32", "bf16": "bfloat16"}
OfShapes = TypeVar("OfShapes", bound=Callable)
SMALL_BYTES = 32 * 2**20  # of activations, up to which tangents need no chunks
HVP = ("exact", "finite-difference")


def matmul_precision(precision: str) -> Any:
    """The context in which matrix products run in ``precision``."""
    return jax.default_matmul_precision(_JAX_NAMES.get(precision, precision))


def epsilon(dtype: Any, precision: str) -> float:
    """Relative rounding of one operation of the network: the spacing of ``dtype``, or of coarser matrix products."""
    spacing = float(jnp.finfo(dtype).eps)
    return spacing if dtype == jnp.float64 else max(spacing, PRECISIONS[precision])


def kind_of(D: Distance, hvp: str) -> str:
    """Which of the four kinds the metric under ``D`` has."""
    if hvp == "finite-difference":
        return "matrix" if D.embedding is None else "jacobian"
    return "product" if D.embedding is None else "pushforward"


def linear_map(
    G: Generator,
    D: Distance,
    z: jax.Array,
    kind: str,
    precision: str,
    chunk: int,
    group: tuple[int, ...] | None = None,
    tangents: int = 1,
) -> Any:
    """The map of ``kind`` at ``z``, into the embedding's leaves of ``group`` only; to be called inside ``jit``.

    Where it will push many ``tangents``, kernels that are not :func:`prepared` yet are.
    """
    G, D = prepared(G, D, kind, tangents)
    with matmul_precision(precision):
        phi = partial(_embedding, G, D, group=group)
        if kind == "pushforward":
            return _finite_or_nan(*jax.linearize(phi, z))
        if kind == "jacobian":
            return _central_differences(phi, z, chunk)
        half_distance = partial(_half_distance_from, G, D, jax.lax.stop_gradient(output_of(G, z)))
        if kind == "product":
            return _finite_or_nan(*jax.linearize(jax.grad(half_distance), z))
        return _second_differences(half_distance, z, chunk)


def prepared(G: Generator, D: Distance, kind: str, tangents: int) -> tuple[Generator, Distance]:
    """Both with the kernels prepared that so many tangents are worth, for the codes of a field to share."""
    if kind != "pushforward" or not pays(tangents) or any_prepared((G, D)):
        return G, D
    return prepare((G, D), _kernels_used(G, D))


def product(state: Any, kind: str, v: jax.Array) -> jax.Array:
    """``g v`` for one tangent ``v (d,)``."""
    if kind == "pushforward":
        return jax.linear_transpose(state, v)(state(v))[0]
    if kind == "product":
        return state(v)
    if kind == "matrix":
        return jnp.matmul(state, v, precision="highest")
    rows = (as_rows(J) for J in state)
    terms = (jnp.matmul(J, jnp.matmul(v, J, precision="highest"), precision="highest") for J in rows)
    return sum(terms, start=jnp.zeros_like(v))


def images(
    state: Any, kind: str, tangents: jax.Array, chunk: int, into: Sequence[jax.Array] | None = None
) -> list[jax.Array]:
    """Images of the ``tangents (r, d)``: leaves ``(r, ...)`` of rows of ``J``, or one leaf of rows of the matrix.

    Leaves have the shapes of the embedding's: on CPU, element-wise work that writes flat rows is not vectorised.
    Pushed tangents overwrite the leaves ``into``, if given. Reverse passes run in unrolled chunks: in a compiled loop,
    convolutions' are 11 to 33 times slower on CPU. Finite differences know all their images already.
    """
    if kind == "pushforward":
        return map_chunks(state, tangents, chunk) if into is None else map_into(state, tangents, chunk, into)
    if kind == "product":
        parts = [jax.vmap(state)(tangents[i : i + chunk]) for i in range(0, len(tangents), chunk)]
        return [jnp.concatenate(parts)]
    return state if kind == "jacobian" else [state]


def as_rows(leaf: Any, axes: int = 1) -> Any:
    """Rows ``(..., m_l)`` of a leaf of the Jacobian, whose first ``axes`` stay."""
    return leaf.reshape(*leaf.shape[:axes], math.prod(leaf.shape[axes:]))


def remembered_by_shape(function: OfShapes) -> OfShapes:
    """``function(G, D, ...)``, which looks at nothing but shapes, computed once for the same ones."""

    @lru_cache(maxsize=256)
    def compute(tree: Any, shapes: tuple, others: tuple) -> Any:
        return function(*jax.tree.unflatten(tree, shapes), *others)

    @wraps(function)
    def call(G: Generator, D: Distance, *others: Any) -> Any:
        leaves, tree = jax.tree.flatten((G, D))
        return compute(tree, tuple(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in leaves), others)

    return cast(OfShapes, call)


@remembered_by_shape
def embedding_leaves(G: Generator, D: Distance) -> tuple[jax.ShapeDtypeStruct, ...]:
    """The arrays that embed one sample; with ``d`` of each they are the Jacobian. Runs nothing."""
    if D.embedding is None:
        return ()
    return tuple(jax.eval_shape(_embedding, G, D, jax.ShapeDtypeStruct((G.latent_dim,), G.dtype)))


def embedding_sizes(G: Generator, D: Distance) -> tuple[int, ...]:
    """Bytes of each leaf of the embedding of one sample; ``d`` times their sum is the Jacobian. Runs nothing."""
    return tuple(leaf.size * leaf.dtype.itemsize for leaf in embedding_leaves(G, D))


@remembered_by_shape
def forward_flops(G: Generator, D: Distance) -> float:
    """FLOPs of the matrix products and convolutions of one embedded sample. Runs nothing."""
    shape = jax.ShapeDtypeStruct((G.latent_dim,), G.dtype)
    return count_flops(_embedding if D.embedding is not None else _distance_from_itself, G, D, shape)


@remembered_by_shape
def _kernels_used(G: Generator, D: Distance) -> tuple[KernelUse, ...]:
    return kernels_used(_embedding, G, D, jax.ShapeDtypeStruct((G.latent_dim,), G.dtype))


def map_chunks(fn: Callable, rows: jax.Array, chunk: int) -> Any:
    """``fn`` of every row, ``chunk`` rows at a time; one at a time without ``vmap``, for functions that have none."""
    if chunk == 1:
        return jax.lax.map(fn, rows)
    if chunk >= len(rows):
        return jax.vmap(fn)(rows)
    return jax.lax.map(fn, rows, batch_size=chunk)


def map_into(fn: Callable, rows: jax.Array, chunk: int, into: Sequence[jax.Array]) -> list[jax.Array]:
    """:func:`map_chunks` that overwrites the arrays ``into``: a loop that makes its own has to clear them first."""

    def write(start: jax.Array | int, size: int, arrays: Sequence[jax.Array]) -> list[jax.Array]:
        parts = map_chunks(fn, jax.lax.dynamic_slice_in_dim(rows, start, size), size)
        return [jax.lax.dynamic_update_slice_in_dim(a, x, start, 0) for a, x in zip(arrays, parts, strict=True)]

    whole, rest = divmod(len(rows), chunk)
    arrays = jax.lax.fori_loop(0, whole, lambda i, arrays: write(i * chunk, chunk, arrays), list(into))
    return write(whole * chunk, rest, arrays) if rest else arrays


def tangent_chunk(dim: int, limit: int | None = None) -> int:
    """Tangents pushed together: the largest divisor of ``dim`` up to ``limit``, or ``limit`` if that is too small.

    A whole number of chunks compiles one loop body instead of two. On CPU more than about 25 gain nothing or lose, as
    their activations leave the cache, and take more memory (measured on DCGAN-64 and BigGAN-deep-128 with LPIPS).
    """
    limit = limit or (25 if jax.default_backend() == "cpu" else 128)
    divisor = max(n for n in range(1, min(dim, limit) + 1) if dim % n == 0)
    return divisor if 2 * divisor >= min(dim, limit) else limit


def are_small_together(push: Callable, z: jax.Array) -> bool:
    """Whether the largest activations of all tangents together take no more than :data:`SMALL_BYTES`, on CPU.

    One metric is then a tenth faster without a loop over chunks (measured on DCGAN-64 with LPIPS), in the same memory:
    a loop stacks its results. In a field it is not, as there another code is under way meanwhile.
    """
    return jax.default_backend() == "cpu" and z.size * largest_array(push, z) <= SMALL_BYTES


def _embedding(G: Generator, D: Distance, z: jax.Array, group: tuple[int, ...] | None = None) -> list[jax.Array]:
    """The leaves of ``φ(G(z))``; over an ensemble ``φ(G_e(z)) / √E``, so that ``JᵀJ`` is the expected metric.

    ``group`` picks some of them; what the others alone need is not computed.
    """

    def embed(output: Any) -> Any:
        return embed_tree(D, output if D.distribution else mean_sample(output))

    output = output_of(G, z)
    if isinstance(output, Members):
        stacked = jax.tree.leaves(jax.vmap(embed)(output.outputs))
        leaves = [leaf * len(leaf) ** -0.5 for leaf in stacked]
    else:
        leaves = jax.tree.leaves(embed(output))
    return leaves if group is None else [leaves[i] for i in group]


def _finite_or_nan(value: Any, push: Callable) -> Callable:
    """``push``, or NaN for every tangent where ``value`` is not finite: derivatives there may look as if all were well.

    ``log`` of a negative number is NaN, for example, but its derivative is not. One leaf of the image is marked, the
    smallest: that is enough for a metric, and what the linear layers at a network's beginning make of the tangents
    stays the same at all codes, so that several together compute it once.
    """
    leaves = jax.tree.leaves(value)
    finite = jnp.all(jnp.stack([jnp.isfinite(leaf).all() for leaf in leaves]))
    return jax.tree_util.Partial(_push_marked, push, jnp.where(finite, 1, jnp.nan).astype(leaves[0].dtype))


def _push_marked(push: Callable, mark: jax.Array, v: jax.Array) -> Any:
    leaves, tree = jax.tree.flatten(push(v))
    smallest = min(range(len(leaves)), key=lambda i: leaves[i].size or math.inf)
    leaves[smallest] = leaves[smallest] * mark.astype(leaves[smallest].dtype)
    return jax.tree.unflatten(tree, leaves)


def _distance_from_itself(G: Generator, D: Distance, z: jax.Array) -> jax.Array:
    return _half_distance_from(G, D, output_of(G, z), z)


def _half_distance_from(G: Generator, D: Distance, reference: Any, z: jax.Array) -> jax.Array:
    """``½ d²`` between the reference output and that of ``z``; the mean over an ensemble's members."""

    def half(reference: Any, moved: Any) -> jax.Array:
        if not D.distribution:
            reference, moved = mean_sample(reference), mean_sample(moved)
        return 0.5 * distance_of(D, reference, moved)

    moved = output_of(G, z)
    if isinstance(moved, Members):
        return jax.vmap(half)(reference.outputs, moved.outputs).mean()
    return half(reference, moved)


def _central_differences(phi: Callable, z: jax.Array, chunk: int) -> list[jax.Array]:
    """``J v ≈ (φ(z + h v) - φ(z - h v)) / 2h`` with ``h = ε^(1/3)``, where rounding and truncation weigh alike."""
    h = float(jnp.finfo(z.dtype).eps) ** (1 / 3)
    column = lambda e: jax.tree.map(lambda a, b: (a - b) / (2 * h), phi(z + h * e), phi(z - h * e))
    return map_chunks(column, jnp.eye(z.size, dtype=z.dtype), chunk)


def _second_differences(half_distance: Callable, z: jax.Array, chunk: int) -> jax.Array:
    """``g`` by polarisation of ``q(v) = ½ (d²(z, z + v) + d²(z, z - v)) ≈ vᵀ g v``, with ``h = ε^(1/4)``.

    ``g_ij = (q(h e_i + h e_j) - q(h e_i) - q(h e_j)) / 2h²``; odd orders cancel, and the value at the centre is zero.
    """
    h, dim = float(jnp.finfo(z.dtype).eps) ** (1 / 4), z.size
    eye = h * jnp.eye(dim, dtype=z.dtype)
    i, j = jnp.tril_indices(dim, -1)
    q = lambda v: half_distance(z + v) + half_distance(z - v)
    values = map_chunks(q, jnp.concatenate([eye, eye[i] + eye[j]]), chunk)
    single, pair = values[:dim], values[dim:]
    lower = jnp.zeros((dim, dim), z.dtype).at[i, j].set(pair - single[i] - single[j]) / (2 * h**2)
    return lower + lower.T + jnp.diag(single) / h**2
