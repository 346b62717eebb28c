"""Methods of inversion on the same targets, from the same codes, with the same number of forward passes.

python -m benchmarks.inversion compare MODEL [--images FILE ...] [--targets 20] [--seeds 5] [--passes 600]
python -m benchmarks.inversion in-range MODEL [--targets 40]
python -m benchmarks.inversion race MODEL [--targets 20]
python -m benchmarks.inversion batch MODEL

`compare` prints the table of the README, as Markdown, and writes it with --out. Every method minimises
LPIPS (alex), or the mean squared difference with --loss mse; what counts is LPIPS.
Rates are chosen on other targets than those of the table. Differences from Adam are paired: of one target's mean over
seeds of log10 LPIPS, with the 95 % interval of a bootstrap over targets. A loss counts 1 forward pass, its gradient 2
more, a Jacobian-vector product 1, a vector-Jacobian product 2. Seconds are the processor's, without compilation: other
programs beside this one do not count.

`race` has Adam, tuned, take 500 steps, and says after how many of its seconds Levenberg-Marquardt has the same LPIPS,
from the same codes; both in pixels and under LPIPS. `in-range` takes targets that the model has made, and says how many
come back to LPIPS below 1e-3. `batch` times one step of 16 targets with 4 restarts beside that of one code, in turns.

`compare` may take an hour for a face model of 64 pixels; --targets, --seeds, --passes and --methods make it shorter.
With --keep FOLDER what was run is kept: the same command goes on, and adds methods to those that are there.
"""

from __future__ import annotations

import argparse
import re
import statistics
import time
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

import geomgan as gg
from benchmarks.inversion_methods import Entry, entries
from benchmarks.measure import matrix_product
from geomgan import optimize as go
from geomgan.optimize.local import advance, begin, stepped, suited
from geomgan.optimize.loss import Loss
from geomgan.runs.results import read_result, write_result

PLAIN = "Adam"
GOAL = 1e-3  # LPIPS
SIDE = 2000  # of the matrix product that is timed
MEAN_OF = 8  # codes whose mean metric is taken


@dataclass(frozen=True)
class Row:
    """A method's row: rate (NaN without), steps, what :class:`Ran` says of its runs, and the LPIPS of their ends."""

    rate: float
    steps: int
    best: np.ndarray
    passes: np.ndarray
    seconds: np.ndarray
    lpips: np.ndarray


