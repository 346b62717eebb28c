"""Shortest paths: ours beside the published ways, on trained models; a table for each part, as Markdown.

python -m benchmarks.geodesics [--only published svhn …] [--pairs N] [--assets FOLDER]

Methods take turns, pair by pair, in one process; seconds are medians, so that the compilation in the first pair does
not count, and the processor's, so that other programs beside this one count little. What is measured densely is by one
rule for all: chords of 1,001 samples along the cubic spline through the nodes, at equal parameters. Our seconds contain
all that `shortest_paths` does, also its measuring; GEORCE as published, L-BFGS and Adam find their nodes only.

`--assets` is the folder of the trained models. `finslerax` is not needed by anything else: install it aside, with
`pip install --target FOLDER finslerax equinox` and FOLDER in PYTHONPATH.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import jax
import numpy as np

import geomgan as gg
from benchmarks import geodesic_peers as peers
from benchmarks.geodesic_cases import mlp_decoder, prior_pairs, protocol_pairs, published, svhn
from benchmarks.measure import matrix_product
from benchmarks.random_models import faces64, lpips_alex, stylegan2
from benchmarks.rows import table_row
from geomgan.geodesics import Schedule, chords, energies, leading_axes, lengths, shorten, shortest_paths, springs
from geomgan.geodesics.through import through
from geomgan.paths import between

EUCLIDEAN = gg.distances.euclidean()
POINTS = 1001
SIDE = 2048  # of the matrix product
Find = Callable[[np.ndarray, np.ndarray], np.ndarray]  # nodes of the path between two codes


@dataclass(frozen=True)
class Eased:
    """A path that sets out and arrives slowly: the same curve."""

    path: Any

    def __call__(self, t: Any) -> Any:
        return self.path(t * t * (3 - 2 * t))

    def derivative(self, t: Any) -> Any:
        return self.path.derivative(t * t * (3 - 2 * t)) * (6 * t * (1 - t))[:, None]


def seconds(call: Callable[[], Any]) -> tuple[float, float, Any]:
    """Of the processor, by the clock, and what was returned."""
    started, clock = time.process_time(), time.perf_counter()
    found = jax.block_until_ready(call())
    return time.process_time() - started, time.perf_counter() - clock, found


def dense(G: gg.Generator, D: gg.distances.Distance, nodes: np.ndarray) -> float:
    curve = through(np.linspace(0, 1, len(nodes)), nodes)
    return float(lengths(G, D, curve, points=POINTS)[0])


def table(title: str, *names: str) -> None:
    print(f"\n{title}\n\n{table_row(*names)}\n{table_row(*['---'] * len(names))}", flush=True)


def show(*cells: Any) -> None:
    print(table_row(*(cell if isinstance(cell, str) else f"{cell:.4g}" for cell in cells)), flush=True)


def ours(G: gg.Generator, D: gg.distances.Distance, **options: Any) -> Find:
    return lambda a, b: shortest_paths(G, D, a, b, **options).codes[0]


def in_turns(methods: dict[str, Find], starts: np.ndarray, ends: np.ndarray) -> dict[str, tuple[list, list]]:
    """Seconds and nodes of every pair by every method, which take turns; in the first pair's is compilation."""
    found: dict[str, tuple[list, list]] = {name: ([], []) for name in methods}
    for a, b in zip(starts, ends, strict=True):
        for name, find in methods.items():
            spent, _, nodes = seconds(partial(find, a, b))
            found[name][0].append(spent)
            found[name][1].append(nodes)
    return found


