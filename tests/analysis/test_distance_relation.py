"""Consistency against latent distance."""

import dataclasses

import jax
import numpy as np
import pytest
import scipy.stats

from geomgan.analysis import consistency, consistency_and_distance
from tests.analysis.tensors import field_of, random_tensors

KEY = jax.random.key(0)


def planted(rng, codes, slope=-0.1, noise=0.0):
    """A consistency that falls with distance."""
    count = len(codes)
    result = consistency(field_of(random_tensors(rng, count, dim=6), codes))
    between = np.linalg.norm(codes[:, None] - codes[None], axis=-1)
    return dataclasses.replace(result, log=1 + slope * between + noise * rng.standard_normal((count, count)))


def test_equals_its_definition(rng):
    codes = rng.standard_normal((10, 6))
    result = consistency(field_of(random_tensors(rng, count=10, alike=1), codes))
    relation = consistency_and_distance(result, draws=9, key=KEY)
    pairs = [(i, j) for i in range(10) for j in range(i + 1, 10)]
    distances = [np.linalg.norm(codes[i] - codes[j]) for i, j in pairs]
    means = [(result.log[i, j] + result.log[j, i]) / 2 for i, j in pairs]
    np.testing.assert_allclose(relation.distances, distances, rtol=1e-12)
    np.testing.assert_allclose(relation.consistencies, means, rtol=1e-12)
    expected = scipy.stats.pearsonr(distances, means)
    assert relation.r == pytest.approx(expected.statistic, abs=1e-12)
    assert relation.p_independent == pytest.approx(expected.pvalue)
    assert consistency_and_distance(result, KEY, codes, draws=9).r == relation.r
    linear = consistency_and_distance(result, name="linear", draws=9, key=KEY)
    assert linear.r == pytest.approx(scipy.stats.pearsonr(distances, [
        (result.linear[i, j] + result.linear[j, i]) / 2 for i, j in pairs
    ]).statistic)  # fmt: skip


def test_finds_a_planted_relation(rng):
    relation = consistency_and_distance(planted(rng, rng.standard_normal((12, 6))), draws=99, key=KEY)
    assert relation.r == pytest.approx(-1)
    assert relation.p == pytest.approx(0.01)  # no permutation comes near


def test_permutations_do_not_take_pairs_for_independent(rng):
    """Where one code is at odds with all others, its many pairs are one observation."""
    codes = 0.01 * rng.standard_normal((8, 6))
    codes[0] += 10
    result = planted(rng, codes, slope=0)
    result.log[0] -= 1
    result.log[:, 0] -= 1
    relation = consistency_and_distance(result, draws=999, key=KEY)
    assert relation.p_independent < 1e-10
    assert relation.p == pytest.approx(1 / 8, abs=0.04)  # the odd one is as far by chance once in eight


def test_p_is_uniform_without_relation(rng):
    ps = [
        consistency_and_distance(planted(rng, rng.standard_normal((7, 6)), 0, 1), draws=39, key=KEY).p
        for _ in range(60)
    ]
    assert np.mean(ps) == pytest.approx(0.5, abs=0.12)
    assert np.mean(np.array(ps) <= 0.2) == pytest.approx(0.2, abs=0.15)


@pytest.fixture(scope="module")
def dependent():
    """Relations of 9 codes whose pairs depend on each other: some codes are far out, some have odd metrics."""
    rng, template = np.random.default_rng(1), consistency(random_tensors(np.random.default_rng(0), 9, dim=6))

    def simulated(slope, noise=0.3, seed=0):
        codes = rng.standard_normal((9, 6)) * np.exp(0.4 * rng.standard_normal((9, 1)))
        odd = rng.standard_normal(9)
        alike = slope * np.linalg.norm(codes[:, None] - codes[None], axis=-1) + odd[:, None] + odd
        alike += noise * rng.standard_normal((9, 9))
        made = dataclasses.replace(template, log=alike)
        return consistency_and_distance(made, jax.random.key(seed), codes, draws=79)

    return simulated


