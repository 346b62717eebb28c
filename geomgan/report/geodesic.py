"""The page of shortest paths between codes: image sequences, distance gone, correlations, a film, and every pair."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from geomgan.distances import Distance
from geomgan.errors import check_choice
from geomgan.generators import Generator
from geomgan.generators.program_hash import constant_hash, joined_hash
from geomgan.geodesics import Convergence, Sequences, Shortest, convergence, leading_axes, paths_through, sequences
from geomgan.geodesics.shortest import METHODS, pairs_of, shortest_paths
from geomgan.metric.fingerprint import fingerprints
from geomgan.metric.pair import bound, with_programs
from geomgan.paths import Walks, between, constant_speed_walk
from geomgan.plot.animation import animate
from geomgan.plot.geodesics import correlation_matrices, distance_gone, image_sequences
from geomgan.plot.images import is_image
from geomgan.report.pictures import BYTES, kept
from geomgan.report.section import Section, matrix_columns
from geomgan.report.short import Asked, short_page
from geomgan.report.triple import Triple
from geomgan.runs.files import local_path
from geomgan.runs.journal import open_journal

GUESSES = ("linear", "spherical", "pool")
SHOWN, FILMED, FRAMES, PANEL = 4, 2, 40, 160  # pairs in figures and films, frames of a way, pixels of a panel
POOL = 512  # draws from the prior for a path through them
POINTS = (51, 101, 201, 401)  # of a path whose length converges
READ = """\
import jax
import numpy as np

import geomgan as gg