def part_published(options: argparse.Namespace) -> None:
    """The VAE and BiGAN of GenerativeLatentSpace from -1 to 1: ours against the published schedule."""
    table(
        "GenerativeLatentSpace's models from (-1 … -1) to (1 … 1); the schedule as published, 50 epochs",
        *("model", "straight", "schedule", "s", "ours, 8 chords", "s", "times faster", "ours, 24 chords", "s"),
    )
    a, b = -np.ones(16), np.ones(16)
    for kind, tolerance in (("vae", 2e-2), ("bigan", 5e-2)):
        with tempfile.TemporaryDirectory() as folder:
            G, D = published(options.assets, kind, folder)
        calls: dict[str, Callable[[], Any]] = {
            "schedule": lambda G=G, D=D: shorten(G, D, a, b, jax.random.key(0)),
            "few": lambda G=G, D=D, t=tolerance: shortest_paths(G, D, a, b, segments=8, tolerance=t),
            "more": lambda G=G, D=D: shortest_paths(G, D, a, b, segments=24),
        }
        spent: dict[str, list[float]] = {name: [] for name in calls}
        found = {name: call() for name, call in calls.items()}
        for _ in range(options.rounds):
            for name, call in calls.items():
                spent[name].append(seconds(call)[0])
        s = {name: statistics.median(times) for name, times in spent.items()}
        few, more = (float(lengths(G, D, found[name].paths, points=POINTS)[0]) for name in ("few", "more"))
        schedule, straight = (
            float(lengths(G, D, path, points=POINTS)[0]) for path in (found["schedule"].curve, between(a, b))
        )
        ratio = statistics.median(x / y for x, y in zip(spent["schedule"], spent["few"], strict=True))
        show(kind, straight, schedule, s["schedule"], few, s["few"], ratio, more, s["more"])


def part_improvement(options: argparse.Namespace) -> None:
    """The original's Monte-Carlo protocol: steps of length 1 along the top axis, 20 epochs, 16 points.

    Its rule counts the speeds at both ends twice, so that one and the same curve is shorter where it sets out and
    arrives slowly, as the schedule's do. Ours is at constant speed, and once more eased.
    """
    n = options.pairs or 100
    table(
        f"Monte-Carlo improvement, {n} pairs: steps of length 1 along the top axis; per cent shorter than the line",
        *(
            "model",
            "schedule, its rule",
            "ours, its rule",
            "ours eased, its rule",
            "schedule, dense",
            "ours, dense",
            "ours at least as short",
        ),
    )
    for kind in ("vae", "bigan"):
        with tempfile.TemporaryDirectory() as folder:
            G, D = published(options.assets, kind, folder)
        starts, ends = protocol_pairs(G, D, n)
        lines = [between(a, b) for a, b in zip(starts, ends, strict=True)]
        settings = Schedule(epochs=20, points=16)
        keys = jax.random.split(jax.random.key(1), n)
        theirs = [shorten(G, D, *args, settings=settings) for args in zip(starts, ends, keys, strict=True)]
        paths = shortest_paths(G, D, starts, ends, segments=24).paths
        rule = partial(lengths, G, D, points=16, rule="published")
        straight, by_rule, eased = rule(lines), rule(paths), rule([Eased(path) for path in paths])
        long, short, other = (lengths(G, D, p, points=401) for p in (lines, paths, [x.curve for x in theirs]))
        show(
            kind,
            100 * float(np.mean([x.published_improvement for x in theirs])),
            100 * float(np.mean(1 - by_rule / straight)),
            100 * float(np.mean(1 - eased / straight)),
            100 * float(np.mean(1 - other / long)),
            100 * float(np.mean(1 - short / long)),
            f"{int((short <= other).sum())} of {n}",
        )


def part_svhn(options: argparse.Namespace) -> None:
    """The SVHN VAE: 20 pairs of its own codes, 100 chords, relative gains down to 1e-5."""
    n, T, tolerance = options.pairs or 20, 100, 1e-5
    G, (starts, ends) = svhn(options.assets, n)

    def embed(z: jax.Array) -> jax.Array:
        return G.function(G.params, z).ravel()

    methods: dict[str, Find] = {
        "GEORCE as published, plain JAX": lambda a, b: peers.georce(embed, a, b, T, tolerance),
        "ours, georce": ours(G, EUCLIDEAN, method="georce", segments=T, tolerance=tolerance),
        "ours, gauss-newton": ours(G, EUCLIDEAN, segments=T, tolerance=tolerance),
        "L-BFGS, 150 iterations": lambda a, b: peers.lbfgs(embed, a, b, T),
        "Adam, 400 steps": lambda a, b: peers.adam(embed, a, b, T),
    }
    found = in_turns(methods, starts, ends)
    straight = [dense(G, EUCLIDEAN, peers.line(a, b, T)) for a, b in zip(starts, ends, strict=True)]
    measured = {name: np.array([dense(G, EUCLIDEAN, z) for z in nodes]) for name, (_, nodes) in found.items()}
    first = next(iter(methods))
    table(
        f"SVHN VAE, d = 32, {n} pairs of its codes, T = {T}; straight lines {np.mean(straight):.4f}",
        *("method", "mean length", "largest ratio to the first", "s a pair", "times faster"),
    )
    for name, (spent, _) in found.items():
        ratio = statistics.median(x / y for x, y in zip(found[first][0], spent, strict=True))
        worst = float((measured[name] / measured[first]).max())
        show(name, f"{measured[name].mean():.5f}", f"{worst:.6f}", statistics.median(spent), ratio)


