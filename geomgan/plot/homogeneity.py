"""Figures of homogeneity: how well the axes of one code order the spectrum of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from geomgan.analysis.consistency_examples import ConsistencyExamples
from geomgan.analysis.distance_relation import DistanceRelation
from geomgan.analysis.homogeneity import Consistency
from geomgan.plot.inputs import check_input, examples
from geomgan.plot.style import (
    ACCENT,
    COLUMN,
    INK,
    PAGE,
    PALE,
    SECOND,
    SOFT,
    TEXT,
    codes_of,
    colour_bar,
    colours,
    figure,
    heading,
    legend_below,
    number,
    one_panel,
    panel,
    styled,
)

_CORRELATION = {
    "log": "r of log₁₀ α, rates of change along the axes\nof code i, and log₁₀ λ, eigenvalues of code j",
    "linear": "r of α, rates of change along the axes\nof code i, and λ, eigenvalues of code j",
    "vectorised": "r of the entries of the tensors of two codes",
}
RESULT = "the result of geomgan.analysis.consistency(F)"
FEWEST = 5  # points with a standard deviation that says something
MANY = 5000  # points; above it, a density says more than dots
ACROSS, DOWN = 0.12, 0.26  # gaps between the panels of pairs, in panels


@styled
def consistency_matrix(c: Consistency, name: str | Sequence[str] = ("linear", "log"), *, ax: Any = None) -> Any:
    """The consistency of every pair of codes as an image.

    The diagonal, 1 by definition, is left blank, and so is what is undefined.

    Args:
        c: the consistency of a field.
        name: ``"log"``, ``"linear"`` or ``"vectorised"``, or several, side by side on one colour scale.
        ax: the axes to draw one of them into; by default those of a new figure.

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
    one_panel(ax, len(names), "one name")
    given = ax
    if len(names) == 1:
        fig, ax = panel(given, COLUMN, 0.78 * COLUMN + 0.55)
        axes = np.array([ax])
    else:
        fig, rows = figure(PAGE, 0.78 * PAGE / len(names) + 0.55, 1, len(names), sharey=True)
        axes = rows[0]
    for ax, each in zip(axes, names, strict=True):
        matrix = np.where(np.eye(len(c.indices), dtype=bool), np.nan, c.matrix(each))
        image = ax.imshow(matrix, vmin=np.floor(10 * lowest) / 10, vmax=1, cmap="viridis")
        ax.locator_params(integer=True, nbins=6)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter(lambda x, _: str(c.indices[int(x)]) if 0 <= x < len(c.indices) else "")
        ax.set_title(f"{each}\n{_numbers(c, each)}", loc="left", fontsize=TEXT)
        ax.set_xlabel("code j, whose tensor is measured")
    axes[0].set_ylabel("code i, whose axes measure")
    colour_bar(fig, image, axes, "consistency (r)")
    if given is None:  # in axes that are given, the panel's own title is the title
        fig.set_layout_engine("compressed")
        heading(fig, f"Consistency of the metric tensors of pairs of {len(c.indices)} codes")
    return fig


