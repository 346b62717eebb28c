"""Optimisers in the eigenbasis of a metric: closed forms, and the same steps taken by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import geomgan as gg
from geomgan import optimize as go
from tests.small_models import linear_generator, smooth_generator


def problem(d=5, rows=12, seed=0):
    """The matrix of a linear generator, the codes of two targets, and their losses."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((rows, d)) * np.geomspace(1, 0.05, d)
    codes = rng.standard_normal((2, d)).astype(np.float32)
    G = linear_generator(A.astype(np.float32))
    return A, codes, go.losses(G, gg.distances.euclidean(), codes @ A.T.astype(np.float32))


def test_a_rotation_is_adam_on_rotated_coordinates():
    A, _, loss = problem()
    e = gg.eigenpairs(A.T @ A)
    start = np.zeros((2, 5), np.float32)
    state = go.descend(go.adam(0.05, metric=e), loss, start, 20)
    U, plain = jnp.asarray(e.vectors, jnp.float32), optax.adam(0.05)
    y = jnp.zeros(5)
    inner = plain.init(y)
    for _ in range(20):
        update, inner = plain.update(U.T @ jax.grad(loss[0].value)(U @ y), inner)
        y = optax.apply_updates(y, update)
    np.testing.assert_allclose(state.code[0], U @ y, atol=2e-5)


def test_whitened_descent_ends_in_one_step_on_a_quadratic():
    A, codes, loss = problem()
    e = gg.eigenpairs(A.T @ A)
    method = go.sgd(0.5 / e.values[0], metric=e, scale=1.0, floor=0.0)
    state = go.descend(method, loss, np.zeros((2, 5), np.float32), 1)
    np.testing.assert_allclose(state.best, codes, atol=1e-4)
    assert state.passes.tolist() == [4, 4]


@pytest.mark.parametrize("scale", [0.0, 0.3, 1.0])
def test_descent_shrinks_each_axis_by_its_closed_form(scale):
    """Along axis ``i`` a step leaves ``1 - 2 η λ_i f_i²`` of the error, ``f_i² = (λ̃_i)^(-scale)``."""
    A, codes, loss = problem()
    e = gg.eigenpairs(A.T @ A)
    rate, floor, steps = 0.2 / e.values[0], 0.01, 7
    state = go.descend(go.sgd(rate, metric=e, scale=scale, floor=floor), loss, np.zeros((2, 5), np.float32), steps)
    relative = (e.values / e.values[0] + floor) / (1 + floor)
    left = (1 - 2 * rate * e.values * relative**-scale) ** steps
    error = (codes - np.asarray(state.code)) @ e.vectors
    np.testing.assert_allclose(error, left * (codes @ e.vectors), atol=1e-4)


def test_few_pairs_move_the_code_in_their_span_only():
    A, _, loss = problem()
    e = gg.eigenpairs(A.T @ A, k=2)
    state = go.descend(go.adam(0.05, metric=e), loss, np.zeros((2, 5), np.float32), 10)
    rest = np.eye(5) - e.vectors @ e.vectors.T
    assert np.abs(np.asarray(state.code) @ rest).max() < 1e-6
    assert np.abs(state.code).max() > 0.1


def test_the_transformation_of_optax_is_the_method():
    """Chained by hand and under ``jit``, it takes the same steps; its basis is in its state, not in the program."""
    G = smooth_generator()
    target = G(jnp.ones(6))
    loss = go.losses(G, gg.distances.mse(), target[None])
    e = gg.eigenpairs(gg.metric_tensor(G, gg.distances.mse(), jnp.zeros(6)))
    transformation = go.in_eigenbasis(optax.adam(0.1), e, scale=0.5)
    z = jnp.zeros(6)
    state = transformation.init(z)
    step = jax.jit(lambda z, state: transformation.update(jax.grad(loss[0].value)(z), state, z))
    for _ in range(5):
        update, state = step(z, state)
        z = z + update
    method = go.descend(go.adam(0.1, metric=e, scale=0.5), loss, np.zeros((1, 6), np.float32), 5)
    np.testing.assert_allclose(method.code[0], z, atol=1e-5)
    own = go.descend(go.adam(0.1, metric="own", scale=0.5), loss, np.zeros((1, 6), np.float32), 5)
    np.testing.assert_allclose(own.code[0], z, atol=2e-3)
    assert own.passes[0] == method.passes[0] + 7


def test_lbfgs_counts_the_losses_of_its_line_search():
    A, _, loss = problem()
    plain = go.descend(go.lbfgs(), loss, np.zeros((2, 5), np.float32), 12)
    assert (plain.passes > 12 * 3 + 1).all()
    rotated = go.descend(go.lbfgs(metric=A.T @ A, scale=1.0, floor=0.0), loss, np.zeros((2, 5), np.float32), 12)
    assert (rotated.best_value <= 1e-6).all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: go.in_eigenbasis(optax.adam(1), (np.ones(3), np.ones((5, 2)))), r"\(k,\) and \(d, k\)"),
        (lambda: go.in_eigenbasis(optax.adam(1), (np.zeros(2), np.eye(2))), "expected one above zero"),
        (lambda: go.in_eigenbasis(optax.adam(1), (np.ones(2), np.eye(2)), scale=2.0), "expected 0 to 1"),
        (lambda: go.in_eigenbasis(optax.adam(1), (np.ones(2), np.eye(2))).init(jnp.ones(3)), "expected 3"),
        (lambda: go.adam(-1), "expected a positive number"),
        (lambda: go.adam(metric="mine"), "expected 'own'"),
        (lambda: go.adam(metric=np.eye(2), every=5), "expected metric='own'"),
    ],
)
def test_what_does_not_fit_is_said(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()
