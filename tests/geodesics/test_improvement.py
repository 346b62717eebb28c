"""The Monte-Carlo experiment: its pairs, its four figures, and that it goes on where it stopped."""

import dataclasses

import jax
import numpy as np
import pytest

import geomgan as gg
from geomgan.geodesics import Schedule, improvement, lengths, random_steps, shorten
from geomgan.paths import between
from tests.geodesics.surfaces import EUCLIDEAN, mlp_generator
from tests.small_models import linear_generator

KEY = jax.random.key(3)
SCHEDULE = Schedule(epochs=10, points=16)


def test_a_step_leads_along_the_first_eigenvector_towards_the_origin():
    G = mlp_generator(3)
    starts, ends = random_steps(G, EUCLIDEAN, KEY, 6, step=0.7)
    np.testing.assert_allclose(np.linalg.norm(ends - starts, axis=1), 0.7, rtol=1e-5)
    assert (((ends - starts) * starts).sum(axis=1) <= 0).all()
    for a, b in zip(starts, ends, strict=True):
        first = np.linalg.eigh(np.asarray(gg.metric_tensor(G, EUCLIDEAN, a), np.float64))[1][:, -1]
        np.testing.assert_allclose(abs(first @ (b - a)), 0.7, rtol=1e-4)
    turned, others = random_steps(G, EUCLIDEAN, KEY, 6, direction="random")
    np.testing.assert_array_equal(turned, starts)
    assert np.abs(((others - turned) * (ends - starts)).sum(axis=1)).max() < 0.69
    np.testing.assert_array_equal(random_steps(G, EUCLIDEAN, KEY, 6, step=0.7)[1], ends)


def test_from_the_origin_a_step_has_its_length_too():
    G = linear_generator(np.diag([3.0, 1.0]).astype(np.float32))
    G = dataclasses.replace(G, prior=lambda params, key, shape: jax.numpy.zeros(shape))
    starts, ends = random_steps(G, EUCLIDEAN, KEY, 2)
    np.testing.assert_array_equal(starts, 0)
    np.testing.assert_allclose(np.abs(ends), [[1, 0], [1, 0]], atol=1e-6)


def test_figures_are_those_of_their_rules_and_an_interrupted_run_goes_on(tmp_path):
    G = mlp_generator(3)
    how = {"pairs": 3, "step": 2.0, "segments": 8, "schedule": SCHEDULE, "out": tmp_path, "progress": False}
    found = improvement(G, EUCLIDEAN, KEY, **how)
    ends = found.found.codes[:, [0, -1]]
    lines = [between(*pair) for pair in ends]
    ours, straight = (lengths(G, EUCLIDEAN, paths, points=16, rule="published") for paths in (found.found.paths, lines))
    np.testing.assert_allclose(found.published, np.maximum(1 - ours / straight, 0))
    assert found.rows["shortest (dense)"].min() > 0
    keys = jax.random.split(KEY)[1]
    curve = shorten(G, EUCLIDEAN, *ends[1], jax.random.fold_in(keys, 1), settings=SCHEDULE)
    np.testing.assert_allclose(found.schedule[1], curve.published_improvement, rtol=1e-6)
    np.testing.assert_allclose(found.schedule_dense[1], curve.improvement, rtol=1e-5)
    assert (found.found.improvements >= found.schedule_dense - 1e-4).all()

    kept = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "parts").iterdir()}
    assert sorted(kept) == ["pairs.npz", "schedule-00000.npz", "shortest.npz"]
    (tmp_path / "parts" / "schedule-00000.npz").unlink()
    again = improvement(G, EUCLIDEAN, KEY, **how)
    np.testing.assert_array_equal(again.schedule, found.schedule)
    assert (tmp_path / "parts" / "shortest.npz").stat().st_mtime_ns == kept["shortest.npz"]
    with pytest.raises(gg.errors.StoreError, match=r"belongs to another run. step: stored 2.0, now 1.0"):
        improvement(G, EUCLIDEAN, KEY, **how | {"step": 1.0})


def test_a_flat_space_has_no_shorter_paths():
    G = linear_generator(np.diag([3.0, 1.0]).astype(np.float32))
    found = improvement(G, EUCLIDEAN, KEY, pairs=2, segments=4, schedule=None, progress=False)
    assert list(found.rows) == ["shortest (dense)", "shortest (published rule)"]
    np.testing.assert_allclose(found.found.improvements, 0, atol=1e-6)
    np.testing.assert_allclose(found.found.straight_lengths, 3, rtol=1e-5)
    assert "shorter than the straight lines by 0.00 %" in str(found)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"direction": "top"}, "direction='top' is not known. Known: 'eigenvector', 'random'"),
        ({"step": 0.0}, "step is 0.0; expected a positive number"),
        ({"pairs": 0}, "pairs is 0"),
    ],
)
def test_bad_calls_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        improvement(mlp_generator(3), EUCLIDEAN, KEY, **{"pairs": 2, "progress": False} | wrong)
