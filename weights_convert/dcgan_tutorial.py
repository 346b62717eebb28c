"""DCGAN generators in the layout of the PyTorch tutorial: ``main.0``, ``main.1`` (batch norm), ``main.3``, ..."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from geomgan.errors import CheckpointError
from geomgan.zoo.families import FAMILIES as NETWORKS
from weights_convert.convert import Converted, Family, state_dict
from weights_convert.table import Layer, fill, shapes

MAX_LAYERS = 10  # each doubles the side: 2048 pixels


def convert(states: Mapping[str, Any], options: Mapping[str, str]) -> Converted:
    """Latent size, width, depth and channels are read from the tensors' shapes."""
    del options
    tensors = state_dict(states[""], "netG_state_dict", "netG", "generator", "state_dict")
    sources = [f"main.{3 * i}" for i in range(len(tensors)) if f"main.{3 * i}.weight" in tensors]
    weights = [tensors[f"{source}.weight"] for source in sources]
    if not 2 <= len(weights) <= MAX_LAYERS or any(weight.ndim != 4 or weight.shape[2:] != (4, 4) for weight in weights):
        raise CheckpointError(
            f"no DCGAN of the tutorial's layout: expected 4 x 4 kernels main.0.weight, main.3.weight, ... of 2 to "
            f"{MAX_LAYERS} layers; the file holds {', '.join(list(tensors)[:5])}, ..."
        )
    config = {
        "latent_dim": weights[0].shape[0],
        "features": [weight.shape[1] for weight in weights[:-1]],
        "channels": weights[-1].shape[1],
        "resolution": 4 * 2 ** (len(weights) - 1),
    }
    *hidden, last = sources
    rows = [
        Layer(f"block{i + 1}", source, "conv_transpose", norm=f"main.{3 * i + 1}", bias=f"{source}.bias" in tensors)
        for i, source in enumerate(hidden)
    ]
    rows.append(Layer("output", last, "conv_transpose", bias=f"{last}.bias" in tensors))
    template = shapes(NETWORKS["dcgan-tutorial"]["generator"].module(config), (config["latent_dim"],))
    card = {"config": config, "output_range": [-1, 1], "prior": "z ~ N(0, I)"}
    return Converted(card, {"generator": fill(tensors, rows, template, "a tutorial DCGAN")})


FAMILIES = (
    Family(
        "dcgan-tutorial",
        "a file: the tutorial's state dict, alone or under netG_state_dict",
        convert,
        signature=("main.0.weight", "main.1.running_mean", "main.3.weight"),
    ),
)
