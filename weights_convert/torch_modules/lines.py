"""A list of lines as a program: every line checked, views that only one shape allows put in between."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from geomgan.errors import CheckpointError, GeomganError, OptionError, check_choice, said
from geomgan.generators.aten.program import Program
from weights_convert.torch_modules import activations, linear, norms, resampling, steps
from weights_convert.torch_modules.layer import Layer, Line, Trace

LAYERS: dict[str, Layer] = {
    **linear.LAYERS,
    **norms.LAYERS,
    **activations.LAYERS,
    **resampling.LAYERS,
    **steps.LAYERS,
}
NONLINEAR = frozenset(activations.LAYERS)
WEIGHTED = frozenset(linear.LAYERS) - {"Embedding"}
MOST_LINES = 2_000

Tensors = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Traced:
    """A network that fits.

    Attributes:
        program: what it computes.
        lines: those that were given, and the views between them that were not.
        shapes: of the value behind each of ``lines``, without its batch.
        assumed: what was taken for granted, by a word for it.
    """

    program: Program
    lines: tuple[Line, ...]
    shapes: tuple[tuple[int, ...], ...]
    assumed: Mapping[str, str]


def traced(lines: Sequence[Line], tensors: Tensors) -> Traced:
    """The program of a network.

    A missing view between a dense layer and maps, or back, is put in where exactly one fits: maps are square.

    Raises:
        OptionError: there is no such kind of layer.
        CheckpointError: a line does not fit what comes before it, or its tensors; it is named.
    """
    if not 0 < len(lines) <= MOST_LINES:
        raise CheckpointError(f"the network has {len(lines)} layers; expected 1 to {MOST_LINES}.")
    for line in lines:
        check_choice(line.kind, LAYERS, "layer")
    trace = Trace(tensors)
    done: list[Line] = []
    shapes: list[tuple[int, ...]] = []
    for i, line in enumerate(lines):
        for step in (*_views(trace, lines[i:]), line):
            _run(trace, step)
            done.append(step)
            shapes.append(trace.shape[1:])
    return Traced(trace.program(), tuple(done), tuple(shapes), trace.assumed)


def settings_of(line: Line) -> dict[str, Any]:
    """The arguments of a line, with torch's defaults for those that it leaves out.

    Raises:
        CheckpointError: an argument is missing, or has a value that it cannot take.
    """
    settings = {}
    for name, argument in LAYERS[line.kind].arguments.items():
        value = line.settings.get(name, argument.default)
        if value is ...:
            raise CheckpointError(f"{line.name} lacks its {name}.")
        try:
            settings[name] = argument.read(value)
        except ValueError as expected:
            raise CheckpointError(f"{line.name} has {name}={value!r:.60}; expected {expected}.") from None
    return settings


def _run(trace: Trace, line: Line) -> None:
    layer, settings = LAYERS[line.kind], settings_of(line)
    before = trace.shape[1:] if trace.value is not None else ()
    if layer.axes and len(before) != layer.axes + 1:
        dims = ", ".join("CDHW"[0 if i == 0 else i - layer.axes - 1] for i in range(layer.axes + 1))
        raise CheckpointError(f"{line.name} takes maps ({dims}), and gets {before or 'nothing'}.")
    trace.begin(line)
    try:
        trace.end(layer.build(trace, **settings))
    except GeomganError as error:
        raise CheckpointError(f"{line.name} does not fit {before}: {error}") from error
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        weights = [f"{path}: {shape}" for path, shape in _shapes(trace.tensors, line.path)]
        held = f" (its tensors are {', '.join(weights)})" if weights else ""
        raise CheckpointError(f"{line.name} does not fit {before}{held}: {said(error)}.") from error


def _shapes(tensors: Tensors, path: str) -> list[tuple[str, tuple[int, ...]]]:
    parts = [name for name in tensors if path and name.rpartition(".")[0] == path and tensors[name].ndim]
    return [(name.rpartition(".")[2], tensors[name].shape) for name in parts]


# --- What nobody wrote: the code that goes in, and views ---


def with_input(lines: Sequence[Line], tensors: Tensors, given: tuple[int, ...] | None = None) -> list[Line]:
    """The lines behind one for the code: of the shape ``given``, else of that which the first layer takes.

    Raises:
        OptionError: that is a convolution over maps, whose sides no tensor says.
    """
    if any(line.kind == "Code" for line in lines):
        if given is not None:
            raise OptionError(f"input={','.join(map(str, given))}, but the layers have a line Code. Leave one out.")
        return list(lines)
    shape = given
    for line in lines if given is None else ():
        channels, axes = takes(line, tensors), LAYERS[line.kind].axes if line.kind in LAYERS else None
        sizes = [value for name in ("shape", "unflattened_size") if isinstance(value := line.settings.get(name), tuple)]
        if line.kind in ("View", "Unflatten") and sizes and min(sizes[0]) > 0:
            shape = (math.prod(sizes[0]),)  # a flat code, which the network views so
        elif channels is not None and line.kind.startswith("ConvT") and axes:
            shape = (channels, *(1,) * axes)
        elif channels is not None and line.kind in ("Linear", "BatchNorm1d", "LayerNorm"):
            shape = (channels,)
        elif channels is not None:
            sides = ",".join(["SIDE"] * (axes or 2))
            raise OptionError(
                f"the first layer is {line.name}, which takes maps of {channels} channels, and no tensor says of which "
                f"sides. Give the shape of the code: --option input={channels},{sides}."
            )
        if shape is not None:
            break
    if shape is None:
        raise CheckpointError("none of its layers has tensors that say what it takes.")
    return [Line("Code", "", {"shape": shape}), *lines]


def _views(trace: Trace, ahead: Sequence[Line]) -> Iterator[Line]:
    """The view that the next line needs and only one shape allows."""
    line = ahead[0]
    if trace.value is None or line.kind in steps.LAYERS or trace.integer:
        return
    shape = trace.shape[1:]
    if line.kind == "Linear":
        wanted = takes(line, trace.tensors)
        if len(shape) > 1 and shape[-1] != wanted and math.prod(shape) == wanted:
            yield Line("View", "", {"shape": (wanted,)}, "the only shape that fits")
    elif len(shape) == 1:
        needs = maps_of(ahead, trace.tensors)
        view = linear.square(shape[0], *needs) if needs else None
        if view:
            yield Line("View", "", {"shape": view}, "the only square maps that fit")


def takes(line: Line, tensors: Tensors) -> int | None:
    """How many channels, or numbers, a line with tensors takes; None where they do not say."""
    for part in ("weight", "running_mean"):
        array = tensors.get(f"{line.path}.{part}" if line.path else part)
        if array is None or array.ndim == 0:
            continue
        if line.kind == "Linear" and array.ndim == 2:
            return int(array.shape[1])
        if line.kind.startswith("Conv") and array.ndim > 2:
            groups = line.settings.get("groups", 1)
            times = groups if isinstance(groups, int) and not line.kind.startswith("ConvT") else 1
            return int(array.shape[0] if line.kind.startswith("ConvT") else array.shape[1] * times)
        if line.kind in norms.LAYERS and array.ndim == 1:
            return int(array.shape[0])
    return None


def maps_of(ahead: Sequence[Line], tensors: Tensors) -> tuple[int, int] | None:
    """Channels and axes of the maps that the next line takes, which a later one may say; None where it takes none."""
    first = LAYERS[ahead[0].kind]
    if not first.axes and ahead[0].kind != "Upsample":
        return None
    for line in ahead:
        layer, channels = LAYERS[line.kind], takes(line, tensors)
        if channels is not None:
            axes = layer.axes or first.axes
            return (channels, axes) if axes else None
        if line.kind.startswith("Pixel"):
            return None
    return None
