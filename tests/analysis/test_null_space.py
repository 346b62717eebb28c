"""Moves in eigenspaces, equivalent directions and trust radii, where closed forms tell them."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.analysis import equivalent_directions, null_space, trust_radius
from tests.small_models import linear_generator, smooth_generator

KEY = jax.random.key(0)
SCALES = np.array([8.0, 4, 2, 1, 0.5, 0.25, 0, 0], np.float32)


@pytest.fixture(scope="module")
def linear():
    """A linear generator with a null space of two dimensions, whose distances are quadratic exactly."""
    Q = np.linalg.qr(np.random.default_rng(1).standard_normal((8, 8))).Q
    A = (SCALES[:, None] * Q).astype(np.float32)
    return linear_generator(A), A


def circle_and_parabola(params, z):
    """Chords of a circle, ``2 sin(t/2)``; a parabola, ``√(t² + t⁴)``; a straight line; nothing."""
    return params * jnp.stack([jnp.cos(z[0]), jnp.sin(z[0]), z[1], z[1] ** 2, 0.5 * z[2]])


@pytest.fixture
def curves():
    return gg.Generator.from_function(circle_and_parabola, jnp.ones(()), 4, output_range=None)


def test_linear_maps_move_as_predicted(linear):
    G, A = linear
    z = np.random.default_rng(2).standard_normal(8)
    lengths = np.array([0.0, 0.5, 2.0])
    g = A.T.astype(np.float64) @ A
    result = null_space(G, gg.distances.euclidean(), z, g, 2, KEY, lengths, draws=5)
    assert result.distances.shape == (2, 5, 3)
    np.testing.assert_allclose(result.distances, result.predictions, atol=1e-4)
    expected = np.linalg.norm(result.directions @ A.T, axis=-1)[..., None] * lengths
    np.testing.assert_allclose(result.predictions, expected, atol=1e-4)
    assert result.distances[1].max() < 1e-4  # the null space
    np.testing.assert_allclose(result.errors[0, :, 1:], 0, atol=1e-5)
    assert np.isnan(result.errors[0, :, 0]).all()
    np.testing.assert_allclose(result.ratios[0, 1:], 1, atol=1e-5)
    np.testing.assert_allclose(result.samples[0, 1, 2], A @ (z + 2 * result.directions[0, 1]), atol=1e-4)
    np.testing.assert_allclose(result.reference, A @ z, atol=1e-4)


def test_the_ratio_is_the_mean_of_those_of_the_directions(linear):
    G, A = linear
    z = np.random.default_rng(2).standard_normal(8)
    result = null_space(G, gg.distances.euclidean(), z, A.T.astype(np.float64) @ A, 2, KEY, [0.0, 1.0], draws=3)
    predictions = np.array([[[0, 1.0], [0, 2], [0, 4]], [[0, 0.1], [0, 0.0], [0, 0.1]]])
    distances = np.array([[[0, 2.0], [0, 2], [0, 2]], [[0, 0.1], [0, 0.2], [0, 0.1]]])
    made = dataclasses.replace(result, predictions=predictions, distances=distances)
    assert made.ratios[0, 1] == pytest.approx((2 + 1 + 0.5) / 3)  # and not 6 / 7, that of the means
    assert np.isnan(made.ratios[1, 1])  # nothing is predicted along one of the directions


def test_directions_are_unit_vectors_of_the_eigenspace_and_of_equal_density(linear):
    G, A = linear
    z = np.random.default_rng(3).standard_normal(8)
    e = gg.eigenpairs((A.T @ A).astype(np.float64))
    lengths = np.array([0.3, 1.7])
    for path, expected in (("linear", -0.5 * lengths**2), ("spherical", np.zeros(2))):
        result = null_space(G, gg.distances.mse(), z, e, 3, KEY, lengths, draws=6, path=path)
        np.testing.assert_allclose(np.linalg.norm(result.directions, axis=-1), 1, atol=1e-12)
        np.testing.assert_allclose(result.directions @ z, 0, atol=1e-9)
        outside = (e.vectors[:, 3:], e.vectors[:, :-3])
        for v, other in zip(result.directions, outside, strict=True):
            np.testing.assert_allclose(v @ other, 0, atol=1e-9)
        np.testing.assert_allclose(result.log_density, np.broadcast_to(expected, (2, 6, 2)), atol=1e-6)


def test_a_great_circle_is_as_long_as_told(linear):
    G, A = linear
    z = 3 * np.eye(8)[0]
    result = null_space(
        G, gg.distances.euclidean(), z, A.T @ A, 4, KEY, [3 * np.pi / 2, 3 * np.pi], path="spherical", draws=2
    )
    np.testing.assert_allclose(result.samples[0, 0, 0], 3 * A @ result.directions[0, 0], atol=1e-4)  # a quarter
    np.testing.assert_allclose(result.samples[0, 0, 1], -A @ z, atol=1e-4)  # half of the circle


def test_directions_are_uniform_and_keyed(linear):
    G, A = linear
    call = lambda key: (
        null_space(G, gg.distances.mse(), np.zeros(8), A.T @ A, 2, key, [1.0], draws=2000, shown=1).directions
    )
    v, e = call(KEY), gg.eigenpairs((A.T @ A).astype(np.float64))
    second = (v[0] @ e.vectors[:, :2]).T @ (v[0] @ e.vectors[:, :2]) / 2000
    np.testing.assert_allclose(second, np.eye(2) / 2, atol=0.04)
    np.testing.assert_array_equal(v, call(KEY))
    assert not np.allclose(v, call(jax.random.key(1)))


def test_equivalent_directions_turn_away_and_end_together(linear):
    G, A = linear
    z, mus = np.ones(8), np.array([0.0, 1, 3])
    result = equivalent_directions(
        G, gg.distances.euclidean(), z, 1, A.T @ A, mus, KEY, length=2.0, dims=2, draws=50, shown=1
    )
    np.testing.assert_allclose(result.cosine, np.broadcast_to(1 / np.sqrt(1 + mus**2), (50, 3)), atol=1e-9)
    assert result.distances.max() < 1e-4  # u is in the null space
    assert result.moved == pytest.approx(2 * 8, rel=1e-5)  # along the first axis, t √λ
    expected = 2 * mus * np.sqrt((SCALES[1:] ** 2).sum() / 7)  # root mean square over the sphere orthogonal to v
    np.testing.assert_allclose(np.sqrt((result.control**2).mean(axis=0)), expected, rtol=0.15, atol=1e-4)
    np.testing.assert_allclose(result.samples[0, 2], result.end, atol=1e-4)
    v = gg.eigenpairs((A.T @ A).astype(np.float64)).vectors[:, 0]
    same = equivalent_directions(
        G, gg.distances.euclidean(), z, 5 * v, A.T @ A, mus, KEY, length=2.0, dims=2, draws=50, shown=1
    )
    np.testing.assert_allclose(same.control, result.control, atol=1e-3)


def test_trust_radii_of_a_circle_a_parabola_a_line_and_nothing(curves):
    D = gg.distances.euclidean()
    g = np.diag([1.0, 1.0, 0.25, 0.0]) + np.diag([1e-6, 0, 0, 0])  # the circle is axis 1
    result = trust_radius(curves, D, np.zeros(4), g, tolerance=0.1, reach=20.0)
    circle = np.linspace(0.1, 3, 100_000)
    expected = circle[np.argmax(1 - 2 * np.sin(circle / 2) / circle > 0.1)]
    np.testing.assert_allclose(result.radius, [expected, np.sqrt(0.21), np.inf, np.inf], rtol=2e-3)
    np.testing.assert_allclose(result.sides[0], expected, rtol=2e-3)
    t = result.steps
    np.testing.assert_allclose(result.errors[1, 1], np.sqrt(1 + t**2) - 1, atol=1e-3)
    assert 0 < result.resolution < 1e-4


def test_the_smaller_side_is_the_radius(curves):
    bent = trust_radius(curves, gg.distances.euclidean(), np.array([0.0, 0.3, 0, 0]), np.diag([1.0, 1.36, 0.25, 0]))
    first = int(np.flatnonzero(bent.values == 1.36)[0])
    left, right = bent.sides[first]
    assert left != pytest.approx(right, rel=0.01)
    assert bent.radius[first] == min(left, right)
    for side, t in ((-1, left), (1, right)):
        moved = np.hypot(t, (0.3 + side * t) ** 2 - 0.09)
        assert abs(moved / (np.sqrt(1.36) * t) - 1) == pytest.approx(0.1, abs=2e-3)


def parabolas(scales, z):
    """``s √(t² + b² t⁴)`` along each axis: it leaves ``s |t|`` by a tenth where ``b² t² = 0.21``."""
    return jnp.concatenate([scales * z, scales * BENDS * z**2])


BENDS = np.array([0.5, 30, 30], np.float32)


def test_a_radius_that_rounding_has_made_longer_says_so():
    scales = np.array([1.0, 1e-4, 1e-6], np.float32)
    G = gg.Generator.from_function(parabolas, scales, 3, output_range=None)
    result = trust_radius(G, gg.distances.euclidean(), np.zeros(3), np.diag(scales.astype(np.float64) ** 2))
    true = 0.21**0.5 / BENDS
    assert result.radius[0] == pytest.approx(true[0], rel=2e-3)
    assert (result.radius[1:] > 1.3 * true[1:]).all()
    assert scales[1] * result.radius[1] > result.resolution  # it moves by more than rounding, but leaves by less
    assert result.rounded.tolist() == [False, True, True]
    with jax.enable_x64(True):
        G = gg.Generator.from_function(parabolas, scales.astype(np.float64), 3, output_range=None)
        exact = trust_radius(G, gg.distances.euclidean(), np.zeros(3), np.diag(scales.astype(np.float64) ** 2))
    np.testing.assert_allclose(exact.radius, true, rtol=2e-3)
    assert not exact.rounded.any()


def test_a_wrong_metric_is_trusted_nowhere(curves):
    result = trust_radius(curves, gg.distances.euclidean(), np.zeros(4), 4 * np.eye(4), ranks=[1, 2])
    assert result.radius.tolist() == [0, 0]
    assert result.ranks.tolist() == [1, 2]


def test_smooth_generators_leave_slowly():
    G, D = smooth_generator(), gg.distances.mse()
    z = np.asarray(G.sample_latent(KEY, 1)[0])
    op = gg.metric_operator(G, D, z)
    strict = trust_radius(G, D, z, op, tolerance=0.01, ranks=[1, 6])
    loose = trust_radius(G, D, z, gg.eigenpairs(op), tolerance=0.1, ranks=[1, 6])
    assert (strict.radius > 0).all()
    assert (strict.radius < loose.radius).all()
    near = loose.steps < strict.radius.min()
    assert np.abs(loose.errors[..., near][..., -3:]).max() < 0.011


def test_bad_input(linear):
    G, A = linear
    D, z, g = gg.distances.euclidean(), np.ones(8), (A.T @ A).astype(np.float64)
    part = gg.eigenpairs(g, k=3)
    with pytest.raises(ValueError, match="3 of 8 eigenpairs"):
        null_space(G, D, z, part, 2, KEY, [1.0])
    with pytest.raises(ValueError, match="dims is 5; expected an integer from 1 to 4"):
        null_space(G, D, z, g, 5, KEY, [1.0])
    with pytest.raises(ValueError, match="the reference code is zero"):
        null_space(G, D, np.zeros(8), g, 2, KEY, [1.0], path="spherical")
    with pytest.raises(ValueError, match="dims is 1"):
        null_space(G, D, z, g, 1, KEY, [1.0], path="spherical")
    with pytest.raises(ValueError, match="spherical"):
        null_space(G, D, z, g, 2, KEY, [1.0], path="sphere")
    with pytest.raises(TypeError, match=r"jax\.random\.key"):
        null_space(G, D, z, g, 2, 0, [1.0])
    with pytest.raises(ValueError, match="NaN"):
        null_space(G, D, z, g, 2, KEY, [np.nan])
    with pytest.raises(ValueError, match="expected 8 dimensions"):
        null_space(G, D, z, np.eye(3), 1, KEY, [1.0])
    with pytest.raises(ValueError, match="axis 9 was asked for"):
        equivalent_directions(G, D, z, 9, g, [1.0], KEY)
    with pytest.raises(ValueError, match="v is zero"):
        equivalent_directions(G, D, z, np.zeros(8), g, [1.0], KEY)
    with pytest.raises(ValueError, match="axis 4 was asked for, but only 3"):
        trust_radius(G, D, z, part, ranks=[4])
    with pytest.raises(ValueError, match="tolerance is 0"):
        trust_radius(G, D, z, g, tolerance=0)
