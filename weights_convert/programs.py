"""From a program of operators and its weights to a model: what every way to a program shares."""

from __future__ import annotations

import math
import zlib
from dataclasses import replace
from typing import Any

import numpy as np

from geomgan.backend import usual_promotion
from geomgan.errors import CheckpointError, GeomganError, OptionError, nearest, said
from geomgan.generators.aten.generator import configuration, filled
from geomgan.generators.aten.lowering import lowered
from geomgan.generators.aten.program import Node, Program, Tensor, Value, check
from geomgan.generators.aten.run import values_of
from geomgan.generators.aten.sample import range_of
from geomgan.generators.aten.weights import Tensors, stored, with_inputs_fixed
from geomgan.models.card import LARGEST_SIZE
from weights_convert.convert import Converted
from weights_convert.options import Options

FLAT = "sample"  # the name of the value that is a flat vector in the shape of an image
LEAST_SIDE = 16  # pixels of an image that a flat vector is taken for


def converted(program: Program, tensors: Tensors, options: Options) -> Converted:
    """The card and the weights of a program, which :func:`geomgan.generators.aten.lowering.lowered` makes fast.

    Args:
        program: plain operators of ATen with torch's layouts; its first input is the code, ``(1, ...)``. Further
            inputs of whole numbers become options of ``geomgan.load``, others get fixed values.
        tensors: weights by their names, of any type of real numbers; those that the program does not take are left.
        options: ``output_range``, ``shape`` and ``inputs``, as the families declare them.

    Returns:
        A card with ``config``, ``output_range`` and ``prior``; further entries may be added.

    Raises:
        CheckpointError: program and weights do not fit, or its result is no sample.
        OptionError: an option is wrong, or the value of an input is missing.
    """
    code = program.inputs[0]
    if code.shape[:1] != (1,) or not np.issubdtype(np.dtype(code.dtype), np.floating) or program.latent_dim < 1:
        raise CheckpointError(
            f"its first input {code.name} is {code.dtype} of shape {code.shape}; expected one code, (1, ...) of "
            "floating point. Export the network with one code as its example."
        )
    if (largest := max(math.prod(t.shape) for t in program.inputs)) > LARGEST_SIZE:
        raise CheckpointError(f"it takes an input of {largest} numbers; expected at most {LARGEST_SIZE}")
    try:
        check(program)
        with usual_promotion():
            program, tensors, asked = _with_inputs(program, tensors, options)
            program, weights = stored(program, tensors)
            program = _shaped(program, values_of(program, weights)[program.output.name], options)
            program, weights = lowered(program, weights)
    except GeomganError:
        raise
    except ValueError as error:
        raise CheckpointError(f"{said(error)}.") from error
    bounds = options.ask("output_range", _bounds, known=range_of(program), assumed=(-1.0, 1.0))
    card = {"config": configuration(program, asked), "output_range": list(bounds), "prior": "z ~ N(0, I)"}
    return Converted(card, {"generator": weights})


# --- The sample ---


def _shaped(program: Program, sample: Any, options: Options) -> Program:
    """The program with a flat vector as an image: as the user says, else as the square that it fills."""
    if not np.issubdtype(sample.dtype, np.floating) or not sample.size or sample.shape[:1] != (1,):
        raise CheckpointError(
            f"the network returns {sample.dtype} of shape {sample.shape} for one code; expected one sample, (1, ...) "
            "of floating point"
        )
    if math.prod(sample.shape) != max(sample.shape):
        if "shape" in options:
            raise OptionError(f"shape={options['shape']}, but samples have one: {sample.shape[1:]}. Leave it out.")
        return program
    square = _square(sample.size) if sample.ndim == 2 else None  # sound has an axis of channels
    if "shape" not in options and square is None:
        return program
    shape = options.ask("shape", _shape, assumed=square)
    if math.prod(shape) != sample.size:
        raise OptionError(f"shape={options['shape']} has {math.prod(shape)} numbers; samples have {sample.size}.")
    options.assumed |= {"shape": "x".join(map(str, shape))} if "shape" in options.assumed else {}
    last = Node(FLAT, "reshape", (program.output, (1, *shape)))
    return replace(program, nodes=(*program.nodes, last), output=Value(FLAT))


def _square(size: int) -> tuple[int, ...] | None:
    """The square image of one or three channels that so many numbers fill."""
    for channels in (1, 3):
        side = math.isqrt(size // channels)
        if channels * side**2 == size and side >= LEAST_SIDE:
            return (channels, side, side)
    return None


def _shape(name: str, text: str) -> tuple[int, ...]:
    parts = text.lower().split("x")
    if not all(part.isdecimal() and len(part) < 8 for part in parts) or not 2 <= len(parts) <= 3:
        raise OptionError(f"{name}={text[:40]!r}; expected HEIGHTxWIDTH or CHANNELSxHEIGHTxWIDTH, such as 3x64x64.")
    shape = tuple(map(int, parts))
    return shape if len(shape) == 3 else (1, *shape)


def _bounds(name: str, text: str) -> tuple[float, float]:
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        low = high = math.nan
    if not (low < high and math.isfinite(high - low)):
        raise OptionError(f"{name}={text[:40]!r}; expected the range of the samples, LOW,HIGH: {name}=-1,1.")
    return low, high


# --- The inputs besides the code ---


def _with_inputs(program: Program, tensors: Tensors, options: Options) -> tuple[Program, Tensors, dict[str, int]]:
    """Program and weights where each further input of floats has a value, and what whole numbers the others take."""
    values = _values(options.get("inputs", ""))
    others = program.inputs[1:]
    if unknown := sorted(set(values) - {t.name for t in others}):
        raise OptionError(f"inputs names {unknown[0]!r}; {nearest(unknown[0], [t.name for t in others])}")
    asked: dict[str, int] = {}
    fixed: dict[str, np.ndarray] = {}
    for tensor in others:
        if np.issubdtype(np.dtype(tensor.dtype), np.integer):
            asked[tensor.name] = _whole(program, tensor, values.get(tensor.name), options)
        else:
            fixed[tensor.name] = _fixed(tensor, values.get(tensor.name))
    return with_inputs_fixed(program, fixed), {**tensors, **fixed}, asked


def _values(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(",") if part]
    if any(not value for _, _, value in pairs):
        raise OptionError(f"inputs={text[:60]!r}; expected NAME=VALUE, with commas between several.")
    return {name.strip(): value.strip() for name, _, value in pairs}


def _whole(program: Program, tensor: Tensor, text: str | None, options: Options) -> int:
    """The usual value of an input of whole numbers."""
    if text is None:
        assumed = options.assumed.get("inputs")
        options.assumed["inputs"] = f"{f'{assumed},' if assumed else ''}{tensor.name}=0"
        return 0
    value = int(text) if text.isdecimal() and len(text) < 10 else text
    filled(program, tensor, value)
    return int(value)


def _fixed(tensor: Tensor, text: str | None) -> np.ndarray:
    """The value of an input that is no whole number: one number for all, or a draw that depends on its name alone."""
    if text == "normal":
        rng = np.random.default_rng(zlib.crc32(tensor.name.encode()))
        return rng.standard_normal(tensor.shape).astype(np.float32)
    try:
        value = float(text or "")
    except ValueError:
        raise OptionError(
            f"the network takes {tensor.name}, {tensor.dtype} of shape {tensor.shape}, besides the code"
            f"{f', and inputs gives {text!r}' if text else ''}. Give --option inputs={tensor.name}=NUMBER, or "
            f"{tensor.name}=normal for a fixed draw of noise."
        ) from None
    return np.full(tensor.shape, value, np.float32)
