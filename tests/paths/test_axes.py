"""Walks along axes."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.paths.axes import (
    axes_of_rank,
    constant_speed_steps,
    constant_speed_walk,
    equal_distance_steps,
    equal_distance_walk,
    initial_speeds,
    walk,
)
from tests.small_models import linear_generator, smooth_generator

EUCLIDEAN = gg.distances.euclidean()


def cube(params, z):
    return params * z**3


def spiral(params, z):
    return params * z[0] * jnp.array([jnp.cos(3 * z[0]), jnp.sin(3 * z[0])])


def of_one_code(fn):
    """A generator with one latent dimension and no range."""
    return gg.Generator.from_function(fn, jnp.ones(()), 1, output_range=None)


def test_on_a_linear_map_distance_is_the_metrics_prediction(rng):
    A = rng.standard_normal((20, 5)).astype(np.float32)
    G = linear_generator(A)
    e = gg.eigenpairs(gg.metric_tensor(G, EUCLIDEAN, np.zeros(5)))
    t = np.linspace(-2, 2, 9)
    walks = walk(G, EUCLIDEAN, rng.standard_normal(5), e.vectors, t)
    np.testing.assert_allclose(walks.distances, np.sqrt(e.values)[:, None] * np.abs(t), atol=1e-4)
    assert (walks.path, walks.measure, walks.spacing) == ("linear", "euclidean", "step")


def test_on_the_identity_a_spherical_walk_has_the_length_of_chords(rng):
    G, z, t = linear_generator(np.eye(6, dtype=np.float32)), rng.standard_normal(6), np.linspace(-1.5, 1.5, 7)
    walks = walk(G, EUCLIDEAN, z, rng.standard_normal((6, 2)), t, path="spherical")
    expected = 2 * np.linalg.norm(z) * np.sin(np.abs(t) / 2)
    np.testing.assert_allclose(walks.distances, np.tile(expected, (2, 1)), rtol=1e-5, atol=1e-6)


def test_many_references_are_walked_as_each_alone(rng):
    G, D, codes, t = smooth_generator(), gg.distances.mse(), rng.standard_normal((3, 6)), np.linspace(-1, 1, 5)
    v = rng.standard_normal((6, 1))
    for path in ("linear", "spherical"):
        together = walk(G, D, codes, v, t, path=path, batch=2)
        assert together.samples.shape == (3, 5, 16, 16, 3)
        for i, z in enumerate(codes):
            alone = walk(G, D, z, v, t, path=path)
            np.testing.assert_allclose(together.samples[i], alone.samples[0], atol=1e-6)
            np.testing.assert_allclose(together.distances[i], alone.distances[0], atol=1e-6)


@pytest.mark.parametrize("path", ["linear", "spherical"])
def test_initial_speed_is_the_slope_of_the_distance(rng, path):
    G, z = smooth_generator(), rng.standard_normal(6)
    e = gg.eigenpairs(gg.metric_operator(G, EUCLIDEAN, z))
    speeds = initial_speeds(G, EUCLIDEAN, z, e.vectors, path=path)
    if path == "linear":
        np.testing.assert_allclose(speeds, np.sqrt(e.values), rtol=1e-4)
    with jax.enable_x64(True):
        fine = jax.tree.map(lambda x: x.astype(jnp.float64), G)
        measured = walk(fine, EUCLIDEAN, z, e.vectors, [1e-5], path=path).distances[:, 0]
    np.testing.assert_allclose(measured / 1e-5, speeds, rtol=1e-3)


def test_an_ensemble_is_as_far_as_its_metric_predicts(rng):
    A = rng.standard_normal((3, 9, 4)).astype(np.float32)
    E = gg.ensemble(linear_generator(A[0]), jnp.asarray(A))
    v = rng.standard_normal((4, 1))
    distances = walk(E, EUCLIDEAN, np.zeros(4), v, [-2.0, 1.0]).distances[0]
    expected = np.sqrt(np.mean([np.sum((a @ v) ** 2) for a in A]))
    np.testing.assert_allclose(distances, [2 * expected, expected], rtol=1e-5)


def test_steps_are_equal_in_distance():
    G, z = smooth_generator(), np.full(6, 0.2)
    e = gg.eigenpairs(gg.metric_operator(G, EUCLIDEAN, z))
    steps, step = equal_distance_steps(walk(G, EUCLIDEAN, z, e.vectors, np.linspace(-1, 1, 81)), 4)
    assert (steps[:, 4] == 0).all()
    assert (np.diff(steps, axis=1) > 0).all()
    again = walk(G, EUCLIDEAN, z, e.vectors, steps)
    np.testing.assert_allclose(again.distances, np.tile(np.abs(np.arange(-4, 5)) * step, (6, 1)), atol=0.01 * step)


def test_a_walk_in_equal_distances_from_many_references(rng):
    G, codes = smooth_generator(), rng.standard_normal((3, 6))
    walks = equal_distance_walk(G, EUCLIDEAN, codes, np.eye(6)[:, :1], 3, reach=0.4, path="spherical")
    assert walks.spacing == "distance"
    expected = walks.gaps[:, None] * np.abs(np.arange(-3, 4))
    np.testing.assert_allclose(walks.distances, expected, atol=0.02 * walks.gaps[0])
    assert np.abs(walks.steps).max() == pytest.approx(0.4)


def test_constant_speed_along_a_cube():
    G, D = of_one_code(cube), gg.distances.mse()
    steps, lengths = constant_speed_steps(G, D, np.zeros(1), np.ones((1, 1)), 21, reach=(-1, 2))
    assert steps.shape == (1, 21)
    np.testing.assert_allclose(lengths, 9, rtol=1e-5)
    np.testing.assert_allclose(steps[0] ** 3, np.linspace(-1, 8, 21), atol=0.01 * 9 / 20)
    samples = walk(G, D, np.zeros(1), np.ones((1, 1)), steps).samples[0, :, 0]
    np.testing.assert_allclose(np.diff(samples), 9 / 20, rtol=0.01)


def test_constant_speed_along_a_spiral():
    walks = constant_speed_walk(of_one_code(spiral), EUCLIDEAN, np.zeros(1), np.ones((1, 1)), 240, reach=(0, 3))
    length = 9 / 2 * np.sqrt(1 / 9 + 9) + np.arcsinh(9) / 6  # ∫ √(1 + 9 t²) dt from 0 to 3
    np.testing.assert_allclose(walks.gaps, length / 239, rtol=1e-3)
    between = np.linalg.norm(np.diff(walks.samples[0], axis=0), axis=1)
    np.testing.assert_allclose(between, length / 239, rtol=0.01)
    assert walks.spacing == "arc length"


def test_side_by_side_all_axes_move_equally_fast():
    G = linear_generator(np.diag([4.0, 1.0, 0.5]).astype(np.float32))
    options = {"reach": (-2, 3), "grid": 50}
    alone = constant_speed_walk(G, EUCLIDEAN, np.zeros(3), np.eye(3), 11, **options)
    np.testing.assert_allclose(alone.gaps, np.array([20, 5, 2.5]) / 10, rtol=1e-4)
    together = constant_speed_walk(G, EUCLIDEAN, np.zeros(3), np.eye(3), 11, same_length=True, **options)
    np.testing.assert_allclose(together.gaps, 0.2, rtol=1e-4)
    np.testing.assert_allclose(together.steps, np.linspace(-1, 1, 11) / np.array([[4], [1], [0.5]]), atol=1e-4)


def test_axes_by_rank(rng):
    vectors, values = rng.standard_normal((9, 4)), np.array([4.0, 3, 2, 1])
    picked, their_values = axes_of_rank(vectors, values, [4, 1])
    np.testing.assert_array_equal(picked, vectors[:, [3, 0]])
    np.testing.assert_array_equal(their_values, [1, 4])
    with pytest.raises(ValueError, match=r"axis 5 was asked for, but only 4 eigenvectors.*k=5"):
        axes_of_rank(vectors, values, [2, 5])
    for wrong in (0, [1, -1], [1.5], []):
        with pytest.raises(ValueError, match="integers from 1"):
            axes_of_rank(vectors, values, wrong)
    with pytest.raises(ValueError, match="a column for each of 3"):
        axes_of_rank(vectors, values[:3], 1)


def test_bad_walks_are_explained(rng):
    G, D, z = smooth_generator(), gg.distances.mse(), np.ones(6)
    with pytest.raises(ValueError, match="axes are columns"):
        walk(G, D, z, np.zeros((3, 6)), [0.0])
    with pytest.raises(ValueError, match="2 references and 3 axes"):
        walk(G, D, np.ones((2, 6)), np.eye(6)[:, :3], [0.0])
    with pytest.raises(ValueError, match=r"steps have shape \(4, 5\)"):
        walk(G, D, z, np.eye(6)[:, :3], np.zeros((4, 5)))
    with pytest.raises(ValueError, match="steps holds 1 NaN"):
        walk(G, D, z, np.eye(6), [np.nan])
    with pytest.raises(ValueError, match="path='circular' is not known"):
        walk(G, D, z, np.eye(6), [0.0], path="circular")
    with pytest.raises(ValueError, match="a sphere needs a radius"):
        walk(G, D, 0 * z, np.eye(6), [0.0], path="spherical")
    with pytest.raises(ValueError, match=r"directions \[2\] are parallel to their reference"):
        walk(G, D, z, np.stack([np.arange(6.0), -3 * z], axis=1), [0.0], path="spherical")
    with pytest.raises(ValueError, match="batch is 0"):
        walk(G, D, z, np.eye(6), [0.0], batch=0)
    with pytest.raises(TypeError, match="expected a Distance"):
        walk(G, np.subtract, z, np.eye(6), [0.0])


def test_what_does_not_move_has_no_speed():
    G = linear_generator(np.diag([1.0, 0.0]).astype(np.float32))
    with pytest.raises(ValueError, match=r"walks \[2\] do not change the sample: they have no speed"):
        constant_speed_steps(G, EUCLIDEAN, np.zeros(2), np.eye(2), 5)
    with pytest.raises(ValueError, match=r"walks \[2\] do not change the sample: no steps"):
        equal_distance_walk(G, EUCLIDEAN, np.zeros(2), np.eye(2), 5)
    walks = walk(G, EUCLIDEAN, np.zeros(2), np.eye(2), np.linspace(0, 1, 5))
    with pytest.raises(ValueError, match="need walks to both sides"):
        equal_distance_steps(walks, 2)
    with pytest.raises(ValueError, match="holds 10 NaN"):
        equal_distance_steps(replace(walks, steps=walks.steps - 0.5, distances=np.full((2, 5), np.nan)), 2)
    with pytest.raises(ValueError, match="frames is 1"):
        constant_speed_steps(G, EUCLIDEAN, np.zeros(2), np.eye(2)[:, :1], 1)
    with pytest.raises(ValueError, match="both sides of the reference"):
        constant_speed_steps(G, EUCLIDEAN, np.zeros(2), np.eye(2)[:, :1], 5, reach=(1, 2), same_length=True)
    for reach in (0, -1, (2, 1), (1, 2, 3), np.inf):
        with pytest.raises(ValueError, match="expected a positive number, or"):
            constant_speed_steps(G, EUCLIDEAN, np.zeros(2), np.eye(2)[:, :1], 5, reach=reach)


def test_blocks_change_nothing(rng):
    G, D, z, t = smooth_generator(), gg.distances.mse(), rng.standard_normal(6), np.linspace(-1, 1, 7)
    walks = [walk(G, D, z, np.eye(6)[:, :2], t, batch=batch) for batch in (3, 100)]
    np.testing.assert_allclose(walks[1].samples, walks[0].samples, atol=1e-6)
    np.testing.assert_allclose(walks[1].distances, walks[0].distances, atol=1e-6)
    steps = [constant_speed_steps(G, D, z, np.eye(6)[:, :2], 9, grid=20, batch=batch)[0] for batch in (4, 7)]
    np.testing.assert_allclose(steps[0], steps[1], atol=1e-4)
