"""The published schedule: its decisions, that it shortens, and what it reaches on a small model."""

import jax
import numpy as np
import pytest

from geomgan.geodesics import Schedule, lengths, shorten, shortest_paths
from geomgan.geodesics.schedule import Search, decided
from geomgan.paths import straight_spline
from tests.geodesics.surfaces import EUCLIDEAN, mlp_generator

t = np.linspace(0, 1, 33)


def test_decisions_are_the_published_ones():
    settings, line = Schedule(nodes=3, restarts=2), straight_spline(np.zeros(2), np.ones(2))
    other = straight_spline(np.ones(2), np.zeros(2))
    search, rate = decided(Search(line, np.inf), other, 10.0, 0.05, settings)
    assert (search.best, search.length, rate) == (other, 10.0, 0.0)
    search, rate = decided(search, line, 9.0, 0.05, settings)
    assert (search.best, search.length, rate) == (line, 9.0, 0.0)
    rates = []
    for length in (8.99, 9.5, 9.5):  # a gain below the tolerance is kept, and the search restarts
        search, rate = decided(search, other, length, 0.05, settings)
        rates.append(rate)
    np.testing.assert_allclose(rates, [0.3, 0.09, 1.0])
    assert search.length == 8.99
    assert len(search.best.points) == 5  # one more
    np.testing.assert_allclose(search.best(t), other(t), atol=1e-14)
    for _ in range(3):
        assert not search.over
        search, rate = decided(search, other, 9.5, 0.05, settings)
    assert search.over


def test_it_shortens_and_ours_is_shorter(rng):
    G = mlp_generator(3)
    a, b = rng.standard_normal((2, 6, 3)).astype(np.float32)[:, 0]
    settings = Schedule(epochs=40)
    found = shorten(G, EUCLIDEAN, a, b, jax.random.key(0), settings=settings)
    line = straight_spline(a, b)
    np.testing.assert_allclose(found.history[0], lengths(G, EUCLIDEAN, line, points=20, rule="published"), rtol=1e-6)
    np.testing.assert_allclose(found.length, lengths(G, EUCLIDEAN, found.curve, points=401), rtol=1e-6)
    assert 0.01 < found.improvement < 1
    assert found.published_improvement > 0.01
    assert len(found.history) <= 9
    np.testing.assert_allclose(found.curve(np.array([0.0, 1.0])), [a, b], atol=1e-6)
    ours = shortest_paths(G, EUCLIDEAN, a, b, segments=24)
    assert ours.lengths[0] < 1.001 * found.length
    again = shorten(G, EUCLIDEAN, a, b, jax.random.key(0), settings=settings)
    np.testing.assert_array_equal(again.history, found.history)


def test_bad_calls_are_refused(rng):
    G = mlp_generator(3)
    a, b = rng.standard_normal((2, 3)).astype(np.float32)
    with pytest.raises(TypeError, match=r"key is the number 0; expected one typed key. Pass jax.random.key\(0\)"):
        shorten(G, EUCLIDEAN, a, b, 0)
    with pytest.raises(ValueError, match="there are 2 pairs; expected one"):
        shorten(G, EUCLIDEAN, np.stack([a, b]), np.stack([b, a]), jax.random.key(0))
