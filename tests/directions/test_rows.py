"""Matrices of directions: Gram and Schmidt's process, parts of the code, and the published files."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.directions import orthonormalised, published_directions
from geomgan.directions.rows import first_rows, part_of
from geomgan.errors import OptionError
from tests.fixtures import ASSETS, golden, needs_assets
from tests.small_models import linear_generator

FOLDER = ASSETS / "hessian-penalty"


def gram_schmidt(rows):
    """The published process: each row loses its parts along those before it; lengths come last."""
    kept = []
    for x in np.asarray(rows, np.float64):
        for y in kept:
            x = x - x.dot(y) / y.dot(y) * y
        kept.append(x)
    return np.stack([x / np.linalg.norm(x) for x in kept])


def wide(d=120):
    return linear_generator(np.ones((2, d), np.float32))


@pytest.mark.parametrize("shape", [(7, 7), (3, 8)])
def test_signs_and_rows_are_those_of_gram_and_schmidt(shape):
    A = np.random.default_rng(0).standard_normal(shape)
    np.testing.assert_allclose(orthonormalised(A), gram_schmidt(A), atol=1e-12)
    np.testing.assert_allclose(orthonormalised(jnp.asarray(A, jnp.float32)), gram_schmidt(A), atol=1e-5)


def test_its_derivative_is_that_of_the_process():
    A, change = np.random.default_rng(1).standard_normal((2, 4, 6))
    with jax.enable_x64(True):
        _, slope = jax.jvp(orthonormalised, (jnp.asarray(A),), (jnp.asarray(change),))
    step = 1e-6
    expected = (gram_schmidt(A + step * change) - gram_schmidt(A - step * change)) / (2 * step)
    np.testing.assert_allclose(slope, expected, atol=1e-8)


@needs_assets
@pytest.mark.parametrize("name", ["goldens", "church", "goldens_coarse", "goldens_mid", "goldens_fine"])
def test_published_matrices_are_the_reference_rows(name):
    from weights_convert.files import read_file

    manifest, arrays = golden("biggan_directions")
    first, last = manifest["config"]["search_space"][f"our_{name}"]
    found = published_directions(read_file(FOLDER / f"our_{name}.pt"), wide())
    assert found.orthonormal
    np.testing.assert_allclose(found.vectors.T[:, first:last], arrays[f"our_{name}"], atol=2e-6)
    assert not np.delete(found.vectors, np.arange(first, last), axis=0).any()
    labels = {"goldens": "zoom", "church": "shifting", "goldens_mid": "scene lighting", "goldens_fine": "white filter"}
    number = {"goldens": 6, "church": 14, "goldens_mid": 8, "goldens_fine": 13}
    if name in labels:
        assert found.index(labels[name]) == number[name]


@needs_assets
def test_orthonormal_matrices_stay_as_they_are():
    from weights_convert.files import read_file

    matrix = read_file(FOLDER / "voynov.pt")
    np.testing.assert_array_equal(published_directions(matrix, wide()).vectors.T, matrix)


def test_parts_of_the_code():
    assert [part_of(space, 120) for space in ("all", "coarse", "mid", "fine")] == [
        (0, 120),
        (0, 40),
        (40, 80),
        (80, 120),
    ]
    assert part_of((2, 5), 7) == (2, 5)
    rows = first_rows("coordinates", jax.random.key(0), 2, (2, 5), 7)
    np.testing.assert_array_equal(rows, np.eye(2, 3))
    rows = first_rows("random", jax.random.key(0), None, "all", 200)
    assert rows.shape == (200, 200)
    np.testing.assert_allclose(rows.std(), 0.1, rtol=0.02)  # √(2 / columns)


def test_a_search_begins_from_a_file(tmp_path):
    G = linear_generator(np.ones((2, 9), np.float32))
    rows = gram_schmidt(np.random.default_rng(0).standard_normal((3, 3)))
    vectors = np.zeros((9, 3))
    vectors[3:6] = rows.T
    gg.directions.save(gg.directions.direction_set(G, vectors, "hand"), tmp_path / "mid.npz")
    found = first_rows(tmp_path / "mid.npz", jax.random.key(0), 2, "mid", 9)
    np.testing.assert_allclose(found, rows[:2], atol=1e-6)
    with pytest.raises(OptionError, match="rows of 9 numbers, and coordinates 0 to 2 of 9 are searched"):
        first_rows(tmp_path / "mid.npz", jax.random.key(0), None, "coarse", 9)


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: part_of("coarse", 64), OptionError, "third of the code, and 64 dimensions have none"),
        (lambda: part_of("middle", 60), OptionError, "search_space='middle' is not known. Did you mean 'mid'"),
        (lambda: part_of((5, 5), 9), OptionError, "0 <= first < last <= 9"),
        (lambda: first_rows("random", jax.random.key(0), 8, "all", 7), OptionError, "ndirs is 8; expected at most 7"),
        (lambda: first_rows(np.ones((2, 5)), jax.random.key(0), None, "all", 7), OptionError, "another width"),
        (lambda: published_directions(np.eye(40), wide(64)), OptionError, "rows of 40 numbers; expected 64"),
        (lambda: published_directions(np.eye(120), wide(64)), OptionError, "Load the model that it is of"),
        (lambda: published_directions(np.ones((2, 64)), wide(64)), ValueError, "not independent"),
        (lambda: published_directions(np.ones(64), wide(64)), ValueError, r"shape \(64,\); expected numbers \(n, d\)"),
    ],
)
def test_bad_input(call, error, says):
    with pytest.raises(error, match=says):
        call()
