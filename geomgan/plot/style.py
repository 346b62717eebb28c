"""One look for every figure."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

INK, SOFT, ACCENT, SECOND = "#1b1f24", "#8b949e", "#2563a8", "#d1603d"

_STYLE: Any = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
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
    return fig, fig.subplots(rows, columns, squeeze=False, **options)


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
