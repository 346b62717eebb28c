"""Spectra of metric fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from geomgan.analysis.spectra import MeanSpectrum
from geomgan.plot.inputs import central, check_input
from geomgan.plot.style import (
    ACCENT,
    COLUMN,
    SECOND,
    SOFT,
    codes_of,
    colours,
    heading,
    legend_below,
    logarithmic,
    panel,
    styled,
)

_EIGENVALUE = "eigenvalue λ, {}\n(distance² per latent unit²)"
_KINDS = {"mean": "arithmetic mean", "median": "median"}  # a logarithmic axis would let a mean pass for a geometric one


@styled
def spectrum(field: Any, title: str | None = None, *, ax: Any = None) -> Any:
    """Mean eigenvalue by rank, its band over codes, and the noise floor, on a logarithmic scale.

    Where the lower end of the band is not positive, the mean stands for it.

    Args:
        field: a metric field, a stack of tensors ``(P, d, d)``, or its :class:`~geomgan.analysis.MeanSpectrum`.
        title: by default, the names of the generator and the distance.
        ax: the axes to draw into; by default those of a new figure.

    Returns:
        A matplotlib figure.

    Raises:
        TypeError: something else is given.
        ValueError: no eigenvalue of a field is positive; see also :func:`~geomgan.analysis.mean_spectrum`.
    """
    result, given = central(field), ax
    fig, ax = panel(given, COLUMN, 2.5)
    _curve(ax, result, result.kind, ACCENT, band=_band(result))
    _limits(ax, [result], [1.0])
    if result.noise_floor > ax.get_ylim()[0]:
        ax.axhline(result.noise_floor, color=SECOND, lw=1.2, ls="--", label="noise floor")
        ax.axhspan(ax.get_ylim()[0], result.noise_floor, color=SECOND, alpha=0.08, lw=0)
    else:
        _note(ax, f"noise floor {result.noise_floor:.1e}, below the axis")
    ax.set_ylabel(_EIGENVALUE.format(_KINDS[result.kind]))
    logarithmic(ax)
    heading(fig, title or _name(field), given)
    legend_below(fig, given)
    return fig


@styled
def spectra(
    fields: Mapping[str, Any],
    normalised: bool = True,
    rank: str = "linear",
    title: str | None = None,
    *,
    ax: Any = None,
) -> Any:
    """Spectra of several fields in one figure, each with its band and noise floor.

    Where the lower end of a band is not positive, the mean stands for it. A control, ``"NAME shuffled"`` beside
    ``"NAME"``, has the same colour, dashed.

    Source: GAN-Geometry (Wang and Ponce, ICLR 2021), figure 1.

    Args:
        fields: label -> metric field, stack of tensors, or :class:`~geomgan.analysis.MeanSpectrum`.
        normalised: divide each by its largest mean eigenvalue.
        rank: ``"linear"`` or ``"log"``, the scale of the rank; logarithmic suits fields of very different dimension.
        title: by default, what is shown.
        ax: the axes to draw into; by default those of a new figure.

    Returns:
        A matplotlib figure.

    Raises:
        TypeError: something else is given.
        ValueError: no eigenvalue of a field is positive; see also :func:`~geomgan.analysis.mean_spectrum`.
    """
    check_input(fields, Mapping, "fields", "a mapping of labels to fields, such as {'model': F}")
    results, given = [central(field) for field in fields.values()], ax
    units = [float(result.mean.max()) if normalised else 1.0 for result in results]
    fig, ax = panel(given, COLUMN, 2.5)
    for (label, (colour, control)), result, unit in zip(colours(fields).items(), results, units, strict=True):
        _curve(ax, result, label, colour, unit, dashed=control)
    _limits(ax, results, units)
    ax.set_xscale(rank)
    logarithmic(ax, "xy" if rank == "log" else "y")
    bottom = ax.get_ylim()[0]
    for (colour, _), result, unit in zip(colours(fields).values(), results, units, strict=True):
        if result.noise_floor / unit > bottom:
            ax.axhline(result.noise_floor / unit, color=colour, lw=1, ls=":")
    highest = max(result.noise_floor / unit for result, unit in zip(results, units, strict=True))
    if highest > bottom:
        ax.plot([], [], color=SOFT, lw=1, ls=":", label="noise floor")
    else:
        _note(ax, f"noise floors ≤ {highest:.1e}, below the axis")
    kind = _KINDS[results[0].kind]
    ax.set_ylabel(f"eigenvalue / largest\n({kind}s)" if normalised else _EIGENVALUE.format(kind))
    low, high = results[0].percentiles
    of = codes_of([result.count for result in results])
    title = title or f"{kind.capitalize()} spectra of metric tensors, with bands of {low:g} to {high:g}\xa0% of {of}"
    heading(fig, title, given)
    legend_below(fig, given)
    return fig


def _note(ax: Any, text: str) -> None:
    """A remark under the label of the horizontal axis."""
    ax.set_xlabel(f"{ax.get_xlabel()}\n({text})")


def _band(result: MeanSpectrum) -> str:
    low, high = result.percentiles
    return f"{low:g} to {high:g} % of {result.count} codes"


def _name(field: Any) -> str:
    names = [getattr(field, "provenance", {}).get(key, "").split("#")[0] for key in ("generator", "distance")]
    return f"Spectrum of {names[0]} under {names[1]}" if all(names) else "Spectrum of the metric tensor"


def positive_parts(result: MeanSpectrum) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Central curve, lower and upper end for a logarithmic axis.

    NaN where the centre is not positive; where an end is not positive, the centre stands for it.
    """
    centre = np.where(result.mean > 0, result.mean, np.nan)
    return centre, np.where(result.low > 0, result.low, centre), np.where(result.high > 0, result.high, centre)


def _curve(
    ax: Any, result: MeanSpectrum, label: str, colour: str, unit: float = 1.0, dashed: bool = False, band: str = ""
) -> None:
    rank = np.arange(1, len(result.mean) + 1)
    centre, low, high = (x / unit for x in positive_parts(result))
    ax.fill_between(rank, low, high, color=colour, alpha=0.18, lw=0, label=band or None)
    ax.plot(rank, centre, color=colour, lw=1.6, ls="--" if dashed else "-", label=label)


def _limits(ax: Any, results: list[MeanSpectrum], units: list[float]) -> None:
    """A logarithmic axis that ends a decade below the noise floor where a spectrum sinks to it: deeper is rounding."""
    ends = []
    for result, unit in zip(results, units, strict=True):
        lowest = min(float(result.mean.min()), float(result.low.min()))
        bottom = lowest / 2 if lowest > result.noise_floor else result.noise_floor / 10
        ends.append((bottom / unit, 2 * float(result.high.max()) / unit))
    low, high = np.array(ends).T
    ax.set(yscale="log", ylim=(low.min(), high.max()), xlabel="rank of the eigenvalue")
    ax.set_xlim(1, max(max(len(result.mean) for result in results), 2))
    ax.grid(axis="y", alpha=0.25)
