"""Gauss-Newton with damping: one step on linear maps, an independent transcription, and what is counted."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan import optimize as go
from geomgan.optimize.least_squares import SPREAD
from geomgan.optimize.residuals import metric_at
from tests.small_models import linear_generator, smooth_generator


def linear_problem(d=5, rows=12):
    rng = np.random.default_rng(0)
    A = (rng.standard_normal((rows, d)) * np.geomspace(1, 0.05, d)).astype(np.float32)
    codes = rng.standard_normal((2, d)).astype(np.float32)
    return A, codes, go.losses(linear_generator(A), gg.distances.euclidean(), codes @ A.T)


@pytest.mark.parametrize(
    ("method", "passes"),
    [
        (go.levenberg_marquardt(damping=1e-9), 6 + 4 + 1),
        (go.levenberg_marquardt("cg", k=5, damping=1e-9), 3 + 5 * 3 + 4 + 1),
        (go.levenberg_marquardt("metric", damping=1e-9), 6 + 3 + 4 + 1),
        (go.levenberg_marquardt("subspace", k=5, damping=1e-9), 6 + 6 + 4 + 1),
    ],
    ids=["dense", "cg", "metric", "subspace"],
)
def test_a_linear_map_is_inverted_in_one_step(method, passes):
    """And the passes are those of the module's table, four tried dampings and the last look."""
    _, codes, loss = linear_problem()
    state = go.descend(method, loss, np.zeros((2, 5), np.float32), 1)
    np.testing.assert_allclose(state.best, codes, atol=2e-5)
    assert state.passes.tolist() == [passes, passes]


def test_few_directions_give_the_least_squares_of_their_span():
    A, codes, loss = linear_problem()
    e = gg.eigenpairs(A.astype(np.float64).T @ A, k=2)
    state = go.descend(
        go.levenberg_marquardt("subspace", k=2, metric=e, damping=1e-9), loss, np.zeros((2, 5), np.float32), 1
    )
    span = A @ e.vectors
    y = np.linalg.lstsq(span, A @ codes.T, rcond=None)[0]
    np.testing.assert_allclose(state.best, (e.vectors @ y).T, atol=1e-4)


def test_conjugate_gradients_are_those_of_numpy():
    """``k`` steps on the normal equations, damped: the same point as textbook conjugate gradients."""
    A, codes, loss = linear_problem()
    k, relative = 3, 1e-2
    state = go.descend(go.levenberg_marquardt("cg", k=k, damping=relative), loss, np.zeros((2, 5), np.float32), 1)
    wide = A.astype(np.float64)
    for i in range(2):
        found = []
        H, b = wide.T @ wide, wide.T @ (wide @ codes[i])
        krylov = np.linalg.qr(np.stack([np.linalg.matrix_power(H, j) @ b for j in range(k)], axis=1))[0]
        scale = np.diag(krylov.T @ H @ krylov).max()
        for mu in relative * scale * SPREAD:
            z, r = np.zeros(5), b.copy()
            p = r.copy()
            for _ in range(k):
                image = H @ p + mu * p
                step = r @ r / (p @ image)
                z, new = z + step * p, r - step * image
                p, r = new + (new @ new) / (r @ r) * p, new
            found.append(z)
        losses = [np.sum((wide @ (z - codes[i])) ** 2) for z in found]
        np.testing.assert_allclose(state.best[i], found[int(np.argmin(losses))], rtol=1e-3, atol=1e-4)


def test_steps_are_those_of_a_transcription_in_float64():
    G, D = smooth_generator(), gg.distances.mse()
    target, z = np.asarray(G(jnp.ones(6) * 0.8)), np.zeros(6)
    first, second = (np.asarray(p, np.float64) for p in G.params)
    sample = lambda z: np.tanh(second @ np.tanh(first @ z))
    residual = lambda z: (sample(z) - target.ravel()) / 768**0.5
    loss, mu = go.losses(G, D, target[None]), None
    for _ in range(4):
        h = np.tanh(first @ z)
        x = np.tanh(second @ h)
        J = (1 - x[:, None] ** 2) * second @ ((1 - h[:, None] ** 2) * first) / 768**0.5
        H, b, value = J.T @ J, J.T @ residual(z), np.sum(residual(z) ** 2)
        mu = 1e-2 * np.diag(H).max() if mu is None else mu
        tried = mu * SPREAD
        steps = [-np.linalg.solve(H + m * np.eye(6), b) for m in tried]
        found = [np.sum(residual(z + s) ** 2) for s in steps]
        i = int(np.argmin(found))
        if found[i] < value:
            gain = (value - found[i]) / -(2 * steps[i] @ b + steps[i] @ H @ steps[i])
            z, mu = z + steps[i], tried[i] * np.clip(1 - (2 * gain - 1) ** 3, 1 / 3, 2)
        else:
            mu = tried[-1] * 30
    state = go.descend(go.levenberg_marquardt(), loss, np.zeros((1, 6), np.float32), 4)
    np.testing.assert_allclose(state.best[0], z, atol=2e-4)
    np.testing.assert_allclose(float(state.best_value[0]), found[i], rtol=1e-2, atol=1e-9)


