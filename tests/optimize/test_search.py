"""Searches by scores from outside JAX: reasons to stop, NaN, resuming, interruption, blocks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.optimize import Status, cma, fixed, hess_cma, in_blocks, in_coordinates, pure_search, search
from tests.small_models import linear_generator

KEY = jax.random.key(0)


def squares(codes):
    return (codes**2).sum(axis=1)


def found(score, dim=5, sigma=0.5, budget=4000, **options):
    return search(score, cma(dim, sigma), np.ones(dim), KEY, budget=budget, progress=False, **options)


def test_reaches_its_target_and_says_so():
    result = found(squares, target=1e-9)
    assert result.status == Status.TARGET
    assert result.score <= 1e-9
    assert result.score == squares(result.code[None])[0]
    assert result.evaluations == 8 * len(result.best) < 1500
    assert result.score == result.best.min()
    assert (result.median >= result.best).all()
    assert "the target was reached" in repr(result)


def test_converges_where_scores_no_longer_differ():
    result = found(lambda codes: 3 + squares(codes))
    assert result.status == Status.CONVERGED
    assert abs(result.score - 3) < 1e-11


def test_converges_at_the_rounding_of_float32_scores():
    result = found(lambda codes: np.float32(3) + squares(codes.astype(np.float32)))
    assert result.status in (Status.CONVERGED, Status.PLATEAU)
    assert result.score == 3


@pytest.mark.parametrize("value", [0.0, 7.5, np.inf])
def test_a_plateau_is_no_convergence(value):
    result = found(lambda codes: np.full(len(codes), value))
    assert result.status == Status.PLATEAU
    assert result.evaluations == 3 * 8
    assert "all scores of 3 generations in a row were equal" in str(result.status)


def test_scores_that_are_all_nan_end_it():
    result = found(lambda codes: np.full(len(codes), np.nan))
    assert result.status == Status.NO_SCORES
    assert (result.score, result.evaluations, result.unusable) == (np.inf, 8, 8)
    assert np.isnan(result.best).all()


def test_nan_scores_rank_last_and_are_counted():
    def score(codes):
        return np.where(codes[:, 0] > 0.8, np.nan, squares(codes))

    result = found(score, target=1e-9)
    assert result.status == Status.TARGET
    first = np.asarray(cma(5, 0.5).ask(cma(5, 0.5).init(np.ones(5), KEY)))
    assert result.unusable >= (first[:, 0] > 0.8).sum() > 0


def test_two_of_nine_scores_nan_at_random_do_not_stop_progress():
    rng = np.random.default_rng(0)

    def score(codes):
        scores = squares(codes)
        scores[rng.choice(len(codes), 2, replace=False)] = np.nan
        return scores

    result = search(score, cma(5, 0.5, population=9), np.ones(5), KEY, budget=9000, target=1e-9, progress=False)
    assert result.status == Status.TARGET
    assert result.unusable == 2 * len(result.best)


def test_a_condition_beyond_float64_is_said():
    scales = 10 ** np.linspace(0, 20, 5)
    result = found(lambda codes: (scales * codes**2).sum(axis=1), budget=40_000, tol=0)
    assert result.status == Status.CONDITION
    assert "hess_cma" in str(result.status)


def test_a_score_without_optimum_and_steps_below_rounding_are_said():
    assert found(lambda codes: codes[:, 0], budget=40_000).status == Status.RUNS_AWAY
    result = found(lambda codes: np.abs(codes - 1e6).max(axis=1), budget=40_000, tol=0)
    assert result.status in (Status.STEPS_LOST, Status.CONVERGED)
    assert np.abs(result.code - 1e6).max() < 1e-6


def test_spends_whole_generations_of_its_budget():
    result = found(squares, budget=100)
    assert result.status == Status.BUDGET
    assert result.evaluations == 96
    with pytest.raises(ValueError, match="budget is 7; expected at least 8 evaluations"):
        found(squares, budget=7)


def test_goes_on_where_it_was_interrupted(tmp_path):
    calls = []

    def interrupted(codes):
        calls.append(len(codes))
        if len(calls) == 20:
            raise KeyboardInterrupt
        return squares(codes)

    whole = found(squares, target=1e-9)
    part = found(interrupted, target=1e-9, out=tmp_path)
    assert part.status == Status.INTERRUPTED
    assert len(part.best) == 19
    rest = found(squares, target=1e-9, out=tmp_path)
    np.testing.assert_array_equal(rest.best, whole.best)
    np.testing.assert_array_equal(rest.code, whole.code)
    assert rest.status == Status.TARGET
    again = found(lambda codes: pytest.fail("finished"), target=1e-9, out=tmp_path)
    np.testing.assert_array_equal(again.code, whole.code)
    with pytest.raises(gg.errors.CheckpointError, match="budget"):
        found(squares, target=1e-9, out=tmp_path, budget=80)


def test_an_error_of_the_score_keeps_nothing_half_done(tmp_path):
    with pytest.raises(ValueError, match=r"score returned shape \(\); expected \(8,\)"):
        found(lambda codes: 0.0, out=tmp_path)
    assert found(squares, target=1e-9, out=tmp_path).status == Status.TARGET


def test_scores_samples_of_a_generator():
    A = np.random.default_rng(0).standard_normal((7, 5))
    sample = A @ np.arange(5.0)
    G = linear_generator(A.astype(np.float32))
    score = lambda samples: ((samples - sample) ** 2).sum(axis=1)
    result = found(score, generator=G, target=1e-6)
    assert result.status == Status.TARGET
    np.testing.assert_allclose(result.code, np.arange(5), atol=0.01)


def test_blocks_are_searched_together_and_one_can_stay():
    score = lambda codes: squares(codes - np.arange(6))
    method = in_blocks([cma(2, 0.5, population=8), cma(4, 0.5, population=8)])
    result = search(score, method, np.zeros(6), KEY, budget=8000, target=1e-9, progress=False)
    assert result.status == Status.TARGET
    held = in_blocks([fixed(2), cma(4, 0.5)])
    result = search(score, held, np.ones(6), KEY, budget=8000, target=1 + 1e-9, progress=False)
    assert result.status == Status.TARGET
    np.testing.assert_array_equal(result.code[:2], [1, 1])
    np.testing.assert_allclose(result.code[2:], np.arange(2, 6), atol=1e-4)
    with pytest.raises(ValueError, match="the blocks have populations 8, 9; expected one number"):
        in_blocks([cma(2, 0.5, population=8), cma(4, 0.5, population=9)])


def test_blocks_are_told_their_own_codes():
    """The original told the noise codes to the class's search, and the other way round."""
    parts = [cma(2, 0.5, population=6), cma(3, 0.5, population=6)]
    method = in_blocks(parts)
    state = method.init(np.zeros(5), KEY)
    codes, scores = np.asarray(method.ask(state)), np.arange(6.0)
    told = method.tell(state, codes, scores)
    np.testing.assert_array_equal(told[0].mean, parts[0].tell(state[0], codes[:, :2], scores).mean)
    np.testing.assert_array_equal(told[1].mean, parts[1].tell(state[1], codes[:, 2:], scores).mean)


