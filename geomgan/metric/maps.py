"""The linear map behind a metric tensor: built once at a code, then pushed many tangents at a time.

It comes as four pytrees, which compiled functions take as arguments. Each knows its rows, its products and its cost:

:class:`Pushforward`  ``v -> J v``, a linearised ``φ∘G`` with its residuals; the metric is ``JᵀJ``.
:class:`Jacobian`     ``J`` itself, from central differences; the metric is ``JᵀJ``.
:class:`Product`      ``v -> g v``, a linearised gradient of a distance without embedding.
:class:`Matrix`       ``g`` itself, from second differences.
"""

# ruff: noqa: ARG003 (the four answer the same questions, not all of which depend on everything)
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from geomgan.backend import backend
from geomgan.brief import brief
from geomgan.distances.distance import Distance
from geomgan.eigen.operator import Cost
from geomgan.generators.generator import output_of
from geomgan.metric.chunks import map_chunks, map_into
from geomgan.metric.coarse import coarse
from geomgan.metric.derivatives import needs_derivatives
from geomgan.metric.differences import TRIED, central_differences, second_differences
from geomgan.metric.finite import finite_or_nan, one_or_nan
from geomgan.metric.gram import as_rows
from geomgan.metric.pair import Pair

Leaves = list[jax.Array]


class LinearMap(ABC):
    """What the four have in common: ``at`` builds one at a code, inside ``jit``.

    Attributes:
        jacobian: whether its rows are those of ``J``, so that the metric is their Gram matrix; else those of ``g``.
        divisible: whether devices can share out its tangents; not those of finite differences.
        noise: of eigenvalues, relative to the largest, beside what rounding explains.
        precision: of products of tangents; ``"highest"`` where there are none.
    """

    jacobian: ClassVar[bool]
    divisible: ClassVar[bool]
    noise: Any = 0.0
    precision: Any = "highest"

    @classmethod
    @abstractmethod
    def at(
        cls, pair: Pair, z: jax.Array, chunk: int, group: tuple[int, ...] | None = None, precision: str = "highest"
    ) -> Any:
        """The map at ``z``, into the embedding's leaves of ``group`` only; ``chunk`` is of finite differences.

        The point itself is always computed in float32: ``precision`` is of products of tangents.
        """

    @abstractmethod
    def rows(self, tangents: jax.Array, chunk: int, into: Sequence[jax.Array] | None = None) -> Leaves:
        """Images of the ``tangents (r, d)``: leaves ``(r, ...)`` of rows of ``J``, or one leaf of rows of ``g``.

        Leaves have the shapes of the embedding's: on CPU, element-wise work that writes flat rows is not vectorised.
        Pushed tangents overwrite the leaves ``into``, if given. Finite differences know all their images already.
        """

    @abstractmethod
    def product(self, v: jax.Array) -> jax.Array:
        """``g v`` for one tangent ``v (d,)``."""

    @classmethod
    @abstractmethod
    def cost(cls, passes: int, *, heavy: bool = False) -> Cost:
        """What the ways to eigenpairs cost, in forward passes.

        ``passes`` is how often tangents are pushed, for a part of the embedding each time, so that a part of the
        Jacobian fits into memory; 0 where no part fits.
        """

    @classmethod
    @abstractmethod
    def flops(cls, forward: float, dim: int, passes: int, width: int) -> float:
        """FLOPs of a dense metric, of which one embedded sample of ``width`` numbers takes ``forward``."""

    @classmethod
    def product_flops(cls, forward: float) -> float:
        """FLOPs of a product ``g v``."""
        return 6.0 * forward


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Pushforward(LinearMap):
    """``v -> J v``; the metric is ``JᵀJ``, exactly and without second derivatives.

    Where the embedded sample is not finite, ``mark`` is NaN, and with it every row and every product: the way back
    drops what the way forward marked, where a derivative is zero.
    """

    push: Any
    mark: jax.Array
    precision: str = field(default="highest", metadata={"static": True})
    jacobian: ClassVar[bool] = True
    divisible: ClassVar[bool] = True

    @classmethod
    def at(
        cls, pair: Pair, z: jax.Array, chunk: int, group: tuple[int, ...] | None = None, precision: str = "highest"
    ) -> Pushforward:
        del chunk
        with needs_derivatives():
            value, push = jax.linearize(partial(pair.embed, group=group), z)
        return cls(finite_or_nan(value, push), one_or_nan(value).astype(z.dtype), precision)

    def rows(self, tangents: jax.Array, chunk: int, into: Sequence[jax.Array] | None = None) -> Leaves:
        push = coarse(self.push, self.precision)
        return map_chunks(push, tangents, chunk) if into is None else map_into(push, tangents, chunk, into)

    def product(self, v: jax.Array) -> jax.Array:
        with needs_derivatives():
            pull = coarse(jax.linear_transpose(self.push, v), self.precision)
            return pull(coarse(self.push, self.precision)(v))[0] * self.mark

    @classmethod
    def cost(cls, passes: int, *, heavy: bool = False) -> Cost:
        forced = None if passes else ("block", "no part of the Jacobian would fit into memory")
        return Cost(backend().push * passes, backend().product, forced, heavy, squared=True)

    @classmethod
    def flops(cls, forward: float, dim: int, passes: int, width: int) -> float:
        return passes * (dim + 1) * forward + 2.0 * dim**2 * width

    @classmethod
    def product_flops(cls, forward: float) -> float:
        return 3.0 * forward


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Jacobian(LinearMap):
    """``J`` from central differences, for networks without derivatives; the metric is ``JᵀJ``."""

    leaves: Leaves
    noise: jax.Array
    jacobian: ClassVar[bool] = True
    divisible: ClassVar[bool] = False

    @classmethod
    def at(
        cls, pair: Pair, z: jax.Array, chunk: int, group: tuple[int, ...] | None = None, precision: str = "highest"
    ) -> Jacobian:
        del precision
        return cls(*central_differences(partial(pair.embed, group=group), z, chunk))

    def rows(self, tangents: jax.Array, chunk: int, into: Sequence[jax.Array] | None = None) -> Leaves:
        del tangents, chunk, into
        return self.leaves

    def product(self, v: jax.Array) -> jax.Array:
        rows = (as_rows(J) for J in self.leaves)
        terms = (jnp.matmul(J, jnp.matmul(v, J, precision="highest"), precision="highest") for J in rows)
        return sum(terms, start=jnp.zeros_like(v))

    @classmethod
    def cost(cls, passes: int, *, heavy: bool = False) -> Cost:
        return Cost(0.0, 0.0, ("dense", "finite differences give the whole Jacobian or matrix"), squared=True)

    @classmethod
    def flops(cls, forward: float, dim: int, passes: int, width: int) -> float:
        return (4.0 * dim + TRIED) * forward


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Product(LinearMap):
    """``v -> g v``: forward over reverse, for a distance (or an objective) without embedding.

    Reverse passes run in unrolled chunks: in a compiled loop, convolutions' are 11 to 33 times slower on CPU.
    """

    push: Any
    precision: str = field(default="highest", metadata={"static": True})
    jacobian: ClassVar[bool] = False
    divisible: ClassVar[bool] = True

    @classmethod
    def at(
        cls, pair: Pair, z: jax.Array, chunk: int, group: tuple[int, ...] | None = None, precision: str = "highest"
    ) -> Product:
        del chunk, group
        reference = jax.lax.stop_gradient(output_of(pair.G, z))
        with needs_derivatives():
            return cls.of(partial(pair.half_distance, reference), z, precision)

    @classmethod
    def of(cls, function: Callable[[jax.Array], jax.Array], z: jax.Array, precision: str = "highest") -> Product:
        """Products with the Hessian of a scalar function at ``z``; NaN where its value or gradient is not finite."""

        def slope(z: jax.Array) -> tuple[jax.Array, jax.Array]:
            value, gradient = jax.value_and_grad(function)(z)
            return gradient, value

        gradient, push, value = jax.linearize(slope, z, has_aux=True)
        return cls(finite_or_nan((gradient, value), push), precision)

    def rows(self, tangents: jax.Array, chunk: int, into: Sequence[jax.Array] | None = None) -> Leaves:
        del into
        push = jax.vmap(coarse(self.push, self.precision))
        return [jnp.concatenate([push(tangents[i : i + chunk]) for i in range(0, len(tangents), chunk)])]

    def product(self, v: jax.Array) -> jax.Array:
        return coarse(self.push, self.precision)(v)

    @classmethod
    def cost(cls, passes: int, *, heavy: bool = False) -> Cost:
        return Cost(backend().product / 2, backend().product, heavy=heavy)

    @classmethod
    def flops(cls, forward: float, dim: int, passes: int, width: int) -> float:
        return 6.0 * dim * forward


