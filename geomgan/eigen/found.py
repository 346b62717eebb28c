"""What a solver found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Pairs:
    """Eigenpairs as a solver gives them; unpacks as ``values, vectors, residuals, products``.

    Attributes:
        values: ``(k,)``, descending; fewer where ARPACK ended early.
        vectors: ``(d, k)``, columns.
        residuals: ``(k,)``, ``‖A x - θ x‖``.
        products: that it took.
        scale: the largest magnitude of an eigenvalue that it saw; residuals and noise are relative to it.
        complete: whether nothing that was wanted is missing; see :mod:`geomgan.eigen.outside`.
        spent: whether it would have gone on with more products.
    """

    values: np.ndarray
    vectors: np.ndarray
    residuals: np.ndarray
    products: int
    scale: float
    complete: bool = True
    spent: bool = False

    def __iter__(self) -> Iterator[Any]:
        return iter((self.values, self.vectors, self.residuals, self.products))
