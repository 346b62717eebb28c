"""What a report shows of how far the metric holds: trust radii, the null space, and codes projected on few axes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from geomgan import analysis, plot
from geomgan.analysis import Compression, NullSpace, TrustRadius
from geomgan.report.axes import REACH
from geomgan.report.pictures import BYTES, kept
from geomgan.report.section import Section, matrix_columns
from geomgan.report.subject import Subject
from geomgan.report.triple import Results, Triple

RANKS, COUNTS, LENGTHS = 24, 12, 7  # axes with a trust radius, numbers of axes kept, steps of a move: at most
PROJECTED, SHOWN = 32, 3  # codes that are compressed, and those that are shown


def _ranks(dim: int, most: int) -> np.ndarray:
    """Ranks from 1 to ``dim`` in equal ratios."""
    return np.unique(np.geomspace(1, dim, min(most, dim)).round().astype(int))


def _trust(subject: Subject, _: Results) -> TrustRadius:
    i, spread = subject.first, _ranks(subject.G.latent_dim, RANKS)
    ranks = np.union1d(np.arange(1, subject.top + 1), spread)  # also of all axes that are shown
    return analysis.trust_radius(
        subject.G, subject.D, subject.field.codes[i], subject.pairs(i), reach=2 * REACH, ranks=ranks.tolist(),
    )  # fmt: skip


def _tell_trust(subject: Subject, result: TrustRadius) -> Section:
    see = (
        "The trust radius of an axis at code {code}: the first step at which the distance leaves √λ |t| by more than "
        "{tolerance:g} %, on the nearer side (∞ if not within {reach:g}). Ranks are those shown above, and others in "
        "equal ratios. Distances are known to {resolution:.1g}, which is granted on top. An axis is within rounding "
        "where that is more than {tolerance:g} % of its distance at the radius: it may leave much earlier."
    )
    facts = {"code": subject.first, "tolerance": 100 * result.tolerance}
    facts |= {"reach": result.reach, "resolution": result.resolution}
    speeds = np.sqrt(np.maximum(result.values, 0))
    table = {
        "rank": result.ranks,
        "eigenvalue": result.values,
        "speed √λ, distance per latent unit": speeds,
        "trust radius": result.radius,
        "towards -t": result.sides[:, 0],
        "towards +t": result.sides[:, 1],
    }
    if result.rounded.any():
        table["within rounding"] = np.where(result.rounded, "yes", "no")
    return Section("trust_radius", "How far to trust each axis", see, facts, table, table)


def _null_space(subject: Subject, _: Results) -> NullSpace:
    i, dims = subject.first, max(1, subject.G.latent_dim // 4)
    lengths = np.linspace(0, 2 * REACH, LENGTHS)
    result = analysis.null_space(
        subject.G, subject.D, subject.field.codes[i], subject.pairs(i), dims, subject.key, lengths,
    )  # fmt: skip
    small = lambda samples: kept(samples, subject.G)
    return replace(result, samples=small(result.samples), reference=small(result.reference))


def _tell_null_space(subject: Subject, result: NullSpace) -> Section:
    facts = {"code": subject.first, "dims": result.dims, "length": float(result.lengths[-1])}
    facts |= {"directions": result.distances.shape[1]}
    ratios = []
    for kind, mean, errors in zip(result.kinds, result.ratios[:, -1], result.errors[..., -1], strict=True):
        if np.isfinite(mean):
            facts |= {
                kind: float(mean),
                f"{kind}_low": 1 + float(errors.min()),
                f"{kind}_high": 1 + float(errors.max()),
            }
            ratios.append(f"the {kind} moves {{{kind}:.2g}} times as far as predicted (mean of the ratios; "
                          f"{{{kind}_low:.2g}} to {{{kind}_high:.2g}})")  # fmt: skip
    see = (
        "Moves of equal length from code {code}, so of equal density under a normal prior, in the {dims} top and the "
        "{dims} bottom dimensions. Rows that stay the same are the null space: directions that the prior fills and "
        "the samples hardly show. "
    )
    if ratios:
        see += (
            f"At length {{length:g}}, over {{directions}} directions each, {' and '.join(ratios)}: the metric at the "
        )
        see += "reference holds for small steps only."
    names = [f"{kind}, direction {j}" for kind in result.kinds for j in range(result.distances.shape[1])]
    numbers = {"t": result.lengths} | matrix_columns(result.distances.reshape(len(names), -1).T, names)
    return Section("null_space", "The null space", see, facts, numbers)


def _compression(subject: Subject, results: Results) -> Compression:
    codes = subject.field.codes[subject.field.finished]
    result = analysis.compression(
        subject.G, subject.D, codes[:PROJECTED], results("directions").vectors, _ranks(subject.G.latent_dim, COUNTS),
        centre=codes.mean(axis=0), key=subject.key, shown=SHOWN,
    )  # fmt: skip
    small = lambda samples: kept(samples, subject.G)
    return replace(
        result,
        originals=small(result.originals),
        samples=small(result.samples),
        control_samples=small(result.control_samples),
    )


def _draw_compression(subject: Subject, result: Compression) -> Any:
    labels = [f"code {i}" for i in subject.field.finished[: len(result.samples)]]
    return plot.compression(result, SHOWN if subject.images else None, BYTES, labels)


def _tell_compression(_: Subject, result: Compression) -> Section:
    see = (
        "Codes reduced to their coordinates on the first k axes of the mean metric, about the mean code: how far the "
        "samples of {codes} codes end up from the originals. Where the curve is below that of random axes, the metric "
        "compresses."
    )
    numbers = {
        "k": result.ks,
        "median distance": np.median(result.distance, axis=0),
        "median distance, random axes": np.median(result.control, axis=(0, 1)),
        "share of variance kept": result.kept,
    }
    return Section("compression", "What a code can lose", see, {"codes": len(result.distance)}, numbers)


TRUST_RADIUS = Triple("trust_radius", _tell_trust, TrustRadius, _trust, lambda _, result: plot.trust_radius(result))
NULL_SPACE = Triple(
    "null_space",
    _tell_null_space,
    NullSpace,
    _null_space,
    lambda _, result: plot.null_space(result, BYTES),
    lambda subject: subject.G.latent_dim > 1,
)
COMPRESSION = Triple(
    "compression",
    _tell_compression,
    Compression,
    _compression,
    _draw_compression,
    lambda subject: len(subject.field.finished) > 1,
)
