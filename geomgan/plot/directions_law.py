"""The illusion of isotropy: what random directions show of a spectrum."""

from __future__ import annotations

from typing import Any

import numpy as np

from geomgan.analysis.random_directions import RandomDirectionLaw
from geomgan.plot.style import ACCENT, COLUMN, INK, SECOND, figure, heading, legend_below, logarithmic, styled


@styled
def isotropy_illusion(law: RandomDirectionLaw, bins: int = 40) -> Any:
    """Histograms of the eigenvalues and of ``α = vᵀgv / vᵀv`` along random directions, above their variances.

    A random direction mixes all axes, so a steep spectrum looks flat to who samples it: the variance is ``2 / (d + 2)``
    of that of the eigenvalues. Eigenvalues below the noise floor, and what is not positive and has no logarithm, are
    left out of the histograms.

    Source: GAN-Geometry (Wang and Ponce, ICLR 2021), figure 2.

    Args:
        law: the draws.
        bins: of the histograms, shared by both.

    Returns:
        A matplotlib figure.
    """
    dim, draws, known = len(law.values), len(law.samples), law.known
    logs = [np.log10(x[x > 0]) for x in (known, law.samples)]
    edges = np.linspace(min(log.min() for log in logs), max(log.max() for log in logs), bins + 1)
    fig, axes = figure(COLUMN, 3.2, 2, height_ratios=(3.2, 1))
    top, bottom = axes[:, 0]
    few = f"{len(known)} of {dim} eigenvalues λ, above the noise floor"
    labels = (f"{dim} eigenvalues λ" if len(known) == dim else few, f"rate of change α along {draws} random directions")
    for log, colour, label in zip(logs, (ACCENT, SECOND), labels, strict=True):
        top.hist(log, edges, weights=np.full(len(log), 100 / len(log)), color=colour, alpha=0.5, label=label)
        top.axvline(float(np.median(log)), color=colour, lw=1.4, ls=":")
    top.plot([], [], color=INK, lw=1.4, ls=":", label="median of each")
    top.axvline(float(np.log10(law.mean_predicted)), color=INK, lw=1.4, label="arithmetic mean of both")
    top.set(
        xlabel="log₁₀ of rate of change α along random\ndirections, and eigenvalues λ\n(distance² per latent unit²)",
        ylabel="share, %",
    )

    spread = float(np.var(law.values))
    smallest = (1e-16 * law.mean_predicted) ** 2  # rounding; an isotropic spectrum has no variance
    ends = np.log10(np.maximum([np.nanmin([law.interval[0], law.predicted]), spread], smallest))
    limits = 10.0 ** np.array([np.floor(ends[0]), np.floor(ends[1]) + 1])
    bottom.set(xscale="log", ylim=(-0.6, 2.6), xlim=limits, xlabel="variance (distance⁴ per latent unit⁴)")
    logarithmic(bottom, "x")
    bottom.set_yticks([2, 1, 0], ["of λ", f"2/{dim + 2} of it", "of α"])
    bottom.grid(axis="x", alpha=0.25)
    bottom.plot(spread, 2, "o", ms=5, color=ACCENT)
    bottom.plot(law.predicted, 1, "o", ms=5, color=SECOND, mfc="white")
    bottom.plot(law.observed, 0, "o", ms=5, color=SECOND)
    bottom.plot(law.interval, [0, 0], color=SECOND, lw=1.6, label=f"{law.level:.0%} interval of the draws")
    heading(fig, "The illusion of isotropy: random directions hide how steep the spectrum is")
    legend_below(fig)
    return fig
