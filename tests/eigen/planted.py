"""Symmetric maps of known spectrum, known to solvers by their products only."""

from dataclasses import dataclass, field
from functools import partial

import numpy as np

from geomgan.eigen.operator import Cost


@dataclass
class Planted:
    """``H diag(values) H`` with a Householder reflection ``H``; counts the columns that it multiplied."""

    values: np.ndarray
    cost: Cost = field(default_factory=partial(Cost, 1.0, 1.0))
    dtype: type = np.float64
    multiplied: int = 0
    axis: np.ndarray = field(init=False)

    def __post_init__(self):
        axis = np.random.default_rng(len(self.values)).standard_normal(len(self.values))
        self.axis = axis / np.linalg.norm(axis)

    @property
    def shape(self):
        return (len(self.values),) * 2

    @property
    def epsilon(self):
        return float(np.finfo(self.dtype).eps)

    def reflected(self, V):
        return V - 2 * np.outer(self.axis, self.axis @ V)

    def matmat(self, V):
        self.multiplied += V.shape[1]
        V = V.astype(self.dtype)
        axis, values = self.axis.astype(self.dtype), self.values.astype(self.dtype)
        V = values[:, None] * (V - 2 * np.outer(axis, axis @ V))
        return V - 2 * np.outer(axis, axis @ V)

    def matvec(self, v):
        return self.matmat(v[:, None])[:, 0]

    def to_dense(self):
        return self.reflected(self.values[:, None] * self.reflected(np.eye(len(self.values))))


def wanted(values, k, which="largest"):
    """The ``k`` wanted values, descending."""
    values = np.sort(values)[::-1]
    if which == "magnitude":
        return np.sort(values[np.argsort(-np.abs(values))[:k]])[::-1]
    return values[:k] if which == "largest" else values[len(values) - k :]
