"""The pull-back metric tensor, dense and matrix-free."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.distances.distance import Distance
from geomgan.errors import check_choice, check_code
from geomgan.generators.generator import Generator, output_of
from geomgan.generators.outputs import Gaussian, Members
from geomgan.metric import linear
from geomgan.metric.gram import gram64


def metric_tensor(
    G: Generator,
    D: Distance,
    z: Any,
    *,
    chunk: int | None = None,
    precision: str = "highest",
    hvp: str = "exact",
) -> jax.Array:
    """The pull-back metric tensor ``g(z) = ½ ∂²/∂z'² d²(G(z), G(z'))`` at ``z' = z``.

    For a distance with an embedding ``φ`` it is ``JᵀJ`` with ``J = ∂(φ∘G)/∂z``, exactly and without second
    derivatives, by pushing ``d`` tangents forward in chunks. GAN-Geometry's ``H`` is ``2 g``.

    Args:
        G: the generator.
        D: the squared distance.
        z: one code ``(d,)``.
        chunk: tangents computed together; memory grows with it. By default all on CPU while their activations are
            small, otherwise up to 25.
        precision: of matrix products: ``"highest"``, ``"high"``, ``"tf32"`` or ``"bf16"``.
        hvp: ``"exact"``, or ``"finite-difference"`` for a generator or a distance that has no derivatives.

    Returns:
        ``(d, d)``, symmetric, in the generator's dtype. A pure function: ``jit``, ``vmap`` and shard it.
        (For many codes, ``jax.lax.map(..., batch_size=8)`` or :func:`geomgan.metric_field`.)
        In float32 eigenvalues below about ``1e-6`` of the largest are noise; ``eigenpairs(metric_operator(...))``
        sums in float64 and keeps ten decades.

    Raises:
        TypeError, ValueError: an argument does not fit; raised before any work.
    """
    D, z = prepare(G, D, z, precision, hvp)
    kind, most = linear.kind_of(D, hvp), tangents_at_once(chunk, G.latent_dim, hvp)
    return _metric_tensor(G, D, z, kind, precision, most, chunk is None and kind == "pushforward")


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class MetricOperator:
    """A metric tensor at one code that is known by its products ``g v``, as a frozen pytree.

    The generator is linearised once; every product reuses it. Make one with :func:`metric_operator`.

    Attributes:
        state: the linear map with its residuals.
        kind: which map it is (see ``geomgan.metric.linear``); static.
        dim: ``d``; static.
        dtype: of the products; static.
        precision: of matrix products; static.
        chunk: tangents computed together; static.
    """

    state: Any
    kind: str = field(metadata={"static": True})
    dim: int = field(metadata={"static": True})
    dtype: Any = field(metadata={"static": True})
    precision: str = field(metadata={"static": True})
    chunk: int = field(metadata={"static": True})

    @property
    def shape(self) -> tuple[int, int]:
        """``(d, d)``."""
        return (self.dim, self.dim)

    @property
    def epsilon(self) -> float:
        """Relative rounding of one operation of the network."""
        return linear.epsilon(self.dtype, self.precision)

    def matvec(self, v: Any) -> jax.Array:
        """``g v`` for a tangent ``v (d,)``."""
        if np.shape(v) != (self.dim,):
            raise ValueError(f"tangent has shape {np.shape(v)}; expected ({self.dim},). Use matmat for a block (d, k).")
        return _matvec(self, jnp.asarray(v, self.dtype))

    def matmat(self, V: Any) -> jax.Array:
        """``g V`` for a block of tangents ``V (d, k)``, columns together."""
        if np.ndim(V) != 2 or np.shape(V)[0] != self.dim:
            raise ValueError(f"block has shape {np.shape(V)}; expected ({self.dim}, k): tangents are columns.")
        V = jnp.asarray(V, self.dtype)
        blocks = [_matmat(self, V[:, i : i + self.chunk]) for i in range(0, V.shape[1], self.chunk)]
        return blocks[0] if len(blocks) == 1 else jnp.concatenate(blocks, axis=1)

    def to_dense(self) -> np.ndarray:
        """``g`` as a float64 matrix; sums of squares run in float64, so that small eigenvalues keep their digits."""
        leaves = _images(self)
        if self.kind in ("pushforward", "jacobian"):
            return np.asarray(gram64(leaves))
        g = np.asarray(leaves[0], np.float64)
        return 0.5 * (g + g.T)

    def as_linear_operator(self) -> Any:
        """This metric as a ``scipy.sparse.linalg.LinearOperator`` in float64."""
        from scipy.sparse.linalg import LinearOperator

        single = np.dtype(self.dtype)  # numpy arrays go straight to the compiled function: a third of the overhead

        def matvec(v: np.ndarray) -> np.ndarray:
            return np.asarray(_matvec(self, v.reshape(-1).astype(single)), np.float64)

        def matmat(V: np.ndarray) -> np.ndarray:
            return np.asarray(self.matmat(V.astype(single)), np.float64)

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
    """The metric tensor of :func:`metric_tensor` as products ``g v = Jᵀ(J v)``, without the matrix.

    Arguments and errors are those of :func:`metric_tensor`; ``chunk`` also bounds the columns of a block product.
    With ``hvp="finite-difference"`` the Jacobian (or, without embedding, the matrix) is computed at once and kept.
    """
    D, z = prepare(G, D, z, precision, hvp)
    kind, chunk = linear.kind_of(D, hvp), tangents_at_once(chunk, G.latent_dim, hvp)
    state = _linear_map(G, D, z, kind, precision, chunk)
    columns = chunk if hvp == "exact" else G.latent_dim  # finite differences are done: what is left are products
    return MetricOperator(state, kind, G.latent_dim, z.dtype, precision, columns)


def bind(G: Generator, D: Distance) -> Distance:
    """The distance with the generator's range as its ``input_range``, checked against the generator's samples.

    Raises:
        ValueError: the samples do not fit the distance, or the two ranges differ.
    """
    if D.distribution:
        return _bind_distribution(G, D)
    if D.check_shape is not None:
        D.check_shape(G.sample_shape.shape)
    if D.expects is None or G.output_range is None:
        return D
    if D.input_range is None:
        return replace(D, input_range=G.output_range)
    if D.input_range != G.output_range:
        raise ValueError(
            f"{D.name} expects samples in {D.input_range}, but {G.name} makes them in {G.output_range}. "
            "Leave input_range=None to take the generator's."
        )
    return D


def _bind_distribution(G: Generator, D: Distance) -> Distance:
    output = jax.eval_shape(output_of, G, jax.ShapeDtypeStruct((G.latent_dim,), G.dtype))
    output = output.outputs if isinstance(output, Members) else output
    if not isinstance(output, Gaussian):
        raise ValueError(
            f"{D.name} compares distributions, but {G.name} is deterministic. Take a distance between samples, or a "
            "generator that returns geomgan.Gaussian(mean, std)."
        )
    return replace(D, params=bind(G, D.params)) if isinstance(D.params, Distance) else D


def prepare(G: Generator, D: Distance, z: Any, precision: str, hvp: str) -> tuple[Distance, jax.Array]:
    """Check a metric's arguments before tracing; returns the bound distance and the cast code."""
    check_types(G, D)
    check_choice(precision, linear.PRECISIONS, "precision")
    check_choice(hvp, linear.HVP, "hvp")
    check_code(z, G.latent_dim)
    return bind(G, D), jnp.asarray(z, G.dtype)


