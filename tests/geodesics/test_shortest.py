"""Shortest paths against closed forms, one another, a transcription of GEORCE, and the published models."""

import warnings

import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.errors import NotFiniteError
from geomgan.geodesics import lengths, shortest_paths, speeds
from geomgan.paths import bspline
from tests.geodesics.surfaces import (
    EUCLIDEAN,
    great_circle_distance,
    half_plane_distance,
    mlp_generator,
    published_pair,
    surface,
    surfaces,
)
from tests.small_models import linear_generator

A, B = np.array([0.2, -0.8]), np.array([0.9, 1.1])  # latitude and longitude
LOW, HIGH = np.array([-0.8, 0.5]), np.array([1.1, 0.9])  # in the upper half plane


@pytest.mark.parametrize("method", ["gauss-newton", "georce"])
def test_great_circles_and_half_circles(method, float64):
    G, D = surfaces()["sphere"]
    found = shortest_paths(G, D, A, B, method=method, tolerance=1e-13)
    assert found.status == ("converged",)
    loose = 1 if method == "gauss-newton" else 30  # the left point's energy is of first order in its nodes
    np.testing.assert_allclose(found.lengths, great_circle_distance(A, B), rtol=1e-6 * loose)
    ends = [np.asarray(G(z)) for z in (A, B)]
    normal = np.cross(*ends) / np.linalg.norm(np.cross(*ends))
    nodes = np.stack([np.asarray(G(z)) for z in found.codes[0, ::8]])
    assert np.abs(nodes @ normal).max() < 1e-6 if method == "gauss-newton" else 1e-2
    pace = speeds(G, D, found.paths, np.linspace(0, 1, 9))
    np.testing.assert_allclose(pace, found.lengths[0], rtol=1e-3 * loose)
    straight = lengths(G, D, gg.paths.between(A, B), points=1001)
    assert found.improvements == pytest.approx(1 - found.lengths / straight, rel=1e-4)

    G, D = surfaces()["hyperbolic plane"]
    found = shortest_paths(G, D, LOW, HIGH, method=method, segments=128, tolerance=1e-13)
    exact = lengths(G, D, found.paths, points=1001, rule="midpoint")
    np.testing.assert_allclose(exact, half_plane_distance(LOW, HIGH), rtol=1e-6)
    x, y = found.codes[0].T
    centre = (HIGH @ HIGH - LOW @ LOW) / (2 * (HIGH - LOW)[0])
    np.testing.assert_allclose((x - centre) ** 2 + y**2, (LOW[0] - centre) ** 2 + LOW[1] ** 2, rtol=5e-3)


def test_chords_converge_with_second_order(float64):
    G, D = surfaces()["torus"]
    a, b = np.array([0.2, -0.8]), np.array([0.9, 0.6])
    roots = [float(shortest_paths(G, D, a, b, segments=T, tolerance=1e-14).energies[0] ** 0.5) for T in (8, 16, 32)]
    order = np.log2((roots[1] - roots[0]) / (roots[2] - roots[1]))
    np.testing.assert_allclose(order, 2, atol=0.1)


def transcribed_georce(a, b, segments, steps):
    """Algorithm 1 of arXiv 2505.05961 on the paraboloid ``(x, y, x² + y²)`` with metric ``I + 4 z zᵀ``, by loops."""
    metric = lambda z: np.eye(2) + 4 * np.outer(z, z)
    z = np.linspace(a, b, segments + 1)
    energy = lambda z: sum((z[s + 1] - z[s]) @ metric(z[s]) @ (z[s + 1] - z[s]) for s in range(segments))
    for _ in range(steps):
        u = np.diff(z, axis=0)
        nu = [8 * (z[s] @ u[s]) * u[s] for s in range(segments)]
        inverses = [np.linalg.inv(metric(z[s])) for s in range(segments)]
        later = [sum(nu[s + 1 :], np.zeros(2)) for s in range(segments)]
        right = 2 * (a - b) - sum(inverses[s] @ later[s] for s in range(segments))
        mu = np.linalg.solve(sum(inverses), right)
        target = np.array([-0.5 * inverses[s] @ (mu + later[s]) for s in range(segments)])
        share = 1.0
        while share > 1e-9:
            moved = np.vstack([a, a + np.cumsum(share * target + (1 - share) * u, axis=0)])
            if energy(moved) < energy(z):
                z = moved
                break
            share /= 2
    return z, segments * energy(z)


def test_georce_is_the_published_iteration(float64):
    G, D = surfaces()["paraboloid"]
    a, b = np.array([-0.6, 0.4]), np.array([0.7, 0.5])
    z, energy = transcribed_georce(a, b, 10, 200)
    found = shortest_paths(G, D, a, b, method="georce", segments=10, tolerance=0.0, iterations=200)
    np.testing.assert_allclose(found.codes[0], z, atol=1e-6)
    left = np.diff(found.codes[0], axis=0)
    again = 10 * sum(u @ (np.eye(2) + 4 * np.outer(x, x)) @ u for x, u in zip(found.codes[0], left, strict=False))
    np.testing.assert_allclose(again, energy, rtol=1e-12)
    one, _ = transcribed_georce(a, b, 10, 1)
    np.testing.assert_allclose(
        shortest_paths(G, D, a, b, method="georce", segments=10, iterations=1).codes[0], one, atol=1e-10
    )


