"""Methods of inversion on the same targets, from the same codes, with the same number of forward passes.

python -m benchmarks.inversion compare MODEL [--images FILE ...] [--targets 20] [--seeds 5] [--passes 600]
python -m benchmarks.inversion in-range MODEL [--targets 40]
python -m benchmarks.inversion batch MODEL

`compare` prints the table of the README, as Markdown, and writes it with --out. Every method minimises
LPIPS (alex), or the mean squared difference with --loss mse; what counts is LPIPS.
Rates are chosen on other targets than those of the table. Differences from Adam are paired: of one target's mean over
seeds of log10 LPIPS, with the 95 % interval of a bootstrap over targets. A loss counts 1 forward pass, its gradient 2
more, a Jacobian-vector product 1, a vector-Jacobian product 2. Seconds are the processor's, without compilation: other
programs beside this one do not count.

`in-range` takes targets that the model has made, and says how many come back to LPIPS below 1e-3. `batch` times one
step of 16 targets with 4 restarts beside that of one code, in turns.

For 20 targets and 5 seeds of digits-dcgan `compare` takes about 10 minutes of one core, for a face model of 64 pixels
about 45; --targets, --seeds, --passes and --methods make it shorter.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import geomgan as gg
from geomgan import optimize as go
from geomgan.optimize.local import advance, begin
from geomgan.optimize.loss import Loss

RATES = (0.03, 0.1, 0.3)
PLAIN = "Adam"
GOAL = 1e-3  # LPIPS
MEAN_OF = 8  # codes whose mean metric is taken


class Entry:
    """A method of the table: how it is made at a rate, its rates, and passes of its start and of a step."""

    def __init__(self, make: Callable[[float], Any], rates: tuple[float, ...], first: int, step: float) -> None:
        self.make, self.rates, self.first, self.step = make, rates, first, step

    def steps(self, passes: int) -> int:
        return max(1, int((passes - self.first) / self.step))


def entries(d: int, mean: Any) -> dict[str, Entry]:
    """The methods."""
    lm, own = go.levenberg_marquardt, d + 1
    return {
        PLAIN: Entry(lambda r: go.adam(r), RATES, 0, 3),
        "Adam, rotated (own metric)": Entry(lambda r: go.adam(r, metric="own"), RATES, own, 3),
        "Adam, rotated (mean metric)": Entry(lambda r: go.adam(r, metric=mean), RATES, 0, 3),
        "Adam, half whitened (own)": Entry(lambda r: go.adam(r, metric="own", scale=0.5), RATES, own, 3),
        "Adam, half whitened (mean)": Entry(lambda r: go.adam(r, metric=mean, scale=0.5), RATES, 0, 3),
        "Adam, whitened (own)": Entry(lambda r: go.adam(r, metric="own", scale=1.0), RATES, own, 3),
        "gradient descent": Entry(lambda r: go.sgd(r), (1.0, 3.0, 10.0), 0, 3),
        "natural gradient": Entry(lambda r: go.sgd(r, metric="own", scale=1.0, floor=0.01), (0.3, 1.0, 3.0), own, 3),
        "L-BFGS": Entry(lambda _: go.lbfgs(), (1.0,), 0, 5.0),
        "Levenberg-Marquardt": Entry(lambda _: lm(), (1.0,), 0, d + 5),
        "the same, metric each 10 steps": Entry(lambda _: lm("metric", every=10), (1.0,), own, 7 + own / 10),
        "the same, conjugate gradients": Entry(lambda _: lm("cg", k=8), (1.0,), 0, 31),
    }


def run(
    method: Any, loss: Loss, codes: np.ndarray, steps: int, group: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Best losses ``(n, steps)``, mean passes ``(steps,)`` and seconds ``(steps,)`` after each step; the codes.

    ``group`` runs go together: as many as rates are chosen on, so that one program serves both.
    """
    groups = len(codes) // group
    best, passes, seconds, ends = [], np.zeros((groups, steps)), np.zeros((groups, steps)), []
    for g in range(groups):
        rows = np.arange(g * group, (g + 1) * group)
        stack, first = loss[rows], jnp.asarray(codes[rows])
        if g == 0:  # compile
            warm = advance(method, stack, begin(method, stack, first), 0)
            jax.block_until_ready(advance(method, stack, warm, method.every or 1))
        start = time.process_time()
        state, history = begin(method, stack, first), []
        for i in range(steps):
            state = advance(method, stack, state, i)
            history.append(np.asarray(state.best_value))
            passes[g, i], seconds[g, i] = float(state.passes.mean()), time.process_time() - start
        best.append(np.stack(history, axis=1))
        ends.append(np.asarray(state.best))
    return np.concatenate(best), passes.mean(axis=0), seconds.sum(axis=0), np.concatenate(ends)


