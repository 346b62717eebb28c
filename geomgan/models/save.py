"""Writing a generator as a model folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import jax
import numpy as np

from geomgan.errors import OptionError, called
from geomgan.generators import Generator
from geomgan.generators.aten.generator import Beside, configuration
from geomgan.generators.aten.module import Aten
from geomgan.generators.generator import standard_normal
from geomgan.generators.network import FlaxFunction
from geomgan.generators.spaces import InSpace
from geomgan.models.card import SAVED
from geomgan.models.measured import write_measured


def save(G: Generator, folder: str | os.PathLike[str], **card: Any) -> Path:
    """Write a generator as a model folder, which ``geomgan.load`` opens again, bit for bit, with its layers.

    A model folder holds numbers and a program of known operators and never any code. What can be written is therefore
    what came through :meth:`Generator.from_torch` or through ``geomgan convert`` as a program (``torch-export``,
    ``torch-module``, ``torch-layers``, ``keras-layers``), with whatever weights it has now.

    Args:
        G: the generator; its options (``class_index``) are those that the folder opens with unless others are given.
        folder: a model there is replaced; it appears complete or not at all.
        card: further entries of ``model.json``, such as ``licence`` and ``source``.

    Returns:
        The folder.

    Raises:
        OptionError: the generator is made of code that no file can hold: a function, a Flax module, a prior of one's
            own. It says what can be done instead.
        CheckpointError: ``folder`` exists and is not a model.
        StoreError: it cannot be written.
    """
    function, params, inputs = G.function, G.params, {}
    if isinstance(function, InSpace) and isinstance(function.enter, Beside):
        context = params["context"]
        function, params = function.network, params["network"]
        inputs = {name: int(np.ravel(value)[0]) for name, value in context.items()}
    if not isinstance(function, FlaxFunction) or not isinstance(function.module, Aten):
        raise OptionError(f"{called(G.name)} {_why(function)}")
    if function.layer is not None:
        raise OptionError(f"{G.name} ends at the layer {function.layer}. Save the whole one; at() cuts what opens.")
    if G.prior is not standard_normal:
        raise OptionError(
            f"{G.name} draws its codes with a function, which no file can hold. Save it with the usual prior, N(0, I): "
            "make it without sample_latent, and keep that function in your program."
        )
    written = {
        "family": SAVED,
        "config": configuration(function.module.program, inputs),
        "output_range": None if G.output_range is None else list(G.output_range),
        "prior": "z ~ N(0, I)",
    }
    return write_measured(folder, {**written, **card}, {"generator": jax.tree.map(np.asarray, params)})


def _why(function: Any) -> str:
    """Why a generator of this function cannot be written, and what to do."""
    if isinstance(function, FlaxFunction | InSpace):
        network = function if isinstance(function, FlaxFunction) else function.network
        return (
            f"is the network {type(network.module).__name__}, no program of operators. If geomgan.load opened "
            "it, its folder is the model: copy that. A Flax module of your own is code: keep its file, and its "
            "parameters with orbax or numpy.savez."
        )
    return (
        "is made of a Python function, which no file can hold: nothing in a model folder is ever executed. Keep the "
        "function's file and save its params (orbax, numpy.savez); a PyTorch module that Generator.from_torch takes "
        "can be saved, and so can a file that `geomgan convert` takes."
    )
