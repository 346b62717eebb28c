"""One full metric tensor, and its top 20 eigenpairs: geomgan against the ways of the field, in one run.

    python -m benchmarks.metric [--repeats 5]

The peers compute in torch, with the same weights: GAN-Geometry's way (a double backward pass for every row of the
Hessian; scipy's eigsh on double-backward products for the top 20) and ``torch.func.jacfwd``. Methods alternate in one
process; times are medians without compilation. Peak memory is what the process grows by at most during one call.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import geomgan as gg
from benchmarks import torch_peers as peers
from benchmarks.measure import matrix_product_rate, peak_growth, timed
from benchmarks.random_models import faces64
from geomgan.metric.pair import bind, bound, profile_of

TOP = 20


def cases() -> list[tuple[str, gg.Generator, gg.distances.Distance]]:
    """(name, generator, distance) of every block of the table."""
    faces, faces_name = faces64()
    digits = gg.load("digits-dcgan")
    return [
        (f"{faces_name}, d = 100, mse", faces, gg.distances.mse()),
        (f"{faces_name}, d = 100, LPIPS-alex", faces, gg.distances.lpips("alex")),
        ("digits-dcgan, d = 64, mse", digits, gg.distances.mse()),
        ("digits-dcgan, d = 64, LPIPS-alex at 64 px", digits, gg.distances.lpips("alex", resize=64)),
    ]


def methods(G: gg.Generator, D: gg.distances.Distance, z: np.ndarray) -> dict[str, Callable[[], Any]]:
    """Name -> a call that computes the metric tensor, or its top pairs, and waits for the result."""
    hessian = jax.jit(jax.hessian(lambda moved: 0.5 * D(G(z), G(moved))))
    embed, distance = peers.embedding(G, bind(G, D)), peers.squared_distance(G, bind(G, D))

    def top() -> np.ndarray:
        op = gg.metric_operator(G, D, z)
        return gg.eigenpairs(op, TOP, solver="block", tol=1e-6).values

    return {
        "geomgan metric_tensor": lambda: jax.block_until_ready(gg.metric_tensor(G, D, z)),
        "jax.hessian / 2": lambda: jax.block_until_ready(hessian(jnp.asarray(z))),
        "torch.func.jacfwd, JᵀJ": lambda: peers.gauss_newton(embed, z),
        "torch double backward, row by row": lambda: peers.hessian_by_rows(distance, z) / 2,
        f"geomgan top {TOP}, matrix-free": top,
        f"torch double backward, eigsh top {TOP}": lambda: peers.top_pairs(peers.gradient(distance, z), TOP, 1e-6) / 2,
    }


def check(results: dict[str, Any], name: str) -> None:
    """All methods must give the same numbers before their times mean anything."""
    dense = [np.asarray(value) for key, value in results.items() if "top" not in key]
    top = np.linalg.eigvalsh(dense[0].astype(np.float64))[::-1][:TOP]
    for key, value in results.items():
        expected = top if "top" in key else dense[0]
        error = np.abs(np.asarray(value) - expected).max() / np.abs(expected).max()
        if error > 2e-2:  # eigsh of the peer stops at its own tolerance; a ReLU at its kink may move a full matrix
            raise SystemExit(f"{name}: {key} differs by {error:.1e}: no comparison.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    rate = matrix_product_rate()
    print(f"Large float32 matrix product: {rate:.0f} GFLOP/s. {repeats} alternating runs, medians.\n")
    print("| case | method | seconds | × ours | peak MB | GFLOP/s | of matrix product |")
    print("|---|---|---|---|---|---|---|")
    for name, G, D in cases():
        z = np.asarray(G.sample_latent(jax.random.key(0), 1)[0])
        calls = methods(G, D, z)
        check({key: call() for key, call in calls.items()}, name)  # also compiles
        seconds: dict[str, list[float]] = {key: [] for key in calls}
        for _ in range(repeats):
            for key, call in calls.items():
                seconds[key].append(timed(call))
        memory = {key: peak_growth(call) for key, call in calls.items()}
        work = G.latent_dim * profile_of(bound(G, D)).flops / 1e9  # one forward pass per tangent
        for key, runs in seconds.items():
            median = statistics.median(runs)
            top = "top" in key
            ours = statistics.median(seconds[f"geomgan top {TOP}, matrix-free" if top else "geomgan metric_tensor"])
            speed = "" if top else f"{work / median:.0f} | {work / median / rate:.0%}"
            print(
                f"| {name} | {key} | {median:.3f} | {median / ours:.1f} | {memory[key]:.0f} | {speed or ' | '} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
