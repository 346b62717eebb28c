"""The toy quadratics of GAN-Geometry's notebook: what Adam gains by a rotation into the Hessian's eigenbasis."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from geomgan.optimize import in_eigenbasis

NINE = np.array([520, 255, 115, 54, 40, 22, 3, 0.1, 0.01])


def adam(values, Q, start, rotated, steps=150, rate=0.1):
    """``½ zᵀ H z`` after each step of Adam, ``H = Qᵀ diag(values) Q``, in the code's or the eigenbasis."""
    H = jnp.asarray((Q.T * values) @ Q, jnp.float32)
    optimizer = in_eigenbasis(optax.adam(rate), (values, Q.T)) if rotated else optax.adam(rate)
    f = lambda z: 0.5 * z @ H @ z

    def step(carry, _):
        z, state = carry
        update, state = optimizer.update(jax.grad(f)(z), state, z)
        z = optax.apply_updates(z, update)
        return (z, state), f(z)

    z = jnp.asarray(start, jnp.float32)
    return np.asarray(jax.lax.scan(step, (z, optimizer.init(z)), None, length=steps)[1])


def turned(degrees):
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[c, s], [-s, c]])


def test_two_dimensions_at_sixty_degrees():
    """After the notebook's 150 steps the loss is a fifth; along the way the plain one is ahead."""
    plain, rotated = (adam(np.array([10.0, 1.0]), turned(60), (3, 9), r) for r in (False, True))
    np.testing.assert_allclose(plain[[49, 99, 149]], [60.193, 8.686, 4.951], rtol=1e-3)
    np.testing.assert_allclose(rotated[[49, 99, 149]], [110.299, 15.288, 1.0153], rtol=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_nine_dimensions(seed):
    """The notebook's spectrum of nearly five decades: a tenth of the loss after 100 steps, a 500th after 150."""
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((9, 9)))[0]
    start = np.random.default_rng(100 + seed).standard_normal(9)
    plain, rotated = (adam(NINE, Q, start, r) for r in (False, True))
    assert rotated[99] < plain[99] / 10
    assert rotated[149] < plain[149] / 500


def test_a_basis_that_is_the_eigenbasis_already_gains_nothing():
    plain, rotated = (adam(NINE, np.eye(9), np.ones(9), r) for r in (False, True))
    np.testing.assert_allclose(rotated, plain, rtol=1e-4)