def corner(params, z):
    """Better only in steps that are much shorter than those of the first dampings."""
    return jnp.stack([z[0] + 1, 1e3 * jnp.maximum(-z[0] - 1e-6, 0)])


def test_a_rejected_step_loses_nothing_and_calms_the_next():
    G = gg.Generator.from_function(corner, (), 1, output_range=None)
    loss = go.losses(G, gg.distances.euclidean(), np.zeros((1, 2), np.float32))
    begun = go.descend(go.levenberg_marquardt(damping=1e-6), loss, np.zeros((1, 1), np.float32), 1)
    assert begun.code.tolist() == [[0.0]]
    assert begun.best_value.tolist() == [1.0]
    np.testing.assert_allclose(begun.inner.damping, 1e-6 * SPREAD[-1] * 30, rtol=1e-5)
    later = go.descend(go.levenberg_marquardt(damping=1e-6), loss, np.zeros((1, 1), np.float32), 8)
    assert later.best_value[0] < 1.0


def test_nan_of_some_steps_is_rejected():
    G = gg.Generator.from_function(lambda p, z: jnp.where(z > 0.5, jnp.nan, z), (), 1, output_range=None)
    loss = go.losses(G, gg.distances.euclidean(), np.full((1, 1), 0.6, np.float32))
    state = go.descend(go.levenberg_marquardt(), loss, np.zeros((1, 1), np.float32), 30)
    assert 0.4 < state.best[0, 0] <= 0.5
    assert np.isfinite(state.best_value).all()


def test_a_renewed_metric_follows_the_code():
    G, D = smooth_generator(), gg.distances.mse()
    loss = go.losses(G, D, np.asarray(G(jnp.ones(6)))[None])
    z = np.zeros((1, 6), np.float32)
    fixed = go.descend(go.levenberg_marquardt("metric"), loss, z, 5)
    fresh = go.descend(go.levenberg_marquardt("metric", every=1), loss, z, 5)
    dense = go.descend(go.levenberg_marquardt(), loss, z, 5)
    assert fresh.passes[0] == fixed.passes[0] + 4 * 7
    np.testing.assert_allclose(fresh.best, dense.best, atol=1e-3)
    assert fresh.best_value[0] < fixed.best_value[0]


def test_least_squares_needs_an_embedding():
    G = smooth_generator()
    loss = go.losses(G, gg.distances.ssim(), np.asarray(G(jnp.ones(6)))[None])
    with pytest.raises(gg.OptionError, match="method='adam'"):
        go.descend(go.levenberg_marquardt(), loss, np.zeros((1, 6), np.float32), 1)
    state = go.descend(go.adam(0.05), loss, np.zeros((1, 6), np.float32), 20)
    assert state.best_value[0] < 0.9 * float(loss[0].value(jnp.zeros(6)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"solver": "newton"}, "solver='newton' is not known"),
        ({"damping": 0.0}, "expected a positive number"),
        ({"k": 3}, "Take 'subspace' or 'cg'"),
        ({"solver": "cg", "metric": np.eye(3)}, "expected metric=None"),
        ({"solver": "subspace", "metric": np.eye(3), "every": 2}, "every=2"),
        ({"solver": "subspace", "metric": (np.ones(2), np.eye(3)[:, :2]), "k": 3}, "at most 2, the eigenpairs given"),
    ],
)
def test_what_does_not_fit_is_said(options, message):
    with pytest.raises(ValueError, match=message):
        go.levenberg_marquardt(**options)


def test_losses_are_sums_of_weighted_distances_and_the_prior():
    """And their residuals' squares, with masks; the metric is that of the sum."""
    G = smooth_generator()
    x, z = np.asarray(G(jnp.ones(6))), jnp.arange(6) / 5
    mask = np.zeros((16, 16))
    mask[4:9, 2:] = 0.5
    prior = go.Prior(jnp.ones(6), jnp.full(6, 2.0))
    pair = [(0.3, gg.distances.mse()), (2.0, gg.distances.euclidean())]
    loss = go.losses(G, pair, x[None], prior=prior, penalty=0.7, masks=mask)[0]
    squares = (mask[..., None] * (np.asarray(G(z)) - x)) ** 2
    expected = 0.3 * squares.mean() + 2.0 * squares.sum() + 0.7 * np.mean(((np.asarray(z) - 1) / 2) ** 2)
    np.testing.assert_allclose(loss.value(z), expected, rtol=1e-5)
    np.testing.assert_allclose(sum(jnp.sum(r**2) for r in loss.residual(z)), expected, rtol=1e-5)
    metric, passes = metric_at(loss, z)
    flat = lambda z: jnp.concatenate([r.ravel() for r in loss.residual(z)])
    J = jax.jacfwd(flat)(z)
    np.testing.assert_allclose(metric, J.T @ J, rtol=1e-4, atol=1e-5)
    assert passes == 7
