"""One look for every figure: one size of text, colours that the colour-blind tell apart, legends beside the data."""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

INK, SOFT, PALE = "#1b1f24", "#8b949e", "#e5e8eb"

# Okabe and Ito (2008); without black, which is the ink, and without yellow, which is too pale for a line on white
CYCLE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
ACCENT, SECOND = CYCLE[:2]

COLUMN, PAGE = 3.5, 7.0  # inches: the width of one column of print, and of both
TEXT = 8  # points, at these widths: all text of all figures
LETTER = 0.57  # mean width of a letter, in sizes of the font
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

_STYLE: Any = {
    "font.size": TEXT,
    "axes.titlesize": TEXT,
    "axes.labelsize": TEXT,
    "legend.fontsize": TEXT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": TEXT,
    "ytick.labelsize": TEXT,
    "figure.titlesize": TEXT,
    "figure.labelsize": TEXT,
    "legend.frameon": False,
    "figure.dpi": 120,
    "svg.fonttype": "path",
}


def styled(draw: Callable[..., Any]) -> Callable[..., Any]:
    """Run a plotting function in the package's style, and leave no figure open in ``pyplot``."""

    @functools.wraps(draw)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        import matplotlib as mpl

        with mpl.rc_context(_STYLE):
            return draw(*args, **kwargs)

    return wrapper


def figure(width: float, height: float, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Any, Any]:
    """A figure outside ``pyplot``, so that nothing is shown or leaks, and its array of axes ``(rows, columns)``."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(width, height), layout="constrained")
    axes = fig.subplots(rows, columns, squeeze=False, **options)
    for ax in axes.flat:
        plain_ticks(ax)
    return fig, axes


def panel(ax: Any, width: float, height: float) -> tuple[Any, Any]:
    """The figure and the axes to draw into: ``ax``, which gets the package's look, or those of a new figure."""
    if ax is None:
        fig, axes = figure(width, height)
        return fig, axes[0, 0]
    plain_ticks(ax)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[:].set_edgecolor(SOFT)
    for text in (ax.xaxis.label, ax.yaxis.label):
        text.set(fontsize=TEXT, color=INK)
    return ax.get_figure(root=True), ax


def one_panel(ax: Any, panels: int, what: str) -> None:
    """Raise ``ValueError`` where an axes is given for a figure of several."""
    if ax is not None and panels != 1:
        raise ValueError(f"ax is one axes, and this figure has {panels}; expected {what}, or ax=None for a figure.")


def plain_ticks(ax: Any) -> None:
    """Set the ticks' style for good: ticks that appear when the figure is saved would take the user's settings."""
    ax.tick_params(which="both", labelsize=TEXT, labelcolor=INK, color=SOFT)
    for axis in (ax.xaxis, ax.yaxis):
        axis.offsetText.set(fontsize=TEXT, color=INK)


