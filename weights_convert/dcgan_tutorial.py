"""DCGAN generators in the layout of the PyTorch tutorial: ``main.0``, ``main.1`` (batch norm), ``main.3``, ..."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from geomgan.errors import CheckpointError
from geomgan.models.families import Family
from weights_convert.convert import Converted, state_dict
from weights_convert.table import Layer, Tensors, fill, shapes

MAX_LAYERS = 10  # each doubles the side: 2048 pixels
GENERATOR = ("netG", "generator", "G", "gen", "modelG", "model_G")  # what people call it
NESTS = (
    *(f"{name}{suffix}" for suffix in ("_state_dict", "") for name in GENERATOR),
    *("model_state_dict", "state_dict", "model"),
)


def convert(family: Family, states: Mapping[str, Any], options: Mapping[str, str]) -> Converted:
    """Latent size, width, depth and channels are read from the tensors' shapes."""
    del options
    tensors = _generator(state_dict(states[""], *NESTS))
    depth = next(i for i in itertools.count() if f"main.{3 * i}.weight" not in tensors)
    layers = [f"main.{3 * i}" for i in range(max(depth, 2))]
    norms = [f"main.{3 * i + 1}" for i in range(len(layers) - 1)]
    return dcgan(family, "tutorial DCGAN", tensors, layers, norms)


def dcgan(
    family: Family, what: str, tensors: Tensors, layers: Sequence[str], norms: Sequence[str], **config: Any
) -> Converted:
    """A DCGAN whose transposed convolutions are ``layers``, all but the last of them followed by ``norms``."""
    weights = [tensors.get(f"{layer}.weight", np.empty(0)) for layer in layers]
    if not 2 <= len(weights) <= MAX_LAYERS or any(weight.ndim != 4 or weight.shape[2:] != (4, 4) for weight in weights):
        raise CheckpointError(
            f"no {what}: expected 4 x 4 kernels {layers[0]}.weight, {layers[1]}.weight, ... of 2 to {MAX_LAYERS} "
            f"layers; the file holds {', '.join(list(tensors)[:5])}, ..."
        )
    config = {
        "latent_dim": weights[0].shape[0],
        "features": [weight.shape[1] for weight in weights[:-1]],
        "channels": weights[-1].shape[1],
        "resolution": 4 * 2 ** (len(weights) - 1),
        **config,
    }
    targets = [*(f"block{i + 1}" for i in range(len(norms))), "output"]
    rows = [
        Layer(target, layer, "conv_transpose", norm=norm, bias=f"{layer}.bias" in tensors)
        for target, layer, norm in zip(targets, layers, [*norms, None], strict=True)
    ]
    template = shapes(family.networks["generator"].module(config), (config["latent_dim"],))
    card = {"config": config, "output_range": [-1, 1], "prior": "z ~ N(0, I)"}
    return Converted(card, {"generator": fill(tensors, rows, template, f"a {what}")})


def _generator(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The generator's tensors, where the networks of a GAN were saved as parts of one: ``netG.main.0.weight``."""
    for name in GENERATOR:
        if f"{name}.main.0.weight" in tensors:
            prefix = f"{name}."
            return {key.removeprefix(prefix): array for key, array in tensors.items() if key.startswith(prefix)}
    return tensors
