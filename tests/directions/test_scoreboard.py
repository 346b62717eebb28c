import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan import directions as gd
from geomgan.errors import OptionError, StoreError

KEY = jax.random.key(0)
A = np.random.default_rng(0).standard_normal((7, 3)).astype(np.float32)


def bent(params, z):
    """Speeds 1 + z0 along the first axis and 2 along the second; the third draws a circle of radius 3."""
    return jnp.stack([z[0] + z[0] ** 2 / 2, 2 * z[1], 3 * jnp.cos(z[2]), 3 * jnp.sin(z[2])])


def curved(params, z):
    return jnp.stack([z[0] * z[1], z[0] ** 2 / 2])


def of(function, d):
    return gg.Generator.from_function(function, (), latent_dim=d, output_range=None)


def scores(G, V, codes, **options):
    found = gd.direction_set(G, V, "test")
    options = {"predictor_steps": 0, "progress": False, **options}
    return gd.scoreboard(G, gg.distances.euclidean(), {"test": found}, codes, KEY, **options)


def test_of_a_linear_map_everything_is_known():
    G = of(lambda _, z: A @ z, 3)
    V = np.array([[2.0, 0, 1], [0, -1, 1], [0, 0, 1]])
    found = scores(G, V, np.zeros((2, 3), np.float32)).scores["test"]
    U = V / np.linalg.norm(V, axis=0)
    squares = ((A @ U) ** 2).sum(axis=0)
    np.testing.assert_allclose(found.speed, np.sqrt(squares), rtol=1e-5)
    np.testing.assert_allclose(found.energy, squares / (A**2).sum(), rtol=1e-5)
    np.testing.assert_allclose(found.consistency, 1, rtol=1e-6)
    np.testing.assert_allclose(found.straightness, 1, rtol=1e-5)
    assert np.isnan(found.recognition).all()


def test_speeds_that_differ_between_codes_and_walks_that_bend():
    codes = np.array([[0, 0, 0], [1, 0, 2]], np.float32)
    found = scores(of(bent, 3), np.eye(3), codes).scores["test"]
    np.testing.assert_allclose(found.speed, [np.sqrt((1 + 4) / 2), 2, 3], rtol=1e-5)
    np.testing.assert_allclose(found.consistency, [1.5**2 / 2.5, 1, 1], rtol=1e-5)
    chords = 2 * 3 * np.sin(2), 8 * 2 * 3 * np.sin(0.25)  # of the whole walk, and of its eight steps
    np.testing.assert_allclose(found.straightness[1:], [1, chords[0] / chords[1]], rtol=1e-5)
    assert found.straightness[0] < 1  # it turns around at z0 = -1


def test_penalty_and_mixing_of_second_derivatives_that_are_known():
    found = scores(of(curved, 2), np.eye(2), np.array([[0.5, -1.0]], np.float32)).scores["test"]
    np.testing.assert_allclose(found.penalty, [1, 1], rtol=1e-3)  # 2 · mean(1², 0²) each
    np.testing.assert_allclose(found.mixing, [0.5, 1], rtol=1e-3)
    turned = scores(of(curved, 2), np.array([[1, 1], [1, -1.0]]), np.zeros((1, 2), np.float32)).scores["test"]
    np.testing.assert_allclose(turned.penalty, 2 * np.mean([0, 0.5**2]), rtol=1e-3)  # of z0² / 2 in turned axes


def test_overlap_is_the_mean_squared_cosine_of_the_angles():
    random = np.random.default_rng(1)
    a, b = random.standard_normal((6, 3)), random.standard_normal((6, 2))
    assert gd.overlap(a, b) == pytest.approx(np.mean(np.cos(gd.subspace_angles(a, b)) ** 2))
    assert gd.overlap(a, a @ random.standard_normal((3, 3))) == pytest.approx(1)
    assert gd.overlap(np.eye(6)[:, :2], np.eye(6)[:, 3:]) == pytest.approx(0, abs=1e-12)
    assert gd.overlap([[1.0], [0]], [[np.cos(0.3)], [np.sin(0.3)]]) == pytest.approx(np.cos(0.3) ** 2)


