"""Official StyleGAN2-ADA pickles for PyTorch, also those that the StyleGAN3 repository writes for StyleGAN2."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from geomgan.errors import CheckpointError
from geomgan.generators import stylegan2
from weights_convert.convert import Converted, Family
from weights_convert.layouts import kernel
from weights_convert.nvidia import CHECKPOINT, GAIN, STAND_INS, generator_of, mapping_config, mapping_rows, read
from weights_convert.stylegan2 import check_levels, check_resolution, checked_sizes, expect_generator, numbered, shape
from weights_convert.table import Computed, Layer, Row, Tensors, fill

FILTERS = {"*resample_filter": "the resampling filter; it is in the configuration"}
LICENCE = "NVIDIA Source Code License (non-commercial)"


def convert(states: Mapping[str, Any], options: Mapping[str, str]) -> Converted:
    """Resolution, widths, depth of the mapping, classes and the filter are read from the tensors."""
    tensors, arguments = generator_of(states[""])
    config = configuration(tensors)
    check_resolution(options, config["resolution"])
    if (activation := arguments.get("activation", "lrelu")) != "lrelu":
        raise CheckpointError(f"the network has the activation {str(activation)[:40]!r}; expected 'lrelu'.")
    sides = stylegan2.noise_sides(tuple(config["features"]))
    tensors = _with_noise(tensors, [f"synthesis.{name}" for name in published(config) if "conv" in name], sides)
    rows, template = mapping_rows(config, tensors, options, arguments)
    template["generator"] = stylegan2.template(config)
    template["noise"] = {f"map{i}": shape(side, side) for i, side in enumerate(sides)}
    rows += _synthesis(config)
    params = fill(tensors, rows, template, f"a StyleGAN2-ADA of {config['resolution']} pixels", FILTERS)
    card = {"config": config, "output_range": [-1, 1], "prior": "z ~ N(0, I); w, w+ and s by mapping z"}
    return Converted(card, params)


def configuration(tensors: Tensors) -> dict[str, Any]:
    """That of :func:`geomgan.generators.stylegan2.configuration`, with the number of ``classes``."""
    expect_generator(
        tensors, ("mapping.fc0.weight", "synthesis.b4.const", "synthesis.b4.conv1.weight"), "StyleGAN2-ADA"
    )
    levels = 0
    while f"synthesis.b{4 * 2**levels}.conv1.weight" in tensors:
        levels += 1
    check_levels(levels)
    sides = [4 * 2**i for i in range(levels)]
    if numbered({str(i): x for i, side in enumerate(sides) if (x := f"synthesis.b{side}.torgb.weight") in tensors}, "{}"
                ) != levels or any(f"synthesis.b{side}.skip.weight" in tensors for side in sides):
        raise CheckpointError("not every resolution has a torgb layer; expected the architecture 'skip'.")
    return checked_sizes(
        {
            "resolution": sides[-1],
            **mapping_config(tensors),
            "features": [tensors[f"synthesis.b{side}.conv1.weight"].shape[0] for side in sides],
            "channels": tensors["synthesis.b4.torgb.weight"].shape[0],
            "taps": _taps(tensors),
        }
    )
