"""The volume element over a plane of codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from geomgan.geodesics import VolumeMap
from geomgan.plot.style import INK, colour_bar, heading, panel, styled

_PLAIN = np.log(10)  # decades


@styled
def volume(
    result: VolumeMap, paths: Sequence[Any] = (), names: Sequence[str] = (), title: str | None = None, *, ax: Any = None
) -> Any:
    """The volume element over a plane of codes, in decades around its median, and paths within the plane.

    Args:
        result: of :func:`geomgan.geodesics.volume_map`.
        paths: functions ``t -> codes`` from 0 to 1, drawn by their parts in the plane.
        names: of the paths.
        title: by default none.
        ax: the axes to draw into; by default those of a new figure.

    Returns:
        A matplotlib figure.

    Raises:
        ValueError: nowhere is the volume element positive and finite.
    """
    known = np.isfinite(result.log_volumes)
    if not known.any():
        raise ValueError("the volume element is zero or not finite on the whole plane; expected some that is positive.")
    decades = (result.log_volumes - np.median(result.log_volumes[known])) / _PLAIN
    given = ax
    fig, ax = panel(given, 4.2, 3.4)
    half = (result.steps[1] - result.steps[0]) / 2 if len(result.steps) > 1 else 0.5
    low, high = result.steps[0] - half, result.steps[-1] + half
    image = ax.imshow(
        np.where(known, decades, np.nan), origin="lower", extent=(low, high, low, high), cmap="viridis", aspect="equal"
    )
    inverse = np.linalg.pinv(result.axes)
    styles = ["-", "--", ":", "-."]
    for i, path in enumerate(paths):
        across, up = inverse @ (np.asarray(path(np.linspace(0, 1, 201))) - result.origin).T
        label = names[i] if i < len(names) else f"path {i + 1}"
        ax.plot(across, up, styles[i % 4], color="white", lw=1.6, label=label)
        ax.plot(across[[0, -1]], up[[0, -1]], "o", color="white", ms=4)
    ax.set(xlim=(low, high), ylim=(low, high), xlabel="along the first axis", ylabel="along the second axis")
    if len(paths):
        legend = ax.legend(loc="lower left", framealpha=0.6, facecolor=INK, edgecolor="none", labelcolor="white")
        legend.set_zorder(5)
    colour_bar(fig, image, ax, "volume element, decades from its median")
    if title:
        heading(fig, title, given)
    return fig
