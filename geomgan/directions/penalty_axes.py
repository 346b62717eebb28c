"""Where the Hessian Penalty is least: all pixels' Hessians made as diagonal as one basis can make them.

In orthonormal directions ``q_i`` of a space, ``Σ_ij (q_iᵀ H q_j)²`` is the same for all bases. The penalty
``E 2 Σ_{i≠j} (q_iᵀ H q_j)²`` is therefore least where ``Σ_i S(q_i, q_i, q_i, q_i)`` is largest, ``S`` the symmetric
part of the fourth moment ``M = E H ⊗ H`` over codes and numbers of the sample, which is summed up once. Turns in the
plane of two directions change that as ``a cos 4θ + b sin 4θ``, so that the best turn is known; planes are turned one
after the other until none gains (Cardoso and Souloumiac, 1996, "Jacobi angles for simultaneous diagonalization").

It is what the discovery of Peebles et al. (2020) descends to, with their moves of codes, and without its noise.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from geomgan.backend import backend, usual_promotion
from geomgan.directions.collection import DirectionSet, direction_set
from geomgan.directions.rows import METHOD
from geomgan.directions.subspace import block_basis
from geomgan.errors import OptionError, check_count, check_key, warn
from geomgan.generators import Generator
from geomgan.generators.generator import sample_of
from geomgan.metric.hessian_penalty import (
    CLEAR,
    check_deterministic,
    check_options,
    mixed_forms,
    rounding_warning,
)

MOST = 32  # dimensions of the space: the moment has the fourth power of them
SWEEPS, SMALL = 100, 1e-7  # over all planes at most; radians that end them


def penalty_axes(
    G: Generator,
    key: jax.Array,
    *,
    within: Any = None,
    samples: int = 64,
    path_size: float = 5.0,
    epsilon: float = 0.1,
    starts: int = 8,
    progress: bool = False,
) -> DirectionSet:
    """The directions of a space whose effects depend least on each other: the minimum of the Hessian Penalty.

    As many as the space has dimensions. Each code costs ``2 m (m + 1)`` samples for ``m`` dimensions, and no gradient.

    Args:
        G: the generator.
        key: a ``jax.random.key`` for codes and starts.
        within: the space: a slice of the code's dimensions, or orthonormal columns ``(d, m)`` such as some metric axes;
            by default the whole code. At most 32 dimensions.
        samples: codes of the prior.
        path_size: they are moved by up to so much along a random direction of the space, in latent units.
        epsilon: of the second differences, in latent units.
        starts: bases, the given one and random ones, from which planes are turned; the best end is taken.
        progress: show a progress bar, with the time left.

    Returns:
        Orthonormal directions, most curved first. ``scores``: ``curvature``, ``E (qᵀHq)²`` as a mean over numbers of
        the sample, and ``penalty``, ``E 2 Σ_j (q_iᵀHq_j)²`` over the other directions, whose sum is the penalty.
        ``settings["before"]`` is that of the given columns.

    Raises:
        OptionError: the space has more dimensions, or an option has a value that it cannot take.
        ValueError: ``within`` is not orthonormal; two samples of one code differ.

    Warns:
        UserWarning: ``epsilon`` is so small that the differences are rounding.
    """
    check_key(key)
    check_options(2, "differences", epsilon, 1)
    check_count(samples, np.inf, "samples")
    check_count(starts, np.inf, "starts")
    if not 0 <= path_size < np.inf:
        raise OptionError(f"path_size is {path_size!r}; expected a number from 0.")
    basis = block_basis(G.latent_dim, slice(None) if within is None else within)
    m = basis.shape[1]
    if not 2 <= m <= MOST:
        raise OptionError(
            f"the space has {m} dimensions; expected 2 to {MOST}. Name fewer with within=, such as "
            "metric_axes(G, D, codes, 16).vectors."
        )
    keys = jax.random.split(key, 4)
    codes = moved_codes(G, keys[:3], basis, samples, path_size)
    check_deterministic(partial(sample_of, G), codes[0], G.name)
    moment = hessian_moment(G, codes, basis, epsilon, progress=progress)
    turned = least_penalty(moment, np.random.default_rng(np.asarray(jax.random.key_data(keys[3]))), starts)
    curvature, penalty = energies_of(moment, turned)
    order = np.argsort(-curvature, kind="stable")
    _check_rounding(G, codes[0], moment, epsilon)
    before = energies_of(moment, np.eye(m))[1].sum()
    options = {"within": m, "samples": samples, "path_size": path_size, "epsilon": epsilon, "starts": starts}
    return direction_set(
        G,
        basis @ turned[:, order],
        METHOD,
        settings={**options, "before": float(before), "penalty": float(penalty.sum())},
        scores={"curvature": curvature[order], "penalty": penalty[order]},
        orthonormal=True,
    )


def least_penalty(moment: np.ndarray, random: np.random.Generator, starts: int = 8) -> np.ndarray:
    """The orthonormal columns ``(m, m)`` with the least penalty for the moment ``E H_ab H_cd (m, m, m, m)``."""
    m = len(moment)
    S = (moment + moment.swapaxes(1, 2) + moment.transpose(0, 3, 1, 2)) / 3
    first = [np.eye(m), *(np.linalg.qr(random.standard_normal((m, m)))[0] for _ in range(starts - 1))]
    ends = [_turned(S, Q) for Q in first]
    return max(ends, key=lambda end: end[0])[1]


def _turned(S: np.ndarray, Q: np.ndarray) -> tuple[float, np.ndarray]:
    """What ``Σ_i S(q_i, q_i, q_i, q_i)`` comes to when no plane of two columns is better turned, and the columns."""
    m = len(S)
    S = np.einsum("ai,bj,ck,dl,abcd->ijkl", Q, Q, Q, Q, S, optimize=True)
    for _ in range(SWEEPS):
        largest = 0.0
        for i in range(m):
            for j in range(i + 1, m):
                across = S[i, i, i, j] - S[i, j, j, j]
                angle = np.arctan2(across, (S[i, i, i, i] + S[j, j, j, j]) / 4 - 1.5 * S[i, i, j, j]) / 4
                c, s = np.cos(angle), np.sin(angle)
                turn = np.array([[c, -s], [s, c]])
                Q[:, [i, j]] = Q[:, [i, j]] @ turn
                for axis in range(4):
                    moved = np.moveaxis(S, axis, -1)  # a view
                    moved[..., [i, j]] = moved[..., [i, j]] @ turn
                largest = max(largest, abs(angle))
        if largest < SMALL:
            break
    return float(np.einsum("iiii->", S)), Q


def hessian_moment(
    G: Generator, codes: np.ndarray, basis: np.ndarray, epsilon: float = 0.1, *, progress: bool = False
) -> np.ndarray:
    """``M = E H ⊗ H (m, m, m, m)`` over codes and numbers of the sample: all that the penalty is a function of.

    Args:
        G: the generator.
        codes: ``(n, d)``.
        basis: orthonormal columns ``(d, m)``, in which the second derivatives are.
        epsilon: of their differences, in latent units.
        progress: show a progress bar, with the time left.
    """
    m, columns = basis.shape[1], jnp.asarray(basis, G.dtype)
    moment = np.zeros((m, m, m, m))
    for z in tqdm(codes, "second derivatives", unit="code", disable=not progress):
        moment += np.asarray(_moment(G, z, columns, epsilon, backend().chunk), np.float64)[_pairs(m)] / len(codes)
    return moment


def energies_of(moment: np.ndarray, turned: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``E (q_iᵀHq_i)² (n,)`` and ``E 2 Σ_{j≠i} (q_iᵀHq_j)² (n,)``, whose sum is the penalty, of columns ``(m, n)``."""
    energies = np.einsum("ai,bj,ci,dj,abcd->ij", turned, turned, turned, turned, moment, optimize=True)
    return np.diag(energies), 2 * (energies.sum(axis=1) - np.diag(energies))


