"""How ATen's arguments are read: numbers for every axis, dimensions, and types by their words."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

Operators = dict[str, Callable[..., Any]]
LARGEST = 1 << 26  # entries of a table that numpy makes: a program from elsewhere must not take the memory


def each(value: float | Sequence, axes: int) -> tuple:
    """A number for every axis, from one for all of them, a list of one, or a list of as many."""
    values = tuple(value) if isinstance(value, Sequence) else (value,)
    return values * axes if len(values) == 1 else values


def axes_of(dim: int | Sequence[int] | None, ndim: int) -> tuple[int, ...]:
    """Dimensions as axes from 0; none at all are all of them, as in torch's reductions."""
    if dim is None or dim == [] or dim == () or ndim == 0:
        return tuple(range(ndim))
    return tuple(d % ndim for d in (dim if isinstance(dim, Sequence) else [dim]))


def dtype_of(word: Any) -> np.dtype:
    """The type of this word as this JAX has it: ``"int64"`` is 32 bits unless 64 are on."""
    return jax.dtypes.canonicalize_dtype(word)


def converted(x: Any, word: str | None) -> Any:
    """``x`` in the type of this word; as it is for none."""
    return x if word is None else x.astype(dtype_of(word))


def bounded(*sizes: int) -> None:
    """Raise ``ValueError`` for a table of these sizes that has more than ``LARGEST`` entries."""
    if (entries := math.prod(sizes)) > LARGEST:
        raise ValueError(f"a table of {entries} places ({' x '.join(map(str, sizes))}); expected at most {LARGEST}")
