"""Metric tensors of the large architectures: geomgan against the ways of the field in torch, one run, one table.

    python -m benchmarks.peers [--cases dcgan-field,biggan,...] [--repeats 5] [--full]

All methods of a case have the same weights; the torch networks must give the same images and the same metric before
anything is timed. Methods alternate in one process; times are medians without compilation, of at most two runs where
a run takes long; what takes less than 0.2 s is repeated for as long in each run. What would take minutes is measured
in part and extrapolated, as the last column says: the part that repeats (rows, tangents, products, codes) is scaled,
what is done once is not. ``--full`` runs everything whole. Peak memory is what the process grows by at most during
one call, the loaded model apart. FLOPs are one forward pass of the embedded sample for each tangent; the matrix
product is XLA's, timed in the same alternation.
"""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Callable
from typing import Any

import jax
import torch

from benchmarks.measure import matrix_product, peak_growth, timed
from benchmarks.peer_cases import CASES, Case, Method

SIDE = 4096  # of the matrix product
LEAST = 0.2  # seconds
COLUMNS = ["case", "method", "seconds", "× ours", "peak MB", "GFLOP/s", "of matrix product"]
COLUMNS += ["at least", "aim", "extrapolated from"]


def run(method: Method, *, memory: bool) -> tuple[float, float]:
    """(seconds of the whole, peak MB of what was run, NaN unless asked for)."""
    seconds = 0.0

    def call() -> None:
        nonlocal seconds
        state: list[Any] = []
        once = timed(lambda: state.append(method.start()))
        seconds = once + method.times * timed(lambda: method.step(state[0]), LEAST)

    peak = float("nan")
    if memory:
        peak = peak_growth(call)
    else:
        call()
    return seconds, peak


def row(*cells: str) -> None:
    print("| " + " | ".join(cells) + " |", flush=True)


def report(case: Case, repeats: int) -> None:
    """Times the methods of a case in alternation and prints their rows."""
    product = matrix_product(SIDE)
    products: list[float] = []
    runs: list[list[tuple[float, float]]] = [[] for _ in case.methods]
    repeats = repeats if case.short else min(repeats, 2)
    for i in range(repeats):
        products.append(timed(product))
        for method, found in zip(case.methods, runs, strict=True):
            found.append(run(method, memory=i == repeats - 1))
    median_product = statistics.median(products)
    rate = 2 * SIDE**3 / median_product / 1e9
    seconds = [statistics.median(s for s, _ in found) for found in runs]
    for method, found, median in zip(case.methods, runs, seconds, strict=True):
        speed = case.gflop / median
        numbers = [f"{median:.3g}", f"{median / seconds[0]:.2f}", f"{found[-1][1]:.0f}"]
        numbers += [f"{speed:.0f}", f"{speed / rate:.0%}"] if speed else ["", ""]
        row(case.name, method.name, *numbers, *method.goals, method.extrapolated)
    row(case.name, f"{SIDE}² float32 matrix product", f"{median_product:.3g}", "", "", f"{rate:.0f}", *[""] * 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", default=",".join(CASES), help=f"some of {', '.join(CASES)}")
    parser.add_argument("--repeats", type=int, default=5, help="alternating runs (two at most of long cases)")
    parser.add_argument("--full", action="store_true", help="extrapolate nothing (about half an hour)")
    options = parser.parse_args()
    names = options.cases.split(",")
    if unknown := [name for name in names if name not in CASES]:
        parser.error(f"no case {unknown[0]!r}; expected some of {', '.join(CASES)}")
    torch.manual_seed(0)
    print(f"jax {jax.__version__} and torch {torch.__version__} ({torch.get_num_threads()} threads) on", end=" ")
    print(f"{os.cpu_count()} cores; float32; medians of {options.repeats} alternating runs.\n")
    row(*COLUMNS)
    row(*["---"] * len(COLUMNS))
    for name in names:
        make: Callable[[bool], Case] = CASES[name]
        report(make(options.full), options.repeats)


if __name__ == "__main__":
    main()
