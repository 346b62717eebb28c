"""Figures of decoders of autoencoders: label -> :class:`~geomgan.analysis.DecoderGeometry`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from geomgan.plot.images import image_grid
from geomgan.plot.style import COLUMN, CYCLE, PAGE, SOFT, figure, legend_below, logarithmic, styled

SHOWN = 12  # photographs


def reconstructions(images: Any, decoded: Mapping[str, Any], output_range: tuple[float, float]) -> Any:
    """Images ``(n, H, W, 3)``, and below them what each decoder makes of their codes."""
    rows = [np.asarray(images)[:SHOWN], *(np.asarray(x)[:SHOWN] for x in decoded.values())]
    title = f"from above: the photographs, and decoded by {', '.join(decoded)}"
    return image_grid(np.concatenate(rows), len(rows[0]), output_range, title)


@styled
def spectra(found: Mapping[str, Any]) -> Any:
    """The median eigenvalue by rank with the range over the images, of each decoder."""
    fig, axes = figure(COLUMN, 2.6)
    ax = axes[0, 0]
    for (label, one), colour in zip(found.items(), CYCLE, strict=False):
        ranks = np.arange(1, one.values.shape[1] + 1)
        values = np.maximum(one.values, one.values.max() * 1e-12)
        ax.plot(ranks, np.median(values, axis=0), color=colour, label=label)
        ax.fill_between(ranks, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.15, lw=0)
    ax.set(
        xlabel="rank", ylabel="eigenvalue λ, median and range\n(distance² per latent unit²)", xscale="log", yscale="log"
    )
    logarithmic(ax)
    legend_below(fig, None)
    return fig


@styled
def channels(found: Mapping[str, Any]) -> Any:
    """Each channel's share of the trace, over an even share; channels of each decoder in descending order."""
    fig, axes = figure(COLUMN, 2.4)
    ax = axes[0, 0]
    for (label, one), colour in zip(found.items(), CYCLE, strict=False):
        shares = one.channels * one.channels.shape[1]
        order = np.argsort(-np.median(shares, axis=0))
        low, middle, high = np.percentile(shares[:, order], (10, 50, 90), axis=0)
        places = np.arange(1, len(order) + 1)
        ax.errorbar(places, middle, [middle - low, high - middle], fmt="o", ms=2.5, lw=0.8, color=colour, label=label)
    ax.axhline(1, color=SOFT, lw=0.8, ls="--")
    ax.set(xlabel="channel, from the strongest", ylabel="share of the trace\n(1: an even one)", ylim=(0, None))
    legend_below(fig, None)
    return fig


@styled
def locality(found: Mapping[str, Any]) -> Any:
    """By rank: the share of the latent map that an axis covers, and its spatial frequency."""
    fig, axes = figure(PAGE, 2.4, columns=2)
    for (label, one), colour in zip(found.items(), CYCLE, strict=False):
        pixels = one.shape[1] * one.shape[2]
        ranks = np.arange(1, one.area.shape[1] + 1)
        for ax, rows in zip(axes[0], (one.area / pixels, one.frequency), strict=True):
            low, middle, high = np.percentile(rows, (10, 50, 90), axis=0)
            ax.plot(ranks, middle, color=colour, label=label)
            ax.fill_between(ranks, low, high, color=colour, alpha=0.15, lw=0)
    for ax, text in zip(axes[0], ("share of the latent map", "cycles per latent pixel"), strict=True):
        ax.set(xlabel="rank", ylabel=text, xscale="log", ylim=(0, None))
    legend_below(fig, None)
    return fig


@styled
def holding(found: Mapping[str, Any]) -> Any:
    """Measured squared distances over the quadratic's, by the length of the step, along axes and a random direction."""
    fig, axes = figure(COLUMN * len(found) if len(found) < 3 else PAGE, 2.6, columns=len(found), sharey=True)
    for (label, one), ax in zip(found.items(), axes[0], strict=True):
        for name, colour, rows in zip(one.axes, CYCLE, np.median(one.holding, axis=0), strict=False):
            ax.plot(one.steps, rows, color=colour, label=name if name == "random" else f"axis {name}")
        ax.axhline(1, color=SOFT, lw=0.8, ls="--")
        ax.set(xlabel=f"step along the axis, {label}", xscale="log", ylim=(0, 2))
    axes[0, 0].set_ylabel("measured d² over the quadratic's")
    legend_below(fig, None)
    return fig


@styled
def noise(found: Mapping[str, Any]) -> Any:
    """What noise on every entry of a latent costs: squared distances, measured and predicted, and decibels."""
    fig, axes = figure(PAGE, 2.6, columns=2)
    for (label, one), colour in zip(found.items(), CYCLE, strict=False):
        axes[0, 0].plot(
            one.noise, np.median(one.measured, axis=0), "o-", ms=3, color=colour, label=f"{label}, measured"
        )
        axes[0, 0].plot(one.noise, np.median(one.predicted, axis=0), ls="--", color=colour, label=f"{label}, σ² tr g")
        axes[0, 1].plot(one.noise, np.median(one.noise_psnr, axis=0), "o-", ms=3, color=colour)
    axes[0, 0].set(xlabel="noise σ", ylabel="squared distance", xscale="log", yscale="log")
    axes[0, 1].set(xlabel="noise σ", ylabel="decibels to the clean image", xscale="log")
    legend_below(fig, None)
    return fig
