"""What a report shows of the same codes under another distance."""

from __future__ import annotations

from typing import Any

import numpy as np

from geomgan import analysis, plot
from geomgan.analysis import Comparison
from geomgan.analysis.bootstrap import code_interval, mean, random_of
from geomgan.report.section import Interval, Section, interval_columns
from geomgan.report.subject import Subject
from geomgan.report.triple import Results, Triple

MEASURES = {
    "tensor_r": "r of the entries of the tensors",
    "log_tensor_r": "r of the entries of their logarithms",
    "spectrum_r": "r of the eigenvalues by rank",
    "log_spectrum_r": "r of their logarithms",
    "cross_ab_r": "r of rates along the axes of the first and eigenvalues of the second",
    "cross_ab_log_r": "r of their logarithms, above the noise floor",
}
DRAWS, LEVEL = 1000, 0.95  # of the bootstrap over codes


def _compare(subject: Subject, _: Results) -> Comparison:
    assert subject.other
    return analysis.compare(subject.field, subject.other[1])


def _names(subject: Subject) -> tuple[str, str]:
    assert subject.other
    return subject.D.name, subject.other[0]


def _draw(subject: Subject, result: Comparison) -> Any:
    return plot.comparison(result, _names(subject))


def _tell(subject: Subject, result: Comparison) -> Section:
    own, other = _names(subject)
    see = (
        "The same codes under {distance} and {other}. Entries of tensors compare the metrics themselves; spectra "
        "by rank correlate in any case, as both descend. Where the metric of one distance along the axes of the "
        "other is like its own spectrum, the axes belong to the generator more than to the distance. Means over "
        "{codes} codes, with 95 % intervals by a bootstrap over codes."
    )
    rows = [mean_r(getattr(result, measure), subject) for measure in MEASURES]
    table = {"over codes": list(MEASURES.values())} | interval_columns("mean", rows)
    facts = {"distance": own, "other": other, "codes": len(result.indices)}
    numbers = {"code": result.indices} | {measure: getattr(result, measure) for measure in MEASURES}
    return Section("distances", f"Under another distance: {other}", see, facts, numbers, table)


def mean_r(r: np.ndarray, subject: Subject) -> Interval:
    """The mean of a correlation over the codes where it is defined, with its interval; NaN where it is nowhere."""
    r = r[np.isfinite(r)]
    return code_interval(r, DRAWS, LEVEL, random_of(subject.key), mean) if len(r) else (float("nan"),) * 3


DISTANCES = Triple("distances", _tell, Comparison, _compare, _draw, lambda subject: subject.other is not None)
