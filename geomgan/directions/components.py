"""Principal components of rows that need not be in memory together: activations of many codes.

The covariance is known by its products ``C V = 1/N Σ (x - μ)(x - μ)ᵀV``, each a pass over all rows, and its largest
eigenpairs are found by :func:`geomgan.eigen.eigenpairs`: densely in few dimensions, else by block Lanczos from a random
start, until residuals are small. Batches are only the order of a sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from geomgan.backend import in_float32, memory_budget
from geomgan.brief import brief
from geomgan.eigen import Cost, eigenpairs
from geomgan.errors import check_count, check_finite, check_key
from geomgan.generators import Generator
from geomgan.generators.generator import sample_of

DENSE = 1024  # dimensions up to which the covariance itself is computed, and is exact to rounding


@brief
@dataclass(frozen=True)
class Components:
    """Principal components of ``N`` rows.

    Attributes:
        mean: ``μ (D,)``.
        vectors: ``(D, k)``, orthonormal columns; the component of largest magnitude is positive.
        stdevs: ``σ (k,)``, standard deviations of the coordinates ``(x - μ)ᵀv``, descending, over all ``N``.
        ratios: ``(k,)``, shares of the whole variance.
        random: ``(k,)``, standard deviations along as many random directions: what no structure would give.
        residuals: ``(k,)``, ``‖C v - σ² v‖ / σ₁²``.
        count: ``N``.
    """

    mean: np.ndarray
    vectors: np.ndarray
    stdevs: np.ndarray
    ratios: np.ndarray
    random: np.ndarray
    residuals: np.ndarray
    count: int


@dataclass(frozen=True)
class Rows:
    """Rows ``(N, D)`` in float32, made of inputs in batches, again for each pass unless they fit into memory.

    Attributes:
        make: ``(b, ...) -> (b, D)``, of a batch of inputs.
        inputs: ``(N, ...)``.
        batch: rows made together.
        progress: show a bar for each pass that makes rows.
    """

    make: Callable[[np.ndarray], jax.Array]
    inputs: np.ndarray
    batch: int
    progress: bool = False
    kept: list[jax.Array] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.inputs)

    def __iter__(self) -> Iterator[jax.Array]:
        if self.kept:
            yield from self.kept
            return
        starts = range(0, len(self), self.batch)
        made: list[jax.Array] = []
        keep = True
        for start in tqdm(starts, desc="activations", disable=not self.progress):
            rows = self.make(self.inputs[start : start + self.batch])
            if start == 0:
                keep = 4 * len(self) * rows.shape[1] < memory_budget() // 4
            if keep:
                made.append(rows)
            yield rows
        self.kept.extend(made)


@jax.jit
def activations(cut: Generator, codes: jax.Array) -> jax.Array:
    """The samples of a generator, which may be cut at a layer, as flat rows ``(n, D)`` in float32."""
    with in_float32():
        return jax.vmap(lambda z: jnp.ravel(sample_of(cut, z)).astype(jnp.float32))(codes)


def principal_components(rows: Rows, k: int, key: jax.Array) -> Components:
    """The ``k`` components of largest variance.

    Args:
        rows: what has them.
        k: how many, fewer than there are rows.
        key: of the random directions that variances are compared with.

    Raises:
        ValueError: ``k`` is more than rows and dimensions have, or than rows vary along; or they are not finite.
    """
    check_key(key)
    mean, variance = moments(rows)
    dim = len(mean)
    check_count(k, min(dim, len(rows) - 1), "k", f": there are {len(rows)} rows of {dim} dimensions")
    covariance = Covariance(rows, mean)
    e = eigenpairs(covariance, k, solver="dense" if dim <= DENSE else "block")
    if (rank := int((e.values > e.noise_floor).sum())) < k:
        raise ValueError(f"k is {k}, but activations vary along {rank} dimensions only: the others are rounding.")
    random = np.array(jax.random.normal(key, (dim, k)), np.float64)
    random /= np.linalg.norm(random, axis=0)
    along = np.maximum((random * covariance.matmat(random)).sum(axis=0), 0)
    shares, residuals = e.values / variance, e.residuals / e.values[0]
    return Components(mean, e.vectors, np.sqrt(e.values), shares, np.sqrt(along), residuals, len(rows))


@dataclass(frozen=True)
class Covariance:
    """``1/N Σ (x - μ)(x - μ)ᵀ`` by its products, for a solver."""

    rows: Rows
    mean: np.ndarray
    epsilon: ClassVar[float] = float(jnp.finfo(jnp.float32).eps)
    cost: ClassVar[Cost] = Cost(row=1.0, product=1.0)

    @property
    def shape(self) -> tuple[int, int]:
        """``(D, D)``."""
        return len(self.mean), len(self.mean)

    def matvec(self, v: np.ndarray) -> np.ndarray:
        """``C v``."""
        return self.matmat(v[:, None])[:, 0]

    def matmat(self, V: np.ndarray) -> np.ndarray:
        """``C V``, one pass over the rows; sums of batches in float64."""
        total, mean, columns = np.zeros(V.shape), self.mean.astype(np.float32), V.astype(np.float32)
        for x in self.rows:
            total += np.asarray(_product(x, mean, columns), np.float64)
        return total / len(self.rows)

    def to_dense(self) -> np.ndarray:
        """The matrix."""
        dense = self.matmat(np.eye(len(self.mean)))
        return 0.5 * (dense + dense.T)


@jax.jit
def _product(x: jax.Array, mean: jax.Array, V: jax.Array) -> jax.Array:
    with in_float32():
        centred = x - mean
        return centred.T @ (centred @ V)


def moments(rows: Rows) -> tuple[np.ndarray, float]:
    """The mean ``(D,)`` and the sum of variances, of differences from the first row, which keeps their digits.

    Raises:
        ValueError: a row is not finite, or all are the same.
    """
    first, total, squares = np.zeros(()), np.zeros(()), 0.0
    for i, x in enumerate(rows):
        block = np.asarray(x, np.float64)
        check_finite(block, "activations")
        first = block[0] if i == 0 else first
        block = block - first
        total, squares = total + block.sum(axis=0), squares + float((block**2).sum())
    mean = total / len(rows)
    variance = squares / len(rows) - float(mean @ mean)
    if not variance > 0:
        raise ValueError(f"{len(rows)} codes have the same activations; expected some that differ. Take another layer.")
    return first + mean, variance
