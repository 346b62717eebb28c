"""Eigenspaces of the metric at one code, and random directions in them."""

from __future__ import annotations

from typing import Any

import numpy as np

from geomgan.distances.distance import Distance
from geomgan.eigen.pairs import Eigenpairs, eigenpairs
from geomgan.errors import check_code, check_finite
from geomgan.generators.generator import Generator
from geomgan.metric.operator import MetricOperator
from geomgan.metric.pair import bind, check_types


def checked_code(G: Generator, D: Distance, z: Any) -> tuple[Distance, np.ndarray]:
    """The bound distance, and the code in float64, in which moves are put together; raises for bad arguments."""
    check_types(G, D)
    return bind(G, D), np.asarray(check_code(z, G.latent_dim), np.float64)


def pairs_of(g: Any, dim: int, every: bool = False) -> Eigenpairs:
    """Eigenpairs of a metric that is given by them, or as a matrix or operator, which then is decomposed.

    Raises:
        ValueError: it has another dimension than ``dim``; or only some pairs are there, where ``every`` one is needed.
    """
    shape = np.shape(g.vectors) if isinstance(g, Eigenpairs) else g.shape if isinstance(g, MetricOperator) else None
    shape = np.shape(g) if shape is None else shape
    if not shape or shape[0] != dim:
        raise ValueError(f"the metric has shape {shape}; expected {dim} dimensions, those of the generator.")
    if every and isinstance(g, Eigenpairs) and len(g.values) != dim:
        raise ValueError(
            f"got {len(g.values)} of {dim} eigenpairs; expected all of them, as the smallest are wanted. "
            "Compute them without k, or give the metric tensor."
        )
    return g if isinstance(g, Eigenpairs) else eigenpairs(g, solver="dense")


def random_units(rng: np.random.Generator, basis: np.ndarray, off: np.ndarray, draws: int) -> np.ndarray:
    """Random unit vectors ``(draws, d)`` in the span of orthonormal columns, orthogonal to ``off``.

    Uniform on the sphere of that subspace. A span of one dimension leaves no choice: they are its vector, up to sign.
    """
    coefficients, inside = rng.standard_normal((draws, basis.shape[1])), basis.T @ off
    if basis.shape[1] > 1 and np.linalg.norm(inside) > 1e-9 * np.linalg.norm(off):
        inside = inside / np.linalg.norm(inside)
        coefficients -= np.outer(coefficients @ inside, inside)
    return coefficients / np.linalg.norm(coefficients, axis=1, keepdims=True) @ basis.T


def check_series(values: Any, what: str, count: int | None = None) -> np.ndarray:
    """Finite numbers in one dimension, as float64, ``count`` of them if that is said; ``ValueError`` otherwise."""
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or not values.size or count not in (None, values.size):
        raise ValueError(f"{what} has shape {values.shape}; expected ({count or 'n'},), one dimension.")
    check_finite(values, what)
    return values
