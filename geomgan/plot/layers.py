"""Figures of alignment through the layers of a generator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from geomgan.analysis.layers import SAMPLE, LayerAlignment, index_of_layer
from geomgan.errors import check_choice
from geomgan.plot.style import (
    ACCENT,
    COLUMN,
    INK,
    PAGE,
    SECOND,
    SOFT,
    TEXT,
    colour_bar,
    figure,
    heading,
    legend_below,
    logarithmic,
    number,
    one_panel,
    panel,
    styled,
    width_of,
)

_MEANING = {
    "log": "Pearson r of log₁₀ α and log₁₀ λ",
    "linear": "Pearson r of α and λ",
    "vectorised": "Pearson r of the entries of two tensors",
    "slope": "slope of log₁₀ α on log₁₀ λ",
    "intercept": "intercept of log₁₀ α on log₁₀ λ",
}
WRITTEN = 14  # layers up to which the numbers are written into the cells


@styled
def layer_matrix(a: LayerAlignment, name: str = "log", *, ax: Any = None) -> Any:
    """One number for every pair of layers: how far layer ``j`` stretches the axes of layer ``i`` as it does its own.

    What is undefined is left blank; small matrices have their numbers in the cells.

    Source: GAN-Geometry (Wang and Ponce, ICLR 2021), figure 4.

    Args:
        a: the alignment of the layers.
        name: ``"log"``, ``"linear"``, ``"vectorised"``, ``"slope"`` or ``"intercept"``.
        ax: the axes to draw into; by default those of a new figure.

    Returns:
        A matplotlib figure.

    Raises:
        OptionError: there is no matrix of that name.
    """
    check_choice(name, _MEANING, "name")
    matrix, count = getattr(a, name), len(a.names)
    labels, given = width_of(a.names), ax
    side = min(0.36 * count, PAGE - labels - 1.0)
    fig, ax = panel(given, max(COLUMN, labels + side + 1.0), labels + side + 0.3)
    low, high = _limits(matrix, correlation=name in ("log", "linear", "vectorised"))
    image = ax.imshow(matrix, cmap="viridis", vmin=low, vmax=high)
    ax.set_xticks(range(count), a.names, rotation=90)
    ax.set_yticks(range(count), a.names)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    room = np.inf if given is None else ax.get_window_extent().width / fig.dpi / count
    if count <= WRITTEN and room > width_of(["−0.00"]):
        for i, j in np.argwhere(np.isfinite(matrix)):
            ink = INK if image.norm(matrix[i, j]) > 0.6 else "white"
            ax.text(j, i, number(matrix[i, j], 2), ha="center", va="center", fontsize=TEXT, color=ink, in_layout=False)
    ax.set(xlabel="layer j, whose metric measures", ylabel="layer i, whose axes are measured")
    colour_bar(fig, image, ax, _MEANING[name])
    of = f": rates of change α of layer j along the axes of layer i, eigenvalues λ of layer {'i' if a.source else 'j'}"
    heading(fig, f"Alignment of layers ({name}){'' if name == 'vectorised' else of}", given)
    return fig


@styled
def amplification_curves(
    a: LayerAlignment, source: int | str = -1, normalised: bool = True, own: bool = False, *, ax: Any = None
) -> Any:
    """How much every layer stretches the axes of one layer: ``diag(U_iᵀ g_j U_i)`` by rank, a curve for each ``j``.

    Curves that fall alike say that the layers share their axes; a curve of a layer with other axes is flat. Layers are
    coloured from dark, the first, to bright, the last; solid and dashed lines alternate.

    Source: GAN-Geometry (Wang and Ponce, ICLR 2021), figure 4.

    Args:
        a: the alignment of the layers.
        source: the layer whose axes are taken, by name or index; by default the last one, the sample.
        normalised: divide each curve by its maximum: layers differ in size and scale.
        own: draw each layer's own eigenvalues too, dotted: how its curve would fall along its own axes.
        ax: the axes to draw into; by default those of a new figure.

    Returns:
        A matplotlib figure.

    Raises:
        ValueError: there is no such layer.
    """
    import matplotlib as mpl

    i, count, given = index_of_layer(a.names, source), len(a.names), ax
    fig, ax = panel(given, 5.2, max(3.0, 0.2 * count + 0.6))
    first, rank = len(ax.lines), np.arange(1, a.values.shape[1] + 1)
    shades = mpl.colormaps["viridis"](np.linspace(0, 0.82, count))
    looks = [{"color": shade, "lw": 1.2, "ls": ("-", (0, (4, 1.2)))[j % 2]} for j, shade in enumerate(shades)]
    looks[i] = {"color": INK, "lw": 2.2, "zorder": 3}
    for curve, look in zip(a.amplification[i], looks, strict=True):
        ax.plot(rank, _scaled(curve, normalised), **look)
    for j in range(count):
        if own and j != i:
            label = "each layer's own eigenvalues, by their rank"
            ax.plot(rank, _scaled(a.values[j], normalised), color=shades[j], lw=1.2, ls=":", label=label)
    name = "the sample" if a.names[i] == SAMPLE else a.names[i]
    what = "α / largest α of the layer" if normalised else "α, distance² per latent unit²"
    ax.set(yscale="log", xlim=(1, len(rank)), xlabel=f"rank of the axis of {name}", ylabel=what)
    ax.grid(axis="y", alpha=0.25)
    names = [f"{each}: its own eigenvalues" if j == i else each for j, each in enumerate(a.names)]
    height = fig.get_figheight() - 0.6 if given is None else ax.get_window_extent().height / fig.dpi
    _label_ends(ax, ax.lines[first : first + count], names, 1.2 * TEXT / 72 / height)  # 0.6 inches are under the axes
    logarithmic(ax)
    heading(fig, f"Rates of change α of every layer along the axes of {name}", given)
    if own:
        legend_below(fig, given)
    return fig


@styled
def layer_scatter(
    a: LayerAlignment, source: int | str = 0, targets: Sequence[int | str] | None = None, *, ax: Any = None
) -> Any:
    """What an entry of the layer matrices is made of: ``α`` against the eigenvalues, with the regression line.

    Source: GAN-Geometry (Wang and Ponce, ICLR 2021), figure 4.

    Args:
        a: the alignment of the layers; its ``source`` says whose eigenvalues are on the horizontal axis.
        source: the layer whose axes are taken, by name or index.
        targets: the layers that measure; by default the source, the middle and the last one.
        ax: the axes to draw one target into; by default those of a new figure.

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
    one_panel(ax, len(columns), "one target")
    given = ax
    if len(columns) == 1:
        fig, ax = panel(given, COLUMN, 3.0)
        axes = np.array([[ax]])
    else:
        fig, axes = figure(PAGE, 2.4 * down, down, across)
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
        logarithmic(ax, "xy")
        ax.set_title(
            f"{a.names[j]}\nr = {number(a.log[i, j], 2)}, slope {number(a.slope[i, j], 2)}", loc="left", fontsize=TEXT
        )
    for ax in axes[:, 0]:
        ax.set_ylabel("rate of change α")
    if given is None:  # in axes that are given, the panel's own title is the title
        heading(fig, f"Rates of change α of layers along the axes of {a.names[i]}, distance² per latent unit²")
    legend_below(fig, given)
    return fig


