import jax
import numpy as np
import pytest

import geomgan as gg
from geomgan import directions as gd
from geomgan.directions.discover import CHORDS
from geomgan.directions.warped_training import WARPS
from geomgan.errors import OptionError, StoreError
from geomgan.runs.curve import read_curve
from geomgan.runs.results import read_result
from tests.directions.test_classes import TABLE, gratings

KEY = jax.random.key(0)
A = np.random.default_rng(0).standard_normal((7, 3)).astype(np.float32)
G = gg.Generator.from_function(lambda _, z: A @ z, (), latent_dim=3, output_range=None)
D = gg.distances.euclidean()
CODES = np.zeros((2, 3), np.float32)


def test_random_directions_are_orthonormal_and_of_the_key():
    found = gd.random_directions(G, KEY, 2)
    np.testing.assert_allclose(found.vectors.T @ found.vectors, np.eye(2), atol=1e-6)
    np.testing.assert_array_equal(found.vectors, gd.random_directions(G, KEY, 2).vectors)
    assert np.abs(found.vectors - gd.random_directions(G, jax.random.key(1), 2).vectors).max() > 0.01
    with pytest.raises(ValueError, match="the dimensions of a code"):
        gd.random_directions(G, KEY, 4)


def test_all_are_those_that_the_generator_allows(tmp_path):
    with pytest.warns(UserWarning, match="is left out") as said:
        found = gd.discover(G, D, CODES, KEY, k=2, steps=2, out=tmp_path, progress=False)
    assert set(found) >= {"random", "metric", "penalty"}
    left = {str(one.message).split(" is left out")[0] for one in said if "is left out" in str(one.message)}
    assert left >= {"ganspace", "dictionary", "deformator", "warps"}  # no activations, no images
    assert not left & set(found)
    axes = np.linalg.svd(A)[2][:2].T
    np.testing.assert_allclose(np.abs(np.sum(found["metric"].vectors * axes, axis=0)), 1, atol=1e-5)
    again = gd.discover(G, D, CODES, KEY, ["penalty"], k=2, steps=2, out=tmp_path, progress=False)
    np.testing.assert_array_equal(again["penalty"].vectors, found["penalty"].vectors)
    np.testing.assert_array_equal(gd.load(tmp_path / "parts" / "metric.npz", G).vectors, found["metric"].vectors)
    with pytest.raises(StoreError, match="belongs to another run"):
        gd.discover(G, D, CODES, KEY, ["metric"], k=1, steps=2, out=tmp_path, progress=False)


def test_trainings_keep_their_curves_and_show_what_they_find(tmp_path):
    """Warps, and the published training of the penalty: what is shown last is what is returned."""
    stripes = gg.Generator.from_function(gratings, {"context": {"embedding": TABLE[1]}}, 3, name="gratings")
    shown, how = {}, {"k": 2, "steps": 3, "classes": TABLE, "out": tmp_path, "progress": False}
    picture = lambda method, found, step: shown.update({method: (found, step)})
    methods = ["warps", "penalty-trained"]
    found = gd.discover(stripes, gg.distances.mse(), CODES, KEY, methods, picture=picture, **how)
    assert [shown[method][1] for method in methods] == [3, 3]
    np.testing.assert_array_equal(shown["penalty-trained"][0].vectors, found["penalty-trained"].vectors)
    warps = read_result(tmp_path / "warps" / WARPS, gd.Warps)
    assert sorted(found["warps"].names) == [move.name for move in shown["warps"][0]] == ["warp 0", "warp 1"]
    z = np.asarray(stripes.sample_latent(KEY, CHORDS))
    for one in found["warps"]:
        np.testing.assert_allclose(one.vector, gd.chords_of(stripes, warps, z)[one.name].vector, atol=1e-6)
    rows = [read_curve(tmp_path / name).rows for name in ("warps/training.csv", "penalty-trained/checkpoint.csv")]
    assert [row[-1]["step"] for row in rows] == [3, 3]
    with pytest.raises(StoreError, match="belongs to another run"):
        gd.discover(stripes, gg.distances.mse(), CODES, KEY, methods, **{**how, "classes": None})


def test_one_that_was_named_must_work():
    with pytest.raises(ValueError, match="names no activations"):
        gd.discover(G, D, CODES, KEY, "ganspace", progress=False)
    with pytest.raises(OptionError, match="Did you mean 'sefa'"):
        gd.discover(G, D, CODES, KEY, ["metric", "safe"], progress=False)
    with pytest.raises(ValueError, match="k is 0"):
        gd.discover(G, D, CODES, KEY, k=0)
