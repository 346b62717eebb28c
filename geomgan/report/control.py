"""What a report says of its control, the generator with shuffled weights, whose samples may hardly change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np

from geomgan.generators import Generator
from geomgan.paths import measure
from geomgan.report.subject import CONTROL, Subject
from geomgan.report.triple import Results

T = TypeVar("T")
VARIED = 16  # codes whose samples are compared
DEAD = 0.1  # contrast below which a control has hardly samples to compare
NEARLY_DEAD = f"{CONTROL} (nearly dead)"


def contrast(subject: Subject) -> float:
    """How much the control's samples differ between codes, relative to the model's; NaN without a control."""
    return _variation(subject, subject.control[0]) / _variation(subject, subject.G) if subject.control else float("nan")


def contrast_found(subject: Subject, results: Results) -> float:
    """The same, as the triple of the spectra found it."""
    return float(results("spectrum").contrast) if subject.control else float("nan")


def as_shown(labelled: Mapping[str, T], contrast: float) -> dict[str, T]:
    """What belongs to each field, by the label that the page shows: a nearly dead control is called so everywhere."""
    return {NEARLY_DEAD if label == CONTROL and contrast < DEAD else label: each for label, each in labelled.items()}


def said_of(contrast: float) -> str:
    """A sentence on the control, with ``{contrast}`` to be filled in; nothing without one."""
    if np.isnan(contrast):
        return ""
    so = ": it is nearly dead, and nothing is concluded from it." if contrast < DEAD else "."
    return (
        " The control, shuffled weights, keeps the architecture and loses what was learned; its samples differ between "
        f"codes {{contrast:.2g}} times as much as the model's{so}"
    )


def facts_of(contrast: float) -> dict[str, float]:
    """The number of that sentence."""
    return {} if np.isnan(contrast) else {"contrast": contrast}


def _variation(subject: Subject, G: Generator) -> float:
    """Standard deviation over a few codes, mean over the values of a sample."""
    codes = np.asarray(subject.field.codes)[:VARIED]
    samples = measure(G, subject.D, codes[:1], codes[None], keep=True).samples[0].astype(np.float64)
    return max(float(samples.std(axis=0).mean()), float(np.finfo(np.float32).tiny))
