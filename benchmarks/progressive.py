"""What the Hessian Penalty does to a progressive GAN that trains with it.

python -m benchmarks.progressive DATA [--penalty 0.001 0.01] [--steps 8000] [--start 0] [--warm-up 2000] [--out DIR]

DATA is mnist.npz or its folder; digits are brought to 16 pixels. One training without the penalty, and one with each
weight, from the same start and with the same images. The table says, of the trained generators at 200
codes that no training saw: the penalty of the activations that are penalised (their mean, and the maximum that is
trained on; by differences of 0.1, 8 draws of signs), the share of the Hessian's energy off the diagonal, of these
activations and of the images, which knows no scale, how many of the 12 coordinates do a tenth of what the most active
one does, and whether the images are digits: the share of which the digit classifier is confident, and the Fréchet
distance of its features to those of as many real digits of 16 pixels. Notes say what every coordinate does, as a share
of what they do together. Pictures in --out: samples, and one code along each of its coordinates. Seconds are the
processor's, of a training alone, with compilation.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

import geomgan as gg
from benchmarks.rows import Sink, table_row
from geomgan import plot
from geomgan.plot.images import labelled_grid
from geomgan.training.data import load_mnist
from geomgan.training.judge import digit_features, frechet_distance, judged
from geomgan.training.progressive import ProgressiveOptions, train_progressive

CODES, DRAWS, JUDGED, SHOWN = 200, 8, 2000, 14
ACTIVE = 0.1
HEADS = (
    "penalty weight",
    "penalty (mean)",
    "penalty (max)",
    "off the diagonal, activations",
    "off the diagonal, images",
    "active coordinates",
    "confident",
    "Fréchet distance",
    "seconds",
)


def halved(images: np.ndarray) -> np.ndarray:
    """Images of half the side, means of four pixels."""
    n, side, _, channels = images.shape
    return images.reshape(n, side // 2, 2, side // 2, 2, channels).mean((2, 4))


def features(images: Any) -> np.ndarray:
    return digit_features(np.asarray(images).repeat(2, 1).repeat(2, 2))


def figures(G: gg.Generator, key: jax.Array, real: np.ndarray) -> tuple[list[str], str]:
    """The cells of one generator, and the shares of its coordinates, most active first."""
    codes, keys = G.sample_latent(key, CODES), jax.random.split(key, 4)
    layers = [name for name in G.layers if name.endswith(".normalised") and name.count(".") == 1]
    penalty = lambda how: gg.directions.hessian_penalty(
        G, codes, keys[0], layers=layers, k=DRAWS, ddof=0, reduction=how
    )
    shares = gg.directions.hessian_ratio(G, codes, keys[1], layers=layers, k=DRAWS)
    image_share = gg.directions.hessian_ratio(G, codes, keys[2], k=DRAWS)
    does = gg.directions.activeness(G, codes[:50])
    drawn = np.asarray(jax.jit(jax.vmap(G))(G.sample_latent(keys[3], JUDGED)))
    said = judged(drawn.repeat(2, 1).repeat(2, 2))
    shares_of = " ".join(f"{x:.3f}" for x in np.sort(does)[::-1] / does.sum())
    cells = [
        f"{float(penalty('mean')):.3g}",
        f"{float(penalty('max')):.3g}",
        ", ".join(f"{float(shares[name]):.2f}" for name in layers),
        f"{float(image_share):.3f}",
        f"{int((does > ACTIVE * does.max()).sum())} of {G.latent_dim}",
        f"{said['confident_share']:.0%}",
        f"{frechet_distance(features(drawn), features(real)):.1f}",
    ]
    return cells, shares_of


def samples(generators: dict[str, gg.Generator]) -> Any:
    """The same codes in two rows for each generator, by the name of its weight."""
    drawn = [np.asarray(jax.vmap(G)(G.sample_latent(jax.random.key(2), 2 * SHOWN))) for G in generators.values()]
    rows = [name for weight in generators for name in (f"penalty {weight}", "")]
    none = [""] * len(rows)
    return labelled_grid(
        np.stack(drawn).reshape(len(rows), SHOWN, *drawn[0].shape[1:]), (-1, 1), title="", below="", rows=rows,
        columns=[""] * SHOWN, right=none, right_title="",
    )  # fmt: skip


def coordinates(G: gg.Generator, out: Path, name: str) -> None:
    """A picture of one code along each coordinate."""
    axes = gg.directions.direction_set(G, np.eye(G.latent_dim), "coordinates")
    z = np.asarray(G.sample_latent(jax.random.key(2), 1)[0])
    walked = gg.directions.traverse(G, axes, z, 2 * gg.directions.schedule("linear", 9))
    plot.save(
        plot.traversal(walked, (-1, 1), title=f"{name}: one code along its coordinates"), out / f"{name}-axes.png"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("data", type=Path, help="mnist.npz, or its folder")
    parser.add_argument("--penalty", type=float, nargs="+", default=[0.001, 0.01], help="weights beside 0")
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--grow", type=int, default=800, help="steps in which a scale is faded in")
    parser.add_argument("--start", type=int, default=0, help="step at which the penalty begins")
    parser.add_argument("--warm-up", type=int, default=2000, help="steps in which it grows to its weight")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/progressive"))
    given = parser.parse_args()
    digits = load_mnist(given.data)
    images, key = halved(digits.train_images), jax.random.key(given.seed)
    chosen = np.random.default_rng(0).permutation(len(digits.test_images))[:JUDGED]
    real = halved(digits.test_images[chosen])
    line = Sink(given.out / "table.md")
    line(table_row(*HEADS))
    line(table_row(*["---"] * len(HEADS)))
    found: dict[str, gg.Generator] = {}
    for weight in (0.0, *given.penalty):
        options = ProgressiveOptions(
            features=(32, 24, 16),
            batch=given.batch,
            grow=given.grow,
            steps=given.steps,
            penalty=weight,
            penalty_start=given.start,
            warm_up=given.warm_up,
        )
        start = time.process_time()
        G, _ = train_progressive(images, key, options, checkpoint=given.out / f"penalty-{weight:g}.npz")
        seconds = time.process_time() - start
        cells, shares = figures(G, jax.random.key(given.seed + 1), real)
        line(table_row(f"{weight:g}", *cells, f"{seconds:.0f}"))
        line(f"> {weight:g}: coordinates have shares {shares} of what they do together.")
        coordinates(G, given.out, f"penalty-{weight:g}")
        found[f"{weight:g}"] = G
    plot.save(samples(found), given.out / "samples.png")
    line.close()


if __name__ == "__main__":
    main()
