"""Samples as a report keeps them: the pictures that are shown, not the arrays that a network returned."""

from __future__ import annotations

from typing import Any

import numpy as np

from geomgan.generators import Generator
from geomgan.plot.images import is_image, pixels, shared_range

SIDE = 256  # pixels of the longer side that are kept; figures show no more of an image
BYTES = (0.0, 255.0)  # the range of what is kept


def kept(samples: Any, G: Generator, side: int = SIDE) -> np.ndarray:
    """Images ``(..., H, W, C)`` of ``G`` as bytes ``(..., h, w, 3)``, reduced to ``side`` pixels; others as they are.

    A saved result then takes megabytes where a network of 1024 pixels returns gigabytes, and looks the same.
    """
    samples = np.asarray(samples)
    if not samples.size or not is_image(G.sample_shape.shape):  # of a sample: three signals (3, T, 1) are no image
        return samples
    shown = shared_range(samples, G.output_range)
    flat = samples.reshape(-1, *samples.shape[-3:])
    small = np.stack([pixels(sample, shown, side) for sample in flat])
    return small.reshape(*samples.shape[:-3], *small.shape[1:])
