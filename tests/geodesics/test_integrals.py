"""Speeds, lengths and energies against integrals that are known; rules and their orders; the published figures."""

import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.geodesics import convergence, energies, lengths, speeds
from geomgan.geodesics.integrals import RULES
from geomgan.paths import Line, between, bspline
from tests.geodesics.surfaces import (
    EUCLIDEAN,
    TORUS,
    half_plane_distance,
    mlp_generator,
    published_pair,
    surfaces,
)

FINE = 4001


def test_lengths_on_known_surfaces(float64):
    parallel = Line(np.array([0.6, 0.0]), np.array([0.0, 2.0]))
    meridian = Line(np.array([0.2, 1.0]), np.array([1.1, 0.0]))
    paths = {
        "sphere": parallel,
        "torus": meridian,
        "paraboloid": Line(np.zeros(2), np.array([1.0, 0])),
        "hyperbolic plane": Line(np.array([0.3, 0.5]), np.array([0, 2.5])),
    }
    found = {
        name: [float(lengths(*surfaces()[name], path, points=FINE, rule=rule)[0]) for rule in RULES[:3]]
        for name, path in paths.items()
    }
    expected = {
        "sphere": 2 * np.cos(0.6),
        "torus": 1.1 * TORUS[1],
        "paraboloid": 5**0.5 / 2 + np.arcsinh(2) / 4,
        "hyperbolic plane": half_plane_distance(np.array([0.3, 0.5]), np.array([0.3, 3.0])),
    }
    for name, values in found.items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-6)
    G, D = surfaces()["sphere"]
    t = np.array([0.0, 0.3, 1])
    np.testing.assert_allclose(speeds(G, D, [parallel, meridian], t), [[2 * np.cos(0.6)] * 3, [1.1] * 3], rtol=1e-12)
    np.testing.assert_allclose(energies(G, D, parallel, points=FINE), 4 * np.cos(0.6) ** 2, rtol=1e-6)
    np.testing.assert_allclose(energies(G, D, parallel, rule="midpoint"), 4 * np.cos(0.6) ** 2, rtol=1e-12)


@pytest.mark.parametrize("rule", ["chords", "trapezoid", "midpoint"])
def test_rules_are_of_second_order_and_the_extrapolated_length_is_better(rule, rng, float64):
    G = mlp_generator(3, dtype=np.float64)
    paths = [bspline(rng.standard_normal((5, 3))), between(*rng.standard_normal((2, 3)), "spherical")]
    truth = lengths(G, EUCLIDEAN, paths, points=2049, rule="midpoint")
    found = convergence(G, EUCLIDEAN, paths, rule=rule, points=(65, 129, 257))
    np.testing.assert_allclose(found.orders, 2, atol=0.1)
    np.testing.assert_array_equal(found.lengths[:, 1], lengths(G, EUCLIDEAN, paths, points=129, rule=rule))
    errors = np.abs(found.lengths - truth[:, None])
    assert (errors[:, -1] < 1e-2).all()
    assert (np.abs(found.limits - truth) < 0.1 * errors[:, -1]).all()


def test_the_published_rule_is_too_long_by_one_interval(float64):
    G, D = surfaces()["sphere"]
    path = Line(np.zeros(2), np.array([0.0, 2]))
    square = 4 * (1 + 1e-6)
    np.testing.assert_allclose(lengths(G, D, path, points=20, rule="published"), 20 / 19 * (square + 1e-6) ** 0.5)
    np.testing.assert_allclose(energies(G, D, path, points=20, rule="published"), 20 / 19**2 * square)


def test_a_distance_with_and_without_embedding_give_one_speed(rng, float64):
    G = mlp_generator(3, dtype=np.float64)
    plain = gg.distances.from_function(lambda params, x, y: jnp.sum((x - y) ** 2))
    path = bspline(rng.standard_normal((5, 3)))
    t = np.linspace(0, 1, 7)
    found = speeds(G, EUCLIDEAN, path, t)
    np.testing.assert_allclose(speeds(G, plain, path, t), found, rtol=1e-10)
    tensors = [np.asarray(gg.metric_tensor(G, EUCLIDEAN, z)) for z in path(t)]
    expected = [(v @ g @ v) ** 0.5 for g, v in zip(tensors, path.derivative(t), strict=True)]
    np.testing.assert_allclose(found[0], expected, rtol=1e-10)
    np.testing.assert_allclose(lengths(G, plain, path), lengths(G, EUCLIDEAN, path), rtol=1e-10)


@pytest.mark.parametrize(
    ("kind", "published", "dense", "trace", "largest"),
    [("vae", 44.050, 41.373, 433.86, [109.3, 77.5, 66.5]), ("bigan", 87.582, 86.122, 1699.99, [845.0, 289.0, 177.0])],
)
def test_the_published_models_have_the_published_figures(kind, published, dense, trace, largest, tmp_path):
    G, D = published_pair(kind, tmp_path)
    straight = between(-np.ones(16), np.ones(16))
    np.testing.assert_allclose(lengths(G, D, straight, points=20, rule="published"), published, rtol=1e-4)
    for rule in ("chords", "midpoint"):
        np.testing.assert_allclose(lengths(G, D, straight, rule=rule), dense, rtol=1e-3)
    g = gg.metric_tensor(G, D, np.zeros(16, np.float32))
    np.testing.assert_allclose(np.trace(g), trace, rtol=1e-3)
    np.testing.assert_allclose(gg.eigenpairs(g).values[:3], largest, rtol=1e-3)


def test_bad_calls_are_refused(rng):
    G = mlp_generator(3)
    path = between(*rng.standard_normal((2, 3)))
    with pytest.raises(ValueError, match="points is 1; expected at least 2"):
        lengths(G, EUCLIDEAN, path, points=1)
    with pytest.raises(ValueError, match=r"rule='simpson' is not known"):
        lengths(G, EUCLIDEAN, path, rule="simpson")
    with pytest.raises(ValueError, match=r"points are \[10, 20, 30\]; expected three or more, doubling"):
        convergence(G, EUCLIDEAN, path, points=(10, 20, 30))
    with pytest.raises(ValueError, match=r"a path returns shape \(400, 2\) at 400 steps; expected \(400, 3\)"):
        lengths(G, EUCLIDEAN, between(np.zeros(2), np.ones(2)))
