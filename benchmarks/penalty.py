"""Whether the training of the Hessian Penalty goes where the penalty is least: its curve without its noise.

python -m benchmarks.penalty MODEL... [--axes 10] [--whole] [--steps 1000] [--batch 16] [--rate 0.01] [--out DIR]
python -m benchmarks.penalty --draw FILE.csv... --out DIR

The discovery is the published one, of as many directions in the span of the first metric axes, or with --whole in the
whole code. What it logs is an estimate from two draws of signs at a few codes, whose noise hides the descent. Beside it
stands the penalty without signs: from all second derivatives at --samples codes that no step saw, moved by up to
--path-size along random directions of the space. Among axes it is known of any turn (geomgan.directions.penalty_axes).
The table has it of random directions, of the metric axes, of the rows with which the training begins and ends, and of
the turn of the axes that is best at as many other codes; --out keeps the curve as MODEL.csv, the directions, and the
state, from which the same command goes on, and penalty.png shows the curves. Seconds are the processor's, of the
training, with compilation and without the curve.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

import geomgan as gg
from benchmarks.rows import Sink, number, table_row
from geomgan import plot
from geomgan.directions.penalty_axes import energies_of, hessian_moment, moved_codes
from geomgan.directions.rows import orthonormalised
from geomgan.plot.style import CYCLE, PAGE, figure, legend_below, logarithmic, styled
from geomgan.runs.curve import Curve, read_curve

CODES, TURNS, EVERY = 64, 8, 50
PICTURE = "penalty.png"
HEADS = ("model", "random", "metric axes", "start", "trained", "least", "steps", "seconds")


def trained(model: str, given: argparse.Namespace) -> list[str]:
    """The cells of one model; its curve is written."""
    G, m = gg.load(model), given.axes
    name, keys = Path(model).name, jax.random.split(jax.random.key(given.seed), 6)
    axes = gg.directions.metric_axes(G, gg.distances.mse(), G.sample_latent(keys[0], CODES), m).vectors
    basis = np.linalg.qr(axes.astype(np.float64))[0]
    space = np.eye(G.latent_dim) if given.whole else basis
    codes = moved_codes(G, jax.random.split(keys[1], 3), space, given.samples, given.path_size)
    moment = None if given.whole else hessian_moment(G, codes, basis, progress=True)

    def exact(columns: np.ndarray) -> float:
        if moment is None:
            return float(energies_of(hessian_moment(G, codes, columns), np.eye(m))[1].sum())
        return float(energies_of(moment, basis.T @ columns)[1].sum())

    drawn = np.random.default_rng(given.seed).standard_normal((TURNS, space.shape[1], m))
    levels = {
        "random": float(np.mean([exact(space @ np.linalg.qr(one)[0]) for one in drawn])),
        "metric axes": exact(basis),
    }
    if not given.whole:
        how = {"samples": given.samples, "path_size": given.path_size, "progress": True}
        levels["least"] = exact(gg.directions.penalty_axes(G, keys[2], within=basis, **how).vectors)
    first = (2 / m) ** 0.5 * np.asarray(jax.random.normal(keys[3], (m, space.shape[1])))
    out, seen = given.out / name, given.out / f"{name}.csv"
    rows = read_curve(seen).rows
    rows = rows or [{"step": 0, "trained": exact(space @ orthonormalised(first.astype(np.float64)).T), **levels}]
    spent = 0.0

    def look(found: gg.directions.DirectionSet, step: int) -> None:
        nonlocal spent
        start = time.process_time()
        rows.append({"step": step, "trained": exact(found.vectors.astype(np.float64)), **levels})
        Curve(rows).write(seen)
        spent += time.process_time() - start

    options = gg.directions.PenaltyOptions(
        ndirs=m, path_size=given.path_size, steps=given.steps, batch=given.batch, learning_rate=given.rate
    )
    start, within = time.process_time(), None if given.whole else basis
    gg.directions.discover_by_penalty(
        G, keys[4], options, start=first, within=within, out=out, picture=look, picture_every=given.every
    )
    seconds = time.process_time() - start - spent
    logged = {row["step"]: row["penalty"] for row in read_curve(out / "checkpoint.csv").rows}
    Curve([{**row, "logged": logged.get(row["step"], float("nan"))} for row in rows]).write(seen)
    ends = [levels["random"], levels["metric axes"], rows[0]["trained"], rows[-1]["trained"], levels.get("least")]
    return [name, *(number(np.nan if x is None else x) for x in ends), str(given.steps), f"{seconds:.0f}"]


@styled
def curves(files: list[Path]) -> Any:
    """A panel for each file: what trains, dots for what the training logs, dashed what stays as it is."""
    every = [read_curve(file).rows for file in files]
    fig, axes = figure(PAGE, 2.6, 1, len(files))
    colours = dict(
        zip(dict.fromkeys(name for rows in every for name in rows[0] if name != "step"), CYCLE, strict=False)
    )
    for ax, file, rows in zip(axes[0], files, every, strict=True):
        columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
        steps = columns.pop("step")
        for name, values in columns.items():
            look: dict[str, Any] = {"ls": "--", "lw": 1} if np.ptp(values) == 0 else {"lw": 1.6}
            look = {"lw": 0, "marker": "."} if name == "logged" else look
            ax.plot(steps, values, color=colours[name], label=name, **look)
        ax.set(xlabel="step", title=file.stem.removeprefix("penalty-"))
        low, high = np.nanquantile(np.stack(list(columns.values())), [0, 1])
        if low < 0.1 * high:
            ax.set_yscale("log")
            logarithmic(ax)
    axes[0, 0].set_ylabel("Hessian Penalty")
    legend_below(fig)
    return fig


def tabulated(given: argparse.Namespace, heads: Sequence[str], row: Callable[[str, argparse.Namespace], Any]) -> None:
    """The table of the models, a row each, and the picture of the curves that the rows have left."""
    line = Sink(given.out / "table.md")
    line(table_row(*heads))
    line(table_row(*["---"] * len(heads)))
    for model in given.models:
        line(table_row(*row(model, given)))
    plot.save(curves([given.out / f"{Path(model).name}.csv" for model in given.models]), given.out / PICTURE)
    line.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("models", nargs="*", metavar="MODEL", help="names of the zoo, or folders")
    parser.add_argument("--draw", nargs="+", type=Path, default=[], metavar="FILE", help="curves that are there")
    parser.add_argument("--axes", type=int, default=10, help="directions, and metric axes in whose span they are")
    parser.add_argument("--whole", action="store_true", help="search the whole code")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=0.01)
    parser.add_argument("--path-size", type=float, default=5.0)
    parser.add_argument("--samples", type=int, default=64, help="codes of the curve without noise")
    parser.add_argument("--every", type=int, default=EVERY, help="steps between two of its points")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/penalty"))
    given = parser.parse_args()
    if given.draw:
        plot.save(curves(given.draw), given.out / PICTURE)
        return
    tabulated(given, HEADS, trained)


if __name__ == "__main__":
    main()
