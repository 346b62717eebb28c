"""Pairs that coarse products found, refined by true ones."""

from dataclasses import dataclass

import numpy as np
import pytest

import geomgan as gg
from geomgan.eigen.dense import dense_pairs
from geomgan.eigen.refine import ROUNDS, refined
from tests.eigen.planted import Planted, wanted

VALUES = {"decaying": np.geomspace(1, 1e-4, 60), "flat": np.linspace(1, 0.5, 60)}


@dataclass
class Coarse(Planted):
    """A planted map with products that are off by ``error`` of the largest value, and the same with true ones."""

    error: float = 3e-4

    @property
    def epsilon(self):
        return self.error / 8

    def matmat(self, V):
        return super().matmat(V) + self.noise @ V

    @property
    def noise(self):
        E = np.random.default_rng(5).standard_normal((len(self.values),) * 2)
        E = E + E.T
        return self.error * np.abs(self.values).max() * E / np.linalg.norm(E, 2)

    @property
    def exact(self):
        return Planted(self.values)


@pytest.mark.parametrize("which", ["largest", "smallest", "magnitude"])
@pytest.mark.parametrize("name", VALUES)
def test_pairs_become_those_of_the_true_map(name, which):
    coarse = Coarse(VALUES[name])
    found = dense_pairs(coarse.to_dense() + coarse.noise, 6, which)
    true = coarse.exact
    better = refined(true.matmat, found, 1e-6, which)
    off = np.abs(found.values - wanted(coarse.values, 6, which)).max()
    np.testing.assert_allclose(
        better.residuals,
        np.linalg.norm(true.matmat(better.vectors) - better.vectors * better.values, axis=0),
        atol=1e-12,
    )
    hard = (name, which) == ("decaying", "smallest")  # these lie together on the scale of the largest
    assert np.abs(better.values - wanted(coarse.values, 6, which)).max() < (1.0 if hard else 0.02) * off
    assert better.products <= 6 * ROUNDS
    if name == "decaying" and which != "smallest":
        assert better.residuals.max() <= 3e-5


@pytest.mark.parametrize("solver", ["block", "arpack"])
def test_iterative_solvers_refine_what_coarse_products_found(solver):
    coarse = Coarse(VALUES["decaying"])
    e = gg.eigenpairs(coarse, 5, solver=solver, tol=1e-4)
    np.testing.assert_allclose(e.values, VALUES["decaying"][:5], rtol=1e-6)
    assert e.converged.all()
    assert 5 <= e.info["refining"] <= 5 * ROUNDS
    assert e.residuals.max() <= 1e-4
    assert gg.eigenpairs(Planted(VALUES["decaying"]), 5, solver=solver).info["refining"] == 0


def test_pairs_that_stay_coarse_are_not_called_converged():
    values = np.r_[np.linspace(1, 0.99, 80), 1e-3]
    with pytest.warns(UserWarning, match="in float32, after coarse ones. Raise tol, or take precision='highest'"):
        e = gg.eigenpairs(Coarse(values, error=1e-2), 10, solver="block", tol=1e-9)
    off = np.linalg.norm(Planted(values).matmat(e.vectors) - e.vectors * e.values, axis=0)
    np.testing.assert_allclose(e.residuals, off, atol=1e-12)
    assert not e.converged[off > 1e-8].any()