def part_together(options: argparse.Namespace) -> None:
    """20 pairs of the SVHN VAE at once, beside one; and what they would be at the rate of a matrix product."""
    n, T, tolerance = options.pairs or 20, 100, 1e-5
    G, (starts, ends) = svhn(options.assets, n)
    together = lambda: shortest_paths(G, EUCLIDEAN, starts, ends, segments=T, tolerance=tolerance).codes
    single = lambda i: shortest_paths(G, EUCLIDEAN, starts[i], ends[i], segments=T, tolerance=tolerance).codes
    product = matrix_product(SIDE)
    work = [passes(call) for call in (together, partial(single, 0))]
    sample = jax.jit(jax.vmap(partial(G.function, G.params))).lower(starts).compile().cost_analysis()["flops"] / n
    rounds = [
        [seconds(call)[:2] for call in (together, partial(single, i % n), product)] for i in range(options.rounds)
    ]
    many, one, whole = (statistics.median(times) for times in zip(*((t[0] for t in r) for r in rounds), strict=True))
    by_clock = statistics.median(r[0][1] / r[1][1] for r in rounds)
    table(
        f"{n} pairs at once, gauss-newton; seconds and rates are the processor's",
        *("", "s", "samples' worth of forward passes", "GFLOP/s"),
    )
    for name, spent, count in (("at once", many, work[0]), ("one pair", one, work[1])):
        show(name, spent, f"{count:,.0f}", sample * count / spent / 1e9)
    most = 2 * SIDE**3 / whole
    show("a matrix product", whole, "", most / 1e9)
    bound = sample * work[0] / most / one
    print(f"\n{many / one:.1f} times one pair ({by_clock:.1f} by the clock); {bound:.1f} at the product's rate.")


def passes(call: Callable[[], Any]) -> float:
    """Samples that a search computes, a pull-back counted as two more, a metric as one for each dimension."""
    total = 0.0

    def counted(function: Any, worth: Callable[[tuple[int, ...]], float]) -> Any:
        def run(pair: Any, codes: Any, *rest: Any) -> Any:
            nonlocal total
            total += worth(codes.shape)
            return function(pair, codes, *rest)

        return run

    rows = lambda shape: float(np.prod(shape[:-1]))
    worths = ((chords, "_values", 1), (chords, "_evaluate", 3), (springs, "_metrics", None))
    with contextlib.ExitStack() as stack:
        for module, name, each in worths:
            worth = lambda shape, each=each: rows(shape) * (each or 1 + shape[-1])
            stack.enter_context(mock.patch.object(module, name, counted(getattr(module, name), worth)))
        call()
    return total


def part_lines(options: argparse.Namespace) -> None:
    """No path is longer than the straight line, on 200 pairs."""
    n = options.pairs or 200
    G, (starts, ends) = svhn(options.assets, n)
    spent, _, found = seconds(lambda: shortest_paths(G, EUCLIDEAN, starts, ends, segments=64, progress=True))
    long = lengths(G, EUCLIDEAN, [between(a, b) for a, b in zip(starts, ends, strict=True)], points=POINTS)
    short = lengths(G, EUCLIDEAN, found.paths, points=POINTS)
    table(f"SVHN VAE, {n} pairs, 64 chords", "longer than the line", "mean shorter by", "least", "s a pair")
    gains = 100 * (1 - short / long)
    show(f"{int((short > long).sum())} of {n}", f"{gains.mean():.3f} %", f"{gains.min():.4f} %", spent / n)


