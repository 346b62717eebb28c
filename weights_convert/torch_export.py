"""Any network that ``torch.export`` wrote, as a program of ATen operators; nothing in the file is executed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.errors import CheckpointError, reading
from geomgan.generators.aten.exported import inputs_of, program_of
from geomgan.generators.aten.module import sample_of
from geomgan.generators.aten.program import Program
from geomgan.generators.aten.sample import MOST_APART, apart
from geomgan.generators.aten.weights import Tensors, with_inputs_fixed
from geomgan.generators.cost import count_flops, largest_array
from geomgan.models.build import build
from geomgan.models.families import Family
from geomgan.models.measured import LARGEST, WIDEST, flat_output
from weights_convert.convert import Converted
from weights_convert.exported import from_json
from weights_convert.options import Options
from weights_convert.programs import converted


def convert(family: Family, states: Mapping[str, Any], options: Options) -> Converted:
    """The program and the weights of an archive; where it holds inputs and a sample, ours is compared with that.

    Inputs besides the code keep the values that are stored there, unless an option gives them; what is one whole number
    stays an option of ``geomgan.load``.

    Raises:
        CheckpointError: the network is no generator of one code, or its sample is another than the stored one.
        OptionError: see :func:`weights_convert.programs.converted`.
    """
    archive = states[""]
    graph = from_json(archive["graph"], "a graph")
    program = program_of(graph, options.get("output"))
    inputs, sample = _example(archive["example"], inputs_of(graph)) if archive["example"] else ({}, None)
    program, fixed = _with_fixed(program, inputs, options)
    with reading("the network", "Export it again.", error=CheckpointError, found="does not run"):
        made = converted(program, {**archive["weights"], **fixed}, options)
        _keep_numbers(made, inputs, options)
        parity = _compared(family, made, program, inputs, sample)
    return replace(made, card={**made.card, "parity": parity})


def _example(text: bytes, names: list[str]) -> tuple[Tensors, np.ndarray]:
    """Inputs by their names and a sample, from ``{"inputs": [nested lists, ...], "sample": nested lists}``."""
    example = from_json(text, "an example")
    try:
        inputs = {name: np.asarray(x, np.float64) for name, x in zip(names, example["inputs"], strict=True)}
        sample = np.asarray(example["sample"], np.float64)
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        raise CheckpointError(f"the example beside the program is damaged ({error}). Export it again.") from None
    if not all(np.isfinite(x).all() for x in (sample, *inputs.values())) or not sample.size:
        raise CheckpointError("the example beside the program is not finite: the network does not work in torch.")
    return inputs, sample


def _with_fixed(program: Program, inputs: Tensors, options: Options) -> tuple[Program, Tensors]:
    """The program where further inputs are weights, with their values; what is one whole number stays an input."""
    said = _said(options)
    given = {t: inputs[t.name] for t in program.inputs[1:] if t.name in inputs and t.name not in said}
    fixed = {t.name: x.reshape(t.shape) for t, x in given.items() if t.dtype == "float32" or np.unique(x).size > 1}
    return with_inputs_fixed(program, fixed), fixed


def _said(options: Options) -> set[str]:
    """The inputs that an option gives values."""
    return {part.partition("=")[0].strip() for part in options.get("inputs", "").split(",")}


def _keep_numbers(made: Converted, inputs: Tensors, options: Options) -> None:
    """Have the stored whole numbers for the usual ones, in the place of zeros that were assumed."""
    usual = made.card["config"].get("inputs", {})
    stored = {name: int(inputs[name].flat[0]) for name in usual.keys() & inputs.keys() - _said(options)}
    usual |= stored
    if stored.keys() == usual.keys():
        options.assumed.pop("inputs", None)


def _compared(family: Family, made: Converted, program: Program, inputs: Tensors, theirs: np.ndarray | None) -> str:
    """How near the sample is to the stored one, or why that is not known."""
    config, code = made.card["config"], inputs.get(program.inputs[0].name)
    if theirs is None or code is None:
        return "not compared: the file holds no code and sample"
    if any(t.name in inputs and t.name not in config.get("inputs", {}) for t in program.inputs[1:]):
        return "not compared: an option gives an input another value"
    asked = {name: int(inputs[name].flat[0]) for name in config.get("inputs", {})}
    G = build({"family": family.name, **made.card}, made.params, None, family.name, asked)
    if code.size != config["latent_dim"]:
        raise CheckpointError(f"the stored code has {code.size} numbers; the network takes {config['latent_dim']}.")
    shape = jax.ShapeDtypeStruct((code.size,), jnp.float32)
    if (flops := count_flops(flat_output, G, shape)) > LARGEST:
        return f"not compared: a forward pass takes {flops / 1e9:.0f} GFLOP"
    if (activation := largest_array(flat_output, G, shape)) > WIDEST:
        return f"not compared: an activation takes {activation / 2**30:.1f} GiB"
    ours = np.asarray(G(jnp.asarray(code.ravel(), jnp.float32)))
    if ours.size != theirs.size:
        raise CheckpointError(f"the sample has {ours.size} numbers, the one beside the program {theirs.size}.")
    theirs = np.asarray(sample_of(theirs.reshape(1, *ours.shape[-1:], *ours.shape[:-1])))
    difference = apart(ours, theirs)
    if not difference <= MOST_APART:
        raise CheckpointError(
            f"the sample of the stored code is {difference:.1e} of the largest magnitude away from the stored sample; "
            f"expected at most {MOST_APART:.0e}. Was net.eval().float() called before, and is the sample one of the "
            "exported network? If so, this is an error of geomgan: please report it with the file."
        )
    return f"{difference:.1e} of the largest magnitude, against torch at the export"
