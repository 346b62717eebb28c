"""Figures that compare two metrics, and two eigenspaces."""

from __future__ import annotations

from typing import Any

import numpy as np

from geomgan.analysis.compare import Comparison, Correspondence
from geomgan.analysis.spectra import MeanSpectrum
from geomgan.plot.inputs import central
from geomgan.plot.style import (
    ACCENT,
    COLUMN,
    INK,
    PAGE,
    SECOND,
    SOFT,
    figure,
    heading,
    legend_below,
    logarithmic,
    number,
    one_panel,
    panel,
    plain_ticks,
    styled,
)


@styled
def comparison(
    c: Comparison, labels: tuple[str, str] = ("a", "b"), fields: tuple[Any, Any] | None = None, *, ax: Any = None
) -> Any:
    """How alike two metrics are: bars of the mean correlation over codes, with the range of 5 to 95 % of them.

    With ``fields``, beside them the spectrum of ``b`` against that of ``a``: the median of each rank with its range
    over codes, the noise floors, and the median of the lines that :func:`~geomgan.analysis.compare` fits to what is
    above both. What is below a floor is drawn there, open: its place is not known.

    Args:
        c: the comparison.
        labels: of the two metrics.
        fields: the two fields, stacks of tensors, or their :class:`~geomgan.analysis.MeanSpectrum`.
        ax: the axes to draw the bars into, without ``fields``; by default those of a new figure.

    Returns:
        A matplotlib figure.
    """
    one_panel(ax, 1 if fields is None else 2, "the comparison without fields")
    if fields is None:
        fig, bars = panel(ax, COLUMN, 2.5)
    else:
        fig, axes = figure(PAGE, 2.9, 1, 2)
        bars = axes[0, 1]
        _spectra(axes[0, 0], c, labels, fields)
    _bars(bars, c, labels)
    heading(fig, f"{labels[0]} and {labels[1]} at the same {len(c.tensor_r)} codes", ax)
    legend_below(fig, ax)
    return fig


@styled
def eigenspaces(c: Correspondence, labels: tuple[str, str] = ("a", "b"), *, ax: Any = None) -> Any:
    """Principal angles between two eigenspaces, beside the canonical correlations as angles and their chance level.

    Args:
        c: the correspondence.
        labels: of the two metrics.
        ax: the axes to draw into; by default those of a new figure.

    Returns:
        A matplotlib figure.
    """
    k, given = len(c.angles), ax
    angle = lambda cosines: np.degrees(np.arccos(np.clip(cosines, -1, 1)))
    fig, ax = panel(given, COLUMN, 2.5)
    size = float(np.clip(80 / k, 2, 5))
    ranks, canonical = np.arange(1, k + 1), np.arange(1, len(c.cca) + 1)
    ax.plot(ranks, np.degrees(c.angles), "o-", ms=size, lw=1.2, color=ACCENT, label="principal angle")
    ax.plot(canonical, angle(c.cca), "o-", ms=size + 2.5, lw=1.2, color=SECOND, mfc="none", zorder=1,
            label="canonical correlation")  # fmt: skip
    ax.plot(canonical, angle(c.cca_chance), "s:", ms=size, lw=1.2, color=SOFT, label="its mean for random spaces")
    ax.set(xlabel="number of the angle", ylabel="angle, degrees", xlim=(0.5, k + 0.5), ylim=(-2, 92))
    ax.set_yticks(range(0, 91, 15))
    ax.xaxis.get_major_locator().set_params(integer=True)
    cosine = ax.secondary_yaxis("right", functions=(lambda x: x, lambda x: x))
    cosine.set_yticks(angle(np.array([1, 0.9, 0.7, 0.5, 0.3, 0.1])), ["1", "0.9", "0.7", "0.5", "0.3", "0.1"])
    cosine.set_ylabel("cosine")
    plain_ticks(cosine)
    heading(fig, f"Top {k} eigenvectors of {labels[0]} and {labels[1]}: overlap {c.overlap:.2f}, "
                 f"of random spaces {c.chance_overlap:.2f}", given)  # fmt: skip
    legend_below(fig, given)
    return fig


