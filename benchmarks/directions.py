"""Which methods find the factors of a generator whose factors are known.

python -m benchmarks.directions [--methods all] [--seeds 6] [--steps 1000] [--codes 64] [--out FILE]

The generator is `shapes`, whose position, size, hue and rotation are five directions of its ten-dimensional code, at
random angles to the coordinates. Every method finds ten directions with one set of options, from other codes, samples
and starts for each seed. The table says, for each factor, the cosine of the best of them, the mean with a 95 %
bootstrap interval over seeds (fewer than six make none: their values are there instead, and one where all are the
same), how many factors reach 0.9 in the mean, and the field's measures by the protocol of
geomgan.directions.disentanglement. Seconds are the processor's for one seed, with compilation.

"penalty" is where the Hessian Penalty is least, without training (geomgan.directions.penalty_axes); "penalty-trained"
is the discovery as published, for --steps.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import jax
import numpy as np

import geomgan as gg
from benchmarks.rows import Sink, table_row
from geomgan.analysis.bootstrap import code_interval, fewest, mean
from geomgan.directions.discover import METHODS, TRAINED

GOAL, K, DRAWS, LEVEL = 0.9, 10, 2000, 0.95
RATE = 0.02
ROWS = (*METHODS, TRAINED)
MEASURES = {
    "FactorVAE": "factor_vae",
    "MIG": "mig",
    "DCI-D": "disentanglement",
    "DCI-C": "completeness",
    "DCI-I": "informativeness",
}


def interval(values: np.ndarray) -> str:
    """``"mean [low, high]"`` of seeds; of too few ``"mean (each)"``; only the mean where all are the same."""
    numbers = [f"{x:.2f}" for x in np.sort(values)]
    if numbers[0] == numbers[-1]:
        return numbers[0]
    if len(values) < fewest(LEVEL):
        return f"{values.mean():.2f} ({', '.join(numbers)})"
    return "{:.2f} [{:.2f}, {:.2f}]".format(*code_interval(values, DRAWS, LEVEL, np.random.default_rng(0), mean))


def measured(method: str, seeds: int, steps: int, codes: int) -> tuple[list[gg.directions.Disentanglement], float]:
    """The measures of one method for each seed, and processor seconds a seed."""
    G, D = gg.load("shapes"), gg.distances.mse()
    truth = gg.directions.known_factors(gg.zoo.card("shapes"))
    assert truth is not None
    found, start = [], time.process_time()
    for seed in range(seeds):
        key_codes, key_find, key_judge = jax.random.split(jax.random.key(seed), 3)
        at = G.sample_latent(key_codes, codes)
        if method == TRAINED:
            options = gg.directions.PenaltyOptions(steps=steps, learning_rate=RATE)
            directions = gg.directions.discover_by_penalty(G, key_find, options, progress=False)
        else:
            sets = gg.directions.discover(G, D, at, key_find, method, k=K, steps=steps, progress=False)
            directions = sets[method]
        columns = gg.directions.unit_columns(G, directions)
        found.append(gg.directions.disentanglement(columns, truth, key_judge))
    return found, (time.process_time() - start) / seeds


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--methods", default="all", help=f"all, or some of {', '.join(ROWS)} with commas between")
    parser.add_argument("--seeds", type=int, default=6)
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
    for method in ROWS if options.methods == "all" else options.methods.split(","):
        found, seconds = measured(method, options.seeds, options.steps, options.codes)
        cosines = np.stack([one.cosines for one in found])
        scores = [np.array([getattr(one, name) for one in found]) for name in MEASURES.values()]
        reached = f"{int((cosines.mean(axis=0) >= GOAL).sum())} of {len(truth.names)}"
        line(table_row(method, *map(interval, cosines.T), reached, *map(interval, scores), f"{seconds:.2g}"))
    line(f"> {options.seeds} seeds; {options.steps} steps of the methods that train; {options.codes} codes.")
    line.close()


if __name__ == "__main__":
    main()
