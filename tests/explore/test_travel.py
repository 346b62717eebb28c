"""Scales of sliders: equal travel is equal change."""

import jax
import numpy as np
import pytest

import geomgan as gg
from geomgan.explore.axes import metric_axis, spectrum_at
from geomgan.explore.travel import measuring, predicted
from geomgan.paths import lines
from geomgan.paths.measure import neighbour_distances
from tests.explore.sessions import spread
from tests.small_models import linear_generator


def measured(*arguments):
    *_, scale = measuring(*arguments)
    return scale


def test_of_a_linear_map_the_scale_is_the_metrics_prediction(rng):
    A, D = rng.standard_normal((40, 3)), gg.distances.euclidean()
    G, z = linear_generator(A), np.ones(3)
    spectrum = spectrum_at(G, D, z)
    np.testing.assert_allclose(spectrum.values, np.linalg.svd(A)[1] ** 2, rtol=1e-5)
    axis = metric_axis(G, spectrum, 2, 1, 1.0)
    assert axis.ends == (-3, 3)
    scale, guess = measured(G, D, axis.move.path(z), axis.ends, axis.speed), predicted(axis.speed, axis.ends)
    np.testing.assert_allclose(scale.arcs, axis.speed * scale.steps, rtol=1e-4, atol=1e-5)
    assert scale.trust == (-np.inf, np.inf)
    assert (scale.measured, guess.measured) == (True, False)
    np.testing.assert_allclose(scale.step(0.7), guess.step(0.7), rtol=1e-4)
    assert scale.step(1e9) == 3.0
    np.testing.assert_allclose(scale.arc(scale.step(-0.4)), -0.4)


def curve(params, z):
    """Along the first component a circle of radius 2, along the second what is not finite beyond 1."""
    x = params * jax.numpy.stack([2 * jax.numpy.cos(z[0]), 2 * jax.numpy.sin(z[0])])
    return jax.numpy.where(z[1] > 1, jax.numpy.nan, x + z[1]).reshape(1, 2, 1)


def test_the_scale_is_arc_length_and_trust_is_where_the_chord_leaves_it():
    G, D = gg.Generator.from_function(curve, np.ones(()), 2), gg.distances.euclidean()
    path = lines(np.zeros(2), np.eye(2)[:, :1])[0]
    scale = measured(G, D, path, (-2.0, 2.0), 2.0)
    np.testing.assert_allclose(scale.ends, (-4, 4), rtol=1e-3)
    t = 1.57  # 2 sin(t / 2) = 0.9 t, the chord of a circle
    np.testing.assert_allclose(scale.trust, (-2 * t, 2 * t), rtol=0.02)


def test_a_scale_ends_where_samples_are_not_finite():
    G, D = gg.Generator.from_function(curve, np.ones(()), 2), gg.distances.euclidean()
    path = lines(np.zeros(2), np.eye(2)[:, 1:])[0]
    scale = measured(G, D, path, (-2.0, 2.0), 2**0.5)
    assert 0.8 < scale.steps[-1] <= 1
    assert scale.steps[0] == -2
    with pytest.raises(ValueError, match="does not change the sample to both sides"):
        measured(G, D, lambda t: np.zeros((len(t), 2)), (-2.0, 2.0), 1.0)


def ten_axes(D):
    G = gg.load("digits-dcgan")
    z = np.asarray(G.sample_latent(jax.random.key(0), 1)[0], np.float64)
    spectrum = spectrum_at(G, D, z.astype(np.float32))
    spreads = []
    for rank in range(1, 11):
        axis = metric_axis(G, spectrum, rank, rank, 1.0)
        path = axis.move.path(z)
        scale = measured(G, D, path, axis.ends, axis.speed)
        steps = np.array([scale.step(s) for s in np.linspace(*scale.ends, 41)])
        spreads.append(spread(neighbour_distances(G, D, path(steps)[None], batch=16)[0]))
    return spreads


def test_equal_steps_of_ten_sliders_change_digits_equally():
    assert max(ten_axes(gg.distances.mse())) <= 0.05


@pytest.mark.slow
def test_equal_steps_of_ten_sliders_change_digits_equally_under_lpips():
    assert max(ten_axes(gg.distances.lpips("alex", resize=64))) <= 0.05
