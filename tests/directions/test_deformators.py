"""The six kinds of deformator, against transcriptions in numpy and scipy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from geomgan.directions import Deformator, initial_deformator
from geomgan.directions.deformators import fixed_deformator
from geomgan.errors import OptionError
from tests.small_models import largest_difference

D, K, N = 6, 4, 5
RNG = np.random.default_rng(0)
INDICES, MAGNITUDES = np.array([0, 3, 2, 3, 1]), np.array([-2.0, 0.5, 0.0, 6.0, 1.5], np.float32)
X = np.zeros((N, K))
X[np.arange(N), INDICES] = MAGNITUDES


def filled(tree):
    """The same tree with other numbers than those a training begins with."""
    numbers = lambda leaf: jnp.asarray(0.5 + np.abs(RNG.standard_normal(leaf.shape)), jnp.float32)
    return jax.tree.map(numbers, tree)


def shifts(deformator, training=False):
    moved, after = deformator.shifts(None, jnp.asarray(INDICES), jnp.asarray(MAGNITUDES), training=training)
    return np.asarray(moved), after


def elu(x):
    return np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1)


def test_the_axes_of_the_code():
    deformator = initial_deformator(jax.random.key(0), "id", D, K)
    np.testing.assert_array_equal(shifts(deformator)[0], np.pad(X, ((0, 0), (0, 2))))
    np.testing.assert_array_equal(deformator.vectors(), np.eye(D, K))


def test_a_matrix_moves_along_its_columns():
    start = initial_deformator(jax.random.key(0), "linear", D, K, random_start=False)
    np.testing.assert_array_equal(start.vectors(), np.eye(D, K))
    W, b = RNG.standard_normal((D, K)), RNG.standard_normal(D)
    learnt = {"linear": {"kernel": jnp.asarray(W.T, jnp.float32), "bias": jnp.asarray(b, jnp.float32)}}
    deformator = Deformator(learnt, {}, "linear", K, D)
    assert largest_difference(shifts(deformator)[0], X @ W.T + b) < 1e-6
    assert largest_difference(deformator.vectors(), W) < 1e-6


def test_a_projective_map_keeps_the_length():
    W, b = RNG.standard_normal((D, K)), 0.1 * RNG.standard_normal(D)
    learnt = {"linear": {"kernel": jnp.asarray(W.T, jnp.float32), "bias": jnp.asarray(b, jnp.float32)}}
    moved, _ = shifts(Deformator(learnt, {}, "projective", K, D))
    y = X @ W.T + b
    expected = np.linalg.norm(X, axis=1, keepdims=True) / np.linalg.norm(y, axis=1, keepdims=True) * y
    assert largest_difference(moved, expected) < 1e-6
    np.testing.assert_allclose(np.linalg.norm(moved, axis=1), np.abs(MAGNITUDES), rtol=1e-6)
    chords = Deformator(learnt, {}, "projective", K, D).vectors(2.0)
    ends = [s * 2 * W.T + b for s in (1, -1)]
    ends = [2 * y / np.linalg.norm(y, axis=1, keepdims=True) for y in ends]
    assert largest_difference(chords, (ends[0] - ends[1]).T / 4) < 1e-6


@pytest.mark.parametrize("random_start", [True, False])
def test_a_rotation_is_the_exponential_of_what_is_antisymmetric(random_start):
    deformator = initial_deformator(jax.random.key(1), "ortho", D, random_start=random_start)
    L = np.asarray(deformator.learnt["log_half"], np.float64)
    assert 0.5 < L.std() / (1 if random_start else 1e-3) < 2
    Q = scipy.linalg.expm(L - L.T)
    assert largest_difference(shifts(deformator)[0], MAGNITUDES[:, None] * Q.T[INDICES]) < 1e-5
    np.testing.assert_allclose(deformator.vectors().T @ deformator.vectors(), np.eye(D), atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_a_network_bends_the_paths(training):
    start = initial_deformator(jax.random.key(2), "fc", D, K)
    assert [start.learnt[f"fc{i}"]["kernel"].shape for i in (1, 4)] == [(K, 1024), (1024, D)]
    w, kept = (jax.tree.map(lambda x: np.asarray(x, np.float64), tree) for tree in (start.learnt, filled(start.kept)))
    deformator = Deformator(start.learnt, jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), kept), "fc", K, D)

    def norm(name, y):
        mean, var = (y.mean(0), y.var(0)) if training else (kept[name]["mean"], kept[name]["var"])
        return (y - mean) / np.sqrt(var + 1e-5) * w[name]["scale"] + w[name]["bias"]

    def dense(name, y):
        return y @ w[name]["kernel"] + w[name]["bias"]

    x1 = dense("fc1", X)
    x2 = dense("fc2", elu(norm("norm1", x1)))
    x3 = dense("fc3", elu(norm("norm2", x2 + x1)))
    expected = dense("fc4", elu(norm("norm3", x3 + x2 + x1))) + np.pad(X, ((0, 0), (0, D - K)))
    moved, after = shifts(deformator, training)
    assert largest_difference(moved, expected) < 2e-5
    if training:
        running = 0.9 * kept["norm1"]["var"] + 0.1 * x1.var(0, ddof=1)
        assert largest_difference(after.kept["norm1"]["var"], running) < 1e-5
    else:
        np.testing.assert_array_equal(after.kept["norm1"]["var"], deformator.kept["norm1"]["var"])


def test_random_columns_are_orthonormal_and_are_not_trained():
    deformator = initial_deformator(jax.random.key(3), "random", D, K)
    assert deformator.learnt == {}
    np.testing.assert_allclose(deformator.vectors().T @ deformator.vectors(), np.eye(K), atol=1e-6)
    more = initial_deformator(jax.random.key(3), "random", D, 9).vectors()
    np.testing.assert_allclose(more @ more.T, np.eye(D), atol=1e-6)
    fixed = fixed_deformator(deformator.vectors())
    np.testing.assert_array_equal(shifts(fixed)[0], shifts(deformator)[0])


def test_shifts_are_padded_and_cut():
    for kind in ("linear", "random", "fc", "id", "projective"):
        for width in (3, 9):
            deformator = initial_deformator(jax.random.key(4), kind, D, K, width=width)
            assert shifts(deformator)[0].shape == (N, D)
            if kind in ("linear", "random") and width == 3:
                np.testing.assert_array_equal(deformator.vectors()[3:], 0)


def test_what_cannot_be():
    with pytest.raises(OptionError, match="kind='ortho' with 4 paths in 6 dimensions"):
        initial_deformator(jax.random.key(0), "ortho", D, K)
    with pytest.raises(OptionError, match="Did you mean 'linear'"):
        initial_deformator(jax.random.key(0), "linar", D)
    with pytest.raises(ValueError, match="paths is 0; expected a positive integer"):
        initial_deformator(jax.random.key(0), "linear", D, 0)