def logarithmic(ax: Any, names: str = "y") -> None:
    """Put few plain ticks on axes ``"x"``, ``"y"`` or ``"xy"`` that are logarithmic; call it when all is drawn.

    They are at powers of ten, and at 2 and 5 between them where a few of these are shown. Labels are plain text, which
    is as readable as matplotlib's formulas and takes a tenth of their time.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    for name in names:
        axis = ax.xaxis if name == "x" else ax.yaxis
        low, high = sorted(axis.get_view_interval())
        subs = (1,) if high > 100 * low else (1, 2, 5)
        axis.set_major_locator(LogLocator(subs=subs, numticks=6))
        axis.set_major_formatter(FuncFormatter(lambda x, _, plain=low >= 1e-3 and high <= 2e4: power(x, plain)))
        axis.set_minor_locator(NullLocator())


def power(x: float, plain: bool = False) -> str:
    """A positive number as ``10⁻³``, ``2·10⁻³``, or, where it should be ``plain``, as ``0.002``."""
    exponent = int(np.floor(np.log10(x) + 1e-9)) if x > 0 else 0
    if plain or x <= 0:
        return f"{x:g}"
    digits, ten = f"{x / 10.0**exponent:.3g}", f"10{str(exponent).translate(RAISED)}"
    return ten if digits == "1" else f"{digits}·{ten}"


def codes_of(counts: Sequence[int]) -> str:
    """How many codes are behind the parts of a figure: ``"16 codes"``, ``"4 to 16 codes"``."""
    low, high = min(counts), max(counts)
    return f"{low} to {high} codes" if low < high else f"{high} code{'s' * (high != 1)}"


def heading(fig: Any, text: str, ax: Any = None) -> None:
    """The title of a whole figure, which grows for it: left-aligned, broken into lines that fit the width.

    Of one ``ax`` that was given to draw into, it is the title.
    """
    if ax is not None:
        width = ax.get_window_extent().width / fig.dpi
        ax.set_title(textwrap.fill(text, _letters(max(width, 1.0))), loc="left", fontsize=TEXT, color=INK)
        return
    lines = textwrap.wrap(text, _letters(fig.get_figwidth()))
    fig.set_figheight(fig.get_figheight() + 1.3 * TEXT / 72 * len(lines))
    fig.suptitle("\n".join(lines), x=0.01, ha="left", fontsize=TEXT, linespacing=1.25)


def legend_below(fig: Any, ax: Any = None) -> None:
    """One legend for all axes of a figure, which grows for it: under them, where it covers no data; each label once.

    Of one ``ax`` that was given to draw into, it is where it covers the fewest data.
    """
    entries: dict[str, Any] = {}
    for each in fig.axes if ax is None else (ax,):
        for handle, label in zip(*each.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    if ax is not None:
        ax.legend(entries.values(), entries.keys(), loc="best")
        return
    lengths, room = [*map(len, entries)], _letters(fig.get_figwidth())
    taken = lambda rows: sum(max(lengths[i : i + rows]) + 8 for i in range(0, len(lengths), rows))  # 8: handle and gaps
    rows = next((rows for rows in range(1, len(lengths)) if taken(rows) <= room), len(lengths))
    fig.set_figheight(fig.get_figheight() + 1.5 * TEXT / 72 * rows)
    fig.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=-(-len(lengths) // rows))


def width_of(labels: Iterable[str]) -> float:
    """Inches that the longest line of some labels takes."""
    return LETTER * TEXT / 72 * max((len(line) for label in labels for line in label.split("\n")), default=0)


def _letters(width: float) -> int:
    """How many letters fit into ``width`` inches."""
    return int(width * 72 / (LETTER * TEXT)) - 1


def colour_bar(fig: Any, image: Any, axes: Any, label: str) -> None:
    """A colour bar with its label."""
    bar = fig.colorbar(image, ax=axes, label=label, shrink=0.9, aspect=24)
    bar.outline.set_visible(False)
    plain_ticks(bar.ax)
    if bar.ax.get_yscale() == "log":
        logarithmic(bar.ax)


def number(x: float, digits: int) -> str:
    """A decimal number with a minus sign that is as wide as a plus."""
    return f"{x:.{digits}f}".replace("-", "−")


def signed(numbers: np.ndarray) -> list[str]:
    """Numbers with signs and just enough decimals to tell neighbours apart."""
    gap = float(np.min(np.diff(numbers), initial=np.inf)) if len(numbers) > 1 else 1.0
    digits = max(0, 1 - int(np.floor(np.log10(gap)))) if 0 < gap < np.inf else 2
    return ["0" if abs(number) < 1e-9 * gap else f"{number:+.{digits}f}".replace("-", "−") for number in numbers]


def colours(labels: Iterable[str]) -> dict[str, tuple[str, bool]]:
    """A colour for each label, and whether it is a control.

    A control, named ``"NAME shuffled"`` beside ``"NAME"``, shares the colour of what it controls.
    """
    labels = list(labels)
    base = {label: label.removesuffix(" shuffled") for label in labels}
    control = {label: base[label] != label and base[label] in labels for label in labels}
    order = [label for label in labels if not control[label]]
    colour = {label: CYCLE[i % len(CYCLE)] for i, label in enumerate(order)}
    return {label: (colour[base[label] if control[label] else label], control[label]) for label in labels}
