"""What a solver must know of a symmetric map that is not given as a matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeGuard

import numpy as np


@dataclass(frozen=True)
class Cost:
    """What the ways to an operator's eigenpairs cost.

    Attributes:
        row: of one row of the matrix in a dense solver, in units that ``product`` shares (forward passes of a network).
        product: of one product with a vector.
        forced: why only one solver is possible, and which: ``("dense", reason)``; None where the cheaper one is taken.
        heavy: whether one product fills the device alone.
        squared: whether the dense matrix is a Gram matrix whose sums run in float64: its noise is then the square of
            the rounding of its factor.
        noise: of eigenvalues, relative to the largest, beside what rounding explains.
        error: of the matrix and of products, relative; it moves all eigenvalues.
    """

    row: float
    product: float
    forced: tuple[str, str] | None = None
    heavy: bool = False
    squared: bool = False
    noise: float = 0.0
    error: float = 0.0


class Operator(Protocol):
    """A symmetric map ``(d,) -> (d,)``, such as :class:`geomgan.MetricOperator`.

    One whose products are coarse may have ``exact``, the same map with float32 ones: what it finds is refined by these.
    """

    @property
    def shape(self) -> tuple[int, int]:
        """``(d, d)``."""

    @property
    def epsilon(self) -> float:
        """Relative rounding of one product."""

    @property
    def cost(self) -> Cost:
        """What the ways to its eigenpairs cost."""

    def matvec(self, v: Any) -> Any:
        """The product with ``v (d,)``."""

    def matmat(self, V: Any) -> Any:
        """Products with the columns of ``V (d, k)``."""

    def to_dense(self) -> np.ndarray:
        """The matrix in float64."""


def is_operator(g: Any) -> TypeGuard[Operator]:
    """Whether ``g`` is an operator rather than a matrix."""
    return hasattr(type(g), "matmat") and hasattr(type(g), "to_dense")
