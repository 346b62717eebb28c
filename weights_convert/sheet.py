"""A sheet of samples to look at, where much of a conversion was guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np

from geomgan.models.build import build
from geomgan.models.folder import read_model

ROWS, COLUMNS, EDGE = 4, 4, 2
MOST_NUMBERS = 1 << 22  # of one sample: above, no sheet
FILE = "samples.png"


def write_sheet(folder: Path) -> Path | None:
    """Write samples of a model into its folder; None where its samples are no images.

    Codes are drawn from N(0, I), and colours are those of its nominal range.
    """
    card, params = read_model(folder)
    network: Any = build(card, params, None, folder.name, {})
    shape = network.sample_shape.shape
    if len(shape) != 3 or shape[2] not in (1, 3) or np.prod(shape) > MOST_NUMBERS:
        return None
    codes = network.sample_latent(jax.random.key(0), ROWS * COLUMNS)
    low, high = network.output_range
    images = np.stack([np.asarray(network(code)) for code in codes])
    pixels = (np.clip((images - low) / (high - low), 0, 1) * 255).round().astype(np.uint8)
    padded = np.pad(pixels, ((0, 0), (EDGE, EDGE), (EDGE, EDGE), (0, 0)), constant_values=255)
    _, height, width, channels = padded.shape
    grid = padded.reshape(ROWS, COLUMNS, height, width, channels).swapaxes(1, 2)
    sheet = grid.reshape(ROWS * height, COLUMNS * width, channels)
    from PIL import Image

    Image.fromarray(sheet.squeeze(-1) if channels == 1 else sheet).save(folder / FILE)
    return folder / FILE
