"""What a consistency is made of: rates of change along the axes of one code against the eigenvalues of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from geomgan.analysis.correlation import rate_correlations
from geomgan.analysis.homogeneity import quadratic_forms
from geomgan.analysis.spectra_of import spectra_of
from geomgan.brief import brief


@brief
@dataclass(frozen=True)
class Scatter:
    """One entry of the consistency matrices: what is correlated.

    Attributes:
        source_values: ``(d,)``, ``diag(U_iᵀ g_j U_i)``.
        target_values: ``(d,)``, ``λ_j``.
        r_linear: their correlation.
        r_log: that of their logarithms.
        dropped: ranks that the logarithm leaves out.
        i: code of the frame.
        j: code of the metric.
    """

    source_values: np.ndarray
    target_values: np.ndarray
    r_linear: float
    r_log: float
    dropped: int
    i: int
    j: int


@brief
@dataclass(frozen=True)
class ConsistencyExamples:
    """What the entries of the consistency matrices between ``n`` codes are made of.

    Attributes:
        indices: ``(n,)``, place of each code in what was given.
        values: ``(n, d)``, ``λ_j``.
        rates: ``(n, n, d)``, ``α_ij = diag(U_iᵀ g_j U_i)``.
        r_log: ``(n, n)``, correlation of ``log α_ij`` and ``log λ_j``.
        noise_floor: ``(n,)``, of each code: eigenvalues below it are rounding.
    """

    indices: np.ndarray
    values: np.ndarray
    rates: np.ndarray
    r_log: np.ndarray
    noise_floor: np.ndarray


def consistency_example(field: Any, i: int, j: int) -> Scatter:
    """What entry ``(i, j)`` of the consistency matrices correlates, in double precision.

    Args:
        field: as for :func:`consistency`.
        i: code of the frame, counted among the finished ones.
        j: code of the metric.

    Raises:
        ValueError: there is no such code; see also :func:`consistency`.
    """
    spectra = spectra_of(field, "consistency_example")
    for name, index in (("i", i), ("j", j)):
        if not 0 <= index < len(spectra.values):
            raise ValueError(f"{name} is {index}; expected 0 to {len(spectra.values) - 1}, one of the finished codes.")
    alpha = quadratic_forms(spectra.vectors[i], spectra.vectors[j], spectra.values[j])
    r_linear, r_log, dropped = rate_correlations(alpha, spectra.values[j])
    return Scatter(alpha, spectra.values[j], float(r_linear), float(r_log), int(dropped), i, j)


def consistency_examples(field: Any, codes: int | Sequence[int] = 4) -> ConsistencyExamples:
    """What the consistency matrices correlate, for every pair of a few codes, in double precision.

    Args:
        field: as for :func:`~geomgan.analysis.consistency`.
        codes: indices among the finished codes, or how many to take, evenly spread.

    Raises:
        ValueError: fewer codes than asked for, or an index beyond them; see also
            :func:`~geomgan.analysis.consistency`.
    """
    spectra = spectra_of(field, "consistency_examples", least=2)
    chosen = _chosen(codes, len(spectra.values))
    vectors, values = spectra.vectors[chosen], spectra.values[chosen]
    rates = np.array([[quadratic_forms(u, v, own) for v, own in zip(vectors, values, strict=True)] for u in vectors])
    r_log = rate_correlations(rates, values)[1]
    return ConsistencyExamples(spectra.indices[chosen], values, rates, r_log, spectra.noise_floor[chosen])


def _chosen(codes: int | Sequence[int], count: int) -> np.ndarray:
    if isinstance(codes, int | np.integer):
        if not 2 <= codes <= count:
            raise ValueError(f"codes is {codes}; expected 2 to {count}, the number of finished codes.")
        return np.linspace(0, count - 1, codes).round().astype(int)
    chosen = np.asarray(codes, dtype=int)
    if len(chosen) < 2 or chosen.min() < 0 or chosen.max() >= count:
        raise ValueError(f"codes are {list(codes)}; expected at least two indices from 0 to {count - 1}.")
    return chosen