@styled
def consistency_histogram(
    c: Consistency | Mapping[str, Consistency], name: str = "log", bins: int = 60, *, ax: Any = None
) -> Any:
    """Histogram of the consistencies of pairs of different codes, with mean and median; one row for each label.

    A control, ``"NAME shuffled"`` beside ``"NAME"``, has the same colour, paler.

    Args:
        c: the consistency of a field, or label -> consistency.
        name: ``"log"``, ``"linear"`` or ``"vectorised"``.
        bins: shared by all rows.
        ax: the axes to draw one consistency into; by default those of a new figure.

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
    one_panel(ax, len(pairs), "one consistency")
    given = ax
    if len(pairs) == 1:
        fig, ax = panel(given, COLUMN, 2.0)
        axes = np.array([ax])
    else:
        fig, rows = figure(COLUMN, 1.0 + len(pairs), len(pairs), sharex=True)
        axes = rows[:, 0]
    for ax, r, (label, (colour, control)) in zip(axes, pairs, colours(labelled).items(), strict=True):
        heights = 100 / len(r) * np.histogram(r, edges)[0]
        ax.stairs(heights, edges, fill=True, color=colour, alpha=0.3 if control else 0.55)
        ax.axvline(float(r.mean()), color=INK, lw=1.4, label="mean")
        ax.axvline(float(np.median(r)), color=INK, lw=1.4, ls=":", label="median")
        ax.set_title(f"{label}\n{_numbers(labelled[label], name)}".strip(), loc="left", fontsize=TEXT)
        ax.set_ylabel("share of pairs, %")
    axes[-1].set_xlabel(_CORRELATION[name])
    if given is None:  # in axes that are given, the panel's own title is the title
        heading(fig, f"Consistency of pairs of {_codes(labelled)} ({name})")
    legend_below(fig, given)
    return fig


@styled
def consistency_scatter(field: ConsistencyExamples | Any, codes: int | Sequence[int] = 4, *, ax: Any = None) -> Any:
    """What a consistency is made of: ``log₁₀ αᵢⱼ`` against ``log₁₀ λⱼ``, ``αᵢⱼ = diag(Uᵢᵀ gⱼ Uᵢ)``, for pairs of codes.

    Row ``i`` is the code whose axes measure, column ``j`` the code whose tensor is measured; the diagonal shows the
    histogram of ``log₁₀ λⱼ``. Tensors that are the same put all points on the line. What is not positive, or below the
    noise floor, is outside.

    Source: GAN-Geometry (Wang and Ponce, ICLR 2021), figure 3.

    Args:
        field: a metric field, a stack of tensors ``(P, d, d)``, or the result of
            :func:`~geomgan.analysis.consistency_examples`.
        codes: of a field, indices among the finished codes, or how many to take, evenly spread.
        ax: the axes to draw into; by default those of a new figure. All panels share one axes, which is a quarter of
            the work of an axes for each.

    Returns:
        A matplotlib figure.

    Raises:
        ValueError: fewer codes than asked for, or an index beyond them.
    """
    from matplotlib.collections import LineCollection

    s, given = examples(field, codes), ax
    n, positive = len(s.values), s.values[s.values > 0]
    low, high = np.log10([max(positive.min(), s.noise_floor.min()) / 3, 3 * s.values.max()])
    side = PAGE if n > 2 else COLUMN
    fig, ax = panel(given, side, side)
    on = lambda logs, corner: corner + (np.asarray(logs) - low) / (high - low)  # a panel is one unit wide and high
    lefts, bottoms = (1 + ACROSS) * np.arange(n), (1 + DOWN) * np.arange(n)[::-1]
    points, lines, frames = [], [], []
    for i, j in np.ndindex(n, n):
        values, left, bottom = s.values[j], lefts[j], bottoms[i]
        frames.append([(left, bottom + 1), (left, bottom), (left + 1, bottom)])
        if i == j:
            counts, edges = np.histogram(np.log10(values[values > 0]), np.linspace(low, high, 25))
            bars = bottom + counts / (1.1 * counts.max())
            ax.stairs(bars, on(edges, left), baseline=bottom, fill=True, color=SECOND, alpha=0.55)
            text = f"spectrum of {s.indices[j]}, bars ≤ {counts.max()}"
        else:
            shown = (s.rates[i, j] > 0) & (values > 0)
            x, y = np.log10([values[shown], s.rates[i, j][shown]])
            kept = (x >= low) & (x <= high) & (y >= low) & (y <= high)
            points.append([on(x[kept], left), on(y[kept], bottom)])
            lines.append([(left, bottom), (left + 1, bottom + 1)])
            text = f"{s.indices[i]} → {s.indices[j]}: r = {number(float(s.r_log[i, j]), 2)}"
        ax.text(left, bottom + 1.05, text, va="bottom", in_layout=False)  # it is inside: not to be measured
    ax.add_collection(LineCollection(frames, colors=SOFT, lw=0.8))
    ax.add_collection(LineCollection(lines, colors=SOFT, lw=0.8, zorder=0))
    ax.plot(*np.concatenate(points, axis=1), "o", ms=2.5, mew=0, color=ACCENT, alpha=0.7)
    ticks = np.unique(np.linspace(np.ceil(low), np.floor(high), 4).round())
    names = [number(tick, 0) for tick in ticks] * n
    ax.set_xticks(np.concatenate([on(ticks, left) for left in lefts]), names)
    ax.set_yticks(np.concatenate([on(ticks, bottom) for bottom in bottoms]), names)
    ax.spines[:].set_visible(False)
    ax.set(xlim=(0, lefts[-1] + 1), ylim=(0, bottoms[0] + 1 + 0.5 * DOWN))
    ax.set(xlabel="log₁₀ λ, eigenvalues of code j (diagonal: how many)",
           ylabel="log₁₀ α, rates of change along the axes of code i")  # fmt: skip
    heading(fig, "Rates of change of code j along the axes of code i (i → j) against its own eigenvalues", given)
    return fig


@styled
def consistency_synopsis(fields: Mapping[str, Consistency], *, ax: Any = None) -> Any:
    """Logarithmic against linear consistency, mean ± standard deviation over pairs, of several models.

    A control, ``"NAME shuffled"`` beside ``"NAME"``, has the same colour and an open marker, joined to its model.

    Source: GAN-Geometry (Wang and Ponce, ICLR 2021), figure 3.

    Args:
        fields: label -> consistency.
        ax: the axes to draw into; by default those of a new figure.

    Returns:
        A matplotlib figure.
    """
    check_input(fields, Mapping, "fields", "a mapping of labels to results of geomgan.analysis.consistency(F)")
    for label, c in fields.items():
        check_input(c, Consistency, f"fields[{label!r}]", RESULT)
    given = ax
    fig, ax = panel(given, COLUMN, 3.3)
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
    heading(fig, f"Consistency of pairs of {_codes(fields)}: mean ± standard deviation", given)
    legend_below(fig, given)
    return fig


@styled
def consistency_against_distance(relation: DistanceRelation, bins: int = 8, *, ax: Any = None) -> Any:
    """Consistency of each pair of codes against their latent distance, with its line and the mean over filled bins.

    A pair is one point, the mean of its two directions ``(i, j)`` and ``(j, i)``.

    Args:
        relation: consistencies and distances.
        bins: at most, as many pairs in each, and enough of them to have a standard deviation.
        ax: the axes to draw into; by default those of a new figure.

    Returns:
        A matplotlib figure.
    """
    x, y = np.asarray(relation.distances), np.asarray(relation.consistencies)
    given = ax
    fig, ax = panel(given, COLUMN, 3.0)
    if len(x) > MANY:
        import matplotlib as mpl

        visible = mpl.colors.ListedColormap(mpl.colormaps["Blues"](np.linspace(0.25, 1, 256)))
        image = ax.hexbin(x, y, gridsize=45, bins="log", mincnt=1, cmap=visible, linewidths=0.1)
        colour_bar(fig, image, ax, "pairs")
    else:
        size = float(np.clip(60 / np.sqrt(len(x)), 1.5, 4))
        ax.plot(x, y, "o", ms=size, mew=0, color=ACCENT, alpha=0.5, label="pair of codes")
    groups = np.array_split(np.argsort(x, kind="stable"), max(1, min(bins, len(x) // FEWEST)))
    means = np.array([[x[group].mean(), y[group].mean(), y[group].std()] for group in groups]).T
    ax.errorbar(*means[:2], means[2], fmt="s-", ms=3.5, lw=1.2, color=SECOND, label="mean ± standard deviation")
    ax.set(
        xlabel="distance of the two codes, latent units",
        ylabel=f"consistency ({relation.name}), Pearson r,\nmean of (i, j) and (j, i)",
    )
    test = f"r\xa0=\xa0{number(relation.r, 3)}, p\xa0=\xa0{relation.p:.2g} (Mantel test)"
    if np.isfinite(relation.slope):
        low, high = (f"{end:+#.2g}".replace("-", "−") for end in relation.interval)
        slope = f"{relation.slope:.2g}".replace("-", "−")
        ends = f"{relation.level:.0%} interval {low} to {high}".replace("% interval", "\xa0% interval")
        ends = ends if relation.bounded else "too few codes for an interval"
        test = f"slope\xa0{slope} per latent unit ({ends}), {test}"
        across = np.array([x.min(), x.max()])
        ax.plot(
            across, y.mean() + relation.slope * (across - x.mean()), color=INK, lw=1.2, label="line of least squares"
        )
    of = f"{len(x)} pairs of {relation.count} codes" if relation.count else f"{len(x)} pairs of codes"
    heading(fig, f"Consistency of {of} and their latent distance: {test}", given)
    legend_below(fig, given)
    return fig


def _codes(labelled: Mapping[str, Consistency]) -> str:
    return codes_of([len(c.indices) for c in labelled.values()])


def _pairs(c: Consistency, name: str) -> np.ndarray:
    pairs = c.off_diagonal(name)
    if not len(pairs):
        raise ValueError(f"the {name} consistency is undefined for every pair of codes: there is nothing to draw.")
    return pairs


def _numbers(c: Consistency, name: str) -> str:
    summary = c.summary(name)
    return f"mean {number(summary.mean, 3)}, median {number(summary.median, 3)}"
