"""The law of random directions, against its formula and its limits."""

import jax
import numpy as np
import pytest

from geomgan.analysis import random_direction_law
from tests.analysis.tensors import random_tensors


def test_equals_its_definition(rng):
    g = random_tensors(rng, count=1, dim=12, decades=4)[0]
    law = random_direction_law(g, jax.random.key(5), draws=500)
    n, values = 12, np.linalg.eigvalsh(g)
    expected = 2 * (n * (values**2).sum() - values.sum() ** 2) / (n**2 * (n + 2))
    assert law.predicted == pytest.approx(expected, rel=1e-9)
    assert law.mean_predicted == pytest.approx(np.trace(g) / n, rel=1e-12)
    directions = np.asarray(jax.random.normal(jax.random.key(5), (500, n)), np.float64)
    alphas = [v @ g @ v / (v @ v) for v in directions]
    np.testing.assert_allclose(law.samples, alphas, rtol=1e-9)
    assert law.observed == pytest.approx(np.var(alphas), rel=1e-9)
    assert law.mean_observed == pytest.approx(np.mean(alphas), rel=1e-9)
    np.testing.assert_allclose(law.values, values[::-1], atol=1e-15)


@pytest.mark.parametrize("dim", [2, 40])
def test_draws_follow_the_law(rng, dim):
    g = random_tensors(rng, count=1, dim=dim, decades=5)[0]
    law = random_direction_law(g, jax.random.key(0), draws=40_000, resamples=200)
    assert law.observed == pytest.approx(law.predicted, rel=0.05)
    assert law.interval[0] < law.predicted < law.interval[1]
    error = (law.predicted / 40_000) ** 0.5
    assert abs(law.mean_observed - law.mean_predicted) < 4 * error


def test_in_two_dimensions_alpha_follows_the_arcsine_law():
    law = random_direction_law(np.diag([1.0, 0.0]), jax.random.key(1), draws=40_000, resamples=10)
    assert law.predicted == pytest.approx(1 / 8)  # of cos² of a uniform angle
    np.testing.assert_allclose(np.quantile(law.samples, [0.25, 0.5]), [np.sin(np.pi / 8) ** 2, 0.5], atol=0.01)


def test_a_sphere_has_no_variance():
    law = random_direction_law(3 * np.eye(5), jax.random.key(0), draws=10)
    assert law.predicted == 0
    np.testing.assert_allclose(law.samples, 3, rtol=1e-12)


@pytest.mark.parametrize(
    ("g", "options", "match"),
    [
        (np.zeros((2, 3, 3)), {}, r"take one of them, g\[0\]"),
        (np.zeros(3), {}, r"shape \(3,\)"),
        (np.array([[1.0, 1], [0, 1]]), {}, "differs from its transpose"),
        (np.eye(3), {"draws": 0}, "draws is 0"),
    ],
)
def test_bad_input(g, options, match):
    with pytest.raises(ValueError, match=match):
        random_direction_law(g, jax.random.key(0), **options)


def test_a_seed_is_no_key():
    with pytest.raises(TypeError, match=r"Pass jax.random.key\(0\)"):
        random_direction_law(np.eye(3), 0)


def test_what_is_below_the_noise_floor_is_known_to_be_noise(rng):
    v = rng.standard_normal(7)
    law = random_direction_law(np.outer(v, v), jax.random.key(0), draws=50)
    assert law.noise_floor == pytest.approx(7 * np.finfo(np.float64).eps * (v @ v))
    np.testing.assert_allclose(law.known, [v @ v])
    assert len(random_direction_law(np.diag([1.0, 0.1, 1e-3]), jax.random.key(0), noise_floor=0.01).known) == 2
