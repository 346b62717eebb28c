"""The DCGAN of the PyTorch GAN zoo: ``{config, netG, netD, avgG}``, of which ``avgG`` is the generator to use."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from geomgan.errors import CheckpointError
from geomgan.models.families import Family
from weights_convert.convert import Converted
from weights_convert.families.dcgan_tutorial import dcgan
from weights_convert.families.pggan import OUTPUTS, gan_zoo_loss, gan_zoo_settings
from weights_convert.modules import expect_functions
from weights_convert.options import Options, choice


def convert(family: Family, states: Mapping[str, Any], options: Options) -> Converted:
    """Latent size, width, depth and channels are read from the tensors' shapes, the last activation from the loss.

    A file without a loss has the GAN zoo's default one, DCGAN's, and ends in ``tanh``.
    """
    tensors = states[""]
    depth = next(i for i in itertools.count() if f"main.convTranspose{i + 1}.weight" not in tensors)
    layers = ["formatLayer", *(f"main.convTranspose{i + 1}" for i in range(depth)), "main.outlayer"]
    norms = [f"main.batchNorm{i}" for i in range(depth + 1)]
    expect_functions(tensors, {"ReLU": {}, "Tanh": {}}, "a DCGAN of the GAN zoo")
    converted = dcgan(
        family, "GAN zoo DCGAN", tensors, layers, norms, options, {"tanh": _tanh(states["file"], options)}
    )
    return Converted({**converted.card, "licence": "none stated"}, converted.params)


def _tanh(state: Any, options: Options) -> bool:
    """Whether the network ends in ``tanh``: what its loss says, else the option ``output``."""
    loss = gan_zoo_loss(gan_zoo_settings(state))
    if loss is not None and loss not in OUTPUTS and "output" not in options:
        raise CheckpointError(
            f"its settings name the loss {loss!r}, which does not tell whether the generator ends in tanh; known are "
            f"{', '.join(OUTPUTS)}. Say it with --option output=tanh or output=linear."
        )
    known = OUTPUTS.get(loss) if isinstance(loss, str) else None
    return options.ask("output", choice("tanh", "linear"), known=known, assumed="tanh") == "tanh"
