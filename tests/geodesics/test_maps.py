"""Exponential and logarithmic maps, transport and curvature against closed forms on known surfaces."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.errors import NotFiniteError
from geomgan.geodesics import (
    exponential,
    lengths,
    log_volume,
    logarithm,
    sectional_curvature,
    transport,
    transport_along_geodesic,
    volume_map,
)
from geomgan.paths import Line
from tests.geodesics.surfaces import (
    EUCLIDEAN,
    TORUS,
    great_circle_distance,
    half_plane_distance,
    mlp_generator,
    surfaces,
)
from tests.small_models import in_float64

pytest.importorskip("diffrax", reason="needs diffrax: pip install 'geomgan[geodesics]'")
U, V = np.array([1.0, 0.3]), np.array([-0.2, 1.0])


def norm(G, D, z, v):
    return float(np.sqrt(v @ np.asarray(gg.metric_tensor(G, D, z)) @ v))


def test_the_sphere(float64):
    G, D = surfaces()["sphere"]
    z, v = np.array([0.2, -0.8]), np.array([0.5, 1.2])
    J = np.asarray(jax.jacfwd(G)(z))
    x, tangent = np.asarray(G(z)), J @ v
    angle = np.linalg.norm(tangent)
    end = exponential(G, D, z, v)
    expected = np.cos(angle) * x + np.sin(angle) * tangent / angle
    np.testing.assert_allclose(G(end), expected, atol=1e-8)
    np.testing.assert_allclose(logarithm(G, D, z, end), v, atol=1e-7)
    also, velocity, (carried,) = transport_along_geodesic(G, D, z, v, v[None])
    np.testing.assert_allclose(also, end, atol=1e-8)
    np.testing.assert_allclose(carried, velocity, atol=1e-8)  # a geodesic's velocity is parallel
    np.testing.assert_allclose(norm(G, D, end, np.asarray(velocity)), angle, rtol=1e-8)
    other = np.array([0.9, 1.1])
    np.testing.assert_allclose(norm(G, D, z, np.asarray(logarithm(G, D, z, other))), great_circle_distance(z, other))


def test_transport_around_a_parallel_turns_by_its_solid_angle(float64):
    G, D = surfaces()["sphere"]
    latitude = 0.6
    w = np.array([1.0, 0.0])  # to the north, of length 1
    around = transport(G, D, Line(np.array([latitude, 0.0]), np.array([0.0, 2 * np.pi])), w)
    north, east = around[0], around[1] * np.cos(latitude)
    turned = 2 * np.pi * np.sin(latitude)
    np.testing.assert_allclose([north, abs(east)], [np.cos(turned), abs(np.sin(turned))], atol=1e-8)


def test_the_hyperbolic_plane(float64):
    G, D = surfaces()["hyperbolic plane"]
    z = np.array([0.3, 0.7])
    up = exponential(G, D, z, np.array([0.0, 0.7 * 1.3]))  # of length 1.3
    np.testing.assert_allclose(up, [0.3, 0.7 * np.exp(1.3)], rtol=1e-8)
    other = np.array([1.1, 0.9])
    v = np.asarray(logarithm(G, D, z, other))
    np.testing.assert_allclose(np.linalg.norm(v) / z[1], half_plane_distance(z, other), rtol=1e-7)
    np.testing.assert_allclose(exponential(G, D, z, v), other, atol=1e-8)


def test_the_torus_and_the_paraboloid(float64):
    G, D = surfaces()["torus"]
    z, v = np.array([0.4, 0.1]), np.array([0.6, 0.5])
    big, small = TORUS
    end, velocity, _ = transport_along_geodesic(G, D, z, v, v[None])
    clairaut = [(big + small * np.cos(z[0])) ** 2 * v[1], (big + small * np.cos(end[0])) ** 2 * velocity[1]]
    np.testing.assert_allclose(clairaut[1], clairaut[0], rtol=1e-8)
    np.testing.assert_allclose(norm(G, D, end, np.asarray(velocity)), norm(G, D, z, v), rtol=1e-8)
    G, D = surfaces()["paraboloid"]
    out = exponential(G, D, np.zeros(2), np.array([1.0, 0.0]))  # a meridian of length 1
    np.testing.assert_allclose(out[1], 0, atol=1e-9)
    np.testing.assert_allclose(
        lengths(G, D, Line(np.zeros(2), np.asarray(out)), points=2001, rule="midpoint"), 1, rtol=1e-6
    )


def test_curvature_and_volume(float64):
    z = np.array([0.4, 0.9])
    big, small = TORUS
    ring = big + small * np.cos(z[0])
    curvatures = {
        "sphere": 1.0,
        "paraboloid": 4 / (1 + 4 * z @ z) ** 2,
        "torus": np.cos(z[0]) / (small * ring),
        "hyperbolic plane": -1.0,
    }
    volumes = {
        "sphere": np.cos(z[0]),
        "paraboloid": (1 + 4 * z @ z) ** 0.5,
        "torus": small * ring,
        "hyperbolic plane": z[1] ** -2,
    }
    for name, (G, D) in surfaces().items():
        np.testing.assert_allclose(sectional_curvature(G, D, z, U, V), curvatures[name], rtol=1e-9)
        np.testing.assert_allclose(log_volume(G, D, z), np.log(volumes[name]), rtol=1e-9)
    G, D = surfaces()["torus"]
    plain = gg.distances.from_function(lambda params, x, y: jnp.sum((x - y) ** 2))
    np.testing.assert_allclose(sectional_curvature(G, plain, z, U, V), curvatures["torus"], rtol=1e-8)
    assert np.isnan(sectional_curvature(G, D, z, U, 2 * U))
    found = volume_map(G, D, z, np.eye(2), reach=1.0, points=3)
    latitudes = z[0] + np.array([-1.0, 0, 1])
    expected = np.log(small * (big + small * np.cos(latitudes)))
    np.testing.assert_allclose(found.log_volumes, np.tile(expected, (3, 1)), rtol=1e-9)


@pytest.mark.slow
def test_maps_with_and_without_embedding_agree_in_more_dimensions(rng, float64):
    G = mlp_generator(4, dtype=np.float64)
    plain = gg.distances.from_function(lambda params, x, y: jnp.sum((x - y) ** 2))
    z, v, w = 0.1 * rng.standard_normal((3, 4))
    end, velocity, (carried,) = transport_along_geodesic(G, EUCLIDEAN, z, v, w[None])
    for at, a, b in ((end, velocity, carried),):
        g, before = np.asarray(gg.metric_tensor(G, EUCLIDEAN, at)), np.asarray(gg.metric_tensor(G, EUCLIDEAN, z))
        np.testing.assert_allclose([a @ g @ b, b @ g @ b], [v @ before @ w, w @ before @ w], rtol=1e-7)
    np.testing.assert_allclose(exponential(G, plain, z, v), end, atol=1e-7)
    u, t = rng.standard_normal((2, 4))
    K = sectional_curvature(G, EUCLIDEAN, z, u, t)
    np.testing.assert_allclose(sectional_curvature(G, plain, z, u, t), K, rtol=1e-6)
    np.testing.assert_allclose(sectional_curvature(G, EUCLIDEAN, z, u + 0.5 * t, -2 * t), K, rtol=1e-8)


def test_bad_calls_are_refused_and_early_ends_are_said(float64):
    G, D = surfaces()["sphere"]
    z = np.array([0.2, -0.8])
    with pytest.raises(ValueError, match=r"the tangent has shape \(3,\); expected \(2,\)"):
        exponential(G, D, z, np.ones(3))
    with pytest.raises(ValueError, match="the tangent holds 2 NaN"):
        exponential(G, D, z, np.nan * z)
    with pytest.raises(ValueError, match=r"tangents have shape \(2,\); expected \(k, 2\)"):
        transport_along_geodesic(G, D, z, z, z)
    with pytest.raises(ValueError, match=r"a tangent has shape \(1,\)"):
        sectional_curvature(G, D, z, z, z[:1])
    pole = np.array([0.0, 0.0]), np.array([np.pi / 2 * 1.5, 0.0])  # through the pole, where the chart is singular
    with pytest.raises(NotFiniteError, match="the geodesic ends before t = 1"):
        exponential(gg.Generator.from_function(cusp, (), 1, output_range=None), D, np.array([1.0]), np.array([-2.0]))
    assert np.isfinite(exponential(G, D, *pole)).all()


def cusp(params, z):
    del params
    return jnp.stack([z[0] ** 2, z[0] ** 3])


def test_float32_and_vmap(rng):
    G = mlp_generator(4)
    z, v = 0.3 * rng.standard_normal((2, 3, 4)).astype(np.float32)
    ends = jax.vmap(lambda z, v: exponential(G, EUCLIDEAN, z, v))(z, v)
    with jax.enable_x64(True):
        fine = exponential(in_float64(G), EUCLIDEAN, z[1].astype(float), v[1].astype(float))
    np.testing.assert_allclose(ends[1], fine, atol=1e-4)
