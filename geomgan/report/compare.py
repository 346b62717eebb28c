"""The page that compares two models: shortest paths between the same real images, each through its own encoder."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.distances import Distance
from geomgan.errors import check_finite
from geomgan.generators import Generator
from geomgan.generators.program_hash import constant_hash, joined_hash
from geomgan.geodesics import Sequences, Shortest, sequences, shortest_paths
from geomgan.geodesics.shortest import pairs_of
from geomgan.metric.fingerprint import fingerprints
from geomgan.metric.pair import bound, with_programs
from geomgan.plot.geodesics import image_sequences, improvement_bars
from geomgan.report.geodesic import SHOWN, first_pairs, pair_columns
from geomgan.report.pictures import BYTES, kept
from geomgan.report.section import Section
from geomgan.report.short import short_page
from geomgan.report.triple import Triple
from geomgan.runs.files import local_path
from geomgan.runs.journal import open_journal


@dataclass(frozen=True)
class Encoded:
    """A model, and real images as its encoder has them.

    Attributes:
        name: what the page calls it.
        G: its generator.
        D: the squared distance between its samples.
        images: ``(2, n, H, W, C)``: where the pairs start and where they end, in the generator's range.
        codes: ``(2, n, d)``, of its own encoder.
    """

    name: str
    G: Generator
    D: Distance
    images: np.ndarray
    codes: np.ndarray


@dataclass(frozen=True)
class Side:
    """What was found in one model.

    Attributes:
        name: of the model.
        found: shortest paths between the codes.
        seen: samples and distances along the first ones.
        real: ``(2, m, h, w, 3)``, the images that these were encoded from.
        errors: ``(2, n)``, mean squared differences between the images and the samples of their codes.
    """

    name: str
    found: Shortest
    seen: Sequences
    real: np.ndarray
    errors: np.ndarray


def compare_page(
    models: Sequence[Encoded],
    pairs: Sequence[str],
    command: str,
    out: str | os.PathLike[str],
    *,
    segments: int = 64,
    progress: bool = True,
) -> tuple[str, Path]:
    """Find shortest paths in each model, and write the page, figures, ``summary.json`` and codes into ``out``.

    The same call goes on where it was interrupted.

    Args:
        models: with the codes of the same images.
        pairs: what the pairs are called.
        command: what makes the page again.
        out: the folder.
        segments: chords of each path.
        progress: show progress bars.

    Returns:
        What was found, in a few sentences, and the page.

    Raises:
        ValueError: two images of a pair have one code in a model, or a code is not finite.
        NotFiniteError: samples along a straight line are not finite.
        StoreError: the folder belongs to another call, or cannot be written.
    """
    out, labels = local_path(out), [model.name for model in models]
    labels = labels if len(set(labels)) == len(labels) else [f"{name} ({i + 1})" for i, name in enumerate(labels)]
    for model in models:
        check_finite(model.codes, f"codes of {model.name}'s encoder")
        pairs_of(model.G, *model.codes)
    settings: dict[str, Any] = {"segments": segments}
    for i, model in enumerate(models):
        settings[f"model {i + 1}"] = fingerprints(with_programs(bound(model.G, model.D)), (model.name, model.D.name))
        settings[f"codes {i + 1}"] = joined_hash([constant_hash(model.codes)])
    with open_journal(out, settings) as journal:
        sides = []
        for i, (model, label) in enumerate(zip(models, labels, strict=True)):
            search = lambda: shortest_paths(model.G, model.D, *model.codes, segments=segments, progress=progress)  # noqa: B023
            found = journal.part(f"shortest-{i + 1}", Shortest, search)
            part = lambda: _side(model, label, found)  # noqa: B023
            sides.append(journal.part(f"side-{i + 1}", Side, part))
        triples = (_BARS, *(_sequences(i) for i in range(len(sides))), _PAIRS)
        title, said = f"{' and '.join(labels)} between real images", _said(sides)
        columns = {side.name: _columns(side, pairs) for side in sides}
        return said, short_page(title, said, command, triples, list(pairs), sides, out, pairs=columns)


def _side(model: Encoded, label: str, found: Shortest) -> Side:
    seen = sequences(model.G, model.D, first_pairs(found, SHOWN))
    ends = np.stack([_samples(model.G, z) for z in model.codes])
    errors = ((ends - model.images) ** 2).mean(axis=(2, 3, 4), dtype=np.float64)
    real = kept(model.images[:, :SHOWN], model.G)
    return Side(label, found, replace(seen, samples=kept(seen.samples, model.G)), real, errors)


def _samples(G: Generator, codes: np.ndarray) -> np.ndarray:
    return np.stack([np.asarray(G(z)) for z in codes])


def _said(sides: Sequence[Side]) -> str:
    n = len(sides[0].found.lengths)
    each = ", ".join(f"{100 * side.found.improvements.mean():.3g} % in {side.name}" for side in sides)
    more = ""
    if len(sides) == 2 and n > 1:
        gaps = sides[0].found.improvements - sides[1].found.improvements
        error = gaps.std(ddof=1) / np.sqrt(n)
        more = f" The difference is {100 * gaps.mean():.2g} ± {100 * error:.2g} points (standard error over pairs)."
    return f"Between {n} pair{'s' * (n > 1)} of real images paths are shorter than straight lines by {each}.{more}"


def _tell_bars(pairs: Any, sides: Sequence[Side]) -> Section:
    del pairs
    rows = {side.name: side.found.improvements for side in sides}
    table = {
        "model": [side.name for side in sides],
        "distance": [side.seen.measure for side in sides],
        "straight lines, mean": [float(side.found.straight_lengths.mean()) for side in sides],
        "paths found, mean": [float(side.found.lengths.mean()) for side in sides],
        "shorter by, %": [float(100 * side.found.improvements.mean()) for side in sides],
        "error of codes, mean squared": [float(side.errors.mean()) for side in sides],
        "converged": [f"{side.found.status.count('converged')} of {len(side.found.status)}" for side in sides],
        "singular": [int(side.found.singular.sum()) for side in sides],
    }
    return Section(
        "improvements",
        "How much shorter",
        "The same pairs of real images, encoded by each model's own encoder. An encoder that misses its images, as its "
        "error tells, starts and ends elsewhere.",
        {side.name: float(side.found.improvements.mean()) for side in sides},
        numbers=rows,
        table=table,
    )


def _sequences(i: int) -> Triple:
    def tell(pairs: Any, sides: Sequence[Side]) -> Section:
        del pairs
        side, n = sides[i], len(sides[i].found.lengths)
        return Section(
            f"sequences-{i + 1}",
            f"{side.name}: from image to image",
            "At the sides the real images, between them what the model makes of the way: {shown} of {pairs} pairs.",
            {"shown": len(side.real[0]), "pairs": n},
        )

    def draw(pairs: Any, sides: Sequence[Side]) -> Any:
        side = sides[i]
        return image_sequences(side.seen, BYTES, pairs[:SHOWN], (side.real[0], side.real[1]))

    return Triple(f"sequences-{i + 1}", tell, draw=draw)


def _tell_pairs(pairs: Any, sides: Sequence[Side]) -> Section:
    buffer, columns = io.BytesIO(), dict[str, list[object]]()
    codes: dict[str, Any] = {f"codes_{i + 1}": side.found.codes for i, side in enumerate(sides)}
    np.savez(buffer, **codes)
    for side in sides:
        own = _columns(side, pairs)
        columns |= {"pair": own.pop("pair")} | {f"{side.name}: {name}": x for name, x in own.items()}
    return Section("pairs", "Every pair", "", table=columns, files={"paths.npz": buffer.getvalue()})


def _columns(side: Side, pairs: Sequence[str]) -> dict[str, list[object]]:
    return pair_columns(pairs, side.found) | {"error of codes": side.errors.mean(axis=0).tolist()}


_BARS = Triple(
    "improvements",
    _tell_bars,
    draw=lambda _, sides: improvement_bars({side.name: side.found.improvements for side in sides}),
)
_PAIRS = Triple("pairs", _tell_pairs)
