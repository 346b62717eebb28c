"""Small pictures that travel with directions: what each does to one code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from geomgan.directions.collection import DirectionSet, checked
from geomgan.directions.traverse import traverse
from geomgan.errors import check_count
from geomgan.generators import Generator
from geomgan.pictures import is_image, pixels, shared_range

STEPS = (-3.0, -1.5, 0.0, 1.5, 3.0)
SIDE = 64  # pixels


def previewed(
    found: DirectionSet,
    G: Generator,
    z: Any,
    steps: Sequence[float] = STEPS,
    *,
    side: int = SIDE,
    progress: bool = False,
) -> DirectionSet:
    """The directions with pictures of one code moved along each, which :func:`save` keeps.

    Args:
        found: the directions.
        G: the generator that they are of.
        z: the code ``(d,)``.
        steps: ``t`` of the pictures.
        side: pixels of their longer side, at most.
        progress: show a progress bar, with the time left.

    Raises:
        ValueError: the code does not fit, or samples are no images.
    """
    shape = G.sample_shape.shape
    if not is_image(shape):
        raise ValueError(f"samples of {G.name} have shape {shape}; expected images (H, W, 1) or (H, W, 3).")
    check_count(side, 1024, "side", ", pixels of the longer side of a preview")
    samples = traverse(G, found, z, steps, progress=progress).samples[0]
    bounds = shared_range(samples, G.output_range)
    pictures = np.stack([[pixels(sample, bounds, side) for sample in row] for row in samples])
    return checked(replace(found, previews=pictures, preview_steps=np.asarray(steps, np.float64)))