def _spectra(ax: Any, c: Comparison, labels: tuple[str, str], fields: tuple[Any, Any]) -> None:
    a, b = (central(field, "median") for field in fields)
    (x, across, below_a), (y, up, below_b) = _censored(a), _censored(b)
    known, (low, high) = ~(below_a | below_b), a.percentiles
    for shown, face, label in (
        (known, ACCENT, f"{a.kind} of a rank, {low:g} to {high:g} % of codes"),
        (~known, "white", "below a noise floor, drawn there"),
    ):
        if shown.any():
            ax.errorbar(x[shown], y[shown], up[:, shown], across[:, shown], fmt="o", ms=3, color=ACCENT, mfc=face,
                        ecolor=ACCENT + "40", elinewidth=1, label=label)  # fmt: skip
    ax.set(xscale="log", yscale="log")
    ax.set_xlabel(f"eigenvalue, {labels[0]}\n(distance² per latent unit²)")
    ax.set_ylabel(f"eigenvalue, {labels[1]}\n(distance² per latent unit²)")
    ends = np.array(ax.get_xlim()), np.array(ax.get_ylim())
    slope, intercept = _median(c.slope), _median(c.intercept)
    ax.plot(ends[0], 10**intercept * ends[0] ** slope, color=INK, lw=1, label=f"median line, slope {number(slope, 2)}")
    for line, floor, (bottom, _) in zip((ax.axvline, ax.axhline), (a.noise_floor, b.noise_floor), ends, strict=True):
        if floor > bottom:
            line(floor, color=SECOND, lw=1.2, ls="--", label="noise floor")
    ax.set(xlim=ends[0], ylim=ends[1])
    logarithmic(ax, "xy")


def _censored(spectrum: MeanSpectrum) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The median of each rank, at least the noise floor; its error bars ``(2, k)``; and where it is below the floor."""
    floor = max(spectrum.noise_floor, np.finfo(np.float64).tiny)
    middle, low, high = (np.maximum(each, floor) for each in (spectrum.mean, spectrum.low, spectrum.high))
    return middle, np.maximum([middle - low, high - middle], 0.0), spectrum.mean <= floor


def _median(values: np.ndarray) -> float:
    """The median of what is defined; NaN where nothing is."""
    return float(np.median(values[np.isfinite(values)])) if np.isfinite(values).any() else float("nan")


def _bars(ax: Any, c: Comparison, labels: tuple[str, str]) -> None:
    a, b = labels
    rows = {
        "entries of tensors": (c.tensor_r, c.log_tensor_r),
        "spectra by rank": (c.spectrum_r, c.log_spectrum_r),
        f"{b} along\naxes of {a}": (c.cross_ab_r, c.cross_ab_log_r),
        f"{a} along\naxes of {b}": (c.cross_ba_r, c.cross_ba_log_r),
    }
    for k, (label, colour) in enumerate((("linear", ACCENT), ("logarithmic", SECOND))):
        for row, pair in enumerate(rows.values()):
            r = pair[k][np.isfinite(pair[k])]
            if not len(r):
                continue
            place = row + (k - 0.5) * 0.38
            ax.barh(place, r.mean(), 0.36, color=colour, alpha=0.55, label=label)
            ax.plot(np.percentile(r, (5, 95)), [place, place], color=INK, lw=1.2, label="5 to 95 % of codes")
    ax.axvline(0, color=SOFT, lw=0.8)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.invert_yaxis()
    ax.set(xlabel=f"Pearson r, mean over {len(c.tensor_r)} codes")
    ax.set_xlim(min(ax.get_xlim()[0], 0), 1)
    ax.set_axisbelow(True)
    ax.grid(axis="x", alpha=0.25)