def interval(differences: np.ndarray, draws: int = 4000) -> str:
    """95 % of a bootstrap of the mean."""
    rng = np.random.default_rng(0)
    means = differences[rng.integers(len(differences), size=(draws, len(differences)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return f"{low:+.2f} to {high:+.2f}"


def compare(G: gg.Generator, D: gg.distances.Distance, options: argparse.Namespace) -> str:
    """The table of one model and one kind of targets."""
    tuned, shown, d = options.tune, options.targets, G.latent_dim
    if options.images:
        if len(options.images) < tuned + 2:
            raise SystemExit(f"{len(options.images)} images; expected {tuned} to choose rates on, and some to compare.")
        x = go.read_images(options.images, G)[: tuned + shown]
    else:
        x = np.asarray(jax.vmap(G)(G.sample_latent(jax.random.key(100), tuned + shown)))
    count = (len(x) - tuned) // tuned * tuned  # whole groups
    group = tuned * options.seeds
    minimised = gg.distances.mse() if options.loss == "mse" else D
    each = lambda targets: go.losses(G, minimised, targets)[np.repeat(np.arange(len(targets)), options.seeds)]
    trial, stack = each(x[:tuned]), each(x[tuned : tuned + count])
    first = starts_of(G, minimised, x[:tuned], 200, options)
    codes = starts_of(G, minimised, x[tuned : tuned + count], 300, options)
    tensors = [gg.metric_tensor(G, minimised, z) for z in G.sample_latent(jax.random.key(400), MEAN_OF)]
    mean = np.mean(np.asarray(tensors, np.float64), axis=0)
    found = {}
    for name, entry in entries(d, mean).items():
        if options.methods and name != PLAIN and not any(part in name for part in options.methods):
            continue
        file = Path(options.keep) / f"{'-'.join(re.findall('[a-z0-9]+', name.lower()))}.npz" if options.keep else None
        if file is not None and file.exists():
            found[name] = read_result(file, Row)
            continue
        rate = tuned_rate(entry, trial, first, options.passes, group)
        ran = entry.run(rate, stack, codes, options.passes, group)
        lpips = lpips_of(G, D, x[tuned : tuned + count], ran.codes, options)
        found[name] = Row(rate if len(entry.rates) > 1 else np.nan, ran.steps, *ran[:3], lpips)
        print(f"{name}: rate {rate:g}, {ran.seconds[-1]:.0f} s, LPIPS {np.median(lpips):.2g}", flush=True)
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_result(file, found[name], Row)
    return table(found, count, options)


def tuned_rate(entry: Entry, losses: Loss, codes: np.ndarray, passes: int, group: int) -> float:
    """The rate after which the mean logarithm of the loss is least; the only one where there is one."""
    scores = {}
    for rate in entry.rates if len(entry.rates) > 1 else ():
        ended = entry.run(rate, losses, codes, passes, group).best[:, -1]
        scores[rate] = np.mean(np.log10(np.where(np.isfinite(ended), ended, 10.0)))
    return min(scores, key=scores.__getitem__) if scores else entry.rates[0]


def starts_of(G: gg.Generator, D: Any, x: np.ndarray, key: int, options: argparse.Namespace) -> np.ndarray:
    """The codes of all runs: draws of the prior, or the nearest of 256 of them for each target."""
    wanted, keys = (256 if options.start == "nearest" else None), jax.random.key(key)
    return go.starts.starts(go.losses(G, D, x), None, wanted, options.seeds, keys, False).codes.reshape(
        -1, G.latent_dim
    )


def lpips_of(G: gg.Generator, D: Any, x: np.ndarray, codes: np.ndarray, options: argparse.Namespace) -> np.ndarray:
    """LPIPS of the samples of all runs."""
    stack = go.losses(G, D, x)[np.repeat(np.arange(len(x)), options.seeds)]
    return go.inversion.measured(stack, codes)[1][:, 0]


def table(found: dict[str, Row], count: int, options: argparse.Namespace) -> str:
    """The rows, as Markdown."""
    logs = {n: np.log10(np.maximum(row.best, 1e-12)).reshape(count, options.seeds, -1) for n, row in found.items()}
    common = found[PLAIN].seconds[-1]
    lines = [
        f"| method | rate | steps | passes | s | {options.loss} | LPIPS, median (quarters) | below 1e-3 | "
        f"log10 LPIPS − Adam's | log10 {options.loss} − Adam's after {common:.0f} s at most |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    at = lambda name: logs[name][..., int(np.searchsorted(found[name].seconds, common, "right")) - 1].mean(axis=1)
    by_target = lambda name: np.log10(np.maximum(found[name].lpips, 1e-12)).reshape(count, -1).mean(axis=1)
    for name, (rate, steps, best, passes, seconds, lpips) in ((n, astuple(row)) for n, row in found.items()):
        low, middle, high = np.quantile(lpips, [0.25, 0.5, 0.75])
        cells = []
        late = found[name].seconds[0] > common  # not even one step, or only its end is known
        for of, known in ((by_target, True), (at, not late)):
            difference = of(name) - of(PLAIN) if known else np.zeros(0)
            cells.append("" if name == PLAIN or not known else f"{difference.mean():+.2f} ({interval(difference)})")
        spent = f"{steps} | {passes[-1]:.0f} | {seconds[-1]:.0f} | {np.median(best[:, -1]):.2g}"
        reached = f"{middle:.2g} ({low:.2g} to {high:.2g}) | {np.mean(lpips < GOAL):.0%}"
        lines.append(
            f"| {name} | {'' if np.isnan(rate) else f'{rate:g}'} | {spent} | {reached} | {' | '.join(cells)} |"
        )
    return "\n".join(lines)


def in_range(G: gg.Generator, D: gg.distances.Distance, options: argparse.Namespace) -> str:
    """How many of the model's own samples come back, by Levenberg-Marquardt in pixels from the nearest of a pool."""
    x = np.asarray(jax.vmap(G)(G.sample_latent(jax.random.key(100), options.targets)))
    start, lines = time.process_time(), []
    best, runs, passes = np.full(len(x), np.inf), 0, 0
    for i in range(options.rounds):  # further restarts for those that have not come back
        left = np.flatnonzero(best >= GOAL)
        if not len(left):
            break
        common: dict[str, Any] = {"key": jax.random.key(i), "restarts": options.restarts, "progress": False}
        pixels = go.invert(G, x[left], gg.distances.mse(), start="nearest", pool=256, steps=40, measures=[D], **common)
        best[left] = np.minimum(best[left], pixels.of_best(pixels.measures[D.name]))
        runs, passes = runs + pixels.losses.size, passes + int(pixels.passes.sum())
        lines.append(
            f"after {(i + 1) * options.restarts} restarts: {np.mean(best < GOAL):.1%} of {len(x)} below {GOAL:g}"
        )
        print(lines[-1], flush=True)
    seconds = time.process_time() - start
    lines.append(f"median LPIPS {np.median(best):.2g}; {runs} runs, {passes:,} passes, {seconds:.0f} processor seconds")
    return "\n".join(lines)


def race(G: gg.Generator, D: gg.distances.Distance, options: argparse.Namespace) -> str:
    """Median LPIPS against processor seconds: tuned Adam's 500 steps, Levenberg-Marquardt's 20, from the same codes."""
    tuned, one = options.tune, argparse.Namespace(seeds=1, start="nearest")
    x = np.asarray(jax.vmap(G)(G.sample_latent(jax.random.key(100), tuned + options.targets)))
    first, codes = (starts_of(G, gg.distances.mse(), part, 200, one) for part in (x[:tuned], x[tuned:]))
    plain = entries(G.latent_dim, np.eye(G.latent_dim))[PLAIN]
    ran: dict[str, list[tuple[int, float, float]]] = {}
    for kind, minimised in (("pixels", gg.distances.mse()), ("LPIPS", D)):
        trial, stack = (go.losses(G, minimised, part) for part in (x[:tuned], x[tuned:]))
        rate = tuned_rate(plain, trial, first, 1500, tuned)
        for name, method, steps in (
            (f"Adam in {kind}, rate {rate:g}", go.adam(rate), 500),
            (f"Levenberg-Marquardt in {kind}", go.levenberg_marquardt(), 20),
            (f"the same, metric each 10 steps, in {kind}", go.levenberg_marquardt("metric", every=10), 80),
        ):
            loss = suited(method, stack)
            warm = begin(method, loss, codes)
            for i in range((method.every or 0) + 1):  # compile
                warm = jax.block_until_ready(advance(method, loss, warm, i))
            start, kept = time.process_time(), []
            state = begin(method, loss, codes)
            for i in range(steps):
                state = jax.block_until_ready(advance(method, loss, state, i))
                if (i + 1) % max(1, steps // 20) == 0:
                    kept.append((i + 1, time.process_time() - start, np.asarray(state.best)))
            ran[name] = [(n, s, float(np.median(lpips_of(G, D, x[tuned:], best, one)))) for n, s, best in kept]
            print(f"{name}: {ran[name]}", flush=True)
    adams = {name: curve for name, curve in ran.items() if name.startswith(PLAIN)}
    lines = ["| method | steps | s | median LPIPS | as low as each Adam after |", "|---|---|---|---|---|"]
    for name, curve in ran.items():
        reached = []
        for other, theirs in adams.items() if name not in adams else ():
            when = next(((n, s) for n, s, value in curve if value <= theirs[-1][2]), None)
            share = f"{when[0]} steps, {when[1]:.1f} s, {when[1] / theirs[-1][1]:.2f} of" if when else "never, of"
            reached.append(f"{share} {other}")
        steps, seconds, value = curve[-1]
        lines.append(f"| {name} | {steps} | {seconds:.1f} | {value:.2g} | {'; '.join(reached)} |")
    return "\n".join(lines)


def batch(G: gg.Generator, D: gg.distances.Distance, options: argparse.Namespace) -> str:
    """Seconds of a step of 64 runs beside those of one, in turns, by the processor's clock, and what bounds them."""
    x = np.asarray(jax.vmap(G)(G.sample_latent(jax.random.key(100), 16)))
    loss, codes = go.losses(G, D, x), G.sample_latent(jax.random.key(1), 64)
    lines, product = [], matrix_product(SIDE)
    products: list[float] = []
    for name, method in (("Adam", go.adam(0.1)), ("Levenberg-Marquardt", go.levenberg_marquardt())):
        cases = [(loss[np.repeat(np.arange(16), 4)], codes), (loss[np.array([0])], codes[:1])]
        cases = [(suited(method, stack), z) for stack, z in cases]
        states = [begin(method, stack, z) for stack, z in cases]
        flops = stepped.lower(method, cases[1][0], states[1]).compile().cost_analysis()["flops"]
        taken: list[list[float]] = [[], []]
        for _ in range(options.repeats + 1):
            for i, (stack, _z) in enumerate(cases):
                start = time.process_time()
                states[i] = jax.block_until_ready(advance(method, stack, states[i], 0))
                taken[i].append(time.process_time() - start)
            start = time.process_time()
            product()
            products.append(time.process_time() - start)
        many, one = (statistics.median(times[1:]) for times in taken)
        most = 2 * SIDE**3 / statistics.median(products)
        rates = f"{flops / one / 1e9:.1f} and {64 * flops / many / 1e9:.1f} GFLOP/s, a matrix product {most / 1e9:.1f}"
        lines.append(
            f"{name}: one run {one * 1e3:.1f} ms a step, 64 runs {many * 1e3:.0f} ms, {many / one:.1f} times; {rates} "
            f"of a processor second: at that rate 64 runs were {64 * flops / most / one:.1f} times one"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["compare", "in-range", "race", "batch"])
    parser.add_argument("model", help="a name of the catalogue, or the folder of a converted model")
    parser.add_argument("--images", nargs="+", help="real targets, instead of the model's own samples")
    parser.add_argument("--targets", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=5, help="runs from different codes for each target")
    parser.add_argument("--passes", type=int, default=600, help="forward passes of a run")
    parser.add_argument("--tune", type=int, default=4, help="further targets, on which rates are chosen")
    parser.add_argument("--loss", choices=["lpips", "mse"], default="lpips", help="what is minimised")
    parser.add_argument("--start", choices=["prior", "nearest"], default="prior", help="where runs begin")
    parser.add_argument("--methods", nargs="+", help="parts of their names, beside Adam")
    parser.add_argument("--restarts", type=int, default=4, help="of each round of in-range")
    parser.add_argument("--rounds", type=int, default=4, help="of in-range, for targets that are left")
    parser.add_argument("--repeats", type=int, default=7, help="of batch")
    parser.add_argument("--keep", help="folder that keeps each method's runs of compare")
    parser.add_argument("--out", help="file for what is printed")
    options = parser.parse_args()
    G = gg.load(options.model)
    D = gg.distances.lpips("alex", resize=None if min(G.sample_shape.shape[:2]) >= 64 else 64)
    said = {"compare": compare, "in-range": in_range, "race": race, "batch": batch}[options.what](G, D, options)
    print(said)
    if options.out:
        Path(options.out).write_text(said + "\n")


if __name__ == "__main__":
    main()
