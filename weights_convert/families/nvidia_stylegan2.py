"""Official StyleGAN2-ADA pickles for PyTorch, also those that the StyleGAN3 repository writes for StyleGAN2."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from geomgan.errors import CheckpointError
from geomgan.generators import stylegan2
from geomgan.generators.layouts import kernel
from geomgan.models.families import Family
from weights_convert.convert import Converted
from weights_convert.families.nvidia import (
    GAIN,
    arguments_of,
    check_sides,
    mapping_config,
    mapping_rows,
)
from weights_convert.families.stylegan2 import (
    check_levels,
    checked_sizes,
    expect_generator,
    shape,
    taps_or,
)
from weights_convert.modules import StateDict
from weights_convert.options import Options
from weights_convert.table import Computed, Layer, Row, Tensors, fill

FILTERS = {"*resample_filter": "the resampling filter; it is in the configuration"}


def convert(family: Family, states: Mapping[str, Any], options: Options) -> Converted:
    """Resolution, widths, depth of the mapping, classes and the filter are read from the tensors."""
    tensors, arguments = states[""], arguments_of(states["file"])
    config = configuration(tensors, options, arguments)
    check_sides(options, arguments, config["resolution"])
    if (activation := arguments.get("activation", "lrelu")) != "lrelu":
        raise CheckpointError(f"the network has the activation {str(activation)[:40]!r}; expected 'lrelu'.")
    sides = stylegan2.noise_sides(tuple(config["features"]))
    complete = _with_noise(tensors, [f"synthesis.{name}" for name in published(config) if "conv" in name], sides)
    rows, template = mapping_rows(config, complete, options, arguments)
    template["generator"] = stylegan2.template(config)
    template["noise"] = {f"map{i}": shape(side, side) for i, side in enumerate(sides)}
    rows += _synthesis(config)
    params = fill(complete, rows, template, f"a StyleGAN2-ADA of {config['resolution']} pixels", FILTERS)
    card = {"config": config, "output_range": [-1, 1], "prior": "z ~ N(0, I); w, w+ and s by mapping z"}
    return Converted(card, params)


def configuration(tensors: Tensors, options: Options, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """That of :func:`geomgan.generators.stylegan2.configuration`, with the number of ``classes``."""
    expect_generator(
        tensors, ("mapping.fc0.weight", "synthesis.b4.const", "synthesis.b4.conv1.weight"), "StyleGAN2-ADA"
    )
    levels = 0
    while f"synthesis.b{4 * 2**levels}.conv1.weight" in tensors:
        levels += 1
    check_levels(levels)
    sides = [4 * 2**i for i in range(levels)]
    if not all(f"synthesis.b{side}.torgb.weight" in tensors for side in sides):
        raise CheckpointError("not every resolution has a torgb layer; expected the architecture 'skip'.")
    filters = [array for name, array in tensors.items() if name.endswith(".resample_filter")]
    return checked_sizes(
        {
            "resolution": sides[-1],
            **mapping_config(tensors, options, arguments),
            "features": [tensors[f"synthesis.b{side}.conv1.weight"].shape[0] for side in sides],
            "channels": tensors["synthesis.b4.torgb.weight"].shape[0],
            "taps": taps_or([4 * x for x in filters], "*.resample_filter", options),
        }
    )


def published(config: Mapping[str, Any]) -> list[str]:
    """The published layers under ``synthesis``, in the order of our styles."""
    sides = [4 * 2**i for i in range(len(config["features"]))]
    return [f"b{side}.{layer}" for side in sides for layer in ("conv0", "conv1", "torgb")][1:]


def _with_noise(tensors: StateDict, layers: list[str], sides: tuple[int, ...]) -> StateDict:
    """The tensors, with noise of strength 0 in all layers of a network that was made without noise."""
    if any(".noise_" in name for name in tensors):
        return tensors
    maps = {f"{layer}.noise_const": np.zeros((side, side)) for layer, side in zip(layers, sides, strict=True)}
    strengths = {f"{layer}.noise_strength": np.zeros(()) for layer in layers}
    return StateDict({**tensors, **maps, **strengths}, tensors.parts)


def _synthesis(config: Mapping[str, Any]) -> list[Row]:
    width, layers = config["mapping"][-1], published(config)
    rows: list[Row] = [
        Computed("generator/synthesis/constant", ("synthesis.b4.const",), lambda x: x.transpose(1, 2, 0))
    ]
    for layer, style in zip(layers, stylegan2.style_layers(tuple(config["features"])), strict=True):
        source, target = f"synthesis.{layer}", f"generator/synthesis/{style.name}"
        weight = (f"{source}.weight",)
        affine = f"generator/styles/{style.name}"
        rows.append(Layer(affine, f"{source}.affine", "dense", scale=1 / math.sqrt(width)))
        if style.name.startswith("rgb"):
            rows.append(Computed(f"{target}/kernel", weight, _pointwise))
            rows.append(Computed(f"{target}/bias", (f"{source}.bias",), np.asarray))
            continue
        rows.append(Computed(f"{target}/kernel", weight, _transposed if style.name.startswith("up") else _plain))
        rows.append(Computed(f"{target}/strength", (f"{source}.noise_strength",), lambda x: GAIN * x.reshape(())))
        rows.append(Computed(f"{target}/bias", (f"{source}.bias",), lambda x: GAIN * x))
    maps = [f"synthesis.{layer}.noise_const" for layer in layers if "conv" in layer]
    return [*rows, *(Computed(f"noise/map{i}", (name,), np.asarray) for i, name in enumerate(maps))]


def _plain(weight: np.ndarray) -> np.ndarray:
    return kernel(weight, "conv")


def _transposed(weight: np.ndarray) -> np.ndarray:
    return kernel(weight.swapaxes(0, 1), "conv_transpose")


def _pointwise(weight: np.ndarray) -> np.ndarray:
    return weight[:, :, 0, 0].T / math.sqrt(weight.shape[1])
