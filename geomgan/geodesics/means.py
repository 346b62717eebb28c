"""Fréchet means of codes: the code from which the sum of squared distances along the space is least.

``min_y Σ_i w_i d_g(x_i, y)²``, with each ``d_g²`` the energy of a chain of chords from ``x_i`` to ``y``. All chains and
their common end move together: a damped Gauss-Newton step eliminates every chain up to its end, adds what is left of
them, ``d`` equations for ``y``, and substitutes backwards. The cost grows with the number of codes and of chords only.

The problem is that of Rygaard and Hauberg, GEORCE-FM (arXiv 2511.04301); the solver is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from geomgan.brief import brief
from geomgan.distances.distance import Distance
from geomgan.errors import as_array, check_codes, check_count
from geomgan.generators.generator import Generator
from geomgan.geodesics.chords import energy, model
from geomgan.geodesics.descent import ROUNDING
from geomgan.geodesics.shortest import check_energies, nodes_together
from geomgan.geodesics.tridiagonal import eliminate, inverse, substitute
from geomgan.metric.pair import Pair, bound, check_types

TRIES = 8  # dampings in a step
RAISED, LOWERED = 8.0, 0.2


@brief
@dataclass(frozen=True)
class FrechetMean:
    """The Fréchet mean of ``n`` codes.

    Attributes:
        code: ``(d,)``, the mean.
        chains: ``(n, T + 1, d)``, nodes of the paths from the codes to it.
        distances: ``(n,)``, roots of the chains' energies.
        variance: ``Σ w d²`` of the codes from it, with weights that sum to 1.
        iterations: that lowered the sum.
        status: ``"converged"``, or ``"limit"`` of iterations.
    """

    code: np.ndarray
    chains: np.ndarray
    distances: np.ndarray
    variance: float
    iterations: int
    status: str


def frechet_mean(
    G: Generator,
    D: Distance,
    codes: Any,
    *,
    weights: Any = None,
    segments: int = 16,
    tolerance: float = 1e-6,
    iterations: int = 60,
    progress: bool = False,
) -> FrechetMean:
    """The Fréchet mean of codes, or a local one near their weighted average.

    Args:
        G: the generator.
        D: the squared distance.
        codes: ``(n, d)``, at least two.
        weights: ``(n,)``, not negative; equal by default.
        segments: ``T``, chords of each path.
        tolerance: relative gain in the sum below which the search ends.
        iterations: at most.
        progress: show a progress bar.

    Raises:
        TypeError, ValueError: these are no generator, distance and codes, or the weights are not such.
        NotFiniteError: samples between the codes and their average are not finite.
    """
    check_types(G, D)
    codes = np.asarray(check_codes(codes, G.latent_dim), G.dtype)
    if len(codes) < 2:
        raise ValueError("there is one code; expected at least two: one is its own mean.")
    weights = np.ones(len(codes)) if weights is None else np.asarray(as_array(weights, "weights"), np.float64)
    if weights.shape != (len(codes),) or not (weights >= 0).all() or not 0 < weights.sum() < np.inf:
        raise ValueError(f"weights are {weights.shape}; expected ({len(codes)},), not negative, and not all zero.")
    weights = weights / weights.sum()
    segments = check_count(segments, np.inf, "segments")
    pair = bound(G, D)
    t = np.linspace(0, 1, segments + 1)[:, None]
    chains = jnp.asarray(codes[:, None] * (1 - t) + (weights @ codes) * t, G.dtype)
    together = nodes_together(pair, segments + 1, G.latent_dim)
    w = jnp.asarray(weights, G.dtype)
    energies = _energies(pair, chains, together)
    check_energies(energies)
    damping, gain, done = jnp.asarray(1e-4, G.dtype), jnp.inf, 0
    with tqdm(total=iterations, desc="Fréchet mean", disable=not progress) as bar:
        for _ in range(iterations):
            chains, energies, damping, gain = _step(pair, chains, energies, w, damping, together)
            done += int(gain > 0)
            bar.update()
            if not gain > tolerance:
                break
    distances = np.sqrt(np.asarray(energies, np.float64))
    return FrechetMean(
        code=np.asarray(chains[0, -1]),
        chains=np.asarray(chains),
        distances=distances,
        variance=float(weights @ distances**2),
        iterations=done,
        status="limit" if gain > tolerance else "converged",
    )


@partial(jax.jit, static_argnames="together")
def _energies(pair: Pair, chains: jax.Array, together: int) -> jax.Array:
    with jax.default_matmul_precision("highest"):
        return jax.vmap(lambda chain: energy(pair, chain, together))(chains)


@partial(jax.jit, static_argnames="together")
def _step(
    pair: Pair, chains: jax.Array, energies: jax.Array, weights: jax.Array, damping: jax.Array, together: int
) -> tuple[jax.Array, ...]:
    """Chains, energies and damping after a step, and the relative gain, zero where no damping had one."""
    n, d = len(chains), chains.shape[-1]
    units = jnp.eye(d, dtype=chains.dtype)

    def tried(local: Any, damping: jax.Array) -> tuple[jax.Array, jax.Array]:
        scale = jnp.trace(local.metrics, axis1=2, axis2=3).mean() / d
        blocks = local.diagonal + damping * scale * units
        (left, right), kept = jax.vmap(eliminate)(blocks, local.upper, -local.gradient)
        whole, sums = jnp.einsum("n,nij->ij", weights, left), weights @ right
        moved = inverse(whole) @ sums
        inner = jax.vmap(substitute, (0, None))(kept, moved)
        steps = jnp.concatenate([inner, jnp.broadcast_to(moved, (n, 1, d))], axis=1)
        codes = chains.at[:, 1:].add(steps)
        return codes, jax.vmap(lambda chain: energy(pair, chain, together))(codes)

    with jax.default_matmul_precision("highest"):
        local = jax.vmap(lambda chain: model(pair, chain, together))(chains)
        before = weights @ energies

        def worse(state: tuple[Any, ...]) -> jax.Array:
            return ~(weights @ state[2] < before) & (state[3] < TRIES)

        def again(state: tuple[Any, ...]) -> tuple[Any, ...]:
            damping = jnp.maximum(RAISED * state[0], 1e-6)
            return damping, *tried(local, damping), state[3] + 1

        damping, codes, found, _ = jax.lax.while_loop(worse, again, (damping, *tried(local, damping), 1))
        gain = (before - weights @ found) / before
        better = gain > ROUNDING / 10 * jnp.finfo(chains.dtype).eps
        return (
            jnp.where(better, codes, chains),
            jnp.where(better, found, energies),
            jnp.maximum(LOWERED * damping, 4 * float(jnp.finfo(chains.dtype).eps)),
            jnp.where(better, gain, 0),
        )
