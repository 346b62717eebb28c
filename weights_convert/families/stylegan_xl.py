"""StyleGAN-XL's pickles, which ``dill`` writes: StyleGAN3 with projected class embeddings and super-resolution layers.

How a layer resamples does not follow from the size of the network: a super-resolution head has its own law, on a stem
whose last layers are cut off; their numbers are missing in the names. Every layer says it itself, as attributes of its
object; a state dict alone does not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from geomgan.errors import CheckpointError
from geomgan.generators import nvidia_stylegan3
from geomgan.generators.stylegan3_sampling import Filtered, Waves
from geomgan.models.families import Family
from weights_convert.convert import Converted
from weights_convert.families.nvidia import EPSILON, GAIN, RATE
from weights_convert.families.nvidia_stylegan3 import LAYER, MAX_FACTOR, MAX_LAYERS, MAX_SIDE, synthesis_rows
from weights_convert.families.stylegan2 import numbered, shape
from weights_convert.modules import StateDict
from weights_convert.options import Options
from weights_convert.table import Computed, Layer, Row, fill

IGNORED = {
    "*_filter4": "one of the two filters that up_filter and down_filter lie between",
    "*_filter16": "the other one",
}
SLOPE = 0.2


def convert(family: Family, states: Mapping[str, Any], options: Options) -> Converted:
    """Widths, classes and filters are read from the tensors, resampling from the attributes of the layers."""
    tensors = states[""]
    found = sorted((int(match[2]), match[1], int(match[3])) for name in tensors if (match := LAYER.fullmatch(name)))
    if not 3 <= len(found) <= MAX_LAYERS or len({number for number, _, _ in found}) < len(found):
        raise CheckpointError(f"the file has the layers {found[:8]}; expected 3 to {MAX_LAYERS}, one of each number.")
    names, sides = [name for _, name, _ in found], [side for _, _, side in found]
    config = _config(tensors, names, sides)
    scale = _number(tensors, "synthesis", "output_scale")
    rows = [*_mapping(tensors, config), *synthesis_rows(config, tensors, names, scale)]
    classes, width = config["classes"], config["mapping"][-1]
    template = {
        "generator": nvidia_stylegan3.template(config),
        "classes": {"shift": shape(classes, config["mapping"][0])},
        "average": {"latent": shape(classes, width)},
    }
    card = {
        "config": config,
        "output_range": [-1, 1],
        "prior": "z ~ N(0, I) of a class; w, w+ and s by mapping z",
        "licence": "none stated",
        "code_licence": "MIT",
    }
    params = fill(tensors, rows, template, f"a StyleGAN-XL of {config['resolution']} pixels", IGNORED)
    return Converted(card, params)


def _config(tensors: StateDict, names: list[str], sides: list[int]) -> dict[str, Any]:
    """See :func:`geomgan.generators.nvidia_stylegan3.configuration`."""
    if not 4 <= sides[-1] <= MAX_SIDE or max(sides) > MAX_SIDE:
        raise CheckpointError(f"the layers make {sides} pixels a side; expected 4 to {MAX_SIDE}.")
    layers = [_layer(tensors, f"synthesis.{name}") for name in names]
    taken = [_taken(layer, side) for layer, side in zip(layers, sides, strict=True)]
    made = [tensors["synthesis.input.freqs"].shape[0], *(layer.features for layer in layers)]
    if taken[1:] != sides[:-1] or [layer.before for layer in layers] != made[:-1]:
        raise CheckpointError(
            f"the layers take maps of {taken} pixels and make {sides}; expected each to take what the one before "
            "makes. The file is damaged."
        )
    depth = numbered(tensors, "mapping.fc{}.weight")
    widths = [tensors[f"mapping.fc{i}.weight"].shape[0] for i in range(depth)]
    projected = tensors["mapping.embed_proj.weight"].shape[0]
    source = "synthesis.input"
    waves = Waves(made[0], taken[0], _number(tensors, source, "sampling_rate"), _number(tensors, source, "bandwidth"))
    return {
        "resolution": sides[-1],
        "latent_dim": tensors["mapping.fc0.weight"].shape[1] - projected,
        "mapping": widths,
        "classes": tensors["mapping.embed.weight"].shape[0],
        "input": asdict(waves),
        "layers": [{**asdict(layer), "padding": list(layer.padding)} for layer in layers],
    }


def _said(tensors: StateDict, path: str, name: str) -> Any:
    """An attribute of a module in the file."""
    if path not in tensors.parts or name not in tensors.parts[path].attributes:
        raise CheckpointError(
            f"the file does not say {name} of {path}: how its layers resample stands in no tensor. Get the whole "
            "pickle, with its network as an object."
        )
    return tensors.parts[path].attributes[name]


def _number(tensors: StateDict, path: str, name: str) -> float:
    value = _said(tensors, path, name)
    if not isinstance(value, int | float) or not 0 < value < 1e9:
        raise CheckpointError(f"{path} says {name}={str(value)[:40]}; expected a positive number.")
    return float(value)


def _layer(tensors: StateDict, path: str) -> Filtered:
    up, down, padding = (_said(tensors, path, name) for name in ("up_factor", "down_factor", "padding"))
    weight = tensors[f"{path}.weight"]
    lengths = [np.shape(tensors.get(f"{path}.{which}_filter", np.ones(1))) for which in ("up", "down")]
    numbers = isinstance(padding, list | tuple) and len(padding) == 4 and all(type(n) is int for n in padding)
    whole = all(type(n) is int and 1 <= n <= MAX_FACTOR for n in (up, down))
    if not whole or not numbers or padding[:2] != padding[2:] or max(map(abs, padding)) > MAX_SIDE or weight.ndim != 4:
        raise CheckpointError(
            f"{path} says up_factor={str(up)[:20]}, down_factor={str(down)[:20]}, padding={str(padding)[:40]}; "
            f"expected factors of 1 to {MAX_FACTOR} and the same whole numbers for both axes."
        )
    after, before, kernel, _ = weight.shape
    taps = lengths[0][0], lengths[1][0]
    return Filtered(before, after, kernel, up, down, *taps, len(lengths[1]) == 2, (padding[0], padding[1]))


def _taken(layer: Filtered, made: int) -> int:
    """The side of the map that a layer makes ``made`` pixels of."""
    inside = (made - 1) * layer.down + 1 + layer.up_taps + layer.down_taps - 2 - sum(layer.padding)
    return inside // layer.up - layer.kernel + 1


def _mapping(tensors: StateDict, config: Mapping[str, Any]) -> list[Row]:
    """The mapping network; the first layer's part for the class is a row of ``classes/shift``.

    It takes ``n(√2 σ(P e_k / √d + b))`` of the class's embedding ``e_k (d,)``, with ``n(y) = y / √(mean y² + ε)``.
    """
    said = tensors.parts["mapping.fc0"].attributes.get("bias_gain") if "mapping.fc0" in tensors.parts else None
    rate, latent = said if isinstance(said, float) else RATE, config["latent_dim"]
    scale = lambda i: GAIN * rate / math.sqrt(tensors[f"mapping.fc{i}.weight"].shape[1])
    first, weight = "generator/mapping/layer1", "mapping.fc0.weight"

    def shifts(weight: np.ndarray, embedding: np.ndarray, projection: np.ndarray, bias: np.ndarray) -> np.ndarray:
        y = embedding @ projection.T / math.sqrt(embedding.shape[1]) + bias
        y = GAIN * np.where(y >= 0, y, SLOPE * y)
        y = y / np.sqrt((y**2).mean(axis=1, keepdims=True) + EPSILON)
        return scale(0) * y @ weight[:, latent:].T

    of_class = ("mapping.embed.weight", "mapping.embed_proj.weight", "mapping.embed_proj.bias")
    others = range(1, len(config["mapping"]))
    return [
        Computed(f"{first}/kernel", (weight,), lambda x: scale(0) * x[:, :latent].T),
        Computed(f"{first}/bias", ("mapping.fc0.bias",), lambda x: GAIN * rate * x),
        Computed("classes/shift", (weight, *of_class), shifts),
        Computed("average/latent", ("mapping.w_avg",), np.asarray),
        *(
            Layer(f"generator/mapping/layer{i + 1}", f"mapping.fc{i}", "dense", scale=scale(i), bias_scale=GAIN * rate)
            for i in others
        ),
    ]
