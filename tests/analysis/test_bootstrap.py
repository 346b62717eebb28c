import inspect
import warnings

import jax
import numpy as np
import pytest

from geomgan import analysis
from geomgan.analysis.bootstrap import code_interval, fewest, mean, median
from geomgan.study import study_results
from tests.analysis.tensors import field_of, random_tensors
from tests.study.test_results import HAND, people_of

PEOPLE = people_of(HAND, [[(1, 60, 8), (1, 40, 6), (1, 10, 3)], [(1, 80, 9), (0, 0, 0), (0, 0, 0)]])
RANDOM = {
    "anisotropy": lambda g, **key: analysis.anisotropy(g, **key).intervals,
    "consistency_interval": lambda g, **key: analysis.consistency_interval(analysis.consistency(g), **key),
    "pair_interval": lambda g, **key: analysis.pair_interval(g[0], **key),
    "consistency_and_distance": lambda g, **key: (
        analysis.consistency_and_distance(analysis.consistency(g), codes=g[:, 0], draws=20, **key).p
    ),
    "eigenspaces": lambda g, **key: analysis.eigenspaces(g[:2], g[2:], k=2, draws=3, **key).cca_chance.tolist(),
    "study_results": lambda g, **key: [
        m.axes for m in study_results(HAND, PEOPLE, *key.values(), draws=50).measures if np.isfinite(m.axes).all()
    ],
}


@pytest.mark.parametrize("call", RANDOM.values(), ids=RANDOM)
def test_a_key_that_is_left_out_is_that_of_seed_0_with_a_warning_at_the_caller(call, rng):
    tensors = random_tensors(rng, count=6, dim=6)
    with pytest.warns(DeprecationWarning, match="no key was given") as caught:
        without = call(tensors)
    assert {warning.filename for warning in caught} == {__file__}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert call(tensors, key=jax.random.key(0)) == without


def test_random_frames_take_their_key_last_and_in_this_version_also_first(rng):
    tensors, key = random_tensors(rng, count=3, dim=4), jax.random.key(5)
    with pytest.warns(DeprecationWarning, match=r"random_frames\(field, key\)"):
        earlier = analysis.random_frames(key, tensors)
    np.testing.assert_array_equal(analysis.random_frames(tensors, key), earlier)


KEY = jax.random.key(7)
EARLIER = {  # in the order of the version before, and as it is now
    "anisotropy": (
        lambda g: analysis.anisotropy(g, (0.5, 0.9), 50, 0.9, KEY),
        lambda g: analysis.anisotropy(g, KEY, (0.5, 0.9), 50, 0.9),
    ),
    "anisotropy, key by name": (
        lambda g: analysis.anisotropy(g, (0.5,), key=KEY),
        lambda g: analysis.anisotropy(g, KEY, (0.5,)),
    ),
    "consistency_interval": (
        lambda g: analysis.consistency_interval(analysis.consistency(g), "linear", 50, 0.9, KEY),
        lambda g: analysis.consistency_interval(analysis.consistency(g), KEY, "linear", 50, 0.9),
    ),
    "pair_interval": (
        lambda g: analysis.pair_interval(g[0], 50, key=KEY),
        lambda g: analysis.pair_interval(g[0], KEY, 50),
    ),
    "consistency_and_distance": (
        lambda g: analysis.consistency_and_distance(analysis.consistency(g), g[:, 0], "linear", draws=20, key=KEY),
        lambda g: analysis.consistency_and_distance(analysis.consistency(g), KEY, g[:, 0], "linear", draws=20),
    ),
    "consistency_and_distance without codes": (
        lambda g: analysis.consistency_and_distance(analysis.consistency(field_of(g)), None, key=KEY),
        lambda g: analysis.consistency_and_distance(analysis.consistency(field_of(g)), KEY),
    ),
    "eigenspaces": (
        lambda g: analysis.eigenspaces(g[:2], g[2:], 2, draws=3, key=KEY),
        lambda g: analysis.eigenspaces(g[:2], g[2:], KEY, 2, draws=3),
    ),
}


