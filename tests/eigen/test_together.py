"""Block Lanczos as one program for many maps: the answers of the conversation with the host, and its honesty."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geomgan.eigen import together
from geomgan.eigen.block import block_lanczos, block_width
from geomgan.eigen.choice import within_tolerance
from geomgan.eigen.together import ANSWER, DONE, FAILED, FULL, Limits
from tests.eigen.planted import wanted

TOL, ROUNDING = 1e-6, 32 * float(np.finfo(float).eps)


@partial(jax.jit, static_argnames="dtype")
def program(maps, state, limits, dtype=jnp.float64):
    multiply = lambda V: (maps.astype(dtype) @ V.astype(dtype)).astype(jnp.float64)
    return together.run(multiply, state, limits)


def solve(maps, k, width, limits, dtype=jnp.float64):
    """Pairs of all maps, their phases, and how many programs ran."""
    n, dim = maps.shape[:2]
    with jax.enable_x64(True):
        state, runs = together.begin(n, k, jnp.asarray(together.first_block(dim, width, 0))), 1
        state = program(maps, state, limits, dtype)
        while (state.phase == FULL).any():
            state = jax.jit(together.enlarged, static_argnums=1)(state, min(dim, 2 * state.basis.shape[2]))
            state, runs = program(maps, state, limits, dtype), runs + 1
        state = jax.device_get(state)
    answer = {name: getattr(state, name) for name in ANSWER}
    return [together.pairs_of(answer, i) for i in range(n)], state.phase, runs


def turned(values, seed=0):
    """Symmetric matrices with these eigenvalues ``(n, d)``."""
    rng = np.random.default_rng(seed)
    Q = np.linalg.qr(rng.standard_normal((*values.shape, values.shape[1])))[0]
    return Q * values[:, None] @ np.swapaxes(Q, 1, 2)


def random_spectrum(rng, dim, most):
    """Values of both signs over five decades, of which some repeat up to ``most`` times."""
    values = []
    while len(values) < dim:
        copies = int(rng.integers(2, most + 1)) if rng.random() < 0.4 else 1
        values += [10 ** rng.uniform(-4, 1) * rng.choice([1, -1], p=[0.8, 0.2])] * copies
    return np.array(values[:dim])


@pytest.mark.parametrize(("dim", "k"), [(72, 12), (40, 3)])
@pytest.mark.parametrize("enough", [True, False])
def test_random_spectra_are_complete_or_said_not_to_be(dim, k, enough):
    """Copies up to three times as many as a block has columns; as the host, product by product."""
    rng, width, n = np.random.default_rng(dim), block_width(dim, k), 24
    values = np.stack([random_spectrum(rng, dim, 3 * width) for _ in range(n)])
    maps, most = turned(values), 3 * dim if enough else {72: 72, 40: 17}[dim]
    found, phase, _ = solve(maps, k, width, Limits(TOL, ROUNDING, most, 0))
    assert (phase == DONE).all()
    converged, alike = [], 0
    for pairs, A, spectrum in zip(found, maps, values, strict=True):
        host = block_lanczos(lambda V, A=A: A @ V, dim, k, TOL, most, 0, ROUNDING, width)
        scale = abs(spectrum).max()
        assert pairs.products <= most + width
        residuals = np.linalg.norm(A @ pairs.vectors - pairs.vectors * pairs.values, axis=0)
        np.testing.assert_allclose(residuals, pairs.residuals, atol=1e-11 * scale)
        np.testing.assert_allclose(pairs.vectors.T @ pairs.vectors, np.eye(k), atol=1e-12)
        converged.append(within_tolerance(pairs, TOL).all())
        if converged[-1]:
            np.testing.assert_allclose(pairs.values, wanted(spectrum, k), atol=TOL * scale)
        same = (pairs.products, pairs.complete, pairs.spent) == (host.products, host.complete, host.spent)
        alike += same and np.abs(pairs.values - host.values).max() < 1e-9 * scale
    assert alike >= n - 6  # random directions differ, and with them now and then a step
    assert sum(converged) >= 20 if enough else 0 < sum(converged) < n


def test_products_in_single_precision_and_maps_of_every_kind():
    """Zero, the identity, less than the full rank; one that is not finite fails alone."""
    dim, k = 30, 4
    values = np.stack(
        [np.zeros(dim), np.ones(dim), np.r_[5.0, 3.0, np.zeros(dim - 2)], np.ones(dim), 0.8 ** np.arange(dim)]
    )
    maps = turned(values)
    maps[3, 2, 5] = np.nan
    limits = Limits(1e-6, 32 * float(np.finfo(np.float32).eps), 300, 0)
    found, phase, _ = solve(maps, k, 4, limits, jnp.float32)
    assert phase.tolist() == [DONE, DONE, DONE, FAILED, DONE]
    for i in (0, 1, 2, 4):
        np.testing.assert_allclose(found[i].values, wanted(values[i], k), atol=2e-6 * max(1, values[i].max()))
        assert found[i].complete
        np.testing.assert_allclose(found[i].vectors.T @ found[i].vectors, np.eye(k), atol=1e-12)
    assert all(within_tolerance(found[i], limits.rounding).all() for i in (0, 1, 2, 4))


def test_a_space_may_become_the_whole():
    """All ``d`` pairs, and a block that has as many columns as there are dimensions."""
    values = np.stack([np.linspace(1, 9, 9), np.r_[np.ones(5), np.zeros(4)]])
    for k, width in ((9, 4), (2, 9)):
        found, _, runs = solve(turned(values), k, width, Limits(TOL, ROUNDING, 200, 0))
        assert runs == 1
        for pairs, spectrum in zip(found, values, strict=True):
            np.testing.assert_allclose(pairs.values, wanted(spectrum, k), atol=1e-9)
            assert within_tolerance(pairs, TOL).all()
