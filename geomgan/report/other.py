"""What a report shows of the same codes under another distance."""

from __future__ import annotations

from typing import Any

from geomgan import analysis, plot
from geomgan.analysis import Comparison
from geomgan.report.section import Section
from geomgan.report.subject import Subject
from geomgan.report.triple import Results, Triple

MEASURES = ("tensor_r", "log_tensor_r", "spectrum_r", "log_spectrum_r", "cross_ab_r", "cross_ab_log_r")


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
        "other is like its own spectrum, the axes belong to the generator more than to the distance."
    )
    numbers = {"code": result.indices} | {measure: getattr(result, measure) for measure in MEASURES}
    return Section("distances", f"Under another distance: {other}", see, {"distance": own, "other": other}, numbers)


DISTANCES = Triple("distances", _tell, Comparison, _compare, _draw, lambda subject: subject.other is not None)
