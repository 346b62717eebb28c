"""One look for every figure: sizes of print, colours that colour-blind readers tell apart, legends beside the data."""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

INK, SOFT, PALE = "#1b1f24", "#8b949e", "#e5e8eb"

# Okabe and Ito (2008); without black, which is the ink, and without yellow, which is too pale for a line on white
CYCLE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
ACCENT, SECOND = CYCLE[:2]

COLUMN, PAGE = 3.5, 7.0  # inches: the width of one column of print, and of both
TEXT, SMALL = 9, 8  # points, at these widths
LETTER = 0.57  # mean width of a letter, in sizes of the font

_STYLE: Any = {
    "font.size": TEXT,
    "axes.titlesize": TEXT,
    "axes.labelsize": TEXT,
    "legend.fontsize": SMALL,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.frameon": False,
    "figure.dpi": 120,
    "svg.fonttype": "path",
}


def styled(draw: Callable) -> Callable:
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


def plain_ticks(ax: Any) -> None:
    """Set the ticks' style for good: ticks that appear when the figure is saved would take the user's settings."""
    ax.tick_params(which="both", labelsize=SMALL, labelcolor=INK, color=SOFT)


def heading(fig: Any, text: str) -> None:
    """The title of a whole figure, which grows for it: left-aligned, broken into lines that fit the width."""
    letters = int(fig.get_figwidth() * 72 / (LETTER * TEXT)) - 1
    lines = textwrap.wrap(text, letters)
    fig.set_figheight(fig.get_figheight() + 1.3 * TEXT / 72 * len(lines))
    fig.suptitle("\n".join(lines), x=0.01, ha="left", fontsize=TEXT, linespacing=1.25)


def legend_below(fig: Any) -> None:
    """One legend for all axes of a figure, which grows for it: under them, where it covers no data; each label once."""
    entries: dict[str, Any] = {}
    for ax in fig.axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    room = fig.get_figwidth() * 72 / (LETTER * SMALL) - 1
    columns = int(room // (max(map(len, entries)) + 7))  # the handle and the gaps are as wide as seven letters
    columns = max(1, min(columns, len(entries)))
    fig.set_figheight(fig.get_figheight() + 1.5 * SMALL / 72 * -(-len(entries) // columns))
    fig.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=columns)


def colour_bar(fig: Any, image: Any, axes: Any, label: str) -> None:
    """A colour bar with its label."""
    bar = fig.colorbar(image, ax=axes, label=label, shrink=0.9, aspect=24)
    bar.outline.set_visible(False)
    plain_ticks(bar.ax)


def number(x: float, digits: int) -> str:
    """A decimal number with a minus sign that is as wide as a plus."""
    return f"{x:.{digits}f}".replace("-", "−")


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


def displayable(sample: Any, output_range: tuple[float, float] | None) -> np.ndarray:
    """An image ``(H, W, 3)`` in ``[0, 1]``; the only place where samples are clipped.

    Raises:
        ValueError: the sample is not an image with one or three channels.
    """
    sample = np.asarray(sample, np.float64)
    if sample.ndim != 3 or sample.shape[-1] not in (1, 3):
        raise ValueError(f"sample has shape {sample.shape}; expected an image (H, W, 1) or (H, W, 3).")
    low, high = output_range if output_range is not None else (float(sample.min()), float(sample.max()))
    scaled = np.clip((sample - low) / (high - low or 1.0), 0.0, 1.0)
    return np.broadcast_to(scaled, (*sample.shape[:2], 3))
