"""SNGAN's residual generators as WarpedGANSpace and GANLatentDiscovery have them: ``model.0``, ``model.2.conv1``, ...

``model.0`` is dense, ``model.2`` and on are the blocks, then come a batch norm, a ReLU and a convolution. The two
convolutions of a block are registered twice, as ``conv1`` and ``conv2`` and as ``model.3`` and ``model.6``.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from geomgan.errors import CheckpointError
from geomgan.generators import layouts
from geomgan.models.families import Family
from weights_convert.convert import Converted
from weights_convert.modules import expect_functions
from weights_convert.options import Epsilon, Options
from weights_convert.table import Computed, Layer, Tensors, fill, shapes

STATISTICS = ("weight", "bias", "running_mean", "running_var")
ALIASES = {"model.3": "conv1", "model.6": "conv2"}
MAX_BLOCKS = 8
FUNCTIONS = {"ReLU": {}, "Tanh": {}, "Upsample": {"mode": "nearest", "scale_factor": 2.0}}  # of a whole module


def convert(family: Family, states: Mapping[str, Any], options: Options) -> Converted:
    """Latent size, widths, depth and channels are read from the tensors' shapes; ``args.json`` must agree with them."""
    found = states[""]
    epsilon, tensors = options.epsilon(found), _without_aliases(found)
    config = _config(tensors)
    expect_functions(found, FUNCTIONS, "an SNGAN of this family")
    _check_settings(states.get("config", {}), config)
    blocks = len(config["features"]) - 1
    rows: list[Layer | Computed] = [Layer("project", "model.0", "dense_to_map", spatial=(config["seed"],) * 2)]
    for i in range(1, blocks + 1):
        source = f"model.{i + 1}"
        rows += _affine(f"block{i}_norm", f"{source}.model.0", epsilon)
        norm = f"{source}.model.4"
        rows.append(Layer(f"block{i}_conv1", f"{source}.conv1", "conv", norm=norm, epsilon=epsilon(norm)))
        rows.append(Layer(f"block{i}_conv2", f"{source}.conv2", "conv"))
        if config["features"][i - 1] != config["features"][i]:
            rows.append(Layer(f"block{i}_bypass", f"{source}.bypass.1", "conv"))
    rows += [*_affine("norm", f"model.{blocks + 2}", epsilon), Layer("output", f"model.{blocks + 4}", "conv")]
    template = shapes(family.networks["generator"].module(config), (config["latent_dim"],))
    card = {"config": config, "output_range": [-1, 1], "prior": "z ~ N(0, I)", "licence": "none stated"}
    return Converted(card, {"generator": fill(tensors, rows, template, "an SNGAN generator")})


def _affine(target: str, norm: str, epsilon: Epsilon) -> list[Computed]:
    sources = tuple(f"{norm}.{part}" for part in STATISTICS)
    return [
        Computed(
            f"{target}/scale", sources, lambda *statistics: layouts.batch_norm(*statistics, epsilon=epsilon(norm))[0]
        ),
        Computed(
            f"{target}/shift", sources, lambda *statistics: layouts.batch_norm(*statistics, epsilon=epsilon(norm))[1]
        ),
    ]


def _without_aliases(tensors: Tensors) -> dict[str, np.ndarray]:
    """Every tensor once, under the name of ``conv1`` or ``conv2``."""
    once: dict[str, np.ndarray] = {}
    for name, array in tensors.items():
        alias = re.fullmatch(r"(model\.\d+)\.(model\.[36])\.(weight|bias)", name)
        first = f"{alias[1]}.{ALIASES[alias[2]]}.{alias[3]}" if alias else name
        if first in once and not np.array_equal(once[first], array, equal_nan=True):
            raise CheckpointError(
                f"{first} is there twice, the other time as {alias[0] if alias else first.replace('conv', 'model.')}, "
                "with other numbers; expected one tensor under two names. The file was changed after it was saved."
            )
        once[first] = array
    return once


def _config(tensors: Tensors) -> dict[str, Any]:
    blocks = next(i for i in itertools.count() if f"model.{i + 2}.conv1.weight" not in tensors)
    wanted = ["model.0.weight", *(f"model.{i + 2}.conv1.weight" for i in range(blocks)), f"model.{blocks + 4}.weight"]
    weights = [tensors.get(name, np.empty(0)) for name in wanted]
    if not 1 <= blocks <= MAX_BLOCKS or [weight.ndim for weight in weights] != [2, *[4] * (blocks + 1)]:
        raise CheckpointError(
            "no residual generator of SNGAN: expected a matrix model.0.weight, 1 to "
            f"{MAX_BLOCKS} blocks model.2.conv1.weight, model.3.conv1.weight, ... and a last convolution; the file "
            f"holds {', '.join(list(tensors)[:5])}, ..."
        )
    features = [weights[1].shape[1], *(weight.shape[0] for weight in weights[1:-1])]
    seed = math.isqrt(weights[0].shape[0] // features[0])
    return {
        "latent_dim": weights[0].shape[1],
        "features": features,
        "channels": weights[-1].shape[0],
        "seed": seed,
        "resolution": seed * 2**blocks,
    }


def _check_settings(settings: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """Raise unless ``args.json`` says of the model what its tensors say."""
    said = {"latent_dim": settings.get("latent_dim"), "channels": settings.get("image_channels")}
    if isinstance(model := settings.get("model"), str):
        resolution = re.search(r"sn_resnet(\d+)", model)
        said["resolution"] = int(resolution[1]) if resolution else model
    wrong = {key: value for key, value in said.items() if value is not None and value != config[key]}
    if wrong:
        raise CheckpointError(
            f"args.json beside the file says {wrong}; the tensors say { {key: config[key] for key in wrong} }. It "
            "belongs to another model: put the right one there, or none."
        )
