"""Figures of alignment through the layers of a generator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from geomgan.analysis.layers import LayerAlignment, index_of_layer
from geomgan.errors import check_choice
from geomgan.plot.style import (
    ACCENT,
    COLUMN,
    INK,
    LETTER,
    PAGE,
    SECOND,
    SMALL,
    SOFT,
    colour_bar,
    figure,
    heading,
    legend_below,
    plain_ticks,
    styled,
)

_MEANING = {
    "log": "Pearson r of log₁₀ αᵢⱼ and log₁₀ λ",
    "linear": "Pearson r of αᵢⱼ and λ",
    "vectorised": "Pearson r of the entries of gᵢ and gⱼ",
    "slope": "slope of log₁₀ αᵢⱼ on log₁₀ λ",
    "intercept": "intercept of log₁₀ αᵢⱼ on log₁₀ λ",
}
WRITTEN = 14  # layers up to which the numbers are written into the cells


@styled
def layer_matrix(a: LayerAlignment, name: str = "log") -> Any:
    """One number for every pair of layers: how far layer ``j`` stretches the axes of layer ``i`` as it does its own.

    What is undefined is left blank; small matrices have their numbers in the cells.

    Source: GAN-Geometry (Wang and Ponce, ICLR 2021), figure 4.

    Args:
        a: the alignment of the layers.
        name: ``"log"``, ``"linear"``, ``"vectorised"``, ``"slope"`` or ``"intercept"``.

    Returns:
        A matplotlib figure.

    Raises:
        OptionError: there is no matrix of that name.
    """
    check_choice(name, _MEANING, "name")
    matrix, count = getattr(a, name), len(a.names)
    labels = max(map(len, a.names)) * LETTER * SMALL / 72
    side = min(0.34 * count, PAGE - labels - 1.0)
    fig, axes = figure(max(COLUMN, labels + side + 1.0), labels + side + 0.3)
    ax = axes[0, 0]
    low, high = _limits(matrix, correlation=name in ("log", "linear", "vectorised"))
    image = ax.imshow(matrix, cmap="viridis", vmin=low, vmax=high)
    ax.set_xticks(range(count), a.names, rotation=90)
    ax.set_yticks(range(count), a.names)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    if count <= WRITTEN:
        for i, j in np.argwhere(np.isfinite(matrix)):
            bright = image.norm(matrix[i, j]) > 0.6
            ax.text(j, i, _short(matrix[i, j]), ha="center", va="center", fontsize=6, color=INK if bright else "white")
    ax.set(xlabel="layer j, whose metric measures", ylabel="layer i, whose axes are measured")
    layer = "i" if a.source else "j"
    subscript = "ᵢ" if a.source else "ⱼ"
    colour_bar(fig, image, ax, _MEANING[name].replace("λ", f"λ{subscript}"))
    eigenvalues = "" if name == "vectorised" else f", with the eigenvalues of layer {layer}"
    heading(fig, f"Alignment of layers ({name}){eigenvalues}")
    return fig


@styled
def amplification_curves(a: LayerAlignment, source: int | str = -1, normalised: bool = True) -> Any:
    """How much every layer stretches the axes of one layer: ``diag(U_iᵀ g_j U_i)`` by rank, a curve for each ``j``.

    Curves that fall alike say that the layers share their axes; a curve of a layer with other axes is flat.

    Source: GAN-Geometry (Wang and Ponce, ICLR 2021), figure 4.

    Args:
        a: the alignment of the layers.
        source: the layer whose axes are taken, by name or index; by default the last one, the sample.
        normalised: divide each curve by its maximum: layers differ in size and scale.

    Returns:
        A matplotlib figure.

    Raises:
        ValueError: there is no such layer.
    """
    import matplotlib as mpl

    i, count = index_of_layer(a.names, source), len(a.names)
    fig, axes = figure(5.2, max(3.0, 0.2 * count + 0.6))
    ax, rank = axes[0, 0], np.arange(1, a.values.shape[1] + 1)
    shades = mpl.colors.ListedColormap(mpl.colormaps["viridis"](np.linspace(0, 0.93, count)))
    for j in range(count):
        curve = np.where(a.amplification[i, j] > 0, a.amplification[i, j], np.nan)
        curve = curve / np.nanmax(curve) if normalised else curve
        own = {"lw": 2.2, "color": INK, "ls": (0, (3, 1.2)), "zorder": 3} if j == i else {"lw": 1.1, "color": shades(j)}
        ax.plot(rank, curve, **own)
    ax.plot([], [], lw=2.2, color=INK, ls=(0, (3, 1.2)), label=f"{a.names[i]}: its own eigenvalues")
    what = "α / largest α" if normalised else "α, distance² per latent unit²"
    ax.set(yscale="log", xlim=(1, len(rank)), xlabel=f"rank of the axis of {a.names[i]}", ylabel=what)
    ax.grid(axis="y", alpha=0.25)
    bounds = mpl.colors.BoundaryNorm(np.arange(-0.5, count), count)
    bar = fig.colorbar(mpl.cm.ScalarMappable(bounds, shades), ax=ax, ticks=range(count), aspect=30)
    bar.set_ticklabels(a.names)
    bar.outline.set_visible(False)
    bar.ax.invert_yaxis()
    plain_ticks(bar.ax)
    bar.ax.tick_params(length=0)
    bar.set_label("layer j, from code to sample")
    heading(fig, f"Amplification α = diag(Uᵢᵀ gⱼ Uᵢ) by every layer j along the axes of layer i, {a.names[i]}")
    legend_below(fig)
    return fig


@styled
def layer_scatter(a: LayerAlignment, source: int | str = 0, targets: Sequence[int | str] | None = None) -> Any:
    """What an entry of the layer matrices is made of: ``α`` against the eigenvalues, with the regression line.

    Source: GAN-Geometry (Wang and Ponce, ICLR 2021), figure 4.

    Args:
        a: the alignment of the layers; its ``source`` says whose eigenvalues are on the horizontal axis.
        source: the layer whose axes are taken, by name or index.
        targets: the layers that measure; by default the source, the middle and the last one.

    Returns:
        A matplotlib figure, one panel per target.

    Raises:
        ValueError: there is no such layer.
    """
    i, count = index_of_layer(a.names, source), len(a.names)
    chosen = (i, count // 2, count - 1) if targets is None else targets
    columns = list(dict.fromkeys(index_of_layer(a.names, layer) for layer in chosen))
    across = min(3, len(columns))
    down = -(-len(columns) // across)
    fig, axes = figure(PAGE if across > 1 else COLUMN, (2.4 if across > 1 else 3.0) * down, down, across)
    for ax in axes.flat[len(columns) :]:
        ax.set_visible(False)
    for ax, j in zip(axes.flat, columns, strict=False):
        values, alpha = a.values[i if a.source else j], a.amplification[i, j]
        kept = (values > 0) & (alpha > 0)
        ends = np.array([values[kept].min(), values[kept].max()]) if kept.any() else np.ones(2)
        if not a.source:
            ax.plot(ends, ends, color=SOFT, lw=0.9, label="shared axes: α = λ")
        ax.plot(values[kept], alpha[kept], "o", ms=3, mew=0, color=ACCENT, alpha=0.75, label=f"axis of {a.names[i]}")
        if np.isfinite(a.slope[i, j]):
            line = 10 ** (a.intercept[i, j] + a.slope[i, j] * np.log10(ends))
            ax.plot(ends, line, color=SECOND, lw=1.4, ls="--", label="regression of the logarithms")
        ax.set(xscale="log", yscale="log", xlabel=f"eigenvalue λ of\n{a.names[i if a.source else j]}")
        ax.set_title(
            f"{a.names[j]}\nr = {_short(a.log[i, j])}, slope {_short(a.slope[i, j])}", loc="left", fontsize=SMALL
        )
    fig.supylabel("α = diag(Uᵢᵀ gⱼ Uᵢ)", fontsize=9)
    heading(fig, f"Axes of {a.names[i]} measured by other layers, distance² per latent unit²")
    legend_below(fig)
    return fig


def _limits(matrix: np.ndarray, correlation: bool) -> tuple[float, float]:
    finite = matrix[np.isfinite(matrix)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    return (np.floor(10 * low) / 10, 1.0) if correlation else (low, max(high, low + 1e-6))


def _short(x: float) -> str:
    return f"{x:.2f}".replace("-", "−")
