"""Ranking of paths: correlations against their definitions, means with intervals, shares, and attributes that turn."""

import jax
import numpy as np
import pytest
from scipy import stats

from geomgan.directions import rank_paths
from geomgan.directions.attributes.attribute import AttributeValues
from geomgan.errors import OptionError

M, N, T = 8, 3, 9
STEPS = np.linspace(-2, 2, T)
KEY = jax.random.key(0)


def attribute_values(values, names, ranges=None, periods=None, relative=None):
    A = values.shape[-1]
    return AttributeValues(
        values,
        tuple(names),
        np.tile([-1.0, 1.0], (A, 1)) if ranges is None else np.asarray(ranges, float),
        np.full(A, np.inf) if periods is None else np.asarray(periods, float),
        np.zeros(A, bool) if relative is None else np.asarray(relative),
    )


@pytest.fixture(scope="module")
def values():
    """``a`` follows path 1, less so path 0, ``b`` follows path 2; noise elsewhere."""
    rng = np.random.default_rng(0)
    x = 0.3 * rng.standard_normal((M, N, T, 2))
    x[:, 1, :, 0] += STEPS
    x[:, 0, :, 0] -= 0.2 * STEPS
    x[:, 2, :, 1] += STEPS**3
    return attribute_values(x, ["a", "b"])


@pytest.mark.parametrize("method", ["pearson", "spearman", "covariance"])
def test_correlations_are_their_definitions(values, method):
    found = rank_paths(values, STEPS, ["p", "q", "r"], KEY, method=method)
    for i, k, a in ((0, 0, 0), (3, 1, 0), (7, 2, 1)):
        row = values.values[i, k, :, a]
        expected = {
            "pearson": lambda row=row: stats.pearsonr(row, STEPS).statistic,
            "spearman": lambda row=row: stats.spearmanr(row, STEPS).statistic,
            "covariance": lambda row=row: np.cov(np.clip(row, -1, 1), STEPS, ddof=0)[0, 1] / np.std(STEPS),
        }[method]()
        assert found.each[i, k, a] == pytest.approx(expected, abs=1e-12)
    np.testing.assert_allclose(found.mean, found.each.mean(axis=0))
    np.testing.assert_allclose(found.shares, np.abs(found.mean) / np.abs(found.mean).sum(axis=1, keepdims=True))


def test_paths_are_ranked_with_intervals(values):
    found = rank_paths(values, STEPS, ["p", "q", "r"], KEY)
    assert [int(i) for i in found.order("a")][:2] == [1, 0]
    assert int(found.order("b")[0]) == 2
    assert (found.low <= found.mean).all()
    assert (found.mean <= found.high).all()
    spread = found.each[:, 0, 0].std() / np.sqrt(M)  # of the mean over codes
    assert found.high[0, 0] - found.low[0, 0] == pytest.approx(2 * 1.96 * spread, rel=0.15)
    table = found.table("a", 2)
    assert table["path"] == ["q", "p"]
    assert table["change"][0] == pytest.approx(4, abs=0.4)
    assert table["changes most besides"][0].startswith("b (")


def test_missing_values_are_left_out_and_counted(values):
    x = values.values.copy()
    x[0, 1, ::2, 0] = np.nan
    x[1, 1, :, 0] = np.nan
    found = rank_paths(attribute_values(x, ["a", "b"]), STEPS, ["p", "q", "r"], KEY)
    known = ~np.isnan(x[0, 1, :, 0])
    assert found.each[0, 1, 0] == pytest.approx(stats.pearsonr(x[0, 1, known, 0], STEPS[known]).statistic)
    assert np.isnan(found.each[1, 1, 0])
    assert found.codes[1, 0] == M - 1
    assert found.missing[1, 0] == 5 + T
    assert found.mean[1, 0] == pytest.approx(np.nanmean(found.each[:, 1, 0]))
    few = rank_paths(attribute_values(x[:4], ["a", "b"]), STEPS, ["p", "q", "r"], KEY)
    assert np.isnan(few.low).all()  # four codes are too few for an interval of 95 %


def test_what_turns_is_unwound_and_what_is_relative_goes_with_the_distance():
    hue = np.broadcast_to((0.9 + 0.1 * STEPS) % 1, (M, 1, T))
    identity = np.broadcast_to(1 - 0.3 * np.abs(STEPS), (M, 1, T))
    both = np.stack([hue, identity], axis=-1)
    found = rank_paths(attribute_values(both, ["hue", "identity"], None, [1, np.inf], [False, True]), STEPS, ["p"], KEY)
    assert found.mean[0, 0] == pytest.approx(1)
    assert found.change[0, 0] == pytest.approx(0.4)
    assert found.mean[0, 1] == pytest.approx(-1)


def test_what_does_not_change_has_no_correlation():
    still = np.zeros((M, 1, T, 1))
    assert np.isnan(rank_paths(attribute_values(still, ["a"]), STEPS, ["p"], KEY).mean).all()
    assert rank_paths(attribute_values(still, ["a"]), STEPS, ["p"], KEY, method="covariance").mean[0, 0] == 0


def test_what_cannot_be(values):
    with pytest.raises(OptionError, match="method='corr' is not known"):
        rank_paths(values, STEPS, ["p", "q", "r"], KEY, method="corr")
    with pytest.raises(OptionError, match="attribute='c' is not known"):
        rank_paths(values, STEPS, ["p", "q", "r"], KEY, group=["c"])
    with pytest.raises(ValueError, match="and there are 2 names of paths"):
        rank_paths(values, STEPS, ["p", "q"], KEY)
