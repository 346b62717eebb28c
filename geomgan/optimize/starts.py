"""Where runs start: at codes of the prior, at given ones, or at those of a pool whose samples are nearest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from geomgan.brief import brief
from geomgan.errors import as_array, check_choice, check_codes, check_count, check_finite
from geomgan.generators.generator import sample_of
from geomgan.optimize.loss import Loss, over
from geomgan.optimize.registration import PARAMETERS

KINDS = ("prior", "nearest")
TOGETHER = 16  # codes of a pool that are compared with all targets at a time


@brief
@dataclass(frozen=True)
class Starts:
    """Where runs start.

    Attributes:
        codes: ``(B, R, dim)``, the unknowns.
        passes: forward passes that each run has cost already: its share of the pool.
        pool: the codes ``(n, d)`` that were looked at; none where there was no pool.
        distances: the loss of each of them for each target, ``(B, n)``.
    """

    codes: np.ndarray
    passes: int
    pool: np.ndarray
    distances: np.ndarray


def check_start(start: Any, pool: Any, targets: int, restarts: int, dim: int) -> np.ndarray | None:
    """Given starts as ``(B, R, d)``, None for those that are drawn; raises for what does not fit, before any work."""
    if isinstance(start, str):
        check_choice(start, KINDS, "start")
        if start == "nearest":
            most = (
                len(check_codes(pool, dim)) if np.ndim(pool) else check_count(pool, np.inf, "pool", ": codes to draw")
            )
            if most < restarts:
                raise ValueError(f"the pool has {most} codes; expected at least {restarts}, one for each restart.")
        return None
    codes = np.asarray(as_array(start, "start"))
    if codes.shape[-1:] != (dim,) or codes.shape not in ((dim,), (restarts, dim), (targets, restarts, dim)):
        raise ValueError(
            f"start has shape {codes.shape}; expected ({restarts}, {dim}) for every target, or ({targets}, {restarts}, "
            f"{dim}); or 'prior' or 'nearest'."
        )
    check_finite(codes, "start")
    return np.broadcast_to(codes, (targets, restarts, dim))


def starts(loss: Loss, given: np.ndarray | None, pool: Any, restarts: int, key: jax.Array, progress: bool) -> Starts:
    """The starts of a stack of losses; ``pool`` is None unless the nearest codes of one are wanted."""
    G, targets = loss.shared.G, len(loss.target.sample)
    nothing = np.zeros((0, G.latent_dim), G.dtype), np.zeros((targets, 0), G.dtype)
    if given is not None:
        return Starts(_with_identity(loss, given), 0, *nothing)
    if pool is None:
        drawn = np.asarray(G.sample_latent(key, targets * restarts)).reshape(targets, restarts, -1)
        return Starts(_with_identity(loss, drawn), 0, *nothing)
    codes = np.asarray(pool, G.dtype) if np.ndim(pool) else np.asarray(G.sample_latent(key, int(pool)))
    distances = _compared(loss, codes, progress)
    ranked = np.argsort(np.where(np.isfinite(distances), distances, np.inf), axis=1, kind="stable")[:, :restarts]
    passes = -(-len(codes) // (targets * restarts))
    return Starts(_with_identity(loss, codes[ranked]), passes, codes, distances)


def _with_identity(loss: Loss, codes: np.ndarray) -> np.ndarray:
    """Codes as unknowns: with the identity of a registration behind them."""
    own = PARAMETERS if loss.shared.registration else 0
    return np.concatenate([codes, np.zeros((*codes.shape[:-1], own))], axis=-1).astype(loss.dtype)


def _compared(loss: Loss, codes: np.ndarray, progress: bool) -> np.ndarray:
    """The losses ``(B, n)`` of codes for every target; each sample is generated once."""
    unknowns, parts = _with_identity(loss, codes), []
    with tqdm(total=len(codes), desc="pool", unit="sample", disable=not progress) as bar:
        for i in range(0, len(codes), TOGETHER):
            part = unknowns[i : i + TOGETHER]
            padded = np.pad(part, ((0, TOGETHER - len(part)), (0, 0)), mode="edge")
            parts.append(np.asarray(_losses(loss, padded))[: len(part)])
            bar.update(len(part))
    return np.concatenate(parts).T


@jax.jit
def _losses(loss: Loss, unknowns: jax.Array) -> jax.Array:
    def against_all(z: jax.Array) -> jax.Array:
        x = sample_of(loss.shared.G, loss.code(z))
        return jax.vmap(partial(_of_sample, x, z), (over(loss),))(loss)

    with jax.default_matmul_precision("highest"):
        return jax.vmap(against_all)(jnp.asarray(unknowns))


def _of_sample(x: jax.Array, z: jax.Array, loss: Loss) -> jax.Array:
    return loss.of_sample(x, z)