def check_types(G: Any, D: Any) -> None:
    """Raise ``TypeError`` unless these are a generator and a distance."""
    if not isinstance(G, Generator):
        raise TypeError(f"G is {type(G).__name__}; expected a Generator: geomgan.load or Generator.from_function.")
    if not isinstance(D, Distance):
        raise TypeError(f"D is {type(D).__name__}; expected a Distance, for example geomgan.distances.lpips('alex').")


def tangents_at_once(chunk: int | None, dim: int, hvp: str) -> int:
    """The chunk: as asked, else one where there may be no ``vmap``, else what divides ``dim`` well."""
    if chunk is None:
        return 1 if hvp == "finite-difference" else linear.tangent_chunk(dim)
    if isinstance(chunk, bool) or int(chunk) != chunk or chunk < 1:
        raise ValueError(f"chunk is {chunk!r}; expected a positive integer: tangents computed together.")
    return min(int(chunk), dim)


_static: Callable = partial(jax.jit, static_argnames=("kind", "precision", "chunk"))


@partial(jax.jit, static_argnames=("kind", "precision", "chunk", "adjust"))
def _metric_tensor(
    G: Generator, D: Distance, z: jax.Array, kind: str, precision: str, chunk: int, adjust: bool
) -> jax.Array:
    state = linear.linear_map(G, D, z, kind, precision, chunk, tangents=z.size)
    if adjust and linear.are_small_together(state, z):
        chunk = z.size
    with linear.matmul_precision(precision):
        leaves = linear.images(state, kind, jnp.eye(z.size, dtype=z.dtype), chunk)
        if kind in ("pushforward", "jacobian"):
            grams = (jnp.matmul(J, J.T, precision="highest") for J in map(linear.as_rows, leaves))
            return sum(grams, start=jnp.zeros((z.size, z.size), z.dtype))
        return 0.5 * (leaves[0] + leaves[0].T)


@_static
def _linear_map(G: Generator, D: Distance, z: jax.Array, kind: str, precision: str, chunk: int) -> Any:
    return linear.linear_map(G, D, z, kind, precision, chunk)


@jax.jit
def _matvec(op: MetricOperator, v: jax.Array) -> jax.Array:
    with linear.matmul_precision(op.precision):
        return linear.product(op.state, op.kind, v)


@jax.jit
def _matmat(op: MetricOperator, V: jax.Array) -> jax.Array:
    with linear.matmul_precision(op.precision):
        return jax.vmap(partial(linear.product, op.state, op.kind), in_axes=1, out_axes=1)(V)


@jax.jit
def _images(op: MetricOperator) -> list[jax.Array]:
    with linear.matmul_precision(op.precision):
        return linear.images(op.state, op.kind, jnp.eye(op.dim, dtype=op.dtype), op.chunk)
