"""The spectrum of a metric field."""

from __future__ import annotations

from typing import Any

import numpy as np

from geomgan.analysis.spectra import mean_spectrum
from geomgan.metric.field import MetricField
from geomgan.plot.style import ACCENT, SECOND, figure, styled


@styled
def spectrum(field: MetricField, title: str | None = None) -> Any:
    """Mean eigenvalue by rank, its 5-95 % band over codes, and the noise floor, on a logarithmic scale.

    Returns:
        A matplotlib figure.
    """
    result = mean_spectrum(field)
    rank = np.arange(1, len(result.mean) + 1)
    fig, axes = figure(6.4, 3.8)
    ax = axes[0, 0]
    floor = max(result.noise_floor, np.finfo(float).tiny)
    positive = lambda x: np.maximum(x, floor * 1e-2)  # a logarithmic axis has no zero
    n = int((field.status > 0).sum())
    ax.fill_between(rank, positive(result.low), positive(result.high), color=ACCENT, alpha=0.2, lw=0,
                    label=f"5 to 95 % of {n} codes")  # fmt: skip
    ax.plot(rank, positive(result.mean), color=ACCENT, lw=2, label="mean")
    ax.set_yscale("log")
    if result.noise_floor > positive(result.low).min() * 1e-4:
        ax.axhline(floor, color=SECOND, lw=1.2, ls="--", label="noise floor")
    else:
        text = f"noise floor {result.noise_floor:.1e}, below this axis"
        ax.annotate(text, (0.02, 0.03), xycoords="axes fraction", color=SECOND, fontsize=9)
    ax.set(xlabel="rank of the eigenvalue", ylabel="eigenvalue of the metric tensor", xlim=(1, max(len(rank), 2)))
    ax.set_title(title or f"{field.provenance.get('generator', '').split('#')[0]} under "
                 f"{field.provenance.get('distance', '').split('#')[0]}", loc="left")  # fmt: skip
    ax.grid(axis="y", alpha=0.25)
    ax.legend(loc="upper right")
    return fig