def test_a_search_in_coordinates_stays_in_their_span():
    T = np.random.default_rng(0).standard_normal((6, 2))
    method = in_coordinates(cma(2, 0.3), T, np.linalg.pinv(T))
    goal = np.ones(6) + T @ [0.5, -1]
    result = search(
        lambda codes: squares(codes - goal), method, np.ones(6), KEY, budget=4000, target=1e-12, progress=False
    )
    assert result.status == Status.TARGET
    with pytest.raises(ValueError, match="expected a left inverse"):
        in_coordinates(cma(2, 0.3), T, T.T)


def test_restarts_run_in_one_program():
    values, vectors = np.array([9.0, 1.0, 0.1]), np.eye(3)
    method = hess_cma((values, vectors), 0.3, exponent=0.5, adapt="full", population=8)
    score = lambda scales, z: jnp.sum(scales * z**2)
    keys, means = jax.random.split(KEY, 4), jax.random.normal(KEY, (4, 3))
    one = lambda mean, key: pure_search(score, jnp.asarray(values), method, mean, key, generations=200, target=1e-8)[1]
    records = jax.vmap(one)(means, keys)
    assert (records.status == Status.TARGET).all()
    alone = one(means[2], keys[2])
    np.testing.assert_allclose(records.code[2], alone.code, rtol=1e-6)
    with pytest.raises(TypeError, match="64-bit types off"):
        jax.jit(one)(means[0], keys[0])
