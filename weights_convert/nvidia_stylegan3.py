"""Official StyleGAN3 pickles, configurations T and R."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from geomgan.errors import CheckpointError
from geomgan.generators import nvidia_stylegan3
from weights_convert.convert import Converted, Family
from weights_convert.layouts import kernel
from weights_convert.nvidia import CHECKPOINT, GAIN, STAND_INS, generator_of, mapping_config, mapping_rows, number, read
from weights_convert.stylegan2 import check_resolution, expect_generator
from weights_convert.table import Computed, Layer, Row, Tensor, Tensors, fill

LAYER = re.compile(r"synthesis\.(L(\d{1,3})_(\d{1,5})_\d{1,6})\.weight")
MAX_LAYERS, MAX_SIDE, MAX_TAPS, MAX_FACTOR = 64, 8192, 256, 16
DEFAULTS = {  # of the published networks: name -> value, meaning
    "num_critical": (2, "layers without oversampling at the end"),
    "first_cutoff": (2, "cutoff frequency of the first layer"),
    "first_stopband": (2**2.1, "frequency that the first layer's filter stops"),
    "last_stopband_rel": (2**0.3, "frequency that the last layer's filter stops, over its cutoff"),
    "margin_size": (10, "pixels around the visible part of a map"),
    "output_scale": (0.25, "factor on the image"),
    "lrelu_upsampling": (2, "oversampling of the non-linearities"),
}


def convert(states: Mapping[str, Any], options: Mapping[str, str]) -> Converted:
    """Widths, kernels and filters are read from the tensors, sampling rates follow from the arguments."""
    tensors, arguments = generator_of(states[""])
    first = ("mapping.fc0.weight", "synthesis.input.freqs", "synthesis.input.weight")
    expect_generator(tensors, first, "StyleGAN3")
    names, sides = _layers(tensors)
    values = {name: number(name, options, arguments, value[0], True) for name, value in DEFAULTS.items()}
    config = configuration(tensors, names, sides, values)
    check_resolution(options, config["resolution"])
    rows, template = mapping_rows(config, tensors, options, arguments)
    template["generator"] = nvidia_stylegan3.template(config)
    rows += _synthesis(config, tensors, names, values["output_scale"])
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


def configuration(tensors: Tensors, names: list[str], sides: list[int], values: Mapping[str, float]) -> dict[str, Any]:
    """See :class:`geomgan.generators.nvidia_stylegan3.Waves` and ``Filtered``.

    Cutoffs ``c_k`` and stopbands grow geometrically up to the critically sampled layers; the sampling rate is the
    power of two above twice the stopband, at most the resolution; a map has a margin around the sampled unit square
    (Karras et al., 2021, appendix C).
    """
    resolution, steps = sides[-1], len(names) - 1 - int(values["num_critical"])
    if steps < 1 or not 4 <= resolution <= MAX_SIDE or max(sides) > MAX_SIDE:
        raise CheckpointError(
            f"layers of {sides} pixels a side with num_critical={values['num_critical']:g}; expected more layers than "
            f"critical ones, and 4 to {MAX_SIDE} pixels."
        )
    grown = np.minimum(np.arange(len(names)) / steps, 1)
    cutoffs = values["first_cutoff"] * (resolution / 2 / values["first_cutoff"]) ** grown
    stop = resolution / 2 * values["last_stopband_rel"]
    stopbands = values["first_stopband"] * (stop / values["first_stopband"]) ** grown
    rates = np.exp2(np.ceil(np.log2(np.minimum(2 * stopbands, resolution))))
    wanted = [*(int(rate + 2 * values["margin_size"]) for rate in rates[:-2]), resolution, resolution]
    if wanted != sides or not cutoffs[0] < rates[0] / 2:
        raise CheckpointError(
            f"the layers make {sides} pixels a side; expected {wanted} for "
            f"{', '.join(f'{name}={value:g}' for name, value in values.items())}. Where the file does not say these, "
            "give what the network was made with as options."
        )
    oversampled = [rates[0], *rates]
    layers = []
    for k, name in enumerate(names):
        before, last = int([rates[0] + 2 * values["margin_size"], *wanted][k]), k == len(names) - 1
        working = max(oversampled[k : k + 2]) * (1 if last else values["lrelu_upsampling"])
        up, down = (int(np.rint(working / rate)) for rate in oversampled[k : k + 2])
        if not (1 <= up <= MAX_FACTOR and 1 <= down <= MAX_FACTOR) or (last and (up, down) != (1, 1)):
            raise CheckpointError(f"{name} would upsample {up} times and downsample {down} times. Check the options.")
        layers.append(_layer(tensors, f"synthesis.{name}", before, wanted[k], up, down))
    return {
        "resolution": resolution,
        **_checked(mapping_config(tensors)),
        "input": {
            "features": tensors["synthesis.input.freqs"].shape[0],
            "size": int(rates[0] + 2 * values["margin_size"]),
            "rate": float(rates[0]),
            "bandwidth": float(cutoffs[0]),
        },
        "layers": layers,
    }


def _checked(config: dict[str, Any]) -> dict[str, Any]:
    if min(config["latent_dim"], *config["mapping"]) < 1:
        raise CheckpointError(f"tensors without entries: the widths are {config}. The file is damaged.")
    return config


def _layer(tensors: Tensors, name: str, before: int, after: int, up: int, down: int) -> dict[str, Any]:
    """One layer that makes ``after`` pixels a side of ``before``."""
    weight = tensors[f"{name}.weight"]
    filters = [np.shape(tensors.get(f"{name}.{which}", np.ones(1))) for which in ("up_filter", "down_filter")]
    square = len(weight.shape) == 4 and weight.shape[2] == weight.shape[3] and min(weight.shape) > 0
    fits = len(filters[0]) == 1 and 1 <= len(filters[1]) <= 2 and len(set(filters[1])) == 1
    if not square or not fits or not all(1 <= n <= MAX_TAPS for n in (*filters[0], *filters[1], weight.shape[2])):
        raise CheckpointError(
            f"{name} has the weight {weight.shape} and the filters {filters[0]} and {filters[1]}; expected a square "
            f"convolution, a filter with one axis and one with one or two equal ones, of up to {MAX_TAPS} entries."
        )
    side, up_taps, down_taps = weight.shape[2], filters[0][0], filters[1][0]
    total = (after - 1) * down + 1 - (before + side - 1) * up + up_taps + down_taps - 2
    low = (total + up) // 2  # samples lie in the middles of pixels
    return {
        "before": weight.shape[1],
        "features": weight.shape[0],
        "kernel": side,
        "up": up,
        "down": down,
        "up_taps": up_taps,
        "down_taps": down_taps,
        "radial": len(filters[1]) == 2,
        "padding": [low, total - low],
    }


def _synthesis(config: Mapping[str, Any], tensors: Tensors, names: list[str], output_scale: float) -> list[Row]:
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
        for which, factor in (("up", config["layers"][k]["up"]), ("down", 1)):
            filters = (f"{source}.{which}_filter",)
            filters = filters if filters[0] in tensors else ()
            rows.append(Computed(f"{target}/{which}", filters, _taps(factor)))
    return rows


def _taps(factor: int) -> Any:
    """Filters convolve, which flips; ``factor`` makes up for the zeros of upsampling."""
    return lambda *filters: factor * np.flip(filters[0] if filters else np.ones(1))


def _unit(weight: np.ndarray) -> np.ndarray:
    """Every output channel with a root mean square of 1."""
    return kernel(weight / np.sqrt((weight**2).mean(axis=(1, 2, 3), keepdims=True)), "conv")


def _last(weight: np.ndarray, magnitude: np.ndarray) -> np.ndarray:
    return kernel(weight / math.sqrt(math.prod(weight.shape[1:])), "conv") / np.sqrt(magnitude.reshape(()))


FAMILIES = (
    Family(
        "nvidia-stylegan3",
        CHECKPOINT,
        convert,
        options={
            "resolution": "of the images, checked against the tensors",
            "lr_multiplier": "of the mapping network, where the file does not say; 0.01 unless given",
            **{
                name: f"{what}, where the file does not say; {value:g} unless given"
                for name, (value, what) in DEFAULTS.items()
            },
        },
        stand_ins=STAND_INS,
        signature=("mapping.fc0.weight", "synthesis.input.freqs", "synthesis.L0_*.affine.weight"),
        read=read,
    ),
)