found = np.load("paths.npz")
G = {opened}
path = gg.paths.polyline(found["codes"][0], found["steps"][0])  # of the first pair; gone at constant speed
x = jax.vmap(G)(path(np.linspace(0, 1, 11)).astype(G.dtype))"""


@dataclass(frozen=True)
class Geodesics:
    """Shortest paths, and what is seen along the first of them.

    Attributes:
        found: the paths.
        seen: samples and distances along the first ones.
        film: the same at constant speed, straight and found, where samples are images.
        converged: lengths of these paths with more and more points.
        distance: what the page calls the distance.
    """

    found: Shortest
    seen: Sequences
    film: Walks | None
    converged: Convergence
    distance: str

    def __str__(self) -> str:
        n, gain = len(self.found.lengths), 100 * self.found.improvements
        pairs = "the pair is" if n == 1 else f"{n} pairs are"
        spread = "" if n == 1 else f" ({gain.min():.3g} to {gain.max():.3g} %)"
        return (
            f"Under {self.distance} the straight line{'s' * (n > 1)} between {pairs} "
            f"{self.found.straight_lengths.mean():.4g} long{' in the mean' * (n > 1)}, the path{'s' * (n > 1)} found "
            f"{self.found.lengths.mean():.4g}: {gain.mean():.3g} % shorter{spread}.{_doubts(self.found)}"
        )


def geodesic_page(
    G: Generator,
    D: Distance,
    starts: Any,
    ends: Any,
    asked: Asked,
    out: str | os.PathLike[str],
    *,
    distance: str | None = None,
    method: str = "gauss-newton",
    segments: int = 64,
    guess: str = "linear",
    axes: int | None = None,
    seed: int = 0,
    progress: bool = True,
) -> tuple[str, Path]:
    """Find shortest paths, and write the page, its figures, ``summary.json`` and ``paths.npz`` into the folder ``out``.

    The same call goes on where it was interrupted.

    Args:
        G: the generator.
        D: the squared distance.
        starts: codes ``(n, d)``.
        ends: codes ``(n, d)``.
        asked: what the page says of them.
        out: the folder.
        distance: what the page calls the distance; by default its name.
        method: of :func:`geomgan.geodesics.shortest_paths`.
        segments: chords of each path.
        guess: where the search begins: ``"linear"``, ``"spherical"``, or ``"pool"``, a path through draws of the prior.
        axes: how many leading axes of the mean metric the paths stay in; by default they are free.
        seed: of the pool.
        progress: show progress bars.

    Returns:
        What was found, in a few sentences, and the page.

    Raises:
        TypeError, ValueError: an argument does not fit; raised before any work.
        NotFiniteError: samples along a straight line are not finite.
        StoreError: the folder belongs to another call, or cannot be written.
    """
    check_choice(guess, GUESSES, "guess")
    check_choice(method, METHODS, "method")
    starts, ends = pairs_of(G, starts, ends)
    out = local_path(out)
    settings = {"method": method, "segments": segments, "guess": guess, "axes": axes, "seed": seed}
    settings |= {"codes": joined_hash([constant_hash(np.stack([starts, ends]))])}
    settings |= fingerprints(with_programs(bound(G, D)), (G.name, D.name))

    def search() -> Shortest:
        basis = None if axes is None else leading_axes(G, D, starts, ends, axes)
        how: dict[str, Any] = {"method": method, "segments": segments, "basis": basis, "progress": progress}
        return shortest_paths(G, D, starts, ends, guess=_guess(G, D, starts, ends, guess, seed), **how)

    def seen() -> Sequences:
        along = sequences(G, D, first_pairs(found, SHOWN))
        return replace(along, samples=kept(along.samples, G))

    def film() -> Walks:
        first = first_pairs(found, FILMED)
        lines = [between(codes[0], codes[-1]) for codes in first.codes]
        ways = [way for pair in zip(lines, first.paths, strict=True) for way in pair]
        walks = constant_speed_walk(G, D, ways, FRAMES, reach=(0, 1))
        return replace(walks, samples=kept(walks.samples, G, PANEL))

    def more() -> Convergence:
        return convergence(G, D, first_pairs(found, SHOWN).paths, points=POINTS)

    images = is_image(G.sample_shape.shape)
    with open_journal(out, settings) as journal:
        found = journal.part("shortest", Shortest, search)
        along = journal.part("sequences", Sequences, seen)
        walks = journal.part("film", Walks, film) if images and found.lengths[:FILMED].min() > 0 else None
        finer = journal.part("convergence", Convergence, more)
        result = Geodesics(found, along, walks, finer, D.name if distance is None else distance)
        left = {"film"} if result.film is None else set()
        left |= set() if images else {"sequences"}
        triples = [triple for triple in TRIPLES if triple.name not in left]
        title, said = f"Shortest paths of {asked.model} under {result.distance}", str(result)
        columns = pair_columns(asked.names, found)
        return said, short_page(title, said, asked.command, triples, asked, result, out, pairs=columns)


def pair_columns(names: Sequence[str], found: Shortest) -> dict[str, list[object]]:
    """A row for each pair."""
    return {
        "pair": list(names),
        "straight line": found.straight_lengths.tolist(),
        "path found": found.lengths.tolist(),
        "shorter by, %": (100 * found.improvements).tolist(),
        "ended": list(found.status),
        "iterations": found.iterations.tolist(),
        "metric": ["singular" if x else "" for x in found.singular],
    }


def _doubts(found: Shortest) -> str:
    """What is to be known of paths that are not what was wanted, and what was done."""
    n, said = len(found.lengths), ""
    if found.singular.any():
        said += (
            f" The metric is singular along {int(found.singular.sum())} of {n}: some directions do not change the "
            "sample there; steps were damped, so that paths stay near where they began along those."
        )
    if straight := sum(status == "straight" for status in found.status):
        said += f" For {straight} of {n} nothing shorter than the straight line was found, which is what is shown."
    if limit := sum(status in ("limit", "stuck") for status in found.status):
        said += f" {limit} of {n} may become shorter still: the search ended before it converged."
    return said


def first_pairs(found: Shortest, count: int) -> Shortest:
    """The paths of the first ``count`` pairs."""
    arrays = ("codes", "steps", "lengths", "straight_lengths", "energies", "iterations", "status", "singular")
    return replace(found, **{name: getattr(found, name)[:count] for name in arrays})


def _guess(G: Generator, D: Distance, starts: np.ndarray, ends: np.ndarray, guess: str, seed: int) -> Any:
    if guess == "pool":
        return paths_through(G, D, starts, ends, G.sample_latent(jax.random.key(seed), POOL))
    if guess == "spherical":
        return [between(a, b, "spherical") for a, b in zip(starts, ends, strict=True)]
    return None


def _draw_sequences(asked: Any, result: Geodesics) -> Any:
    return image_sequences(result.seen, BYTES, asked.names[:SHOWN])


def _draw_film(asked: Any, result: Geodesics) -> bytes:
    assert result.film is not None
    lengths = np.stack([result.found.straight_lengths, result.found.lengths], axis=1)[:FILMED].ravel()
    ways = [f"{name}, {way}" for name in asked.names[:FILMED] for way in ("straight", "shorter")]
    labels = [f"{way}: {length:.4g}" for way, length in zip(ways, lengths, strict=True)]
    with tempfile.TemporaryDirectory() as folder:
        how: dict[str, Any] = {"output_range": BYTES, "size": PANEL, "progress": False}
        caption = f"each at constant speed under {result.distance}, with its length"
        return animate(Path(folder) / "film.gif", result.film, labels=labels, caption=caption, **how).read_bytes()


def _tell_sequences(_: Any, result: Geodesics) -> Section:
    n, shown = len(result.found.lengths), len(result.seen.arcs)
    more = " The first {shown} of {pairs} pairs are shown." if shown < n else ""
    return Section(
        "sequences",
        "Straight and shorter",
        "Samples at equal steps of the code along the straight line, which is how one interpolates, and along the path "
        f"found at constant speed. A straight line runs slowly where little changes, and may leave the data.{more}",
        {"shown": shown, "pairs": n},
    )


def _tell_film(_: Any, result: Geodesics) -> Section:
    return Section(
        "film", "In motion", "Straight lines and paths found, each at constant perceptual speed under {distance}.",
        {"distance": result.distance},
    )  # fmt: skip


def _draw_gone(asked: Any, result: Geodesics) -> Any:
    return distance_gone(result.seen, asked.names)


def _tell_gone(asked: Any, result: Geodesics) -> Section:
    t, arcs = np.linspace(0, 1, result.seen.arcs.shape[-1]), result.seen.arcs
    speeds = np.diff(arcs, axis=-1)
    fastest, slowest = speeds.max(axis=-1), speeds.min(axis=-1)
    ratio = np.median(np.where(slowest > 0, fastest / np.where(slowest > 0, slowest, 1), np.inf), axis=0)
    ways = {f"{name} {way}": arcs[i, j] for i, name in enumerate(asked.names[: len(arcs)])
            for j, way in enumerate(("straight", "shorter"))}  # fmt: skip
    return Section(
        "distance",
        "Distance gone",
        "A straight line is {straight:.3g} times as fast at its fastest as at its slowest (median over pairs), a path "
        "found {shorter:.3g} times.",
        {"straight": float(ratio[0]), "shorter": float(ratio[1])},
        numbers={"t": t, **ways},
    )


def _tell_correlations(_: Any, result: Geodesics) -> Section:
    variances = result.seen.variances
    return Section(
        "correlations",
        "How alike the samples along a way are",
        "Cosines between all samples of the first pair's ways, as {distance} sees them. Their variance, low where "
        "samples change evenly, is {straight:.3g} along straight lines and {shorter:.3g} along paths found, in "
        "the mean of {shown} pair(s).",
        {"distance": result.distance, "straight": float(variances[:, 0].mean()),
         "shorter": float(variances[:, 1].mean()), "shown": len(variances)},
        numbers={**matrix_columns(result.seen.correlations[0, 0], [f"straight {i}" for i in range(len(result.seen.t))]),
                 **matrix_columns(result.seen.correlations[0, 1], [f"shorter {i}" for i in range(len(result.seen.t))])},
    )  # fmt: skip


def _tell_pairs(asked: Any, result: Geodesics) -> Section:
    found, buffer, converged = result.found, io.BytesIO(), result.converged
    arrays: dict[str, Any] = {name: getattr(found, name) for name in ("codes", "steps", "lengths", "straight_lengths")}
    np.savez(buffer, **arrays)
    change = np.abs(converged.lengths[:, -1] / converged.lengths[:, -2] - 1).max()
    return Section(
        "pairs",
        "Every pair",
        "Lengths are sums of chords between {points} samples; with half as many they differ by {change:.1g} of "
        "themselves at most. By {method}, over {segments} chords.{doubts}",
        {"points": int(converged.points[-1]), "change": float(change), "method": found.method,
         "segments": found.codes.shape[1] - 1, "doubts": _doubts(found)},
        table=pair_columns(asked.names, found),
        code={"The paths, in Python": READ.format(opened=asked.opened)},
        files={"paths.npz": buffer.getvalue()},
    )  # fmt: skip


TRIPLES = (
    Triple("sequences", _tell_sequences, draw=_draw_sequences),
    Triple("film", _tell_film, draw=_draw_film),
    Triple("distance", _tell_gone, draw=_draw_gone),
    Triple("correlations", _tell_correlations, draw=lambda _, x: correlation_matrices(x.seen)),
    Triple("pairs", _tell_pairs),
)
