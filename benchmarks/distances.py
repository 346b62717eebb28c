"""Cost of one dense metric tensor of digits-dcgan under each distance, relative to ``mse``, in one run.

python -m benchmarks.distances [--repeats 9]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

import geomgan as gg

D = gg.distances


def cosine(params: tuple, x: jax.Array, y: jax.Array) -> jax.Array:
    """A distance of one's own without embedding."""
    del params
    return 1 - jnp.vdot(x, y) / jnp.sqrt(jnp.vdot(x, x) * jnp.vdot(y, y))


DISTANCES: dict[str, Callable[[], gg.distances.Distance]] = {
    "mse": D.mse,
    "euclidean": D.euclidean,
    "lpips alex, 64 px": lambda: D.lpips("alex", resize=64),
    "lpips vgg, 64 px": lambda: D.lpips("vgg", resize=64),
    "classifier_features digits, conv3": lambda: D.classifier_features("digits", "conv3"),
    "ssim": D.ssim,
    "fisher bernoulli": lambda: D.fisher("bernoulli", input_range=(-1, 1)),
    "from_function (cosine)": lambda: D.from_function(cosine),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=9)
    repeats = parser.parse_args().repeats
    G = gg.load("digits-dcgan")
    z = np.asarray(G.sample_latent(jax.random.key(0), 1)[0])
    distances = {name: make() for name, make in DISTANCES.items()}
    seconds: dict[str, list[float]] = {name: [] for name in distances}
    for repeat in range(repeats + 1):
        for name, distance in distances.items():
            start = time.perf_counter()
            jax.block_until_ready(gg.metric_tensor(G, distance, z))
            if repeat:  # the first compiles
                seconds[name].append(time.perf_counter() - start)
    unit = statistics.median(seconds["mse"])
    print("| distance | one dense metric, ms | relative to mse |\n|---|---|---|")
    for name, runs in seconds.items():
        print(f"| {name} | {1e3 * statistics.median(runs):.1f} | {statistics.median(runs) / unit:.1f} |")


if __name__ == "__main__":
    main()