def test_methods_are_compared_by_spans_and_by_directions():
    G = of(lambda _, z: A @ z, 3)
    near = np.array([[np.cos(0.2), 0], [np.sin(0.2), 0], [0, 1.0]])
    sets = {"a": gd.direction_set(G, np.eye(3)[:, :1], "a"), "b": gd.direction_set(G, near, "b")}
    board = gd.scoreboard(G, gg.distances.euclidean(), sets, np.zeros((1, 3), np.float32), KEY, predictor_steps=0)
    assert board.first == 1
    np.testing.assert_allclose(board.overlap, [[1, np.cos(0.2) ** 2], [np.cos(0.2) ** 2, 1]], rtol=1e-6)
    np.testing.assert_allclose(board.matches, [[1, np.cos(0.2)], [np.cos(0.2) / 2, 1]], atol=1e-6)
    assert board.columns["method"] == ["a", "b", "b"]
    np.testing.assert_allclose(board.columns["speed"][2], np.linalg.norm(A[:, 2]), rtol=1e-5)


def test_finished_methods_are_read_and_another_run_is_refused(tmp_path):
    G, codes = of(bent, 3), np.zeros((1, 3), np.float32)
    first = scores(G, np.eye(3), codes, out=tmp_path)
    times = {file: file.stat().st_mtime_ns for file in (tmp_path / "parts").iterdir()}
    assert {file.stem for file in times} == {"trace", "scores-test"}
    again = scores(G, np.eye(3), codes, out=tmp_path)
    np.testing.assert_array_equal(again.scores["test"].straightness, first.scores["test"].straightness)
    assert times == {file: file.stat().st_mtime_ns for file in (tmp_path / "parts").iterdir()}
    for other in ({"reach": 1.0}, {"epsilon": 0.2}):
        with pytest.raises(StoreError, match="belongs to another run"):
            scores(G, np.eye(3), codes, out=tmp_path, **other)
    with pytest.raises(StoreError, match="directions"):
        scores(G, np.eye(3)[:, ::-1], codes, out=tmp_path)


def test_what_cannot_be_scored_is_refused_before_any_work():
    G, D, codes = of(bent, 3), gg.distances.euclidean(), np.zeros((1, 3), np.float32)
    with pytest.raises(ValueError, match="there is no set of directions"):
        gd.scoreboard(G, D, {}, codes, KEY)
    flat = gd.direction_set(G, np.diag([1.0, 0, 1]), "flat")
    with pytest.raises(ValueError, match="directions 1 are zero"):
        gd.scoreboard(G, D, {"flat": flat}, codes, KEY)
    other = gd.direction_set(of(lambda _, z: A @ z, 3), np.eye(3), "other")
    with pytest.raises(OptionError, match="whose kernels have the hash"):
        gd.scoreboard(G, D, {"other": other}, codes, KEY)


def test_unit_steps_are_latent_units():
    G = of(bent, 3)
    found = gd.unit_steps(gd.direction_set(G, np.diag([2.0, 3, 4]), "long", scales=[5, 6, 7]))
    np.testing.assert_allclose(found[1].path(np.zeros(3))(np.array([2.0])), [[0, 2, 0]], atol=1e-6)


@pytest.mark.slow
def test_a_fresh_predictor_tells_apart_what_moves_and_not_what_does_nothing():
    G, truth = gg.load("shapes"), np.asarray(gg.zoo.card("shapes")["factors"]["directions"]).T
    null = np.linalg.svd(truth.T)[2][7:].T
    V = np.column_stack([truth[:, 0], truth[:, 4], null[:, :2]])  # x, rotation, nothing, nothing
    found = scores(G, V, np.zeros((1, 10), np.float32), predictor_steps=150).scores["test"].recognition
    assert found[:2].min() > 0.8
    assert found[2:].mean() < 0.75  # of two that are alike, half or so
