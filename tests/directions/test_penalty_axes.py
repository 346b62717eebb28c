"""Where the Hessian Penalty is least: sets of matrices that one basis makes diagonal, and a generator with axes."""

import jax
import numpy as np
import pytest

import geomgan as gg
from geomgan.directions import penalty_axes
from geomgan.directions.penalty_axes import least_penalty
from geomgan.errors import OptionError
from tests.directions.test_penalty_discovery import planted
from tests.small_models import smooth_generator


def moment_of(matrices):
    return np.einsum("nab,ncd->abcd", matrices, matrices) / len(matrices)


def penalty(matrices, Q):
    inside = Q.T @ matrices @ Q
    return 2 * (np.square(inside).sum() - np.square(np.einsum("nii->ni", inside)).sum()) / len(matrices)


def test_matrices_with_common_axes_are_made_diagonal():
    random = np.random.default_rng(0)
    axes = np.linalg.qr(random.standard_normal((5, 5)))[0]
    matrices = np.einsum("ai,ni,bi->nab", axes, random.standard_normal((40, 5)), axes)
    found = least_penalty(moment_of(matrices), random)
    assert penalty(matrices, found) < 1e-12
    np.testing.assert_allclose(np.abs(axes.T @ found).max(axis=0), 1, atol=1e-6)


def test_of_other_matrices_no_turn_gains_and_no_random_basis_is_better():
    random = np.random.default_rng(1)
    matrices = random.standard_normal((30, 4, 4))
    matrices = matrices + matrices.swapaxes(1, 2)
    found = least_penalty(moment_of(matrices), random)
    np.testing.assert_allclose(found.T @ found, np.eye(4), atol=1e-12)
    least = penalty(matrices, found)
    for i, j in zip(*np.triu_indices(4, 1), strict=True):
        for angle in np.linspace(-0.7, 0.7, 29):
            turned = found.copy()
            c, s = np.cos(angle), np.sin(angle)
            turned[:, [i, j]] = found[:, [i, j]] @ np.array([[c, -s], [s, c]])
            assert penalty(matrices, turned) >= least - 1e-9
    others = [penalty(matrices, np.linalg.qr(random.standard_normal((4, 4)))[0]) for _ in range(500)]
    assert least < min(others)


def test_planted_axes_are_found_and_their_penalty_is_that_of_the_hessians():
    G, rows = planted()
    found = penalty_axes(G, jax.random.key(0), samples=12, path_size=1.0)
    np.testing.assert_allclose(np.abs(rows @ found.vectors).max(axis=0), 1, atol=1e-4)
    assert found.settings["penalty"] < 1e-3 * found.settings["before"]
    assert (np.diff(found.scores["curvature"]) < 0).all()
    np.testing.assert_allclose(found.scores["penalty"].sum(), found.settings["penalty"], rtol=1e-6)
    still = penalty_axes(G, jax.random.key(0), samples=1, path_size=0.0, within=np.eye(3)[:, :2])
    (z,) = np.asarray(G.sample_latent(jax.random.split(jax.random.key(0), 4)[0], 1))
    H = gg.directions.pixel_hessians(G, z, method="differences")
    np.testing.assert_allclose(still.settings["before"], 4 * np.square(H[0, 1]).mean(), rtol=1e-2)
    assert still.vectors.shape == (3, 2)
    assert not still.vectors[2].any()
    with pytest.warns(UserWarning, match=r"epsilon=0.0001 is too small"):
        penalty_axes(G, jax.random.key(0), samples=1, path_size=0.0, epsilon=1e-4)


def test_bad_input():
    G = smooth_generator(40)
    with pytest.raises(OptionError, match=r"the space has 40 dimensions; expected 2 to 32"):
        penalty_axes(G, jax.random.key(0))
    with pytest.raises(OptionError, match="path_size is -1"):
        penalty_axes(G, jax.random.key(0), within=slice(0, 4), path_size=-1)
    with pytest.raises(ValueError, match="not orthonormal"):
        penalty_axes(G, jax.random.key(0), within=np.ones((40, 2)))
