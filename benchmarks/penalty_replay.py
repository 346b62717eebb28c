"""How many codes the training of the Hessian Penalty needs: the published training on second derivatives that are kept.

python -m benchmarks.penalty_replay MODEL... [--axes 6] [--codes 384] [--steps 2000] [--seed 0] [--out DIR]

A step of benchmarks.penalty costs a generator's samples and their reverse passes, of which most is noise: two draws of
signs at a few codes. Here the products of all second derivatives along the first metric axes are computed once for each
code (moved by up to 5 along a random direction of the axes, as in training), and what the published estimator would be
at a code, with its signs, is read off them. All else is the training: Gram and Schmidt's rows, Adam at 0.01, a random
start. Two thirds of the codes are trained on, with 16 and with 96 of them a step, and all figures are of the last
third, at which the penalty of every turn is known: of random turns, of the metric axes, of the turn that is best at 8
and at all of the training's codes. MODEL.csv in --out is the curve, penalty.png
shows them, and MODEL.npz has the products, which are read again.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

import geomgan as gg
from benchmarks.penalty import tabulated
from benchmarks.rows import number
from geomgan.directions.penalty_axes import energies_of, hessian_moment, least_penalty, moved_codes
from geomgan.directions.rows import orthonormalised
from geomgan.runs.curve import Curve

BATCHES, RATE, EVERY, TURNS, FEW = (16, 96), 0.01, 100, 50, 8
FEWEST, LEAST = f"least at {FEW} codes", "least at all"
HEADS = ("model", "random turns", "metric axes", *(f"trained, {n} codes a step" for n in BATCHES),
         FEWEST, LEAST, "seconds")  # fmt: skip


def moments(model: str, given: argparse.Namespace) -> np.ndarray:
    """``H ⊗ H`` of each code in the first metric axes, ``(n, m, m, m, m)``; kept."""
    kept = given.out / f"{Path(model).name}.npz"
    if kept.exists():
        return np.load(kept)["M"]
    G, keys = gg.load(model), jax.random.split(jax.random.key(given.seed), 6)
    axes = gg.directions.metric_axes(G, gg.distances.mse(), G.sample_latent(keys[0], 64), given.axes).vectors
    basis = np.linalg.qr(axes.astype(np.float64))[0]
    codes = moved_codes(G, jax.random.split(keys[1], 3), basis, given.codes, 5.0)
    M = np.stack([hessian_moment(G, code[None], basis) for code in codes])
    np.savez(kept, M=M)
    return M


def turns(M: np.ndarray, batch: int, steps: int, seed: int) -> list[np.ndarray]:
    """The turns ``(m, m)`` of the training every ``EVERY`` steps, the start first."""
    m, kept, adam = M.shape[1], jnp.asarray(M, jnp.float32), optax.adam(RATE)

    def loss(A: jax.Array, which: jax.Array, signs: jax.Array) -> jax.Array:
        v = signs @ orthonormalised(A)
        first, second = jnp.einsum("bka,bkc->kbac", v, v)
        gap = first - second  # of two draws the unbiased variance is half the square of their difference
        return 0.5 * jnp.einsum("bac,bde,bacde->b", gap, gap, kept[which]).mean()

    def step(state: tuple[jax.Array, optax.OptState], key: jax.Array) -> tuple[tuple[jax.Array, optax.OptState], None]:
        A, optimizer = state
        which, signs = jax.random.split(key)
        slope = jax.grad(loss)(
            A, jax.random.randint(which, (batch,), 0, len(kept)), jax.random.rademacher(signs, (batch, 2, m), A.dtype)
        )
        updates, optimizer = adam.update(slope, optimizer)
        return (optax.apply_updates(A, updates), optimizer), None

    onward = jax.jit(lambda state, keys: jax.lax.scan(step, state, keys)[0])
    A = jnp.asarray((2 / m) ** 0.5 * np.random.default_rng(seed).standard_normal((m, m)), jnp.float32)
    state, found = (A, adam.init(A)), []
    for first in range(0, steps + 1, EVERY):
        found.append(orthonormalised(np.asarray(state[0], np.float64)).T)
        keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), first), EVERY)
        state = onward(state, keys)
    return found


def replayed(model: str, given: argparse.Namespace) -> list[str]:
    """The cells of one model; its curve is written."""
    M = moments(model, given)
    start, m, third = time.process_time(), M.shape[1], len(M) // 3
    seen, unseen = M[: 2 * third], M[2 * third :].mean(axis=0)
    random = np.random.default_rng(0)
    penalty: Callable[[np.ndarray], float] = partial(_penalty, unseen)
    draw = lambda: np.linalg.qr(random.standard_normal((m, m)))[0]
    levels = {
        "random turns": float(np.mean([penalty(draw()) for _ in range(TURNS)])),
        "metric axes": penalty(np.eye(m)),
        FEWEST: float(np.mean([penalty(_best(seen[i : i + FEW])) for i in range(0, 2 * third, FEW)])),
        LEAST: penalty(_best(seen)),
    }
    curves = {f"{n} codes a step": [penalty(Q) for Q in turns(seen, n, given.steps, given.seed)] for n in BATCHES}
    rows: list[dict[str, float]] = [
        {"step": i * EVERY, **dict(zip(curves, at, strict=True)), **levels}
        for i, at in enumerate(zip(*curves.values(), strict=True))
    ]
    Curve(rows).write(given.out / f"{Path(model).name}.csv")
    ends = [levels["random turns"], levels["metric axes"], *(x[-1] for x in curves.values()), levels[FEWEST],
            levels[LEAST]]  # fmt: skip
    return [Path(model).name, *(number(x) for x in ends), f"{time.process_time() - start:.0f}"]


def _penalty(M: np.ndarray, turn: np.ndarray) -> float:
    return float(energies_of(M, turn)[1].sum())


def _best(M: np.ndarray) -> np.ndarray:
    return least_penalty(M.mean(axis=0), np.random.default_rng(0))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("models", nargs="+", metavar="MODEL", help="names of the zoo, or folders")
    parser.add_argument("--axes", type=int, default=6)
    parser.add_argument("--codes", type=int, default=384)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/penalty-replay"))
    given = parser.parse_args()
    tabulated(given, HEADS, replayed)


if __name__ == "__main__":
    main()