def test_many_pairs_at_once_are_each_alone_and_never_longer_than_the_line(rng):
    G = mlp_generator(5)
    starts, ends = rng.standard_normal((2, 6, 5)).astype(np.float32)
    found = shortest_paths(G, EUCLIDEAN, starts, ends, segments=32)
    assert (found.lengths <= found.straight_lengths).all()
    assert (found.improvements > 0.01).sum() >= 3
    assert found.codes.shape == (6, 33, 5)
    alone = shortest_paths(G, EUCLIDEAN, starts[3], ends[3], segments=32)
    np.testing.assert_allclose(alone.lengths, found.lengths[3], rtol=1e-3)
    np.testing.assert_array_equal(found.codes[:, 0], starts)
    np.testing.assert_array_equal(found.codes[:, -1], ends)
    dense = lengths(G, EUCLIDEAN, found.paths, points=2001)
    np.testing.assert_allclose(found.lengths, dense, rtol=2e-3)
    georce = shortest_paths(G, EUCLIDEAN, starts, ends, segments=32, method="georce", iterations=100)
    assert np.median(found.lengths / georce.lengths) < 1.001


def test_a_subspace_and_a_guess(rng):
    G = mlp_generator(5)
    a, b = rng.standard_normal((2, 5)).astype(np.float32)
    U = np.linalg.qr(rng.standard_normal((5, 2))).Q
    found = shortest_paths(G, EUCLIDEAN, a, b, segments=16, basis=U)
    off = found.codes[0] - np.linspace(a, b, 17)
    np.testing.assert_allclose(off @ U @ U.T, off, atol=1e-5)
    assert np.abs(off).max() > 1e-2
    whole = shortest_paths(G, EUCLIDEAN, a, b, segments=16)
    assert whole.lengths < found.lengths < found.straight_lengths
    bent = bspline(np.stack([a, a + 0.3, b - 0.2, b]))
    from_bent = shortest_paths(G, EUCLIDEAN, a, b, segments=16, guess=bent)
    np.testing.assert_allclose(from_bent.lengths, whole.lengths, rtol=2e-3)


def ignores_last(params, z):
    del params
    return jnp.stack([z[0], z[1], z[0] ** 2 + z[1] ** 2])


def test_flat_and_singular_metrics(rng):
    flat = linear_generator(rng.standard_normal((7, 3)).astype(np.float32))
    a, b = rng.standard_normal((2, 3)).astype(np.float32)
    found = shortest_paths(flat, EUCLIDEAN, a, b, segments=8)
    assert found.status[0] in ("straight", "converged")
    np.testing.assert_allclose(found.lengths, found.straight_lengths, rtol=1e-5)
    G = surface(ignores_last, 3)
    a, b = np.float32([-0.9, 0.5, 0.0]), np.float32([0.8, 0.7, 1.0])
    with pytest.warns(UserWarning, match="the metric is singular along 1 of 1 paths"):
        found = shortest_paths(G, EUCLIDEAN, a, b, segments=16)
    assert found.singular.all()
    np.testing.assert_allclose(found.codes[0, :, 2], np.linspace(0, 1, 17), atol=1e-4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        two = shortest_paths(surface(ignores_last, 2), EUCLIDEAN, a[:2], b[:2], segments=16)
    np.testing.assert_allclose(found.lengths, two.lengths, rtol=1e-4)


@pytest.mark.parametrize(("kind", "most"), [("vae", 31.06), ("bigan", 81.5)])
def test_shorter_than_the_published_schedule_on_its_models(kind, most, tmp_path):
    G, D = published_pair(kind, tmp_path)
    found = shortest_paths(G, D, -np.ones(16), np.ones(16), segments=24, iterations=25)
    assert found.lengths[0] < most
    np.testing.assert_allclose(found.lengths, lengths(G, D, found.paths, points=1001, rule="midpoint"), rtol=2e-3)


def nan_in_the_middle(params, z):
    del params
    return jnp.sqrt(jnp.abs(z) - 0.5)


def test_bad_calls_are_refused(rng):
    G = mlp_generator(3)
    a, b = rng.standard_normal((2, 3)).astype(np.float32)
    with pytest.raises(ValueError, match=r"latent code has shape \(2,\); expected \(3,\)"):
        shortest_paths(G, EUCLIDEAN, a[:2], b)
    with pytest.raises(ValueError, match=r"pairs \[2\] end where they start"):
        shortest_paths(G, EUCLIDEAN, np.stack([a, b]), b)
    with pytest.raises(ValueError, match="latent code holds 3 NaN"):
        shortest_paths(G, EUCLIDEAN, a, b * np.nan)
    with pytest.raises(ValueError, match=r"method='newton' is not known"):
        shortest_paths(G, EUCLIDEAN, a, b, method="newton")
    with pytest.raises(ValueError, match="segments is 1; expected at least 2"):
        shortest_paths(G, EUCLIDEAN, a, b, segments=1)
    with pytest.raises(ValueError, match="basis has columns that are not orthonormal"):
        shortest_paths(G, EUCLIDEAN, a, b, basis=np.ones((3, 1)))
    with pytest.raises(ValueError, match=r"guesses \[1\] do not run from their start to their end"):
        shortest_paths(G, EUCLIDEAN, a, b, guess=gg.paths.between(b, a))
    with pytest.raises(NotFiniteError, match=r"samples along the guesses of pairs \[1\] are not finite"):
        shortest_paths(surface(nan_in_the_middle, 3), EUCLIDEAN, -np.ones(3), np.ones(3), segments=8)