@brief
@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Matrix(LinearMap):
    """``g`` from second differences, for a distance without embedding behind which there are no derivatives."""

    g: jax.Array
    noise: jax.Array
    jacobian: ClassVar[bool] = False
    divisible: ClassVar[bool] = False

    @classmethod
    def at(
        cls, pair: Pair, z: jax.Array, chunk: int, group: tuple[int, ...] | None = None, precision: str = "highest"
    ) -> Matrix:
        del group, precision
        return cls(*second_differences(partial(pair.half_distance, output_of(pair.G, z)), z, chunk))

    def rows(self, tangents: jax.Array, chunk: int, into: Sequence[jax.Array] | None = None) -> Leaves:
        del tangents, chunk, into
        return [self.g]

    def product(self, v: jax.Array) -> jax.Array:
        return jnp.matmul(self.g, v, precision="highest")

    @classmethod
    def cost(cls, passes: int, *, heavy: bool = False) -> Cost:
        return Cost(0.0, 0.0, ("dense", "finite differences give the whole Jacobian or matrix"))

    @classmethod
    def flops(cls, forward: float, dim: int, passes: int, width: int) -> float:
        return (dim * (dim + 3.0) + TRIED) * forward


def map_of(D: Distance, hvp: str) -> type[LinearMap]:
    """Which of the four the metric under ``D`` has."""
    if hvp == "finite-difference":
        return Matrix if D.embedding is None else Jacobian
    return Product if D.embedding is None else Pushforward