def _limits(matrix: np.ndarray, correlation: bool) -> tuple[float, float]:
    finite = matrix[np.isfinite(matrix)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    return (0.0 if low >= 0 else -1.0, 1.0) if correlation else (low, max(high, low + 1e-6))


def _scaled(curve: np.ndarray, normalised: bool) -> np.ndarray:
    """A curve for a logarithmic axis, divided by its maximum if asked."""
    curve = np.where(curve > 0, curve, np.nan)
    return curve / np.nanmax(curve) if normalised and np.isfinite(curve).any() else curve


def _label_ends(ax: Any, lines: Sequence[Any], names: Sequence[str], gap: float) -> None:
    """Write each line's name at its end, right of the axes, at least ``gap`` of their height apart."""
    bottom, top = np.log10(ax.get_ylim())
    ax.set_ylim(10.0**bottom, 10.0**top)
    ends = {k: np.flatnonzero(np.isfinite(line.get_ydata()))[-1:] for k, line in enumerate(lines)}
    points = {k: (float(lines[k].get_xdata()[last[0]]), float(lines[k].get_ydata()[last[0]]))
              for k, last in ends.items() if len(last)}  # fmt: skip
    order = sorted(points, key=lambda k: points[k][1])
    heights = np.array([(np.log10(points[k][1]) - bottom) / (top - bottom) for k in order])
    for k, height in zip(order, _apart(heights, gap), strict=True):
        look = {"arrowstyle": "-", "lw": 0.7, "color": lines[k].get_color(), "relpos": (0, 0.5), "shrinkA": 1,
                "shrinkB": 0}  # fmt: skip
        ax.annotate(names[k], points[k], (1.06, height), textcoords="axes fraction", va="center", fontsize=TEXT,
                    color=lines[k].get_color(), arrowprops=look)  # fmt: skip


def _apart(heights: np.ndarray, gap: float) -> np.ndarray:
    """The heights closest to ascending ones that are at least ``gap`` apart: an isotonic regression."""
    steps = gap * np.arange(len(heights))
    y, n = heights - steps, len(heights)
    return steps + [max(min(y[j : k + 1].mean() for k in range(i, n)) for j in range(i + 1)) for i in range(n)]