@pytest.mark.parametrize("slope", [0.0, -0.8])
def test_the_interval_covers_the_effect_in_95_percent_of_simulations_with_dependent_pairs(dependent, slope):
    relations = [dependent(slope, seed=seed) for seed in range(200)]
    covered = np.mean([relation.interval[0] <= slope <= relation.interval[1] for relation in relations])
    assert covered == pytest.approx(0.95, abs=0.04)  # 2.6 standard deviations
    zero_is_in = [relation.interval[0] <= 0 <= relation.interval[1] for relation in relations]
    assert zero_is_in == [relation.p > 0.05 + 1e-12 for relation in relations]  # one test, told twice
    if not slope:
        independent = np.mean([relation.p_independent > 0.05 for relation in relations])
        assert independent < 0.85  # which takes pairs for independent, and rejects too often


def test_the_interval_moves_with_the_effect(dependent):
    codes, KEYS = np.random.default_rng(2).standard_normal((9, 6)), jax.random.key(4)
    rng, between = np.random.default_rng(3), np.linalg.norm(codes[:, None] - codes[None], axis=-1)
    made = consistency(random_tensors(rng, 9, dim=6))
    first = consistency_and_distance(made, KEYS, codes)
    tilted = dataclasses.replace(made, log=5 * (made.log + 0.3 * between))
    second = consistency_and_distance(tilted, KEYS, codes)
    assert second.slope == pytest.approx(5 * (first.slope + 0.3))
    np.testing.assert_allclose(second.interval, 5 * (np.array(first.interval) + 0.3), rtol=1e-9)
    span = np.ptp(first.distances)
    np.testing.assert_allclose(first.over_range, span * np.array([first.slope, *first.interval]))
    wide = consistency_and_distance(made, KEYS, codes, level=0.99)
    assert wide.interval[0] < first.interval[0] < first.interval[1] < wide.interval[1]


def test_an_exact_relation_has_a_point_for_its_interval(rng):
    relation = consistency_and_distance(planted(rng, rng.standard_normal((12, 6))), KEY)
    np.testing.assert_allclose([relation.slope, *relation.interval], -0.1, rtol=1e-6)
    assert (relation.count, len(relation.distances), relation.level) == (12, 66, 0.95)


def test_so_few_codes_or_draws_bound_nothing(rng):
    three = planted(rng, rng.standard_normal((3, 6)), 0, 1)
    assert consistency_and_distance(three, KEY).interval == (-np.inf, np.inf)  # one order of six is as it is
    nine = planted(rng, rng.standard_normal((9, 6)), 0, 1)
    assert consistency_and_distance(nine, KEY, draws=9).interval == (-np.inf, np.inf)


def test_the_same_key_gives_the_same_result(rng):
    result = planted(rng, rng.standard_normal((6, 6)), 0, 1)
    first, again, other = (consistency_and_distance(result, key=jax.random.key(seed)).p for seed in (1, 1, 2))
    assert first == again != other


def test_bad_input(rng):
    tensors = random_tensors(rng, count=4)
    stack = consistency(tensors)
    with pytest.raises(ValueError, match=r"Pass codes="):
        consistency_and_distance(stack, key=KEY)
    with pytest.raises(ValueError, match=r"codes have shape \(3, 6\); expected \(4, d\)"):
        consistency_and_distance(stack, KEY, np.zeros((3, 6)))
    with pytest.raises(ValueError, match="constant distance"):
        consistency_and_distance(stack, KEY, np.zeros((4, 6)))
    with pytest.raises(ValueError, match="2 codes; expected at least 3"):
        consistency_and_distance(consistency(tensors[:2]), KEY, np.eye(2))
    field = field_of(tensors, failed=(0,))
    with pytest.raises(ValueError, match=r"codes\[c.indices\]"):
        consistency_and_distance(consistency(field), KEY, field.codes)
    assert len(consistency_and_distance(consistency(field), draws=9, key=KEY).distances) == 3
