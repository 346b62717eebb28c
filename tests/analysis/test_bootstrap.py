import warnings

import jax
import numpy as np
import pytest

from geomgan import analysis
from geomgan.study import study_results
from tests.analysis.tensors import random_tensors
from tests.study.test_results import HAND, people_of

PEOPLE = people_of(HAND, [[(1, 60, 8), (1, 40, 6), (1, 10, 3)], [(1, 80, 9), (0, 0, 0), (0, 0, 0)]])
RANDOM = {
    "anisotropy": lambda g, **key: analysis.anisotropy(g, **key).intervals,
    "consistency_interval": lambda g, **key: analysis.consistency_interval(analysis.consistency(g), **key),
    "pair_interval": lambda g, **key: analysis.pair_interval(g[0], **key),
    "consistency_and_distance": lambda g, **key: (
        analysis.consistency_and_distance(analysis.consistency(g), g[:, 0], draws=20, **key).p
    ),
    "eigenspaces": lambda g, **key: analysis.eigenspaces(g[:2], g[2:], 2, draws=3, **key).cca_chance.tolist(),
    "study_results": lambda g, **key: [
        m.axes for m in study_results(HAND, PEOPLE, *key.values(), draws=50).measures if np.isfinite(m.axes).all()
    ],
}


@pytest.mark.parametrize("call", RANDOM.values(), ids=RANDOM)
def test_a_key_that_is_left_out_is_that_of_seed_0_with_a_warning_at_the_caller(call, rng):
    tensors = random_tensors(rng, count=5, dim=6)
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