def part_finslerax(options: argparse.Namespace) -> None:
    """An MLP decoder in 2, 8 and 32 dimensions, 64 chords, beside finslerax."""
    T, n = 64, options.pairs or 5
    table(
        f"MLP decoder of 784 numbers, {n} pairs, T = {T}; dense energies, straight lines included",
        *("d", "method", "mean energy", "mean length", "s a pair", "ours is times faster"),
    )
    for d in (2, 8, 32):
        G = mlp_decoder(d)
        starts, ends = prior_pairs(G, n, 0.5)
        embed = lambda z, G=G: G.function(G.params, z)
        own = "ours, gauss-newton"
        methods = {own: ours(G, EUCLIDEAN, segments=T)} | peers.finslerax(embed, d, T)
        found = in_turns(methods, starts, ends)
        found["straight line"] = ([np.nan] * n, [peers.line(*ends_of, T) for ends_of in zip(starts, ends, strict=True)])
        for name, (spent, nodes) in found.items():
            curves = [through(np.linspace(0, 1, T + 1), np.asarray(z)) for z in nodes]
            value = energies(G, EUCLIDEAN, curves, points=POINTS).mean()
            length = lengths(G, EUCLIDEAN, curves, points=POINTS).mean()
            ratio = statistics.median(x / y for x, y in zip(spent, found[own][0], strict=True))
            show(str(d), name, f"{value:.5g}", f"{length:.5g}", statistics.median(spent), ratio)


def part_faces64(options: argparse.Namespace) -> None:
    """A face DCGAN with LPIPS: many pairs at once."""
    n = options.pairs or 32
    (G, name), (D, distance) = faces64(), lpips_alex()
    starts, ends = prior_pairs(G, n)
    large(f"{name}, {distance}, {n} pairs at once, 16 chords", G, D, starts, ends, 16)


def part_stylegan2(options: argparse.Namespace) -> None:
    """StyleGAN2 of 64 pixels in w, in the 16 leading axes of the mean metric of two codes."""
    del options
    G, (D, distance) = stylegan2(64), lpips_alex()
    starts, ends = prior_pairs(G, 1)
    title = f"{G.name} in w, d = {G.latent_dim}, {distance}, one pair in 16 leading axes, 16 chords"
    basis = lambda: leading_axes(G, D, starts, ends, 16, codes=2)
    large(title, G, D, starts, ends, 16, basis=basis, iterations=30)


def large(
    title: str,
    G: gg.Generator,
    D: Any,
    starts: np.ndarray,
    ends: np.ndarray,
    segments: int,
    basis: Callable[[], Any] = lambda: None,
    **options: Any,
) -> None:
    """A row that the others cannot do; with compilation and what the axes cost."""
    how = {"segments": segments, "tolerance": 1e-3, "progress": True} | options
    spent, clock, found = seconds(lambda: shortest_paths(G, D, starts, ends, basis=basis(), **how))
    gains, states = 100 * found.improvements, {s: found.status.count(s) for s in found.status}
    table(title, "straight", "ours", "shorter by", "steps", "status", "s of the processor", "s by the clock")
    show(
        found.straight_lengths.mean(),
        found.lengths.mean(),
        f"{gains.mean():.1f} % ({gains.min():.1f} to {gains.max():.1f})",
        f"{np.median(found.iterations):.0f}",
        ", ".join(f"{count} {state}" for state, count in states.items()),
        spent,
        clock,
    )


PARTS = {name.removeprefix("part_"): value for name, value in list(globals().items()) if name.startswith("part_")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="+", default=list(PARTS), choices=PARTS)
    parser.add_argument("--assets", type=Path, default=Path("../shared/assets"), help="folder of the trained models")
    parser.add_argument("--pairs", type=int, help="instead of those of each part")
    parser.add_argument("--rounds", type=int, default=7, help="in which single timings take turns")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", message=".*assumed, because the file does not say.*")
    for name in options.only:
        PARTS[name](options)


if __name__ == "__main__":
    main()