@pytest.mark.parametrize(("earlier", "now"), EARLIER.values(), ids=EARLIER)
def test_a_key_comes_right_after_the_data_and_in_this_version_also_where_it_was(earlier, now, rng):
    tensors = random_tensors(rng, count=5, dim=6)
    with pytest.warns(DeprecationWarning, match="the key comes right after the data now") as caught:
        before = earlier(tensors)
    assert {warning.filename for warning in caught} == {__file__}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert repr(now(tensors)) == repr(before)


def test_what_is_meant_as_a_key_is_one_and_what_is_given_twice_is_refused(rng):
    tensors = random_tensors(rng, count=3, dim=4)
    with pytest.raises(TypeError, match="expected one typed key"):
        analysis.anisotropy(tensors, jax.random.PRNGKey(0))
    with pytest.warns(DeprecationWarning, match="right after"), pytest.raises(TypeError, match="shares"):
        analysis.anisotropy(tensors, (0.5,), shares=(0.9,))
    assert list(inspect.signature(analysis.anisotropy).parameters)[:2] == ["field", "key"]


def test_the_median_of_counts_is_a_count():
    counts = np.array([44, 45, 40, 50])
    assert median(counts) == 44  # enough for 40 and 44: half of the codes
    assert median(counts.astype(float)) == 44.5
    assert median(np.array([7])) == 7
    assert median(np.array([[1, 2, 3], [5, 5, 4]])).tolist() == [2, 5]
    counts = np.repeat(counts, 2)
    interval = code_interval(counts, 200, 0.95, np.random.default_rng(0))
    assert set(interval) <= set(counts.tolist())
    assert all(type(end) is int for end in interval)
    middle, low, high = code_interval(counts, 4000, 0.95, np.random.default_rng(0), mean)
    assert middle == 44.75
    assert (high - low) / 2 == pytest.approx(1.96 * counts.std() / 8**0.5, rel=0.1)
    for seed in range(20):
        x = np.random.default_rng(seed).integers(0, 9, size=seed + 1)
        assert (x <= median(x)).mean() >= 0.5 > (x < median(x)).mean()


# What too few codes cannot say


@pytest.mark.parametrize(("level", "count"), [(0.95, 6), (0.9, 5), (0.99, 8), (0.75, 3), (0.5, 2)])
def test_an_interval_needs_as_many_values_as_can_hold_a_median(level, count, rng):
    assert fewest(level) == count
    low, high = (np.sort(rng.standard_normal((20_000, count)))[:, end] for end in (0, -1))
    within = ((low < 0) & (high > 0)).mean()  # the range of so many values, and the median of their law
    assert level - 0.01 < within
    assert 1 - 2.0 ** (2 - count) < level


@pytest.mark.parametrize("count", [1, 2, 3, 5, 6])
def test_too_few_codes_have_estimates_and_no_interval(count, rng):
    x, g = rng.standard_normal(count), random_tensors(rng, count=max(count, 2), dim=4)
    few = count < 6
    middle, *ends = code_interval(x, 200, 0.95, np.random.default_rng(0))
    assert (middle, np.isnan(ends).tolist()) == (pytest.approx(np.median(x)), [few, few])
    shape = analysis.anisotropy(g, KEY)
    assert np.isnan([interval[1:] for interval in shape.intervals.values()]).all() == few
    consistency = analysis.consistency_interval(analysis.consistency(g), KEY)
    assert np.isfinite(consistency[0])
    assert np.isnan(consistency[1:]).all() == few
    if count > 2:
        relation = analysis.consistency_and_distance(analysis.consistency(g), KEY, g[:, 0], draws=50)
        assert relation.bounded != few


def test_a_number_for_a_key_is_called_one(rng):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for call in (
            lambda g: analysis.anisotropy(g, 3),
            lambda g: analysis.consistency_interval(analysis.consistency(g), 3),
        ):
            with pytest.raises(
                TypeError, match=r"key is the number 3; expected one typed key. Pass jax.random.key\(3\)"
            ):
                call(random_tensors(rng, count=6, dim=4))


def test_a_level_that_fewer_codes_can_hold_has_its_interval(rng):
    g = random_tensors(rng, count=5, dim=4)
    low, high = analysis.consistency_interval(analysis.consistency(g), KEY, level=0.9)[1:]
    assert low < high
