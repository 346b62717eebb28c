"""The page of a ranking: which paths change which attribute, with intervals, film strips, curves and how they bend."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from geomgan.directions import Traversal
from geomgan.directions.attributes import Attribute, AttributeValues, measure_attributes
from geomgan.directions.nonlinearity import Nonlinearity, nonlinearity
from geomgan.directions.ranking import Ranking, rank_paths
from geomgan.errors import OptionError
from geomgan.generators import Generator
from geomgan.geodesics.detours import Detours
from geomgan.pictures import pixels, shared_range
from geomgan.plot import attribute_curves, path_film, path_strip, ranking_matrix
from geomgan.plot.images import check_images
from geomgan.report.discovery import markdown_of
from geomgan.report.pictures import BYTES
from geomgan.report.section import Section, csv_of
from geomgan.report.short import short_page
from geomgan.report.triple import Triple
from geomgan.runs.files import local_path

SHOWN = 6  # codes of a strip
SIDE = 96  # pixels that are kept of a picture
UNITS = {
    "yaw": "yaw, degrees",
    "pitch": "pitch, degrees",
    "roll": "roll, degrees",
    "orientation": "orientation, degrees",
}


@dataclass(frozen=True)
class Ranked:
    """Everything that the page shows.

    Attributes:
        model: what the page calls the generator.
        ranking: by which the tables are.
        others: rankings by the other correlations.
        values: the attributes, ``(m, n, T, A)``.
        positions: ``t (T,)``.
        bent: how the walks bend.
        strips: for each path that is first for an attribute, its walks from all codes, in bytes.
        detours: of these paths, where they were measured: path -> lengths.
        top: rows of each table.
        command: what makes the page again.
    """

    model: str
    ranking: Ranking
    others: tuple[Ranking, ...]
    values: AttributeValues
    positions: np.ndarray
    bent: Nonlinearity
    strips: Mapping[int, Traversal]
    detours: Mapping[int, Detours]
    top: int
    command: str


def ranked(
    G: Generator,
    walks: Sequence[Callable[[], Traversal]],
    attributes: Mapping[str, Attribute | Callable[[np.ndarray], Any]],
    key: jax.Array,
    *,
    method: str = "pearson",
    top: int = 3,
    group: Sequence[str] | None = None,
    model: str = "",
    command: str = "",
    measure: Callable[[np.ndarray], Detours] | None = None,
    progress: bool = False,
) -> Ranked:
    """Measure attributes along paths, one after the other, and rank the paths.

    Args:
        G: the generator, of images.
        walks: for each path a function that gives its walks from all codes: a ``Traversal`` of one path.
        attributes: name -> attribute.
        key: random key, of the intervals.
        method: of the correlation.
        top: paths of each table.
        group: names of the attributes to rank by; all by default.
        model: what the page calls the generator.
        command: what makes the page again.
        measure: of codes ``(m, T, d)``, their lengths in a metric; for the paths that are first.
        progress: show a progress bar, with the time left.

    Raises:
        OptionError: there is no path.
        ValueError: samples are no images, or as :func:`geomgan.directions.rank_paths`.
    """
    check_images(G.sample_shape.shape)
    if not walks:
        raise OptionError("there is no path; expected one or more.")
    found, codes, names, positions = [], [], [], np.zeros(0)
    for walk in tqdm(walks, "attributes along paths", unit="path", disable=not progress):
        one = walk()
        positions = one.steps[0, 0]
        centre = int(np.argmin(np.abs(positions)))
        found.append(measure_attributes(one.samples, attributes, G.output_range, centre=centre))
        codes.append(one.codes)
        names += one.names
    values = AttributeValues(
        np.concatenate([part.values for part in found], axis=1),
        found[0].names, found[0].ranges, found[0].periods, found[0].relative,
    )  # fmt: skip
    rank = partial(rank_paths, values, positions, names, key, group=group)
    ranking = rank(method=method)
    firsts = {int(i) for name in ranking.names for i in ranking.order(name)[: max(1, min(top, 2))]}
    keep = partial(_kept, G)
    return Ranked(
        model or G.name,
        ranking,
        tuple(rank(method=other) for other in ("pearson", "spearman", "covariance") if other != method),
        values,
        positions,
        nonlinearity(np.concatenate(codes, axis=1)),
        {i: keep(walks[i]()) for i in sorted(firsts)},
        {} if measure is None else {i: measure(codes[i][:, 0]) for i in sorted(firsts)},
        top,
        command,
    )


def ranked_page(found: Ranked, out: str | os.PathLike[str], films: Sequence[str] = ()) -> tuple[str, Path]:
    """Write the page, its figures, tables (CSV and Markdown), films and ``summary.json`` into the folder ``out``.

    Returns:
        What was found, in a few sentences, and the page.

    Raises:
        StoreError: it cannot be written.
    """
    folder, ranking = local_path(out), found.ranking
    triples = [
        Triple("matrix", _tell_matrix, draw=lambda _, found: ranking_matrix(found.ranking)),
        *(part for name in ranking.names for part in _triples_of(name)),
        Triple("nonlinearity", _tell_nonlinearity),
    ]
    for film in films:
        for name in ranking.names:
            best = int(ranking.order(name)[0])
            file = folder / "films" / f"{_plain(name)}-{_plain(ranking.paths[best])}.{film}"
            file.parent.mkdir(parents=True, exist_ok=True)
            path_film(file, found.strips[best], 0, BYTES)
    said = _said(ranking)
    page = short_page(
        f"Attributes along paths: {found.model}", said, found.command, triples, found, found, folder,
        missing=found.values.missing, method=ranking.method,
    )  # fmt: skip
    return said, page


def _said(ranking: Ranking) -> str:
    firsts = []
    for i, name in enumerate(ranking.names):
        best = int(ranking.order(name)[0])
        x, low, high = ranking.mean[best, i], ranking.low[best, i], ranking.high[best, i]
        if np.isfinite(x):
            interval = f" [{low:.2f}, {high:.2f}]" if np.isfinite(low) else ""
            firsts.append((abs(x), f"{name} along {ranking.paths[best]}, {x:.2f}{interval}"))
    if not firsts:
        return "No attribute could be measured along any path."
    strongest = [text for _, text in sorted(firsts, reverse=True)[:3]]
    return (
        f"Of {len(ranking.paths)} paths at {len(ranking.each)} codes, what follows the position best: "
        f"{'; '.join(strongest)} (mean {ranking.method}, 95 % interval over codes)."
    )


def _triples_of(name: str) -> list[Triple]:
    best = lambda found: int(found.ranking.order(name)[0])
    column = lambda found: found.values.names.index(name)
    return [
        Triple(f"top-{_plain(name)}", partial(_tell_top, name), draw=lambda _, found: _strip(name, found)),
        Triple(
            f"along-{_plain(name)}",
            partial(_tell_along, name),
            draw=lambda _, found: attribute_curves(
                found.values.values[:, best(found), :, column(found)],
                found.positions,
                UNITS.get(name, name),
                title=f"{name} along {found.ranking.paths[best(found)]}: a line for each code, and the mean",
            ),
        ),
    ]


def _strip(name: str, found: Ranked) -> Any:
    best = int(found.ranking.order(name)[0])
    column = found.values.names.index(name)
    rows = found.values.values[:SHOWN, best, :, column]
    walked = found.strips[best]
    shown = Traversal(
        walked.steps[:SHOWN], walked.codes[:SHOWN], walked.samples[:SHOWN], walked.sigmas[:SHOWN], walked.names,
        kind=walked.kind,
    )  # fmt: skip
    return path_strip(
        shown,
        0,
        BYTES,
        right=[_ends(row) for row in rows],
        right_title=f"{name},\nfirst to last",
        title=f"{found.ranking.paths[best]}, first for {name}",
    )


def _ends(row: np.ndarray) -> str:
    known = row[np.isfinite(row)]
    return f"{known[0]:.3g} to {known[-1]:.3g}".replace("-", "−") if known.size else "none"


def _tell_matrix(_: Any, found: Ranked) -> Section:
    ranking = found.ranking
    columns: dict[str, Any] = {"path": list(ranking.paths)}
    for i, name in enumerate(ranking.names):
        columns |= {name: ranking.mean[:, i], f"{name} low": ranking.low[:, i], f"{name} high": ranking.high[:, i]}
        columns[f"{name} share"] = ranking.shares[:, i]
        columns |= {f"{name} {other.method}": other.mean[:, i] for other in found.others}
    return Section(
        "matrix",
        "All paths",
        "The mean over {codes} codes of the correlation ({method}) of each attribute with the position along each "
        "path. Of {pictures} pictures, {missing} lack some attribute, and are left out there.",
        {"codes": len(ranking.each), "method": ranking.method, "pictures": found.values.values[..., 0].size,
         "missing": int(np.isnan(found.values.values).any(axis=-1).sum())},
        numbers=columns,
    )  # fmt: skip


def _tell_top(name: str, _: Any, found: Ranked) -> Section:
    ranking, column = found.ranking, found.ranking.names.index(name)
    best = int(ranking.order(name)[0])
    table = ranking.table(name, found.top)
    purest = int(ranking.order(name, by="share")[0])
    return Section(
        f"top-{_plain(name)}",
        f"{name[0].upper()}{name[1:]}",
        "{path} is first: {mean:.2f}, and {name} changes by {change:.3g} from its beginning to its end. The path that "
        "changes little else, by its share of all attributes here, is {purest} ({share:.2f}). Positions "
        "go from left to right.",
        {"path": ranking.paths[best], "mean": float(ranking.mean[best, column]), "name": name,
         "change": float(ranking.change[best, column]), "purest": ranking.paths[purest],
         "share": float(ranking.shares[purest, column])},
        table=table,
        files={f"top/{_plain(name)}.csv": csv_of(_flat(table)).encode(),
               f"top/{_plain(name)}.md": markdown_of(_flat(table)).encode()},
    )  # fmt: skip


def _tell_along(name: str, _: Any, found: Ranked) -> Section:
    best, column = int(found.ranking.order(name)[0]), found.values.names.index(name)
    rows = found.values.values[:, best, :, column]
    numbers: dict[str, Any] = {"t": found.positions} | {f"code {i}": row for i, row in enumerate(rows)}
    return Section(f"along-{_plain(name)}", f"{name[0].upper()}{name[1:]}, code by code", numbers=numbers)


def _tell_nonlinearity(_: Any, found: Ranked) -> Section:
    bent, firsts = found.bent, found.detours
    mean = lambda x: np.asarray(x).mean(axis=0).tolist()
    table = {
        "path": list(found.ranking.paths),
        "arc over chord": mean(bent.arc_over_chord),
        "turning, degrees": mean(bent.turning),
        "sharpest turn, degrees": mean(bent.sharpest),
        "first to last step, degrees": mean(bent.bend),
        "angle between codes, degrees": bent.angle.tolist(),
    }
    if firsts:
        each = lambda what: [
            float(np.mean(getattr(firsts[i], what))) if i in firsts else np.nan for i in range(len(found.ranking.paths))
        ]
        table |= {"metric length over the line's": each("over_straight"), "over the shortest": each("over_shortest")}
    return Section(
        "nonlinearity",
        "How paths bend",
        "Means over codes; a straight line that is the same everywhere has 1 and zeros. The median walk turns by "
        "{turning:.3g} degrees on its way, and directions at two codes differ by {angle:.3g} degrees.",
        {"turning": float(np.median(bent.turning)), "angle": float(np.nanmedian(bent.angle))},
        table=table,
        files={"nonlinearity.csv": csv_of(table).encode()},
    )


def _flat(table: Mapping[str, Any]) -> dict[str, Any]:
    """A table whose ranges are two columns."""
    flat: dict[str, Any] = {}
    for name, column in table.items():
        if column and isinstance(column[0], tuple):
            flat |= {f"{name} {end}": [pair[i] for pair in column] for i, end in enumerate(("low", "high"))}
        else:
            flat[name] = column
    return flat


def _kept(G: Generator, walked: Traversal) -> Traversal:
    """The walks with their samples in bytes, reduced."""
    bounds = shared_range(walked.samples, G.output_range)
    flat = walked.samples.reshape(-1, *walked.samples.shape[3:])
    small = np.stack([pixels(sample, bounds, SIDE) for sample in flat])
    return replace(walked, samples=small.reshape(*walked.samples.shape[:3], *small.shape[1:]))


def _plain(name: str) -> str:
    return name.replace(" ", "-")
