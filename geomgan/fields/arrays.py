"""The arrays of a field: their shapes, and what they take."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

Shapes = Mapping[str, tuple[tuple[int, ...], Any]]


def shapes_of(n: int, dim: int, k: int, dtype: Any, *, dense: bool) -> dict[str, tuple[tuple[int, ...], Any]]:
    """Shape and type of every array of a field of ``n`` codes ``(d,)`` with ``k`` eigenpairs each."""
    tensors: dict[str, Any] = {"tensors": ((n, dim, dim), np.float64)} if dense else {}
    return {
        "codes": ((n, dim), np.dtype(dtype)),
        "values": ((n, k), np.float64),
        "vectors": ((n, dim, k), np.float64),
        "residuals": ((n, k), np.float64),
        "noise_floor": ((n,), np.float64),
        "status": ((n,), np.int8),
        **tensors,
    }


def bytes_of(shapes: Shapes) -> int:
    """Bytes of all these arrays: what they take in memory, and in a store, which does not compress them."""
    return sum(math.prod(shape) * np.dtype(kind).itemsize for shape, kind in shapes.values())
