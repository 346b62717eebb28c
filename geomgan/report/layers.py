"""What a report shows of the layers of a generator."""

from __future__ import annotations

from typing import Any

import numpy as np

from geomgan import analysis, plot
from geomgan.analysis import LayerAlignment
from geomgan.report.section import Section, matrix_columns
from geomgan.report.subject import Subject
from geomgan.report.triple import Results, Triple


def _layers(subject: Subject, _: Results) -> LayerAlignment:
    z, precision = subject.field.codes[subject.first], subject.field.provenance["precision"]
    metrics = analysis.layer_metrics(subject.G, subject.D, z, precision=precision, progress=subject.progress)
    return analysis.layer_alignment(metrics, above_floor=True)


def _tell_amplification(subject: Subject, alignment: LayerAlignment) -> Section:
    see = (
        "The axes of the samples at code {code}, measured in every layer by the sum of squared differences of "
        "its activations. Axes fall steepest in their own metric; the steeper the curve of a layer, the more of the "
        "anisotropy along these axes is already made there."
    )
    numbers: dict[str, Any] = {"rank": np.arange(1, len(alignment.values[-1]) + 1)}
    numbers |= dict(zip(alignment.names, alignment.amplification[-1], strict=True))
    return Section("layers", "How the layers amplify the axes", see, {"code": subject.first}, numbers)


def _tell_alignment(subject: Subject, alignment: LayerAlignment) -> Section:
    see = (
        "How the rates of change of a layer (column) along the axes of another (row) correlate with its own "
        "eigenvalues, at code {code}. High values mean the same order of axes, not the same steepness."
    )
    numbers = {"layer i": alignment.names, **matrix_columns(alignment.log, alignment.names)}
    return Section("alignment", "Alignment of the layers", see, {"code": subject.first}, numbers)


def _wanted(subject: Subject) -> bool:
    return subject.layers


AMPLIFICATION = Triple(
    "layers",
    _tell_amplification,
    LayerAlignment,
    _layers,
    lambda _, alignment: plot.amplification_curves(alignment),
    _wanted,
)
ALIGNMENT = Triple(
    "alignment", _tell_alignment, draw=lambda _, alignment: plot.layer_matrix(alignment), wanted=_wanted, of="layers"
)
