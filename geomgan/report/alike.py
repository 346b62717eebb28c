"""What a report shows of how alike the codes of a field are: homogeneity."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from geomgan import analysis, plot
from geomgan.analysis import Consistency, ConsistencyExamples, DistanceRelation, Scatter
from geomgan.analysis.correlation import by_chance
from geomgan.analysis.homogeneity import NAMES
from geomgan.brief import brief
from geomgan.report.control import as_shown, contrast_found, facts_of, said_of
from geomgan.report.section import TOO_FEW, Interval, Section, interval_columns, matrix_columns
from geomgan.report.subject import Subject, several
from geomgan.report.triple import Results, Triple

EXPLAINED = {
    "log": "r of log rates and log eigenvalues (log consistency)",
    "linear": "r of rates and eigenvalues (linear)",
    "vectorised": "r of the entries of the tensors (vectorised)",
}
SHARE = "share of the trace of j in the axes that hold 99 % of i"
CHANCE = "the same for as many random axes, n / d"
PANELS = 4  # codes that are shown pair by pair


@brief
@dataclass(frozen=True)
class Alike:
    """How alike the codes of each field are, by its label.

    Attributes:
        consistencies: of every pair of codes.
        intervals: mean of each consistency over pairs, with its interval, by its name.
        shared: mean share of one code's trace in another's axes, with its interval.
        chance: what as many random axes would hold.
        contrast: of the control.
    """

    consistencies: dict[str, Consistency]
    intervals: dict[str, dict[str, Interval]]
    shared: dict[str, Interval]
    chance: dict[str, Interval]
    contrast: float


@brief
@dataclass(frozen=True)
class Pairs:
    """What the consistency of a few pairs of codes is made of.

    Attributes:
        shown: of every pair of codes that is drawn.
        first: of the first two codes.
    """

    shown: ConsistencyExamples
    first: Scatter


def _alike(subject: Subject, results: Results) -> Alike:
    fields, shapes = several(subject), results("anisotropy").of
    found = {
        label: analysis.consistency(field, progress=subject.progress, above_floor=True)
        for label, field in fields.items()
    }
    mean = partial(analysis.consistency_interval, key=subject.key)
    of_matrix = partial(analysis.pair_interval, key=subject.key)
    return Alike(
        consistencies=found,
        intervals={label: {name: mean(c, name=name) for name in NAMES} for label, c in found.items()},
        shared={label: of_matrix(analysis.shared_trace(field)) for label, field in fields.items()},
        chance={label: _per_dimension(shapes[label].intervals["dimensions_0.99"], subject) for label in fields},
        contrast=contrast_found(subject, results),
    )


def _per_dimension(axes: Interval, subject: Subject) -> Interval:
    dim = subject.G.latent_dim
    return axes[0] / dim, axes[1] / dim, axes[2] / dim


def _tell_alike(subject: Subject, result: Alike) -> Section:
    table: dict[str, Any] = {"over pairs of codes, mean": [EXPLAINED[name] for name in NAMES] + [SHARE, CHANCE]}
    rows = {label: [*(r[name] for name in NAMES), result.shared[label], result.chance[label]]
            for label, r in result.intervals.items()}  # fmt: skip
    for label, row in as_shown(rows, result.contrast).items():
        table |= interval_columns(label, row)
    own = result.consistencies[subject.name]
    see = (
        "How the rates of change of code j along the axes of code i correlate with its own eigenvalues: means over the "
        "{pairs} ordered pairs of {codes} codes, with 95 % intervals by a bootstrap over codes. It is 1 where codes "
        "share their axes, and axes in random directions give 0 on average, ± {chance:.2f} for one pair (log and "
        "linear). But a correlation does not see how much flatter the foreign axes are: the share of the trace does. "
        "Ranks below the noise floor are left out of the logarithm."
    )
    see += said_of(result.contrast)
    facts: dict[str, Any] = {"pairs": len(own.off_diagonal("log")), "codes": len(own.indices)}
    ranks = subject.G.latent_dim - float(np.median(own.dropped[~np.eye(len(own.log), dtype=bool)]))
    facts |= {"chance": by_chance(ranks)} | facts_of(result.contrast)
    pairs = {label: c.off_diagonal("log") for label, c in as_shown(result.consistencies, result.contrast).items()}
    of_i, of_j = np.nonzero(~np.eye(len(own.log), dtype=bool))
    numbers = {"code i": of_i, "code j": of_j} | pairs
    return Section("homogeneity", "Homogeneity", see, facts, numbers, table)


def _tell_matrix(subject: Subject, result: Alike) -> Section:
    c = result.consistencies[subject.name]
    see = (
        "Row i takes the axes of code i to the metric of code j, column j. A dark row is a code whose axes are its "
        "own; the more even the field, the less it matters at which code the axes are taken."
    )
    indices = c.indices.tolist()
    numbers = {"code i": indices} | matrix_columns(c.log, [f"log, j = {j}" for j in indices])
    numbers |= matrix_columns(c.linear, [f"linear, j = {j}" for j in indices])
    return Section("consistency", "Consistency of every pair", see, numbers=numbers)


def _pairs(subject: Subject, _: Results) -> Pairs:
    count = min(PANELS, len(subject.field.finished))
    shown = analysis.consistency_examples(subject.field, count)
    return Pairs(shown, analysis.consistency_example(subject.field, 0, 1))


def _tell_pairs(_: Subject, result: Pairs) -> Section:
    one = result.first
    see = (
        "What an entry of that matrix correlates: the rates of change of code j along the axes of code i, against "
        "the eigenvalues of j, in descending order. On the line the axes of i would be those of j; points above it "
        "at small eigenvalues say that the flat directions of j are not those of i."
    )
    numbers = {
        "rank": np.arange(1, len(one.target_values) + 1),
        "eigenvalue of the second code": one.target_values,
        "its rate along the axes of the first code": one.source_values,
    }
    return Section("pairs", "Codes, pair by pair", see, numbers=numbers)


def _relation(subject: Subject, results: Results) -> DistanceRelation:
    return analysis.consistency_and_distance(results("homogeneity").consistencies[subject.name], key=subject.key)


def _tell_relation(_: Subject, relation: DistanceRelation) -> Section:
    effect, low, high = relation.over_range
    facts: dict[str, Any] = {
        "pairs": len(relation.distances),
        "codes": relation.count,
        "r": relation.r,
        "p": relation.p,
    }
    facts |= {"nearest": float(relation.distances.min()), "farthest": float(relation.distances.max())}
    facts |= {"slope": relation.slope, "effect": effect, "mean": float(relation.consistencies.mean())}
    interval, made = TOO_FEW, "p is"
    if relation.bounded:
        facts |= {"low": low, "high": high}
        interval, made = "95 % interval {low:+.2g} to {high:+.2g}", "Interval and p are"
    see = (
        "Are the metrics of closer codes more alike? Shown are {pairs} pairs of {codes} codes, each with the mean of "
        "both directions; the mean of all is {mean:.2f}. By the line through them, consistency changes by {slope:+.2g} "
        "for each latent unit. That makes {effect:+.2g} "
        f"({interval}) from the nearest pair, {{nearest:.3g}} units apart, to the farthest, {{farthest:.3g}} units "
        f"apart; r = {{r:.2f}}, p = {{p:.2g}}. {made} by permutations of codes, because pairs share them. Nothing is "
        "known of codes that are nearer."
    )
    numbers = {"distance": relation.distances, "log consistency": relation.consistencies}
    return Section("latent_distance", "Homogeneity and distance", see, facts, numbers)


def _codes(count: int) -> Any:
    return lambda subject: len(subject.field.finished) >= count and subject.G.latent_dim > 2  # r of two numbers is ±1


HOMOGENEITY = Triple(
    "homogeneity",
    _tell_alike,
    Alike,
    _alike,
    lambda _, result: plot.consistency_histogram(as_shown(result.consistencies, result.contrast)),
    _codes(2),
)
CONSISTENCY = Triple(
    "consistency",
    _tell_matrix,
    draw=lambda subject, result: plot.consistency_matrix(result.consistencies[subject.name]),
    wanted=_codes(2),
    of="homogeneity",
)
PAIRS = Triple("pairs", _tell_pairs, Pairs, _pairs, lambda _, result: plot.consistency_scatter(result.shown), _codes(2))
LATENT_DISTANCE = Triple(
    "latent_distance",
    _tell_relation,
    DistanceRelation,
    _relation,
    lambda _, relation: plot.consistency_against_distance(relation),
    _codes(4),
)
