"""Where the minimum of the Hessian Penalty lies: the directions that its training would find without noise.

With as many orthonormal directions ``q_i`` as dimensions, ``Σ_ij H_ij²`` is the same in all bases, and the penalty
``2 Σ_{i≠j} H_ij²`` is least where ``Σ_i M(q_i, q_i, q_i, q_i)`` is largest, ``M = E H ⊗ H`` over codes and pixels.
``M`` is a sum that one makes once; what is left is a polynomial of the fourth degree in ``d²`` numbers.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

import geomgan as gg
from geomgan.directions import pixel_hessians

STARTS, STEPS, RATE = 16, 600, 0.05


def fourth_moment(G: gg.Generator, codes: np.ndarray, epsilon: float) -> np.ndarray:
    """``E H_ij H_kl (d, d, d, d)`` over codes and numbers of the samples, second differences of ``epsilon``."""
    d, total = G.latent_dim, np.zeros((G.latent_dim**2,) * 2)
    for z in codes:
        H = pixel_hessians(G, z, method="differences", epsilon=epsilon).reshape(d * d, -1).astype(np.float64)
        total += H @ H.T / H.shape[1] / len(codes)
    return total.reshape((d,) * 4)


def moved_codes(G: gg.Generator, key: jax.Array, n: int, path_size: float) -> np.ndarray:
    """Codes as a discovery has them: of the prior, and moved by up to ``path_size`` along a random direction."""
    keys = jax.random.split(key, 3)
    along = np.asarray(jax.random.normal(keys[1], (n, G.latent_dim)))
    along = along / np.linalg.norm(along, axis=1, keepdims=True)
    far = np.asarray(jax.random.uniform(keys[2], (n, 1), minval=-path_size, maxval=path_size))
    return np.asarray(G.sample_latent(keys[0], n) + far * along, np.float32)


def penalty_of(rows: np.ndarray, M: np.ndarray) -> float:
    """``E 2 Σ_{i≠j} H_ij²`` in the basis of orthonormal ``rows (d, d)``."""
    return float(2 * (np.einsum("ijij->", M) - np.einsum("ia,ib,ic,id,abcd->", rows, rows, rows, rows, M)))


def penalty_minimum(M: np.ndarray, key: jax.Array) -> np.ndarray:
    """The basis, as rows ``(d, d)``, that has the least penalty: the best end of several random starts."""
    moment, optimizer = jnp.asarray(M / np.einsum("ijij->", M), jnp.float32), optax.adam(RATE)
    rows = lambda A: jnp.linalg.qr(A.T)[0].T
    loss = lambda A: -jnp.einsum("ia,ib,ic,id,abcd->", *[rows(A)] * 4, moment)

    @partial(jax.jit, donate_argnums=0)
    @jax.vmap
    def step(A: jax.Array, adam: optax.OptState) -> tuple[jax.Array, optax.OptState]:
        updates, adam = optimizer.update(jax.grad(loss)(A), adam)
        return optax.apply_updates(A, updates), adam

    A = jax.random.normal(key, (STARTS, len(M), len(M)))
    adam = jax.vmap(optimizer.init)(A)
    for _ in range(STEPS):
        A, adam = step(A, adam)
    best = np.argmin(jax.vmap(loss)(A))
    return np.asarray(rows(A[best]), np.float64)
