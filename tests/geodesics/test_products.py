"""Shortest paths without Jacobians: they are those of the dense solver, also with LPIPS on a convolutional network."""

import numpy as np
import pytest

import geomgan as gg
from geomgan.geodesics import leading_axes, shortest_paths
from tests.geodesics.surfaces import EUCLIDEAN, great_circle_distance, mlp_generator, surfaces
from tests.small_models import small_dcgan


def test_products_find_what_blocks_find(rng, float64):
    G, D = surfaces()["sphere"]
    a, b = np.array([0.2, -0.8]), np.array([0.9, 1.1])
    found = shortest_paths(G, D, a, b, method="matrix-free", segments=48, tolerance=1e-12)
    np.testing.assert_allclose(found.lengths, great_circle_distance(a, b), rtol=2e-6)
    assert found.status == ("converged",)
    G = mlp_generator(4, dtype=np.float64)
    starts, ends = 0.6 * rng.standard_normal((2, 2, 4))
    found = shortest_paths(G, EUCLIDEAN, starts, ends, method="matrix-free", segments=16, tolerance=1e-9)
    dense = shortest_paths(G, EUCLIDEAN, starts, ends, segments=16, tolerance=1e-9)
    np.testing.assert_allclose(found.energies, dense.energies, rtol=1e-5)


def test_it_is_taken_where_jacobians_do_not_fit(rng, monkeypatch):
    G = mlp_generator(4)
    a, b = 0.6 * rng.standard_normal((2, 4)).astype(np.float32)
    monkeypatch.setattr("geomgan.geodesics.shortest.memory_budget", lambda: 1000)
    found = shortest_paths(G, EUCLIDEAN, a, b, segments=8, iterations=3)
    assert found.method == "matrix-free"
    assert (found.lengths <= found.straight_lengths).all()
    plain = gg.distances.from_function(lambda params, x, y: ((x - y) ** 2).sum())
    with pytest.raises(ValueError, match="method='matrix-free' needs an embedding"):
        shortest_paths(G, plain, a, b, method="matrix-free")


@pytest.mark.slow
def test_lpips_on_a_convolutional_network_in_a_few_axes(rng):
    G, D = small_dcgan(scale=0.3), gg.distances.lpips("alex", resize=64)
    a, b = rng.standard_normal((2, 8)).astype(np.float32)
    U = leading_axes(G, D, a, b, 3, codes=2)
    found, dense = (
        shortest_paths(G, D, a, b, method=method, segments=8, basis=U, iterations=8)
        for method in ("matrix-free", "gauss-newton")
    )
    np.testing.assert_allclose(found.lengths, dense.lengths, rtol=0.01)
    assert found.improvements[0] > 0
