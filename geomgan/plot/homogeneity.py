"""Figures of homogeneity: how well the axes of one code order the spectrum of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from geomgan.analysis.distance_relation import DistanceRelation
from geomgan.analysis.homogeneity import Consistency, correlations, quadratic_forms
from geomgan.analysis.spectra_of import spectra_of
from geomgan.plot.inputs import check_input
from geomgan.plot.style import (
    ACCENT,
    COLUMN,
    INK,
    PAGE,
    PALE,
    SECOND,
    SMALL,
    SOFT,
    TEXT,
    colour_bar,
    colours,
    figure,
    heading,
    legend_below,
    number,
    styled,
)

_CORRELATION = {
    "log": "r of log₁₀ α, rates of change along the axes\nof code i, and log₁₀ λ, eigenvalues of code j",
    "linear": "r of α, rates of change along the axes\nof code i, and λ, eigenvalues of code j",
    "vectorised": "r of the entries of the tensors of two codes",
}
RESULT = "the result of geomgan.analysis.consistency(F)"
MANY = 5000  # points; above it, a density says more than dots


@styled
def consistency_matrix(c: Consistency, name: str | Sequence[str] = ("linear", "log")) -> Any:
    """The consistency of every pair of codes as an image.

    The diagonal, 1 by definition, is left blank, and so is what is undefined.

    Args:
        c: the consistency of a field.
        name: ``"log"``, ``"linear"`` or ``"vectorised"``, or several, side by side on one colour scale.

    Returns:
        A matplotlib figure.

    Raises:
        TypeError: something else is given.
        OptionError: there is no consistency of that name.
        ValueError: it is undefined for every pair.
    """
    check_input(c, Consistency, "c", RESULT)
    names = [name] if isinstance(name, str) else list(name)
    lowest = min(float(_pairs(c, each).min()) for each in names)
    width = COLUMN if len(names) == 1 else PAGE
    fig, axes = figure(width, 0.78 * width / len(names) + 0.55, 1, len(names))
    for ax, each in zip(axes[0], names, strict=True):
        matrix = np.where(np.eye(len(c.indices), dtype=bool), np.nan, c.matrix(each))
        image = ax.imshow(matrix, vmin=np.floor(10 * lowest) / 10, vmax=1, cmap="viridis")
        ax.locator_params(integer=True, nbins=6)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter(lambda x, _: str(c.indices[int(x)]) if 0 <= x < len(c.indices) else "")
        ax.set_title(f"{each}\n{_numbers(c, each)}", loc="left", fontsize=SMALL)
    fig.supxlabel("code j, whose tensor is measured", fontsize=TEXT)
    fig.supylabel("code i, whose axes measure", fontsize=TEXT)
    colour_bar(fig, image, axes, "consistency (r)")
    heading(fig, "Consistency of the metric tensors of pairs of codes")
    return fig


@styled
def consistency_histogram(c: Consistency | Mapping[str, Consistency], name: str = "log", bins: int = 60) -> Any:
    """Histogram of the consistencies of pairs of different codes, with mean and median; one row for each label.

    A control, ``"NAME shuffled"`` beside ``"NAME"``, has the same colour, paler.

    Args:
        c: the consistency of a field, or label -> consistency.
        name: ``"log"``, ``"linear"`` or ``"vectorised"``.
        bins: shared by all rows.

    Returns:
        A matplotlib figure.

    Raises:
        TypeError: something else is given.
        OptionError: there is no consistency of that name.
        ValueError: it is undefined for every pair.
    """
    check_input(c, (Consistency, Mapping), "c", RESULT)
    labelled = {"": c} if isinstance(c, Consistency) else dict(c)
    for label, each in labelled.items():
        check_input(each, Consistency, f"c[{label!r}]", RESULT)
    pairs = [_pairs(each, name) for each in labelled.values()]
    low, high = min(float(r.min()) for r in pairs), max(float(r.max()) for r in pairs)
    edges = np.linspace(low, max(high, low + 1e-6), bins + 1)
    fig, axes = figure(COLUMN, 1.0 + len(pairs), len(pairs), sharex=True)
    for ax, r, (label, (colour, control)) in zip(axes[:, 0], pairs, colours(labelled).items(), strict=True):
        ax.hist(r, edges, weights=np.full(len(r), 100 / len(r)), color=colour, alpha=0.3 if control else 0.55)
        ax.axvline(float(r.mean()), color=INK, lw=1.4, label="mean")
        ax.axvline(float(np.median(r)), color=INK, lw=1.4, ls=":", label="median")
        ax.set_title(f"{label}\n{_numbers(labelled[label], name)}".strip(), loc="left", fontsize=SMALL)
    fig.supylabel("share of pairs, %", fontsize=TEXT)
    axes[-1, 0].set_xlabel(_CORRELATION[name])
    heading(fig, f"Consistency of pairs of codes ({name})")
    legend_below(fig)
    return fig


@styled
def consistency_scatter(field: Any, codes: int | Sequence[int] = 4) -> Any:
    """What a consistency is made of: ``log₁₀ αᵢⱼ`` against ``log₁₀ λⱼ``, ``αᵢⱼ = diag(Uᵢᵀ gⱼ Uᵢ)``, for pairs of codes.

    Row ``i`` is the code whose axes measure, column ``j`` the code whose tensor is measured; the diagonal shows the
    histogram of ``log₁₀ λⱼ``. Tensors that are the same put all points on the line. What is not positive, or below the
    noise floor, is outside.

    Source: GAN-Geometry (Wang and Ponce, ICLR 2021), figure 3.

    Args:
        field: a metric field, or a stack of tensors ``(P, d, d)``.
        codes: indices among the finished codes, or how many to take, evenly spread.

    Returns:
        A matplotlib figure.

    Raises:
        ValueError: fewer codes than asked for, or an index beyond them.
    """
    s = spectra_of(field, "consistency_scatter", least=2)
    chosen = _chosen(codes, len(s.values))
    n, shown = len(chosen), s.values[chosen]
    lowest = max(float(shown[shown > 0].min()), float(s.noise_floor[chosen].min()))
    ends = np.log10([lowest / 3, 3 * float(shown.max())])
    side = PAGE if n > 2 else COLUMN
    fig, axes = figure(side, side, n, n, sharex=True)
    for i, source in enumerate(chosen):
        for j, target in enumerate(chosen):
            ax, values = axes[i, j], s.values[target]
            ax.set_xlim(ends)
            ax.locator_params(integer=True, nbins=5)
            if i == j:
                ax.hist(np.log10(values[values > 0]), np.linspace(ends[0], ends[1], 25), color=SECOND, alpha=0.55)
                ax.set_title(f"spectrum of {s.indices[target]}", loc="left", fontsize=SMALL)
                continue
            alpha = quadratic_forms(s.vectors[source], s.vectors[target], values)
            positive = (alpha > 0) & (values > 0)
            ax.plot(ends, ends, color=SOFT, lw=0.8, zorder=0)
            ax.plot(*np.log10([values[positive], alpha[positive]]), "o", ms=2.5, mew=0, color=ACCENT, alpha=0.7)
            ax.set_ylim(ends)
            ax.tick_params(labelleft=j == (i == 0))  # the diagonal counts, so the first row labels its second panel
            r = correlations(alpha, values)[1]
            title = f"{s.indices[source]} → {s.indices[target]}: r = {number(r, 2)}"
            ax.set_title(title, loc="left", fontsize=SMALL)
    fig.supxlabel("log₁₀ λ, eigenvalues of code j", fontsize=TEXT)
    fig.supylabel("log₁₀ α, rates of change along the axes of code i\n(diagonal: number of eigenvalues)", fontsize=TEXT)
    heading(fig, "Rates of change of code j along the axes of code i (i → j) against its own eigenvalues")
    return fig


@styled
def consistency_synopsis(fields: Mapping[str, Consistency]) -> Any:
    """Logarithmic against linear consistency, mean ± standard deviation over pairs, of several models.

    A control, ``"NAME shuffled"`` beside ``"NAME"``, has the same colour and an open marker, joined to its model.

    Source: GAN-Geometry (Wang and Ponce, ICLR 2021), figure 3.

    Returns:
        A matplotlib figure.
    """
    check_input(fields, Mapping, "fields", "a mapping of labels to results of geomgan.analysis.consistency(F)")
    for label, c in fields.items():
        check_input(c, Consistency, f"fields[{label!r}]", RESULT)
    fig, axes = figure(COLUMN, 3.3)
    ax = axes[0, 0]
    across = {label: c.summary("linear") for label, c in fields.items()}
    up = {label: c.summary("log") for label, c in fields.items()}
    for label, (colour, control) in colours(fields).items():
        x, y = across[label], up[label]
        face = "white" if control else colour
        ax.errorbar(x.mean, y.mean, y.std, x.std, fmt="o", ms=6, mfc=face, color=colour, elinewidth=1, label=label)
        if control:
            model = label.removesuffix(" shuffled")
            ax.plot([across[model].mean, x.mean], [up[model].mean, y.mean], color=colour, lw=0.8, ls=":", zorder=0)
    ends = np.array([ax.get_xlim(), ax.get_ylim()])
    low, high = min(0.0, float(ends.min())), 1.02
    ax.plot([low, high], [low, high], color=PALE, lw=1, zorder=0)
    ax.set(xlim=(low, high), ylim=(low, high))
    ax.set(xlabel="linear consistency (r)", ylabel="logarithmic consistency (r)")
    heading(fig, "Consistency of pairs of codes: mean ± standard deviation")
    legend_below(fig)
    return fig


@styled
def consistency_against_distance(relation: DistanceRelation, bins: int = 8) -> Any:
    """Consistency of each pair of codes against their latent distance, with the mean over equally filled bins.

    A pair is one point, the mean of its two directions ``(i, j)`` and ``(j, i)``.

    Returns:
        A matplotlib figure.
    """
    x, y = np.asarray(relation.distances), np.asarray(relation.consistencies)
    fig, axes = figure(COLUMN, 3.0)
    ax = axes[0, 0]
    if len(x) > MANY:
        import matplotlib as mpl

        visible = mpl.colors.ListedColormap(mpl.colormaps["Blues"](np.linspace(0.25, 1, 256)))
        image = ax.hexbin(x, y, gridsize=45, bins="log", mincnt=1, cmap=visible, linewidths=0.1)
        colour_bar(fig, image, ax, "pairs")
    else:
        size = float(np.clip(60 / np.sqrt(len(x)), 1.5, 4))
        ax.plot(x, y, "o", ms=size, mew=0, color=ACCENT, alpha=0.5, label="pair of codes")
    groups = [group for group in np.array_split(np.argsort(x, kind="stable"), bins) if len(group)]
    means = np.array([[x[group].mean(), y[group].mean(), y[group].std()] for group in groups]).T
    ax.errorbar(*means[:2], means[2], fmt="s-", ms=3.5, lw=1.2, color=SECOND, label="mean ± standard deviation")
    ax.set(
        xlabel="distance of the two codes, latent units",
        ylabel=f"consistency ({relation.name}), Pearson r,\nmean of (i, j) and (j, i)",
    )
    test = f"r\xa0=\xa0{number(relation.r, 3)}, p\xa0=\xa0{relation.p:.2g} (Mantel test)"
    heading(fig, f"Consistency of pairs of codes and their latent distance: {test}")
    legend_below(fig)
    return fig


def _pairs(c: Consistency, name: str) -> np.ndarray:
    pairs = c.off_diagonal(name)
    if not len(pairs):
        raise ValueError(f"the {name} consistency is undefined for every pair of codes: there is nothing to draw.")
    return pairs


def _numbers(c: Consistency, name: str) -> str:
    summary = c.summary(name)
    return f"mean {number(summary.mean, 3)}, median {number(summary.median, 3)}"


def _chosen(codes: int | Sequence[int], count: int) -> np.ndarray:
    if isinstance(codes, int | np.integer):
        if not 2 <= codes <= count:
            raise ValueError(f"codes is {codes}; expected 2 to {count}, the number of finished codes.")
        return np.linspace(0, count - 1, codes).round().astype(int)
    chosen = np.asarray(codes, dtype=int)
    if len(chosen) < 2 or chosen.min() < 0 or chosen.max() >= count:
        raise ValueError(f"codes are {list(codes)}; expected at least two indices from 0 to {count - 1}.")
    return chosen
