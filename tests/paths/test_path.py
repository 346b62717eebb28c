"""Lines and great circles, and what a path is to those who walk it."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.paths import (
    GreatCircle,
    Line,
    constant_speed_walk,
    equal_distance_walk,
    great_circles,
    leaving,
    lines,
    walk,
)
from geomgan.paths.path import ends_of, kind_of
from tests.small_models import linear_generator, smooth_generator

EUCLIDEAN = gg.distances.euclidean()


def test_a_great_circle_is_the_exponential_map_of_the_sphere(rng):
    z, vectors, t = rng.standard_normal(7), rng.standard_normal((7, 3)), np.linspace(-3, 3, 13)
    codes = np.stack([path(t) for path in great_circles(z, vectors)])
    radius = np.linalg.norm(z)
    assert codes.dtype == np.float64
    np.testing.assert_allclose(np.linalg.norm(codes, axis=-1), radius, rtol=1e-12)
    np.testing.assert_allclose(codes @ z, np.tile(radius**2 * np.cos(t), (3, 1)), atol=1e-12)
    for code, v in zip(codes, vectors.T, strict=True):
        assert np.linalg.matrix_rank(np.vstack([code, z, v]), tol=1e-9) == 2  # in the plane of z and v
        assert code[-1] @ v > code[6] @ v * np.cos(3)  # towards v
    again = [path(t) for path in great_circles(z, 5 * vectors)]
    np.testing.assert_allclose(again, codes, atol=1e-12)


def test_a_line_is_straight_and_in_double_precision(rng):
    z, v, t = rng.standard_normal((3, 5)), rng.standard_normal((5, 1)), np.array([-1e-9, 0.0, 2.0])
    codes = np.stack([path(t) for path in lines(z.astype(np.float32), v)])
    np.testing.assert_array_equal(codes, z.astype(np.float32)[:, None] + t[:, None] * v[:, 0])
    assert codes.dtype == np.float64


@pytest.mark.parametrize("kind", ["linear", "spherical"])
def test_paths_are_pytrees_that_jax_traces_and_differentiates(rng, kind):
    path = leaving(rng.standard_normal(6), rng.standard_normal((6, 1)), kind)[0]
    t = np.linspace(-1, 1, 5)
    np.testing.assert_array_equal(path(0.0), path.origin)
    with jax.enable_x64(True):
        traced = jax.jit(lambda path, t: path(t))(path, t)
        np.testing.assert_allclose(traced, path(t), rtol=1e-12, atol=1e-12)
        at_zero, velocity = jax.jvp(path, (jnp.zeros(()),), (jnp.ones(()),))
    np.testing.assert_allclose(at_zero, path.origin, rtol=1e-12)
    np.testing.assert_allclose(velocity, path.velocity, rtol=1e-12)
    if kind == "spherical":
        np.testing.assert_allclose(np.linalg.norm(path.velocity), np.linalg.norm(path.origin), rtol=1e-12)
        assert abs(path.velocity @ path.origin) < 1e-12
    moved = jax.tree.map(lambda leaf: 2 * leaf, path)
    assert type(moved) is type(path)
    np.testing.assert_allclose(moved(t), 2 * path(t), rtol=1e-12, atol=1e-12)


@dataclass(frozen=True)
class Parabola:
    """A path that this package does not know."""

    origin: np.ndarray

    def __call__(self, t):
        return self.origin + np.stack([t, t**2, 0 * t], axis=-1)


def test_any_function_of_t_is_walked_and_spaced(rng):
    G = linear_generator(np.eye(3, dtype=np.float32))
    paths = [Parabola(rng.standard_normal(3)), Parabola(np.zeros(3))]
    t = np.linspace(0, 1, 5)
    walks = walk(G, EUCLIDEAN, paths, t)
    np.testing.assert_allclose(walks.samples, np.stack([path(t) for path in paths]), atol=1e-6)
    np.testing.assert_allclose(walks.distances, np.tile(t * np.sqrt(1 + t**2), (2, 1)), atol=1e-6)
    assert walks.path == "Parabola"
    equal = equal_distance_walk(G, EUCLIDEAN, paths, 2, reach=1.0)
    np.testing.assert_allclose(equal.distances, np.tile(2**0.5 * np.array([1, 0.5, 0, 0.5, 1]), (2, 1)), atol=2e-3)
    steady = constant_speed_walk(G, EUCLIDEAN, paths[0], 9, reach=(0, 1))
    between = np.linalg.norm(np.diff(steady.samples[0], axis=0), axis=1)
    np.testing.assert_allclose(between, np.mean(between), rtol=5e-3)
    np.testing.assert_allclose(steady.gaps, (5**0.5 / 2 + np.arcsinh(2) / 4) / 8, rtol=1e-3)


def test_kinds_and_how_far_they_go(rng):
    z, v = rng.standard_normal(4), rng.standard_normal((4, 2))
    straight, round_ = lines(z, v), great_circles(z, v)
    assert (kind_of(straight), kind_of(round_), kind_of(straight + round_)) == (
        "linear",
        "spherical",
        "linear and spherical",
    )
    assert ends_of(None, straight) == ends_of(None, "linear") == (-3, 3)
    assert ends_of(None, round_) == ends_of(None, "spherical") == (-0.5, 0.5)
    assert ends_of(2, straight + round_) == (-2, 2)
    for paths in (straight + round_, [Parabola(z)]):
        with pytest.raises(ValueError, match=r"have no common reach; expected reach=\(first, last\)"):
            ends_of(None, paths)


def test_what_is_no_path_is_refused(rng):
    G, z = smooth_generator(), rng.standard_normal(6)
    with pytest.raises(TypeError, match=r"got float64 for a path.*geomgan.paths.leaving"):
        walk(G, EUCLIDEAN, z, [0.0])
    with pytest.raises(TypeError, match="got no path"):
        walk(G, EUCLIDEAN, [], [0.0])
    with pytest.raises(ValueError, match=r"a path returns shape \(3, 3\) at 3 steps; expected \(3, 6\)"):
        walk(G, EUCLIDEAN, Parabola(np.zeros(3)), [0.0, 1, 2])
    with pytest.raises(ValueError, match="the codes of the paths holds 12 NaN"):
        walk(G, EUCLIDEAN, Line(z, np.full(6, np.inf)), [1.0, 2.0])
    with pytest.raises(ValueError, match="the references holds 1 NaN"):
        lines(np.array([1.0, np.nan]), np.ones((2, 1)))
    assert isinstance(leaving(z, np.eye(6), "spherical")[0], GreatCircle)
