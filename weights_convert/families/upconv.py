"""The DeePSim generators, translated from Caffe to a flat PyTorch state dict: ``defc7.weight`` ... ``deconv0.bias``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from geomgan.errors import CheckpointError, OptionError, check_choice
from geomgan.generators import layouts
from geomgan.generators.upconv import LAYOUTS, MEAN, SIDE, SLOPE
from geomgan.models.families import Family
from weights_convert.convert import Converted
from weights_convert.modules import expect_functions
from weights_convert.options import Options
from weights_convert.table import Computed, Layer, Tensors, fill, shapes

PRIOR = "z ~ N(0, I) for want of a better one: no prior is published, codes come from optimisation or from CaffeNet"
NOTES = {
    "fc": "fc6 and fc7 have the same shapes, so the file does not say which of them it is; fc8 takes 1000 logits.",
    "conv": "conv3 and conv4 have the same shapes, so the file does not say which of them it is.",
}
TANH_NOTE = (
    "The image is scale tanh(x) + mean. scale=1 is the published PyTorch translation to the letter, whose images are "
    "within 1 of the mean; the Caffe network multiplies by 255: convert with --option scale=255 for its images."
)


def convert(family: Family, states: Mapping[str, Any], options: Options) -> Converted:
    """The layout is told by the names of the layers, every width by the tensors' shapes."""
    tensors = states[""]
    layout = options.get("layout") or _layout(tensors)
    check_choice(layout, LAYOUTS, "layout")
    expect_functions(tensors, {"LeakyReLU": {"negative_slope": SLOPE}, "Tanh": {}}, "a DeePSim generator")
    side, resolution, stages = LAYOUTS[layout]
    rows: list[Layer | Computed] = []
    features = []
    for stage in stages[:-1]:
        features.append(_weight(tensors, stage.name).shape[layouts.OUTPUT_AXIS[stage.kind]])
        rule = "dense_to_map" if stage.name == "defc5" else stage.kind
        rows.append(Layer(stage.name, stage.name, rule, spatial=(SIDE, SIDE)))
    last = stages[-1]
    output_axis = layouts.OUTPUT_AXIS[last.kind]
    if (channels := _weight(tensors, last.name).shape[output_axis]) != 3:
        raise CheckpointError(f"{last.name} has {channels} channels; expected 3 (BGR).")
    added = np.zeros(3) if LAYOUTS[layout].has_tanh else np.asarray(MEAN)
    rows += [
        Computed(
            f"{last.name}/kernel",
            (f"{last.name}.weight",),
            lambda weight: layouts.kernel(np.flip(weight, output_axis), last.kind),
        ),
        Computed(f"{last.name}/bias", (f"{last.name}.bias",), lambda bias: bias[::-1] + added),
    ]
    config = {
        "latent_dim": _weight(tensors, stages[0].name).shape[1] * max(side, 1) ** 2,
        "layout": layout,
        "features": [*features, 3],
        "scale": _scale(options, layout),
        "channels": 3,
        "resolution": resolution,
    }
    template = shapes(family.networks["generator"].module(config), (config["latent_dim"],))
    notes = [NOTES.get(layout, ""), TANH_NOTE if LAYOUTS[layout].has_tanh else ""]
    card = {"config": config, "output_range": [0, 255], "prior": PRIOR, "licence": "none stated"}
    if note := " ".join(filter(None, notes)):
        card["note"] = note
    return Converted(card, {"generator": fill(tensors, rows, template, f"a DeePSim generator ({layout})")})


def _layout(tensors: Tensors) -> str:
    """The layout whose layers are the most like those of the file."""
    names = {name.rpartition(".")[0] for name in tensors}
    layers = {layout: {stage.name for stage in LAYOUTS[layout].stages} for layout in LAYOUTS}
    layout = min(LAYOUTS, key=lambda key: len(layers[key] ^ names))
    if not layers[layout] & names:
        raise CheckpointError(
            f"no DeePSim generator: expected layers defc7, defc6, ... or Rconv6, Rconv7, ...; the file holds "
            f"{', '.join(list(tensors)[:5])}, ..."
        )
    if layout in ("norm2", "conv1"):  # the same names and kernels: only conv1 widens its maps in the first layer
        outputs, inputs = _weight(tensors, "Rconv6").shape[:2]
        return "norm2" if inputs == outputs else "conv1"
    return layout


def _weight(tensors: Tensors, name: str) -> np.ndarray:
    weight = tensors.get(f"{name}.weight")
    if weight is None or weight.ndim < 2:
        found = "is missing" if weight is None else f"has shape {weight.shape}"
        raise CheckpointError(f"{name}.weight {found}; every layout of DeePSim that fits the other names has it.")
    return weight


def _scale(options: Options, layout: str) -> float:
    if not LAYOUTS[layout].has_tanh:
        if "scale" in options:
            text = options["scale"]
            raise OptionError(f"scale={text}: the layout {layout} does not end in tanh. Leave the option out.")
        return 1.0
    return options.ask("scale", _positive, assumed=1.0)


def _positive(name: str, text: str) -> float:
    try:
        scale = float(text)
    except ValueError:
        scale = math.nan
    if not 0 < scale < math.inf:
        raise OptionError(f"{name}={text!r} is no positive number; expected 1 (PyTorch) or 255 (Caffe).")
    return scale
