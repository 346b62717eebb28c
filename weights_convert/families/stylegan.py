"""StyleGAN checkpoints of the repository style-based-gan-pytorch: ``{generator, discriminator, g_running, ...}``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from geomgan.errors import CheckpointError, OptionError
from geomgan.generators import stylegan
from geomgan.generators.layouts import kernel
from geomgan.models.families import Family
from weights_convert.convert import Converted
from weights_convert.families.stylegan2 import check_levels, checked_sizes, expect_generator, numbered
from weights_convert.options import Options
from weights_convert.table import Computed, Row, Tensors, fill

BLOCK = "generator.progression.{}"
BLUR = np.outer([1, 2, 1], [1, 2, 1]) / 16
BLURS = {f"*.conv1.[12].{name}": "the blur [1, 2, 1], checked" for name in ("weight", "weight_flip")}


def convert(family: Family, states: Mapping[str, Any], options: Options) -> Converted:
    """Widths and depths are read from the tensors; the resolution it was trained to is an option."""
    tensors = states[""]
    config = configuration(tensors)
    config["resolution"] = _resolution(options, config["resolution"])
    _check_blurs(tensors)
    params = fill(tensors, _rows(config, tensors), {"generator": stylegan.template(config)}, "a StyleGAN", BLURS)
    card = {"config": config, "output_range": [-1, 1], "prior": "z ~ N(0, I); w, w+ and s by mapping z"}
    return Converted(card, params)


def configuration(tensors: Tensors) -> dict[str, Any]:
    """``latent_dim``, ``mapping``, ``features``, ``channels`` and the full ``resolution``."""
    first = f"{BLOCK.format(0)}.conv2.conv.weight_orig"
    expect_generator(tensors, ("style.1.linear.weight_orig", first, "generator.to_rgb.0.conv.weight_orig"), "StyleGAN")
    levels = numbered(tensors, f"{BLOCK}.conv2.conv.weight_orig")
    check_levels(levels)
    mapping: list[int] = []
    while (name := f"style.{2 * len(mapping) + 1}.linear.weight_orig") in tensors:
        mapping.append(tensors[name].shape[0])
    return checked_sizes(
        {
            "resolution": 4 * 2 ** (levels - 1),
            "latent_dim": tensors["style.1.linear.weight_orig"].shape[1],
            "mapping": mapping,
            "features": [tensors[f"{BLOCK.format(i)}.conv2.conv.weight_orig"].shape[0] for i in range(levels)],
            "channels": tensors["generator.to_rgb.0.conv.weight_orig"].shape[0],
        }
    )


def _resolution(options: Options, full: int) -> int:
    sides = {str(2**i): 2**i for i in range(2, full.bit_length())}

    def read(name: str, text: str) -> int:
        if text not in sides:
            raise OptionError(
                f"{name}={text}; the tensors make images of {', '.join(sides)} pixels. Give one of these."
            )
        return sides[text]

    return options.ask("resolution", read, assumed=full)


def _check_blurs(tensors: Tensors) -> None:
    for name, array in tensors.items():
        shape = np.shape(array)
        if ".conv1." in name and len(shape) == 4 and shape[1:] == (1, 3, 3) and not np.allclose(array, BLUR, 1e-4):
            raise CheckpointError(f"{name} is another blur than [1, 2, 1] / 4, which is all that this family has.")


def _linear(target: str, source: str, layout: str) -> list[Row]:
    """A layer whose weight is multiplied by ``√(2 / fan_in)`` at run time, and whose bias is not."""

    def scaled(weight: np.ndarray) -> np.ndarray:
        return kernel(weight * math.sqrt(2 / math.prod(weight.shape[1:])), layout)

    return [
        Computed(f"{target}/kernel", (f"{source}.weight_orig",), scaled),
        Computed(f"{target}/bias", (f"{source}.bias",), np.asarray),
    ]


def _fused(weight: np.ndarray) -> np.ndarray:
    """The transposed convolution ``(in, out, 3, 3)`` that is then smoothed by a 2 x 2 box, with its mean of four."""
    fan_in = weight.shape[0] * math.prod(weight.shape[2:])
    return kernel(weight * math.sqrt(2 / fan_in) / 4, "conv_transpose")


def _strength(weight: np.ndarray) -> np.ndarray:
    return weight.ravel() * math.sqrt(2 / weight.shape[1])


def _rows(config: Mapping[str, Any], tensors: Tensors) -> list[Row]:
    rows: list[Row] = []
    for i in range(len(config["mapping"])):
        rows += _linear(f"generator/mapping/layer{i + 1}", f"style.{2 * i + 1}.linear", "dense")
    constant = f"{BLOCK.format(0)}.conv1.input"
    rows.append(Computed("generator/synthesis/constant", (constant,), lambda x: x[0].transpose(1, 2, 0)))
    features = tuple(config["features"])
    for i, side in enumerate(stylegan.noise_sides(features)):
        block, synthesis = BLOCK.format(i), "generator/synthesis"
        rows += _linear(f"{synthesis}/conv{side}", f"{block}.conv2.conv", "conv")
        rows += _linear(f"{synthesis}/rgb{side}", f"generator.to_rgb.{i}.conv", "conv")
        if i and f"{block}.conv1.0.weight" in tensors:
            rows.append(Computed(f"{synthesis}/up{side}/kernel", (f"{block}.conv1.0.weight",), _fused))
            rows.append(Computed(f"{synthesis}/up{side}/bias", (f"{block}.conv1.0.bias",), np.asarray))
        elif i:
            rows += _linear(f"{synthesis}/up{side}", f"{block}.conv1.1.conv", "conv")
        for k, style in enumerate(stylegan.style_layers(features)[2 * i : 2 * i + 2], start=1):
            strength = (f"{block}.noise{k}.weight_orig",)
            rows.append(Computed(f"{synthesis}/{style.name}_strength", strength, _strength))
            rows += _linear(f"generator/styles/{style.name}", f"{block}.adain{k}.style.linear", "dense")
    return rows
