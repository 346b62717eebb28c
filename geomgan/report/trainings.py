"""Pictures of a search as it goes on: what it has found so far does to one code, and its loss curve at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.directions.collection import DirectionSet
from geomgan.directions.direction import Moves
from geomgan.directions.scoreboard import unit_steps
from geomgan.directions.traverse import Traversal, traverse
from geomgan.directions.warps import Warp
from geomgan.generators import Generator
from geomgan.plot.directions import traversal
from geomgan.plot.files import save
from geomgan.plot.images import is_image
from geomgan.plot.training import training_curves
from geomgan.runs.curve import read_curve

COLUMNS = 7
CURVES = ("training.csv", "checkpoint.csv")  # of joint trainings, and of the others


def walked(G: Generator, found: DirectionSet | Sequence[Moves], z: Any, reach: float, first: int) -> Traversal:
    """Walks of one code along the first directions or warps, ``reach`` latent units to each side."""
    if isinstance(found, DirectionSet):
        moves: list[Any] = list(unit_steps(found.select(range(min(first, len(found))))))
    else:
        moves = [replace(w, step=reach / w.steps) if isinstance(w, Warp) else w for w in found[:first]]
    return traverse(G, moves, z, np.linspace(-reach, reach, COLUMNS))


def training_pictures(
    G: Generator, z: Any, out: Path, *, reach: float = 2.0, first: int = 3
) -> Callable[[str, Any, int], object] | None:
    """What :func:`geomgan.directions.discover` takes as ``picture``: it writes ``out/METHOD/STEP.png``.

    Args:
        G: the generator.
        z: the code ``(d,)`` that is walked.
        out: folder of the pictures.
        reach: latent units to each side.
        first: directions of each method.

    Returns:
        None where samples are no images.
    """
    if not is_image(G.sample_shape.shape):
        return None

    def picture(method: str, found: Any, step: int) -> None:
        walks = walked(G, found, z, reach, first)
        title = f"{method} after {step} steps: one code along the first {len(walks.names)}"
        save(traversal(walks, G.output_range, title=title), out / method / f"{step:06d}.png")

    return picture


def curve_pictures(methods: Sequence[str], kept: Path, out: Path) -> list[Path]:
    """The loss curves that trainings have left in ``kept/METHOD``, as ``out/METHOD/curve.png``."""
    drawn: list[Path] = []
    for method in methods:
        for rows in filter(None, (read_curve(kept / method / name).rows for name in CURVES)):
            drawn += save(training_curves(rows, f"Training of {method}"), out / method / "curve.png")
    return drawn
