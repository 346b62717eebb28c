"""Schedules, and walks along directions."""

import math

import jax
import numpy as np
import pytest

import geomgan as gg
from geomgan.directions import Direction, direction_set, schedule, traverse
from tests.small_models import linear_generator, smooth_generator

RNG = np.random.default_rng(0)
G = smooth_generator()
CODES = np.asarray(G.sample_latent(jax.random.key(1), 2))
V = np.linalg.qr(RNG.standard_normal((6, 3)))[0]
D = gg.distances.mse()


def stretched(u):
    sigmoid = lambda x: 1 / (1 + math.exp(-x))
    return (sigmoid(10 * (u - 0.5)) - sigmoid(-5)) / (sigmoid(5) - sigmoid(-5))


def test_schedules_are_the_published_ones():
    np.testing.assert_allclose(schedule("linear", 5), [-1, -0.5, 0, 0.5, 1])
    np.testing.assert_allclose(schedule("smooth", 5), [2 * stretched(u) - 1 for u in (0, 0.25, 0.5, 0.75, 1)])
    quarter = stretched(0.5)
    np.testing.assert_allclose(
        schedule("centred", 9), [0, quarter, 1, quarter, 0, -quarter, -1, -quarter, 0], atol=1e-12
    )
    np.testing.assert_allclose(schedule("centred", 17)[1], stretched(0.25), atol=1e-12)
    with pytest.raises(gg.OptionError, match=r"schedule='smoth' is not known\. Did you mean 'smooth'"):
        schedule("smoth", 5)
    with pytest.raises(ValueError, match="count is 0; expected a positive integer"):
        schedule("linear", 0)


def test_samples_are_of_the_codes_that_are_returned():
    """WarpedGANSpace's pictures are one step ahead of its codes."""
    found = direction_set(G, V, "by hand", scales=[1, 2, 0.5])
    walked = traverse(G, found, CODES, [-1, 0, 2.0])
    assert walked.samples.shape == (2, 3, 3, 16, 16, 3)
    for i, j, k in np.ndindex(2, 3, 3):
        expected = CODES[i] + [-1, 0, 2][k] * found.scales[j] * V[:, j]
        np.testing.assert_allclose(walked.codes[i, j, k], expected, atol=1e-6)
        np.testing.assert_allclose(walked.samples[i, j, k], G(walked.codes[i, j, k]), atol=1e-6)
    assert walked.names == found.names
    one = traverse(G, found[1], CODES[0], [0, 1.0], keep=np.mean)
    np.testing.assert_allclose(one.samples[0, 0], [np.mean(G(z)) for z in one.codes[0, 0]], rtol=1e-5)


def test_equal_steps_in_distance_are_equal_for_all_walks():
    walked = traverse(G, direction_set(G, V, "x"), CODES, np.linspace(-2, 2, 5), D=D, spacing="distance")
    centre = walked.samples[:, :, 2:3]
    distance = np.sqrt(((walked.samples - centre) ** 2).mean(axis=(3, 4, 5)))
    np.testing.assert_allclose(distance, np.broadcast_to(np.abs(walked.distances)[:, None], (2, 3, 5)), rtol=0.03)
    np.testing.assert_allclose(walked.distances / walked.distances[:, -1:], [[-1, -0.5, 0, 0.5, 1]] * 2)
    assert walked.measure == "mse"
    assert np.abs(walked.steps).max() <= 2 + 1e-9
    line = linear_generator(np.diag([1.0, 3.0]).astype(np.float32))
    both = traverse(
        line,
        direction_set(line, np.eye(2), "x"),
        np.zeros(2),
        [-3.0, 3],
        D=gg.distances.euclidean(),
        spacing="distance",
    )
    np.testing.assert_allclose(both.steps[0], [[-3, 3], [-1, 1]], rtol=1e-5)
    np.testing.assert_allclose(both.distances, [[-3, 3]], rtol=1e-5)


def test_sigmas_say_where_codes_lie_in_the_prior():
    def prior(key, n):
        return 5 + jax.random.normal(key, (n, 2)) * np.array([1.0, 10.0], np.float32)

    wide = gg.Generator.from_function(lambda p, z: p @ z, np.eye(2, dtype=np.float32), 2, sample_latent=prior)
    walked = traverse(wide, direction_set(wide, 7 * np.eye(2), "x"), np.array([5.0, 15.0]), [0.0, 1.0])
    np.testing.assert_allclose(walked.sigmas[0], [[0, 7], [1, 1.7]], atol=0.3)


def test_centred_walks_share_the_coordinate():
    walked = traverse(G, Direction(V[:, 0]), CODES, [-1.0, 1.0], centred=True)
    np.testing.assert_allclose(walked.codes[:, 0] @ V[:, 0], [[-1, 1], [-1, 1]], atol=1e-6)


def test_a_bent_path_walks_too():
    class Bent:
        name, space, method = "bent", "z", "by hand"

        def path(self, z):
            return lambda t: z + np.asarray(t)[:, None] * V[:, 0] + np.asarray(t)[:, None] ** 2 * V[:, 1]

    walked = traverse(G, [Bent(), Direction(V[:, 2])], CODES, [-1.0, 0, 2])
    np.testing.assert_allclose(walked.codes[0, 0, 2], CODES[0] + 2 * V[:, 0] + 4 * V[:, 1], atol=1e-6)
    with pytest.raises(gg.OptionError, match=r"bent \(by hand\) has a path of its own"):
        traverse(G, Bent(), CODES, [0.0, 1], centred=True)


def test_slips():
    for options, says in [
        ({"steps": [[0.0]]}, r"steps have shape \(1, 1\)"),
        ({"steps": [np.nan]}, "steps holds 1 NaN"),
        ({"spacing": "distnce"}, "Did you mean 'distance'"),
        ({"spacing": "distance"}, "needs D="),
        ({"directions": []}, "there is no direction"),
        ({"codes": np.zeros(5)}, r"codes have shape \(1, 5\)"),
    ]:
        given = {"directions": Direction(V[:, 0]), "codes": CODES, "steps": [0.0, 1], **options}
        with pytest.raises(ValueError, match=says):
            traverse(G, given.pop("directions"), given.pop("codes"), given.pop("steps"), **given)