def interval(differences: np.ndarray, draws: int = 4000) -> tuple[float, float]:
    """95 % of a bootstrap of the mean."""
    rng = np.random.default_rng(0)
    means = differences[rng.integers(len(differences), size=(draws, len(differences)))].mean(axis=1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


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
        steps, scores = entry.steps(options.passes), {}
        for rate in entry.rates if len(entry.rates) > 1 else ():
            ended = run(entry.make(rate), trial, first, steps, group)[0][:, -1]
            scores[rate] = np.mean(np.log10(np.where(np.isfinite(ended), ended, 10.0)))
        rate = min(scores, key=scores.__getitem__) if scores else 1.0
        ran = run(entry.make(rate), stack, codes, steps, group)
        lpips = lpips_of(G, D, x[tuned : tuned + count], ran[3], options)
        found[name] = (rate if scores else None, steps, *ran[:3], lpips)
        print(f"{name}: rate {rate}, {ran[2][-1]:.0f} s, LPIPS {np.median(lpips):.2g}", flush=True)
    return table(found, count, options)


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


def table(found: dict[str, Any], count: int, options: argparse.Namespace) -> str:
    """The rows, as Markdown."""
    logs = {name: np.log10(np.maximum(row[2], 1e-12)).reshape(count, options.seeds, -1) for name, row in found.items()}
    common = min(row[4][-1] for row in found.values())  # seconds that every method has had
    lines = [
        f"| method | rate | steps | passes | s | {options.loss} | LPIPS, median (quarters) | below 1e-3 | "
        f"log10 LPIPS − Adam's | log10 {options.loss} − Adam's at {common:.0f} s |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    at = lambda name: logs[name][..., max(0, int(np.searchsorted(found[name][4], common, "right")) - 1)].mean(axis=1)
    by_target = lambda name: np.log10(np.maximum(found[name][5], 1e-12)).reshape(count, -1).mean(axis=1)
    for name, (rate, steps, best, passes, seconds, lpips) in found.items():
        low, middle, high = np.quantile(lpips, [0.25, 0.5, 0.75])
        cells = []
        for mine, other in ((by_target(name), by_target(PLAIN)), (at(name), at(PLAIN))):
            a, b = interval(mine - other)
            cells.append("" if name == PLAIN else f"{np.mean(mine - other):+.2f} ({a:+.2f} to {b:+.2f})")
        spent = f"{steps} | {passes[-1]:.0f} | {seconds[-1]:.0f} | {np.median(best[:, -1]):.2g}"
        reached = f"{middle:.2g} ({low:.2g} to {high:.2g}) | {np.mean(lpips < GOAL):.0%}"
        lines.append(f"| {name} | {'' if rate is None else f'{rate:g}'} | {spent} | {reached} | {' | '.join(cells)} |")
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


def batch(G: gg.Generator, D: gg.distances.Distance, options: argparse.Namespace) -> str:
    """Seconds of a step of 64 runs beside those of one, in turns, by the processor's clock."""
    x = np.asarray(jax.vmap(G)(G.sample_latent(jax.random.key(100), 16)))
    loss, codes = go.losses(G, D, x), G.sample_latent(jax.random.key(1), 64)
    lines = []
    for name, method in (("Adam", go.adam(0.1)), ("Levenberg-Marquardt", go.levenberg_marquardt())):
        cases = [(loss[np.repeat(np.arange(16), 4)], codes), (loss[np.array([0])], codes[:1])]
        states = [begin(method, stack, z) for stack, z in cases]
        taken: list[list[float]] = [[], []]
        for _ in range(options.repeats + 1):
            for i, (stack, _z) in enumerate(cases):
                start = time.process_time()
                states[i] = jax.block_until_ready(advance(method, stack, states[i], 0))
                taken[i].append(time.process_time() - start)
        many, one = (statistics.median(times[1:]) for times in taken)
        lines.append(f"{name}: 64 runs {many * 1e3:.0f} ms a step, one run {one * 1e3:.0f} ms: {many / one:.1f} times")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["compare", "in-range", "batch"])
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
    parser.add_argument("--out", help="file for what is printed")
    options = parser.parse_args()
    G = gg.load(options.model)
    D = gg.distances.lpips("alex", resize=None if min(G.sample_shape.shape[:2]) >= 64 else 64)
    said = {"compare": compare, "in-range": in_range, "batch": batch}[options.what](G, D, options)
    print(said)
    if options.out:
        Path(options.out).write_text(said + "\n")


if __name__ == "__main__":
    main()
