"""Springs, blocks, gradients of chords, and batches that shrink, each against plain linear algebra or a loop."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.geodesics.batches import Chain, until_done
from geomgan.geodesics.chords import Rows, at, chords_along, energy, evaluate
from geomgan.geodesics.springs import knots_of, metrics_at, relaxed, springs_of
from geomgan.geodesics.tridiagonal import eliminate, inverse, substitute
from geomgan.metric.pair import bound
from geomgan.paths.measure import neighbour_distances
from tests.geodesics.surfaces import EUCLIDEAN, mlp_generator, surfaces


def definite(rng, *shape):
    A = rng.standard_normal(shape)
    return A @ A.swapaxes(-1, -2) + np.eye(shape[-1])


def test_block_tridiagonal_systems(rng, float64):
    n, k = 7, 3
    diagonal, upper = definite(rng, n, k, k) + 8 * np.eye(k), rng.standard_normal((n - 1, k, k))
    whole = np.zeros((n * k, n * k))
    for i in range(n):
        whole[i * k : i * k + k, i * k : i * k + k] = diagonal[i]
        if i < n - 1:
            whole[i * k : i * k + k, i * k + k : i * k + 2 * k] = upper[i]
            whole[i * k + k : i * k + 2 * k, i * k : i * k + k] = upper[i].T
    right = rng.standard_normal((n, k))
    (A, b), kept = eliminate(*map(jnp.asarray, (diagonal, upper, right)))
    last = inverse(A) @ b
    found = np.vstack([substitute(kept, last), last])
    np.testing.assert_allclose(found, np.linalg.solve(whole, right.ravel()).reshape(n, k), rtol=1e-10)
    assert np.isnan(inverse(jnp.diag(jnp.array([1.0, -1.0])))).any()


def test_springs_in_a_row(rng, float64):
    T, k = 12, 3
    knots = len(knots_of(T))
    metrics = definite(rng, 2, knots, k, k)
    springs, condition = springs_of(metrics, np.array([0.0, 0.1]), T, np.float64)
    b = rng.standard_normal((2, T - 1, k))
    found = jax.vmap(relaxed)(springs, jnp.asarray(b))
    D = np.kron(np.diff(np.eye(T + 1), axis=0)[:, 1:-1], np.eye(k))
    for i, damping in enumerate((0.0, 0.1)):
        values = np.linalg.eigvalsh(metrics[i])
        np.testing.assert_allclose(condition[i], values.min() / values.max())
        stiff = np.linalg.inv(metrics[i] + damping * values.mean() * np.eye(k))
        at_chords = [
            [np.interp((s + 0.5) / T, np.linspace(0, 1, knots), y) for y in stiff.reshape(knots, -1).T]
            for s in range(T)
        ]
        G = np.zeros((T * k, T * k))
        for s, flat in enumerate(at_chords):
            G[s * k : s * k + k, s * k : s * k + k] = np.linalg.inv(np.reshape(flat, (k, k)))
        expected = np.linalg.solve(D.T @ G @ D, b[i].ravel())
        np.testing.assert_allclose(found[i].ravel(), expected, rtol=1e-9)


def test_energies_gradients_and_metrics_of_chains(rng, float64):
    G = mlp_generator(3, dtype=np.float64)
    chains = jnp.asarray(rng.standard_normal((2, 5, 3)))
    for pair in (bound(G, EUCLIDEAN), bound(*surfaces()["hyperbolic plane"])):
        codes = chains if pair.D.embedding is not None else jnp.abs(chains[..., :2]) + 0.5
        whole = jax.vmap(jax.value_and_grad(lambda chain, pair=pair: energy(pair, chain, 5)))
        values, slopes = whole(codes)
        for rows in (Rows(100, 100), Rows(9, 100), Rows(4, 4)):  # at once, chain by chain, in blocks not all full
            found = evaluate(pair, codes, rows)
            np.testing.assert_allclose(found[0], values, rtol=1e-12)
            np.testing.assert_allclose(found[1], slopes[:, 1:-1] / 8, rtol=1e-9, atol=1e-12)
        one = evaluate(pair, codes, Rows(5, 100), np.array([False, True]))
        np.testing.assert_allclose(one[0], [0, values[1]], rtol=1e-12)
        np.testing.assert_allclose(one[1], [np.zeros_like(slopes[0, 1:-1]), slopes[1, 1:-1] / 8], rtol=1e-9, atol=1e-12)
        expected = neighbour_distances(pair.G, pair.D, np.asarray(codes))
        np.testing.assert_allclose(chords_along(pair, np.asarray(codes), 1), expected, rtol=1e-9)
    pair = bound(G, EUCLIDEAN)
    U = jnp.asarray(np.linalg.qr(rng.standard_normal((3, 2))).Q)
    J = jax.jacfwd(lambda z: G(z))(chains[1, 2]) @ U
    np.testing.assert_allclose(metrics_at(pair, np.asarray(chains), U, 2)[1, 2], J.T @ J, rtol=1e-9)


def test_chains_between_their_nodes():
    chains = np.stack([np.linspace(0, 4, 5)[:, None] ** [1, 2]])
    np.testing.assert_allclose(at(chains, np.array([0, 0.5, 4]))[0], [[0, 0], [0.5, 0.5], [4, 16]])
    np.testing.assert_allclose(at(chains, np.array([0.5, 2.5]), smooth=True)[0], [[0.5, 0.25], [2.5, 6.25]], atol=1e-12)


def test_what_is_done_leaves_the_batch():
    n, sizes = 9, []
    wanted = np.array([1, 40, 3, 3, 2, 7, 3, 1, 7])
    zeros = np.zeros(n, bool)
    start = Chain(np.arange(n)[:, None] * 10.0, np.zeros(n), np.zeros(n, int), zeros, zeros, np.ones(n))

    def step(chain):
        sizes.append(len(chain.done))
        moved = ~chain.done
        steps = chain.steps + moved
        done = chain.done | (steps >= wanted[(chain.codes[:, 0] // 10).astype(int)])
        return replace(chain, codes=chain.codes + 0.01 * moved[:, None], steps=steps, done=done)

    found = until_done(step, start, lambda chain: chain, 20)
    np.testing.assert_array_equal(found.steps, np.minimum(wanted, 20))
    np.testing.assert_allclose(found.codes[:, 0], 10 * np.arange(n) + 0.01 * found.steps)
    np.testing.assert_array_equal(found.done, wanted <= 20)
    assert sizes == [9] * 7 + [1] * 13
