"""Eigenpairs of small matrices: by LAPACK on the host, whichever of its algorithms ends, and as parts of programs."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.backend import backend


def symmetric(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All eigenvalues ``(..., d)``, ascending, and vectors ``(..., d, d)`` of finite symmetric float64 matrices.

    Divide and conquer (``syevd``, which numpy calls) now and then gives up where values repeat; the older iteration
    (``syev``) does not.
    """
    try:
        return np.linalg.eigh(matrices)
    except np.linalg.LinAlgError:
        import scipy.linalg

        flat = matrices.reshape(-1, *matrices.shape[-2:])
        pairs = [scipy.linalg.eigh(matrix, driver="ev") for matrix in flat]
        values, vectors = (np.stack(part) for part in zip(*pairs, strict=True))
        return values.reshape(matrices.shape[:-1]), vectors.reshape(matrices.shape)


def factorisation(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that factorises one matrix, to be ``vmap``ped inside programs: a loop where ``factor_in_turn``."""
    in_turn: Any = jax.custom_batching.sequential_vmap(function)

    @wraps(function)
    def call(*arguments: Any) -> Any:
        return (in_turn if backend().factor_in_turn else function)(*arguments)

    return call


@factorisation
def symmetric_in_program(matrix: jax.Array) -> tuple[jax.Array, jax.Array]:
    """:func:`symmetric` of one matrix ``(d, d)`` as a part of a program; ``vmap`` it."""
    values, vectors = jnp.linalg.eigh(matrix, symmetrize_input=False)
    return values, vectors
