"""The code of an image that a user drops on the explorer."""

from __future__ import annotations

import tempfile
from pathlib import Path

import jax
import numpy as np

from geomgan.distances.distance import Distance
from geomgan.generators import Generator
from geomgan.optimize import invert, read_images

RESTARTS, POOL = 4, 256


def projected(G: Generator, D: Distance, content: bytes) -> tuple[np.ndarray, np.ndarray, str]:
    """The code ``(d,)`` whose sample is nearest to an image file, the image as a sample, how near it is in a sentence.

    Raises:
        OptionError: it is no image.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "image"
        file.write_bytes(content)
        targets = read_images(file, G)
    found = invert(G, targets, D, key=jax.random.key(0), restarts=RESTARTS, start="nearest", pool=POOL, progress=False)
    best = int(found.best[0])
    far, prior = float(max(found.losses[0, best], 0.0)) ** 0.5, float(found.prior_distance[0, best])
    text = f"The nearest code found is {far:.3g} away from the image; its prior distance is {prior:.2f}."
    return np.asarray(found.codes[0, best], np.float64), targets[0], text
