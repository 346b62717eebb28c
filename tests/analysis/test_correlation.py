"""Pearson's r and the line of least squares: against numpy's, one row at a time, and in closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geomgan import analysis
from geomgan.analysis.correlation import by_chance, correlation_matrix, pearson, rate_correlations, regression
from geomgan.analysis.homogeneity import quadratic_forms
from tests.analysis.tensors import eigh_descending, random_tensors


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("share", [1.0, 0.6])
def test_equals_numpys_row_by_row(rng, log, share):
    x, y = rng.lognormal(size=(2, 3, 4, 30))
    kept = rng.random((4, 30)) < share
    r, slope, intercept = regression(x, y, kept, log=log)
    of = np.log10 if log else np.asarray
    for i, j in np.ndindex(3, 4):
        a, b = of(x[i, j, kept[j]]), of(y[i, j, kept[j]])
        assert r[i, j] == pytest.approx(np.corrcoef(a, b)[0, 1], abs=1e-12)
        np.testing.assert_allclose([slope[i, j], intercept[i, j]], np.polyfit(a, b, 1), atol=1e-10)


def test_of_numpy_and_of_jax_it_is_the_same(rng):
    x, y = rng.lognormal(size=(2, 5, 20))
    kept = rng.random((5, 20)) < 0.7
    with jax.enable_x64(True):
        traced = jax.jit(lambda *given: pearson(*given, log=True))(jnp.asarray(x), jnp.asarray(y), jnp.asarray(kept))
    assert isinstance(traced, jax.Array)
    np.testing.assert_allclose(traced, pearson(x, y, kept, log=True), atol=1e-14)


@pytest.mark.parametrize("scale", [1e-140, 1e-30, 1.0, 1e30, 1e140])
def test_the_unit_does_not_matter(rng, scale):
    x, y = rng.lognormal(size=(2, 20))
    assert pearson(scale * x, y) == pytest.approx(pearson(x, y), abs=1e-12)
    assert pearson(scale * x, y, log=True) == pytest.approx(pearson(x, y, log=True), abs=1e-12)


@pytest.mark.parametrize("log", [False, True])
def test_what_is_constant_to_six_digits_has_none_in_every_statistic(log):
    ranks = np.arange(1.0, 9)
    constant, nearly, hardly = np.full(8, 3.0), 3 * (1 + 1e-8 * ranks), 3 * (1 + 1e-4 * ranks)
    for x in (constant, nearly):
        assert np.isnan(pearson(x, ranks, log=log))
        assert np.isnan(pearson(ranks, x, log=log))
        assert np.isnan(regression(x, ranks, log=log)[1])
    assert pearson(hardly, ranks) == pytest.approx(1)
    assert np.isnan(pearson(ranks, ranks, np.arange(8) == 3, log=log))  # one value
    assert np.isnan(pearson(ranks, ranks, np.zeros(8, bool), log=log))  # none
    sphere, other = np.eye(4) * (1 + 1e-9 * np.arange(4)), np.diag([4.0, 3, 2, 1])
    stack = np.stack([sphere, other])
    compared = analysis.compare(stack, stack[::-1])
    assert np.isnan([compared.spectrum_r, compared.log_spectrum_r]).all()
    assert np.isnan(analysis.consistency(stack).linear[1, 0])
    assert np.isnan(analysis.layer_alignment(stack).linear[1, 0])


@pytest.mark.parametrize("log", [False, True])
def test_two_points_lie_on_a_line_and_have_no_correlation(rng, log):
    x, y = rng.lognormal(size=(2, 4))
    two = np.arange(4) < 2
    r, slope, intercept = regression(x, y, two, log=log)
    assert np.isnan(r)
    of = np.log10 if log else np.asarray
    np.testing.assert_allclose(slope * of(x[two]) + intercept, of(y[two]))
    assert np.isnan(analysis.consistency(random_tensors(rng, count=3, dim=2)).log).all()


def test_a_matrix_of_correlations(rng):
    rows = rng.standard_normal((6, 40))
    rows[2] = 5
    expected = np.array([[pearson(a, b) for a in rows] for b in rows])
    np.testing.assert_allclose(correlation_matrix(rows), expected, atol=1e-14)
    assert np.isnan(expected[2]).all()


def test_rates_below_the_floor_count_in_the_linear_one_alone():
    values, alpha = np.array([100.0, 10, 1, 1e-9]), np.array([1000.0, 100, 10, 3])
    linear, log, dropped = rate_correlations(alpha, values, 1e-6)
    assert linear == pytest.approx(np.corrcoef(alpha, values)[0, 1])
    assert log == pytest.approx(1)
    assert dropped == 1


@pytest.mark.parametrize("dim", [5, 17])
def test_axes_in_random_directions_give_zero_with_the_known_spread(rng, dim):
    values = 10.0 ** -np.linspace(0, 5, dim)
    frames = np.linalg.qr(rng.standard_normal((2000, dim, dim)))[0]
    _, r, _ = rate_correlations(quadratic_forms(frames, np.eye(dim), values), values)
    assert r.mean() == pytest.approx(0, abs=3.5 * by_chance(dim) / 2000**0.5)
    assert r.std() == pytest.approx(by_chance(dim), rel=0.05)


def test_an_example_an_examples_matrix_and_the_consistency_agree(rng):
    tensors = random_tensors(rng, count=3, dim=6)
    c = analysis.consistency(tensors)
    examples = analysis.consistency_examples(tensors, 3)
    np.testing.assert_allclose(examples.r_log, c.log, atol=1e-12)
    assert analysis.consistency_example(tensors, 0, 2).r_log == pytest.approx(c.log[0, 2], abs=1e-12)
    assert eigh_descending(tensors[0])[0][0] == pytest.approx(examples.values[0, 0])
