"""The DCGAN of the PyTorch GAN zoo: ``{config, netG, netD, avgG}``, of which ``avgG`` is the generator to use."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from geomgan.errors import CheckpointError, check_choice
from geomgan.models.families import Family
from weights_convert.convert import Converted, renamed, state_dict
from weights_convert.dcgan_tutorial import dcgan
from weights_convert.pggan import gan_zoo_settings

TANH = {"MSE": True, "DCGAN": True, "WGANGP": False, "Logistic": False}  # loss -> whether its generator ends in tanh


def convert(family: Family, states: Mapping[str, Any], options: Mapping[str, str]) -> Converted:
    """Latent size, width, depth and channels are read from the tensors' shapes, the last activation from the loss.

    A file without a loss has the GAN zoo's default one, DCGAN's, and ends in ``tanh``.
    """
    tensors = renamed(state_dict(states[""], "avgG", "netG"), lambda name: name.replace(".module.", "."))
    depth = next(i for i in itertools.count() if f"main.convTranspose{i + 1}.weight" not in tensors)
    layers = ["formatLayer", *(f"main.convTranspose{i + 1}" for i in range(depth)), "main.outlayer"]
    norms = [f"main.batchNorm{i}" for i in range(depth + 1)]
    converted = dcgan(family, "GAN zoo DCGAN", tensors, layers, norms, tanh=_tanh(states[""], options))
    return Converted({**converted.card, "licence": "none stated"}, converted.params)


def _tanh(state: Any, options: Mapping[str, str]) -> bool:
    if "output" in options:
        check_choice(options["output"], ("tanh", "linear"), "output")
        return options["output"] == "tanh"
    settings = gan_zoo_settings(state)
    loss = settings.get("lossCriterion", settings.get("lossMode", "DCGAN"))
    if not isinstance(loss, str) or loss not in TANH:
        raise CheckpointError(
            f"its settings name the loss {loss!r}, which does not tell whether the generator ends in tanh; known are "
            f"{', '.join(TANH)}. Say it with --option output=tanh or output=linear."
        )
    return TANH[loss]
