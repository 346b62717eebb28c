"""Hessians of objectives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from tests.small_models import in_float64, largest_difference, linear_generator, small_dcgan, smooth_generator


def saddle(x):
    return x[0] ** 2 - 2 * x[1] ** 2 + x[0] * x[2]


def unit(params, x):
    return jnp.tanh(jnp.vdot(params, x))


def test_a_quadratic_objective_of_a_linear_map(rng):
    A = rng.standard_normal((3, 5)).astype(np.float32)
    H = A.T @ np.array([[2, 0, 1], [0, -4, 0], [1, 0, 0]]) @ A
    op = gg.hessian_operator(linear_generator(A), saddle, np.zeros(5))
    assert largest_difference(op.to_dense(), H) < 1e-5
    e = gg.eigenpairs(op)
    np.testing.assert_allclose(e.values, np.linalg.eigvalsh(H)[::-1], atol=1e-5)
    assert e.values[0] > 0 > e.values[-1]


def test_a_unit_with_weights(rng, float64):
    G = in_float64(smooth_generator())
    weights, z = jnp.asarray(rng.standard_normal((16, 16, 3))), jnp.asarray(rng.standard_normal(6))
    expected = jax.hessian(lambda z: unit(weights, G(z)))(z)
    op = gg.hessian_operator(G, unit, z, params=weights)
    assert largest_difference(op.to_dense(), expected) < 1e-6
    v = rng.standard_normal(6)
    assert largest_difference(op.matvec(v), expected @ v) < 1e-6
    for solver in ("arpack", "block"):
        top = gg.eigenpairs(op, 2, solver=solver).values
        np.testing.assert_allclose(top, np.linalg.eigvalsh(expected)[::-1][:2], rtol=1e-5)


def test_bad_objectives():
    with pytest.raises(ValueError, match=r"returns shape \(16, 16, 3\); expected a scalar"):
        gg.hessian_operator(small_dcgan(), lambda x: x, np.zeros(8))
    with pytest.raises(TypeError, match="expected a function"):
        gg.hessian_operator(small_dcgan(), 3, np.zeros(8))
    with pytest.raises(ValueError, match=r"\(3,\); expected \(8,\)"):
        gg.hessian_operator(small_dcgan(), jnp.sum, np.zeros(3))
