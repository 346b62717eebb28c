import jax
import numpy as np
import pytest

from geomgan.directions.disentanglement import (
    Factors,
    dci,
    disentanglement,
    factor_vae_score,
    known_factors,
    lasso,
    mutual_information_gap,
)

KEY = jax.random.key(0)


def truth(d=10, F=5):
    Q = np.linalg.qr(np.random.default_rng(3).standard_normal((d, d)))[0]
    return Factors(tuple("abcdefg"[:F]), Q[:, :F]), Q


def test_the_factors_themselves_are_perfect_in_any_order_sign_and_length():
    T, Q = truth()
    V = Q[:, ::-1] * np.array([1, -2, 3, -0.1, 5, 1, 1, -1, 1, 1])
    found = disentanglement(V, T, KEY)
    np.testing.assert_allclose(found.cosines, 1)
    np.testing.assert_array_equal(found.best, [9, 8, 7, 6, 5])
    assert found.factor_vae == 1
    assert found.mig == pytest.approx(1, abs=0.01)  # histograms see (bins - 1)² / 2 n nats where there are none
    assert found.disentanglement > 0.99
    assert found.completeness > 0.99
    assert found.informativeness == pytest.approx(1 - 0.02**2, abs=1e-3)  # what the lasso's shrinkage leaves


def test_coordinates_of_a_generic_rotation_are_no_factors():
    T, Q = truth()
    found = disentanglement(np.eye(10), T, KEY)
    np.testing.assert_allclose(found.cosines, np.abs(Q[:, :5]).max(axis=0))
    assert found.mig < 0.25
    assert found.disentanglement < 0.5
    assert found.informativeness > 0.95  # all of it is there, but mixed


def test_twins_cost_the_gap_and_nothing_else():
    T, Q = truth(4, 2)
    found = disentanglement(np.column_stack([Q[:, 0], Q[:, 0], Q[:, 1]]), T, KEY)
    np.testing.assert_allclose(found.cosines, 1)
    assert found.factor_vae == 1
    assert found.mig == pytest.approx(0.5, abs=0.01)  # 0 of one factor, 1 of the other


def test_the_gap_of_gaussians_is_their_mutual_information():
    random, rho = np.random.default_rng(0), 0.8
    u, noise, other = random.standard_normal((3, 100_000))
    c = np.column_stack([rho * u + np.sqrt(1 - rho**2) * noise, other])
    gap = mutual_information_gap(c, u[:, None], bins=60) * np.log(60)
    assert gap == pytest.approx(-0.5 * np.log(1 - rho**2), abs=0.02)
    assert mutual_information_gap(np.exp(c), u[:, None] ** 3, bins=60) * np.log(60) == pytest.approx(gap)


def test_a_mixed_pair_has_the_importances_of_its_angle():
    x = np.random.default_rng(1).standard_normal((40_000, 2))
    x = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T)).T)
    c, s = np.cos(0.3), np.sin(0.3)
    D, C, informative = dci(x, x @ np.array([[c, s], [-s, c]]))
    p = (c - 0.02) / (c + s - 0.04)  # the lasso's soft threshold
    expected = 1 + (p * np.log(p) + (1 - p) * np.log(1 - p)) / np.log(2)
    np.testing.assert_allclose([D, C], expected, atol=0.02)
    assert informative == pytest.approx(1 - 2 * 0.02**2, abs=1e-3)


def test_lasso_is_where_its_subgradient_vanishes():
    random = np.random.default_rng(2)
    x = random.standard_normal((500, 6)) @ random.standard_normal((6, 6))
    y, penalty = random.standard_normal((500, 3)) + x[:, :3], 0.3
    w = lasso(x, y, penalty, sweeps=5000)
    slope = x.T @ (y - x @ w) / len(x)
    np.testing.assert_allclose(slope[w != 0], penalty * np.sign(w[w != 0]), atol=1e-6)
    assert (np.abs(slope) <= penalty + 1e-6).all()
    assert 0 < (w == 0).sum() < w.size


def test_the_vote_of_a_coordinate_without_variance_does_not_count():
    T, Q = truth(4, 2)
    V = np.column_stack([Q[:, :2], np.zeros(4)])
    assert factor_vae_score(lambda z: z @ V, T.directions, np.random.default_rng(0)) == 1


def test_one_direction_for_two_factors_votes_for_one():
    T, Q = truth(4, 2)
    V = np.column_stack([Q[:, 0] + Q[:, 1], Q[:, 2]])
    score = factor_vae_score(lambda z: z @ V, T.directions, np.random.default_rng(0))
    assert score == pytest.approx(0.5, abs=0.1)


def test_cards_without_ground_truth_have_none():
    assert known_factors({}) is None
    found = known_factors({"factors": {"names": ["x"], "directions": [[0.6, 0.8], [0.8, -0.6]]}})
    assert found.names == ("x",)
    np.testing.assert_array_equal(found.directions, [[0.6], [0.8]])


@pytest.mark.parametrize(
    ("V", "message"),
    [
        (np.ones((10, 1)), r"shape \(10, 1\); expected \(10, k\), k at least 2"),
        (np.ones((9, 3)), r"shape \(9, 3\)"),
        (np.column_stack([np.ones(10), np.zeros(10)]), r"directions \[1\] are zero"),
        (np.full((10, 2), np.nan), "directions holds 20 NaN"),
    ],
)
def test_bad_directions_are_refused(V, message):
    with pytest.raises(ValueError, match=message):
        disentanglement(V, truth()[0], KEY)
