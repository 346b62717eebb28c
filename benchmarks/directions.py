"""Which methods find the factors of a generator whose factors are known.

python -m benchmarks.directions [--methods all] [--seeds 5] [--steps 1000] [--codes 64] [--out FILE]

The generator is `shapes`, whose position, size, hue and rotation are five directions of its ten-dimensional code, at
random angles to the coordinates. Every method finds ten directions with one set of options, from other codes, samples
and starts for each seed. The table says, for each factor, the cosine of the best of them, mean and range over seeds (a
method that draws nothing has none), how many factors reach 0.9 in the mean, and the field's measures by the protocol of
geomgan.directions.disentanglement. Seconds are the processor's for one seed, with compilation.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import jax
import numpy as np

import geomgan as gg
from benchmarks.rows import Sink, table_row
from geomgan.directions.discover import METHODS

GOAL, K = 0.9, 10
MEASURES = {
    "FactorVAE": "factor_vae",
    "MIG": "mig",
    "DCI-D": "disentanglement",
    "DCI-C": "completeness",
    "DCI-I": "informativeness",
}


def interval(values: np.ndarray) -> str:
    """``"mean [lowest, highest]"`` of the seeds; only the mean where all are the same."""
    low, mean, high = (f"{x:.2f}" for x in (values.min(), values.mean(), values.max()))
    return mean if low == high else f"{mean} [{low}, {high}]"


def measured(method: str, seeds: int, steps: int, codes: int) -> tuple[list[gg.directions.Disentanglement], float]:
    """The measures of one method for each seed, and processor seconds a seed."""
    G, D = gg.load("shapes"), gg.distances.mse()
    truth = gg.directions.known_factors(gg.zoo.card("shapes"))
    assert truth is not None
    found, start = [], time.process_time()
    for seed in range(seeds):
        key_codes, key_find, key_judge = jax.random.split(jax.random.key(seed), 3)
        at = G.sample_latent(key_codes, codes)
        sets = gg.directions.discover(G, D, at, key_find, method, k=K, steps=steps, progress=False)
        found.append(gg.directions.disentanglement(gg.directions.unit_columns(G, sets[method]), truth, key_judge))
    return found, (time.process_time() - start) / seeds


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--methods", default="all", help=f"all, or some of {', '.join(METHODS)} with commas between")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=1000, help="of the methods that train")
    parser.add_argument("--codes", type=int, default=64, help="of the mean metric")
    parser.add_argument("--out", type=Path, help="file of the table")
    options = parser.parse_args()
    truth = gg.directions.known_factors(gg.zoo.card("shapes"))
    assert truth is not None
    line = Sink(options.out)
    heads = ["method", *truth.names, f"factors at {GOAL}", *MEASURES, "seconds"]
    line(table_row(*heads))
    line(table_row(*["---"] * len(heads)))
    for method in METHODS if options.methods == "all" else options.methods.split(","):
        found, seconds = measured(method, options.seeds, options.steps, options.codes)
        cosines = np.stack([one.cosines for one in found])
        scores = [np.array([getattr(one, name) for one in found]) for name in MEASURES.values()]
        reached = f"{int((cosines.mean(axis=0) >= GOAL).sum())} of {len(truth.names)}"
        line(table_row(method, *map(interval, cosines.T), reached, *map(interval, scores), f"{seconds:.2g}"))
    line(f"> {options.seeds} seeds; {options.steps} steps of the methods that train; {options.codes} codes.")
    line.close()


if __name__ == "__main__":
    main()
