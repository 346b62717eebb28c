"""Any generator that was saved as a whole module, ``torch.save(net, FILE)``: its parts say what they are.

Parts of torch's own classes become lines of :mod:`weights_convert.torch_modules`. A class of the user's has a
``forward`` that no file holds: its children are assumed to run in the order in which they were defined and nothing
else with them, which is said; where that cannot be so it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from geomgan.errors import CheckpointError, OptionError
from geomgan.models.families import Family
from weights_convert.convert import Converted
from weights_convert.modules import Part
from weights_convert.options import Options, shown
from weights_convert.programs import converted
from weights_convert.recognise.generators import generated, generator, note
from weights_convert.torch_modules import LAYERS, Line
from weights_convert.torch_modules.lines import NONLINEAR, WEIGHTED
from weights_convert.torch_modules.weight_norms import folded

CONTAINERS = ("Sequential", "ModuleList")
RESHAPES = re.compile(r"view|reshape|unflatten", re.IGNORECASE)  # what users call a module that only does that
RECIPE = "`geomgan export-recipe` prints the lines that export it with torch"


def convert(family: Family, states: Mapping[str, Any], options: Options) -> Converted:
    """Strides, paddings, epsilons and slopes are attributes of the parts; the input's shape may be an option."""
    found = generator(states[""], options, lambda tensors: bool(tensors.parts))
    tensors = found.tensors
    if not tensors.parts:
        raise CheckpointError(
            "the file holds a state dict and no module, so that nothing says what its layers are. Convert it as "
            "torch-layers, which asks for what the tensors do not say"
        )
    lines = list(_ordered(tensors.parts, options) if "order" in options else _defined(tensors.parts, options))
    if "order" not in options:
        _check_forward(lines, tensors.parts)
    tensors = folded(tensors, [line.path for line in lines if line.kind.startswith("ConvTranspose")])
    try:
        network = generated(lines, tensors, options)
    except OptionError as error:
        raise OptionError(f"{error}{_sizes(found.tensors.parts)}") from None
    views = [shown(line.settings["shape"]) for line in network.lines if line.kind == "View" and not line.path]
    if views:
        options.assumed["view"] = views[0] if len(views) == 1 else views
    made = converted(network.program, tensors, options)
    return replace(made, card={**made.card, **note(found)})


def _sizes(parts: Mapping[str, Part]) -> str:
    """The whole numbers that the module itself holds, which may be sizes, as a sentence."""
    held = [f"{name}={value}" for name, value in parts[""].attributes.items() if type(value) is int]
    return f" The module says of itself: {', '.join(held[:8])}." if held else ""


def _defined(parts: Mapping[str, Part], options: Options) -> Iterator[Line]:
    """The whole module, in the order of its definition."""
    assumed = [path for path, part in parts.items() if not part.own and _below(parts, path)]
    if assumed:
        options.assumed["order"] = list(_in_order(parts, "", assumed))
    yield from _lines(parts, "")


def _in_order(parts: Mapping[str, Part], path: str, assumed: Sequence[str]) -> Iterator[str]:
    """What ``order`` would name: the parts below one as they run, of classes of the author's their children."""
    for child in _below(parts, path):
        if any(f"{one}.".startswith(f"{child}.") for one in assumed):
            yield from _in_order(parts, child, assumed)
        else:
            yield child


def _ordered(parts: Mapping[str, Part], options: Options) -> Iterator[Line]:
    """The parts that the user names, in that order."""
    for name in options["order"].split(","):
        if name not in parts:
            raise OptionError(
                f"order={options['order'][:80]!r} names {name[:40]!r}, which is no part of the module. It has "
                f"{', '.join(_below(parts, ''))}."
            )
        yield from _lines(parts, name)


def _lines(parts: Mapping[str, Part], path: str) -> Iterator[Line]:
    part, below = parts[path], _below(parts, path)
    if part.own and part.kind in LAYERS:
        yield Line(part.kind, path, part.attributes)
    elif part.kind in CONTAINERS or (below and not part.own):
        for child in below:
            yield from _lines(parts, child)
    elif shape := _reshape(part):
        yield Line("View", path, {"shape": shape})
    else:
        whose = "torch's" if part.own else "a class of its author's"
        raise CheckpointError(
            f"the module has {part.kind} at {path or 'its root'}, {whose}, and no file says what its forward does. "
            f"{RECIPE}"
        )


def _below(parts: Mapping[str, Part], path: str) -> list[str]:
    """The children of a part, in the order in which they were defined."""
    prefix = f"{path}." if path else ""
    return [name for name in parts if name and name.startswith(prefix) and "." not in name[len(prefix) :]]


def _reshape(part: Part) -> tuple[int, ...] | None:
    """The shape that a reshaping module of the user's makes: the one list of integers that it holds, but its batch."""
    lists = [
        value
        for value in part.attributes.values()
        if isinstance(value, tuple | list) and value and all(type(n) is int for n in value)
    ]
    if not RESHAPES.search(part.kind) or len(lists) != 1:
        return None
    shape = tuple(lists[0])
    return shape[1:] if len(shape) > 1 and shape[0] in (-1, 1) else shape


def _check_forward(lines: Sequence[Line], parts: Mapping[str, Part]) -> None:
    """Raise where a forward of the user's visibly does more than running its children as they were defined."""
    behind: Line | None = None  # the last line that is a layer with a weight, or a non-linearity
    for line in lines:
        if line.kind not in NONLINEAR | WEIGHTED:
            continue
        pair = [line.path, behind.path] if behind else []
        if behind and (line.kind in NONLINEAR) == (behind.kind in NONLINEAR) and (who := _author(parts, pair)):
            both = "non-linearities" if line.kind in NONLINEAR else "layers without a non-linearity between"
            raise CheckpointError(
                f"{who} defines {behind.name} and then {line.name}, two {both}: its forward, which no file holds, does "
                f"more than running its parts as they were defined. Where all of it is parts, say in which order they "
                f"run: --option order={','.join(_below(parts, ''))}; else {RECIPE}, or say what runs line by line: "
                "convert it as torch-layers with --option layers=FILE"
            )
        behind = line


def _author(parts: Mapping[str, Part], paths: Sequence[str]) -> str:
    """The class of the user's in which the ways to both paths part; empty where that is a Sequential."""
    a, b = (path.split(".") for path in paths)
    shared = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    part = parts[".".join(a[:shared])]
    return "" if part.own else part.kind
