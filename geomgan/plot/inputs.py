"""What figures are given: the check of its type, and the one place where a field becomes the result that is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from geomgan.analysis.consistency_examples import ConsistencyExamples, consistency_examples
from geomgan.analysis.spectra import MeanSpectrum, mean_spectrum
from geomgan.fields.field import MetricField


def check_input(given: Any, kinds: type | tuple[type, ...], what: str, expected: str) -> None:
    """Raise ``TypeError``, which says what was given and what was expected, unless ``given`` is one of ``kinds``."""
    if not isinstance(given, kinds):
        name = type(given).__name__
        article = "an" if name[0] in "AEIOUaeiou" else "a"
        raise TypeError(f"{what} is {article} {name}; expected {expected}.")


def central(field: Any, kind: str = "mean") -> MeanSpectrum:
    """The mean or median spectrum of a field; one that is computed already passes.

    Raises:
        TypeError: it is none of these.
        ValueError: no eigenvalue is positive.
    """
    if np.ndim(field) == 0:  # neither an array nor a list
        check_input(field, (MetricField, MeanSpectrum), "field", "a MetricField, a stack of tensors (P, d, d), or the "
                    "result of geomgan.analysis.mean_spectrum(F)")  # fmt: skip
    result = field if isinstance(field, MeanSpectrum) else mean_spectrum(field, kind=kind)
    if not result.mean.max() > 0:
        raise ValueError(f"the largest {result.kind} eigenvalue is {result.mean.max():.3g}; expected a positive one: "
                         "the sample does not change with the code there.")  # fmt: skip
    return result


def examples(field: Any, codes: int | Sequence[int]) -> ConsistencyExamples:
    """What the consistency of some codes is made of; what is computed already passes."""
    return field if isinstance(field, ConsistencyExamples) else consistency_examples(field, codes)
