"""The metric tensor at one code, known by its products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.backend import FLOAT32, backend, epsilon, format_of, in_float32, memory_budget, tensor_error
from geomgan.brief import brief
from geomgan.distances.distance import Distance
from geomgan.eigen.operator import Cost
from geomgan.errors import as_array, check_not_traced, is_concrete
from geomgan.generators.generator import Generator
from geomgan.metric.chunks import tangents_at_once
from geomgan.metric.differences import warn_if_rough
from geomgan.metric.fewer import fewer
from geomgan.metric.gram import gram_where_it_lies, tensor_of
from geomgan.metric.maps import LinearMap, Product, Pushforward, map_of
from geomgan.metric.pair import Pair, checked
from geomgan.metric.side_by_side import side_by_side, threads_of

_LEAST = 4  # columns for which a thread is worth while: with fewer, its start costs what it gains (DCGAN-64, LPIPS)


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class MetricOperator:
    """A metric tensor at one code that is known by its products ``g v``, as a frozen pytree.

    The generator is linearised once; every product reuses it. Make one with :func:`metric_operator`.

    Attributes:
        map: the linear map with its residuals; see ``geomgan.metric.maps``.
        dim: ``d``; static.
        dtype: of the products; static.
        chunk: tangents computed together; static.
    """

    map: LinearMap
    dim: int = field(metadata={"static": True})
    dtype: Any = field(metadata={"static": True})
    chunk: int = field(metadata={"static": True})

    @property
    def precision(self) -> str:
        """Of products of tangents."""
        return self.map.precision

    @property
    def shape(self) -> tuple[int, int]:
        """``(d, d)``."""
        return (self.dim, self.dim)

    @property
    def epsilon(self) -> float:
        """Relative rounding of one operation of the network."""
        return epsilon(self.dtype, self.precision)

    @property
    def cost(self) -> Cost:
        """What the ways to its eigenpairs cost, in forward passes."""
        fits = True
        if isinstance(self.map, Pushforward):
            outputs = jax.eval_shape(self.map.push, jax.ShapeDtypeStruct((self.dim,), self.dtype))
            size = self.dim * sum(leaf.size * leaf.dtype.itemsize for leaf in outputs)
            fits = size <= memory_budget()
        heavy = sum(leaf.nbytes for leaf in jax.tree.leaves(self.map)) > backend().heavy_bytes
        noise = float(self.map.noise)
        error = max(noise, tensor_error(self.dtype, self.precision))
        return replace(self.map.cost(int(fits), heavy=heavy), noise=noise, error=error)

    @property
    def exact(self) -> MetricOperator | None:
        """The same map with products of tangents in float32, where these are coarser; else None."""
        if format_of(self.precision, self.dtype) == FLOAT32:
            return None
        assert isinstance(self.map, Pushforward | Product)
        return replace(self, map=replace(self.map, precision="highest"))

    def matvec(self, v: Any) -> jax.Array:
        """``g v`` for a tangent ``v (d,)``."""
        if np.shape(v) != (self.dim,):
            raise ValueError(f"tangent has shape {np.shape(v)}; expected ({self.dim},). Use matmat for a block (d, k).")
        return _matvec(self, _cast(v, self.dtype))

    def matmat(self, V: Any) -> jax.Array:
        """``g V`` for a block of tangents ``V (d, k)``, columns together."""
        if np.ndim(V) != 2 or np.shape(V)[0] != self.dim:
            raise ValueError(f"block has shape {np.shape(V)}; expected ({self.dim}, k): tangents are columns.")
        V = _cast(V, self.dtype)
        apart = all(map(is_concrete, jax.tree.leaves((self, V))))
        share = -(-V.shape[1] // threads_of(V.shape[1] // _LEAST)) if apart else self.chunk
        size = min(self.chunk, share)
        parts = [V[:, i : i + size] for i in range(0, V.shape[1], size)]
        fn = partial(_matmat, self)
        blocks = side_by_side(fn, parts) if apart else list(map(fn, parts))
        return blocks[0] if len(blocks) == 1 else jnp.concatenate(blocks, axis=1)

    def to_dense(self) -> np.ndarray:
        """``g`` as a float64 matrix; sums of squares run in float64, so that small eigenvalues keep their digits."""
        check_not_traced("MetricOperator.to_dense", "Take geomgan.metric_tensor there", self)
        leaves = _all_rows(self)
        if self.map.jacobian:
            return tensor_of(leaves, True, gram_where_it_lies)
        return tensor_of([np.asarray(leaves[0], np.float64)], False, gram_where_it_lies)

    def as_linear_operator(self) -> Any:
        """This metric as a ``scipy.sparse.linalg.LinearOperator`` in float64."""
        from scipy.sparse.linalg import LinearOperator

        def matvec(v: np.ndarray) -> np.ndarray:
            return np.asarray(self.matvec(v.reshape(-1)), np.float64)

        def matmat(V: np.ndarray) -> np.ndarray:
            return np.asarray(self.matmat(V), np.float64)

        return LinearOperator(self.shape, matvec=matvec, rmatvec=matvec, matmat=matmat, dtype=np.float64)


def metric_operator(
    G: Generator,
    D: Distance,
    z: Any,
    *,
    chunk: int | None = None,
    precision: str = "highest",
    hvp: str = "exact",
) -> MetricOperator:
    """The metric tensor of :func:`geomgan.metric_tensor` as products ``g v = Jᵀ(J v)``, without the matrix.

    Arguments and errors are those of :func:`geomgan.metric_tensor`; ``chunk`` also bounds the columns of a block
    product. With ``hvp="finite-difference"`` the Jacobian (or, without embedding, the matrix) is computed at once and
    kept, and the noise floor of its eigenpairs is what two steps differ by.
    """
    pair, z = checked(G, D, z, precision, hvp)
    return operator_at(pair, z, tangents_at_once(chunk, G.latent_dim, hvp), precision, hvp)


def operator_at(pair: Pair, z: jax.Array, chunk: int, precision: str, hvp: str) -> MetricOperator:
    """:func:`metric_operator` of arguments that are checked."""
    linear: LinearMap = _at(pair, z, map_of(pair.D, hvp), precision, chunk)
    if not linear.divisible:
        warn_if_rough(linear.noise, linear.jacobian)
    columns = chunk if hvp == "exact" else pair.dim  # finite differences are done: what is left are products
    return MetricOperator(linear, pair.dim, z.dtype, columns)


def _cast(v: Any, dtype: Any) -> Any:
    """Numpy arrays stay such and go straight to the compiled function: a third of the overhead of a product."""
    v = as_array(v, "tangent")
    return v.astype(np.dtype(dtype), copy=False) if isinstance(v, np.ndarray) else jnp.asarray(v, dtype)


@partial(jax.jit, static_argnames=("kind", "precision", "chunk"))
def _at(pair: Pair, z: jax.Array, kind: type[LinearMap], precision: str, chunk: int) -> LinearMap:
    with in_float32():
        return kind.at(pair, z, chunk, precision=precision)


@jax.jit
def _matvec(op: MetricOperator, v: jax.Array) -> jax.Array:
    with in_float32():
        return op.map.product(v)


@jax.jit
def _matmat(op: MetricOperator, V: jax.Array) -> jax.Array:
    with in_float32():
        return jax.vmap(op.map.product, in_axes=1, out_axes=1)(V)


def _all_rows(op: MetricOperator) -> Sequence[Any]:
    """Images of all unit tangents.

    A program that loops over chunks leaves a CPU's other cores free: shares of the tangents go side by side, as many as
    a field has steps under way. The last one begins early enough to be as large as the others.
    """
    chunks = -(-op.dim // op.chunk)
    shares = threads_of(chunks) if isinstance(op.map, Pushforward | Product) else 1
    if shares == 1:
        return _rows(op, jnp.eye(op.dim, dtype=op.dtype))
    size = -(-chunks // shares) * op.chunk
    starts = [min(i * size, op.dim - size) for i in range(shares)]
    units = np.eye(op.dim, dtype=op.dtype)
    parts = side_by_side(partial(_rows, op), [units[start : start + size] for start in starts])
    new = [i * size - start for i, start in enumerate(starts)]
    leaves = []
    while parts[0]:  # a leaf of each is let go when it is part of the whole
        leaves.append(np.concatenate([np.asarray(part.pop(0))[first:] for part, first in zip(parts, new, strict=True)]))
    return leaves


@jax.jit
def _rows(op: MetricOperator, tangents: jax.Array) -> list[jax.Array]:
    with in_float32():
        linear = op.map
        if isinstance(linear, Pushforward) and format_of(linear.precision, op.dtype) == FLOAT32:
            linear = replace(linear, push=fewer(linear.push, tangents[0], op.chunk))
        return list(linear.rows(tangents, op.chunk))
