"""How much of the metric at one code lies in the leading axes of another."""

from __future__ import annotations

from typing import Any

import numpy as np

from geomgan.analysis.spectra_of import spectra_of


def shared_trace(field: Any, share: float = 0.99) -> np.ndarray:
    """``tr(U_iᵀ g_j U_i) / tr g_j``, ``U_i`` the fewest leading axes of ``g_i`` that hold ``share`` of its trace.

    A correlation of rates does not see how much flatter foreign axes are; this does. The diagonal is at least
    ``share``; ``n / d`` is what ``n`` random axes would hold.

    Args:
        field: a :class:`~geomgan.MetricField` with all eigenpairs, or tensors ``(P, d, d)``. Negative eigenvalues
            count as zero.
        share: of the trace, between 0 and 1.

    Returns:
        ``(P, P)``; row ``i``, whose axes, column ``j``, whose metric. NaN for a metric that is zero.

    Raises:
        ValueError: ``share`` is not between 0 and 1; see also :func:`spectra_of`.
    """
    if not 0 < share < 1:
        raise ValueError(f"share is {share!r}; expected a share of the trace, between 0 and 1, such as 0.99.")
    spectra = spectra_of(field, "shared_trace", least=2)
    values = np.maximum(spectra.values, 0.0)
    total = values.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        counts = (np.cumsum(values, axis=1) / total[:, None] < share).sum(axis=1) + 1
        rows = []
        for vectors, count in zip(spectra.vectors, counts, strict=True):
            cosines = np.swapaxes(vectors[:, :count], 0, 1) @ spectra.vectors  # (P, n, d): no cancellation
            rows.append(((cosines**2).sum(axis=1) * values).sum(axis=1) / total)
    return np.stack(rows)