def moved_codes(G: Generator, keys: Any, basis: np.ndarray, n: int, path_size: float) -> np.ndarray:
    """Codes ``(n, d)`` of the prior, each moved along a random direction of the space; three keys."""
    along = np.asarray(jax.random.normal(keys[1], (n, basis.shape[1])), np.float64) @ basis.T
    along = along / np.linalg.norm(along, axis=1, keepdims=True)
    far = np.asarray(jax.random.uniform(keys[2], (n, 1), minval=-1.0))
    return np.asarray(np.asarray(G.sample_latent(keys[0], n)) + path_size * far * along, G.dtype)


def _check_rounding(G: Generator, z: np.ndarray, moment: np.ndarray, epsilon: float) -> None:
    """Warn where second derivatives are not clear of what rounds in their differences."""
    rounding = 2 * jnp.finfo(G.dtype).eps * float(np.abs(np.asarray(G(z))).max()) / epsilon**2
    if not np.sqrt(np.einsum("ijij->", moment)) / len(moment) > CLEAR * rounding:
        warn(rounding_warning(epsilon, G.dtype))


def _pairs(m: int) -> Any:
    """Where in a matrix over pairs ``i <= j`` the numbers of ``(m, m, m, m)`` are."""
    number = np.zeros((m, m), int)
    first, second = np.triu_indices(m)
    number[first, second] = number[second, first] = np.arange(len(first))
    return number[:, :, None, None], number[None, None]


@partial(jax.jit, static_argnames="chunk")
def _moment(G: Generator, z: jax.Array, columns: jax.Array, epsilon: Any, chunk: int) -> jax.Array:
    """Means over numbers of the sample of products of second derivatives, those of pairs ``i <= j`` of columns."""
    first, second = np.triu_indices(columns.shape[1])
    ends = 2 * columns.T[first], 2 * columns.T[second]  # of twice the columns: steps of ε along both

    def one(pair: Any) -> jax.Array:
        u, v = pair
        return mixed_forms(partial(sample_of, G), z, u[None], v[None], "differences", epsilon).ravel() / 4

    with jax.default_matmul_precision("highest"), usual_promotion():
        H = jax.lax.map(one, ends, batch_size=min(chunk, len(first)))
        return H @ H.T / H.shape[1]
