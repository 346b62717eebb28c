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
    assert consistency_and_distance(result, codes, draws=9, key=KEY).r == relation.r
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
        consistency_and_distance(stack, np.zeros((3, 6)), key=KEY)
    with pytest.raises(ValueError, match="constant distance"):
        consistency_and_distance(stack, np.zeros((4, 6)), key=KEY)
    with pytest.raises(ValueError, match="2 codes; expected at least 3"):
        consistency_and_distance(consistency(tensors[:2]), np.eye(2), key=KEY)
    field = field_of(tensors, failed=(0,))
    with pytest.raises(ValueError, match=r"codes\[c.indices\]"):
        consistency_and_distance(consistency(field), field.codes, key=KEY)
    assert len(consistency_and_distance(consistency(field), draws=9, key=KEY).distances) == 3
