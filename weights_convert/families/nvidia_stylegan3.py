"""Official StyleGAN3 pickles, configurations T and R."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from geomgan.errors import CheckpointError
from geomgan.generators import nvidia_stylegan3
from geomgan.generators.layouts import kernel
from geomgan.generators.stylegan3_sampling import Sampling
from geomgan.models.families import Family
from geomgan.models.families.stylegan import SAMPLING
from weights_convert.convert import Converted
from weights_convert.families.nvidia import (
    GAIN,
    arguments_of,
    check_sides,
    mapping_config,
    mapping_rows,
    number,
)
from weights_convert.families.stylegan2 import expect_generator
from weights_convert.options import Options
from weights_convert.table import Computed, Layer, Row, Tensor, Tensors, fill

LAYER = re.compile(r"synthesis\.(L(\d{1,3})_(\d{1,5})_\d{1,6})\.weight")
MAX_LAYERS, MAX_SIDE, MAX_FACTOR = 64, 8192, 16
MAX_TAPS, MAX_RADIAL = 256, 64  # one product per tap and pixel; of a radial filter, per pair of taps
MAY_BE_ZERO = ("num_critical", "margin_size")


def convert(family: Family, states: Mapping[str, Any], options: Options) -> Converted:
    """Widths, kernels and filters are read from the tensors, sampling rates follow from the arguments."""
    tensors, arguments = states[""], arguments_of(states["file"])
    first = ("mapping.fc0.weight", "synthesis.input.freqs", "synthesis.input.weight")
    expect_generator(tensors, first, "StyleGAN3")
    names, sides = _layers(tensors)
    values = {
        name: number(name, options, arguments, x, bool(arguments), name in MAY_BE_ZERO) for name, x in SAMPLING.items()
    }
    output_scale = values.pop("output_scale")
    mapping = _checked(mapping_config(tensors, options, arguments))
    config = configuration(tensors, names, sides, values, mapping)
    check_sides(options, arguments, config["resolution"])
    rows, template = mapping_rows(config, tensors, options, arguments)
    template["generator"] = nvidia_stylegan3.template(config)
    rows += synthesis_rows(config, tensors, names, output_scale)
    params = fill(tensors, rows, template, f"a StyleGAN3 of {config['resolution']} pixels")
    card = {"config": config, "output_range": [-1, 1], "prior": "z ~ N(0, I); w, w+ and s by mapping z"}
    return Converted(card, params)


def _layers(tensors: Tensors) -> tuple[list[str], list[int]]:
    """Published names of the layers, in order, and the side of what each makes."""
    found = {int(match[2]): (match[1], int(match[3])) for name in tensors if (match := LAYER.fullmatch(name))}
    if not 3 <= len(found) <= MAX_LAYERS or sorted(found) != list(range(len(found))):
        raise CheckpointError(
            f"the file has the layers {sorted(found)[:MAX_LAYERS]} (synthesis.L<number>_<side>_<channels>); expected "
            f"0, 1, 2, ... without a gap, 3 to {MAX_LAYERS}."
        )
    return [found[k][0] for k in range(len(found))], [found[k][1] for k in range(len(found))]


def configuration(
    tensors: Tensors, names: list[str], sides: list[int], values: Mapping[str, float], mapping: Mapping[str, Any]
) -> dict[str, Any]:
    """See :func:`geomgan.generators.nvidia_stylegan3.configuration`."""
    resolution = sides[-1]
    if len(names) - 1 <= values["num_critical"] or not 4 <= resolution <= MAX_SIDE or max(sides) > MAX_SIDE:
        raise CheckpointError(
            f"layers of {sides} pixels a side with num_critical={values['num_critical']:g}; expected more layers than "
            f"critical ones, and 4 to {MAX_SIDE} pixels."
        )
    sampling = Sampling(resolution, len(names), **values)
    if sampling.sides[1:] != sides or not sampling.cutoffs[0] < sampling.rates[0] / 2:
        raise CheckpointError(
            f"the layers make {sides} pixels a side; expected {sampling.sides[1:]} for "
            f"{', '.join(f'{name}={value:g}' for name, value in values.items())}. Where the file does not say these, "
            "give what the network was made with as options."
        )
    layers = [_layer(tensors, f"synthesis.{name}", k, sampling) for k, name in enumerate(names)]
    made = [tensors["synthesis.input.freqs"].shape[0], *(layer["features"] for layer in layers)]
    if taken := [k for k, layer in enumerate(layers) if layer["before"] != made[k]]:
        raise CheckpointError(
            f"{names[taken[0]]} takes {layers[taken[0]]['before']} channels; expected {made[taken[0]]}, as many as the "
            "layer before makes."
        )
    return {
        "resolution": resolution,
        **mapping,
        "input": sampling.waves(made[0]),
        "layers": layers,
    }


def _checked(config: dict[str, Any]) -> dict[str, Any]:
    if min(config["latent_dim"], *config["mapping"]) < 1:
        raise CheckpointError(f"tensors without entries: the widths are {config}. The file is damaged.")
    return config


def _layer(tensors: Tensors, name: str, k: int, sampling: Sampling) -> dict[str, Any]:
    """Layer ``k``, of which widths, kernel and filters are read from the tensors."""
    up, down = factors = sampling.factors(k)
    if not all(1 <= factor <= MAX_FACTOR for factor in factors) or (k == sampling.depth - 1 and factors != (1, 1)):
        raise CheckpointError(f"{name} would upsample {up} times and downsample {down} times. Check the options.")
    weight = tensors[f"{name}.weight"]
    stored = {f"{name}.up_filter": up, f"{name}.down_filter": down}
    if missing := [which for which, factor in stored.items() if factor > 1 and which not in tensors]:
        raise CheckpointError(f"tensors missing: {', '.join(missing)}.")
    filters = [np.shape(tensors.get(which, np.ones(1))) for which in stored]
    square = len(weight.shape) == 4 and weight.shape[2] == weight.shape[3] and min(weight.shape) > 0
    fits = len(filters[0]) == 1 and 1 <= len(filters[1]) <= 2 and len(set(filters[1])) == 1
    most = MAX_RADIAL if len(filters[1]) == 2 else MAX_TAPS
    if not square or not fits or not all(1 <= n <= most for n in (*filters[0], *filters[1], weight.shape[2])):
        raise CheckpointError(
            f"{name} has the weight {weight.shape} and the filters {filters[0]} and {filters[1]}; expected a square "
            f"convolution, a filter with one axis and one with one or two equal ones, of up to {most} entries."
        )
    after, before, side, _ = weight.shape
    return sampling.layer(k, before, after, side, filters[0][0], filters[1][0], len(filters[1]) == 2)


def synthesis_rows(config: Mapping[str, Any], tensors: Tensors, names: list[str], output_scale: float) -> list[Row]:
    """The table of affine maps and synthesis network."""
    root, styles = "generator/synthesis", "generator/styles"
    scale = 1 / math.sqrt(config["mapping"][-1])
    source = "synthesis.input"
    rows: list[Row] = [
        Layer(f"{styles}/input", f"{source}.affine", "dense", scale=scale),
        Tensor(f"{root}/input/frequencies", f"{source}.freqs"),
        Tensor(f"{root}/input/phases", f"{source}.phases"),
        Tensor(f"{root}/input/transform", f"{source}.transform"),
        Computed(f"{root}/input/kernel", (f"{source}.weight",), lambda w: w.T / math.sqrt(max(w.shape[1], 1))),
    ]
    for k, name in enumerate(names):
        source, target = f"synthesis.{name}", f"{root}/L{k}"
        rows.append(Layer(f"{styles}/L{k}", f"{source}.affine", "dense", scale=scale))
        weight, bias, magnitude = f"{source}.weight", f"{source}.bias", f"{source}.magnitude_ema"
        if k == len(names) - 1:
            rows.append(Computed(f"{target}/kernel", (weight, magnitude), lambda w, m: output_scale * _last(w, m)))
            rows.append(Computed(f"{target}/bias", (bias,), lambda b: output_scale * b))
            continue
        rows.append(Computed(f"{target}/kernel", (weight,), _unit))
        rows.append(Computed(f"{target}/bias", (bias,), lambda b: GAIN * b))
        rows.append(Computed(f"{target}/gain", (magnitude,), lambda m: GAIN / np.sqrt(m.reshape(()))))
        for which, gain in (("up", config["layers"][k]["up"]), ("down", 1)):
            stored = f"{source}.{which}_filter"
            filters = (stored,) if stored in tensors else ()
            rows.append(Computed(f"{target}/{which}", filters, partial(_taps, gain)))
    return rows


def _taps(gain: int, stored: np.ndarray | None = None) -> np.ndarray:
    """Filters convolve, which flips; ``gain`` makes up for the zeros of upsampling."""
    return gain * np.flip(np.ones(1) if stored is None else stored)


def _unit(weight: np.ndarray) -> np.ndarray:
    """Every output channel with a root mean square of 1."""
    return kernel(weight / np.sqrt((weight**2).mean(axis=(1, 2, 3), keepdims=True)), "conv")


def _last(weight: np.ndarray, magnitude: np.ndarray) -> np.ndarray:
    return kernel(weight / math.sqrt(math.prod(weight.shape[1:])), "conv") / np.sqrt(magnitude.reshape(()))
