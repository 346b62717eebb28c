"""A module of PyTorch, through ``torch.export``, as a generator. The only file that needs torch, where it is called."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from importlib import import_module
from inspect import signature
from typing import Any

import numpy as np

from geomgan.backend import usual_promotion
from geomgan.errors import CheckpointError
from geomgan.generators.aten.exported import program_of
from geomgan.generators.aten.generator import configuration, generator
from geomgan.generators.aten.lowering import lowered
from geomgan.generators.aten.module import sample_of
from geomgan.generators.aten.program import Program
from geomgan.generators.aten.sample import MOST_APART, apart, range_of
from geomgan.generators.aten.weights import stored, with_inputs_fixed
from geomgan.generators.generator import Range
from geomgan.generators.spaces import Settings


def from_torch(module: Any, example: Any, inputs: Mapping[str, Any]) -> tuple[Settings, Range | None, np.ndarray]:
    """What a ``Generator`` needs of a ``torch.nn.Module``, its samples' range if it says one, and that of the example.

    Args:
        module: see :meth:`geomgan.Generator.from_torch`.
        example: one code, ``(1, ...)``.
        inputs: the others of its ``forward``, by their names.

    Raises:
        ModuleNotFoundError: torch is not installed.
        TypeError, ValueError: module or example are none.
        CheckpointError: the module does what no function of one code is made of.
    """
    torch = _torch()
    if not isinstance(module, torch.nn.Module):
        raise TypeError(
            f"module is {type(module).__name__}; expected a torch.nn.Module: a function is wrapped "
            "in one, a state dict loaded into one, and a file is for `geomgan convert auto`."
        )
    if not isinstance(example, torch.Tensor) or not example.is_floating_point():
        raise TypeError("example is no tensor of floating point; expected one code, such as torch.randn(1, 64).")
    if example.ndim < 2 or example.shape[0] != 1:
        fix = "example[None]" if example.ndim < 2 else "example[:1]"
        raise ValueError(f"example has the shape {tuple(example.shape)}; expected one code, (1, ...): pass {fix}.")
    _check_inputs(module, inputs)
    modes = {part: part.training for part in module.modules()}
    try:
        with torch.no_grad():
            exported = torch.export.export(module.eval(), (example,), dict(inputs))
            sample = exported.module()(example, **inputs)
    finally:
        for part, training in modes.items():
            part.training = training
    program = program_of(_graph(torch, exported))
    tensors = {name: _array(torch, value) for name, value in (exported.state_dict | exported.constants).items()}
    values = {name: np.asarray(_array(torch, torch.as_tensor(value))) for name, value in inputs.items()}
    program, usual, fixed = _divided(program, values)
    with usual_promotion():
        program, weights = lowered(*stored(program, tensors | fixed))
    settings = generator(configuration(program, usual), {"generator": weights})
    return settings, range_of(program), np.asarray(sample_of(_array(torch, sample)))


def _check_inputs(module: Any, inputs: Mapping[str, Any]) -> None:
    """Raise ``TypeError`` unless a code and ``inputs`` are the arguments that ``forward`` takes."""
    takes = signature(module.forward)
    try:
        takes.bind(None, **inputs)
    except TypeError as error:
        others = [p for p in list(takes.parameters.values())[1:] if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        needed = ", ".join(f"{p.name!r}: ..." for p in others if p.default is p.empty)
        given = ", ".join(("one code", *inputs))
        raise TypeError(
            f"forward takes {takes}, and gets {given}: {error}. Give what it takes besides the code, and nothing else, "
            f"as inputs={{{needed}}}: tensors, as for a batch of one code."
        ) from None


def check_sample(ours: Any, theirs: np.ndarray) -> None:
    """Raise ``CheckpointError`` unless the sample of the example is torch's."""
    difference = apart(ours, theirs)
    if not difference <= MOST_APART:
        raise CheckpointError(
            f"the sample of example is {difference:.1e} of the largest magnitude away from torch's; expected at most "
            f"{MOST_APART:.0e}. Is the module in float32, and does forward give finite samples, the same each time? If "
            "so, this is an error of geomgan: please report it with the module."
        )


def _divided(
    program: Program, values: Mapping[str, np.ndarray]
) -> tuple[Program, dict[str, int], dict[str, np.ndarray]]:
    """The program whose inputs are one whole number each; these numbers, and the values of the other inputs."""
    taken = {t.name: values[t.name] for t in program.inputs[1:]}
    usual = {n: int(x.flat[0]) for n, x in taken.items() if x.dtype.kind in "iu" and x.size and (x == x.flat[0]).all()}
    fixed = {name: value for name, value in taken.items() if name not in usual}
    return with_inputs_fixed(program, fixed), usual, fixed


def _graph(torch: Any, exported: Any) -> dict[str, Any]:
    """The JSON of an exported program."""
    file = io.BytesIO()
    torch.export.save(exported, file)
    with zipfile.ZipFile(file) as archive:
        name = next(name for name in archive.namelist() if name.endswith("models/model.json"))
        graph: dict[str, Any] = json.loads(archive.read(name))
    return graph


def _array(torch: Any, tensor: Any) -> Any:
    """A tensor on any device, of any type of numbers, as an array; what is none, as it is."""
    if not isinstance(tensor, torch.Tensor):
        return tensor
    plain = tensor.detach().cpu()
    return (plain.float() if plain.dtype == torch.bfloat16 else plain).numpy()


def _torch() -> Any:
    try:
        return import_module("torch")
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ModuleNotFoundError(
            "Generator.from_torch needs torch: pip install torch. Where it is installed elsewhere, export the module "
            "there with torch.export.save: `geomgan convert torch-export FILE OUT_DIR` needs no torch.",
            name="torch",
        ) from None
