"""What the JSON of ``torch.export`` says: version 8 of ``torch._export.serde.schema``.

A value of several kinds is an object of one entry: ``{"as_ints": [1, 2]}``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from geomgan.errors import CheckpointError
from geomgan.generators.aten.program import Argument, Tensor, Value, Weight

MAJOR = 8
END = 2**63 - 1  # of a slice that goes to the end
DTYPES = {
    **{1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 8: "float64"},
    **{9: "complex32", 10: "complex64", 11: "complex128", 12: "bool", 13: "bfloat16", 28: "uint16", 34: "uint32"},
}
RUNS = {"float16": "float32", "bfloat16": "float32", "float64": "float32"}  # in 32 bits, whatever the network ran in
KEYWORD = 2  # the kind of an argument that is given by its name
PLACEMENT = {"as_device", "as_layout", "as_memory_format"}  # where numbers lie: JAX's matter
_FRAME = re.compile(r'File ".*?([^/\\"]*)", line (\d+)')
LONGEST = 160  # of what a file says, in a message
WAY_OUT = "Export it with fixed shapes, without .item(), nonzero() and conditions on values"

Scope = dict[str, Value | Weight]  # what the names in a graph stand for


def check_version(version: Mapping[str, Any]) -> None:
    """Raise ``CheckpointError`` for a schema that this module does not know."""
    if version["major"] != MAJOR:
        fix = "Update geomgan" if version["major"] > MAJOR else "Export it again with a newer torch"
        raise CheckpointError(
            f"it is of version {version['major']}.{version['minor']} of torch.export's schema; expected {MAJOR}. {fix}."
        )


def tensor(name: str, meta: Mapping[str, Any]) -> Tensor:
    """Shape and type of a tensor; floating point is of 32 bits here.

    Raises:
        CheckpointError: its shape is dynamic, or its type is none of ``DTYPES``.
    """
    if any("as_int" not in side for side in meta["sizes"]):
        raise CheckpointError(f"the shape of {shown(name)} is dynamic; expected fixed sizes. {WAY_OUT}.")
    if meta["dtype"] not in DTYPES:
        raise CheckpointError(
            f"{shown(name)} is of torch's type number {shown(meta['dtype'])}, which is not known here."
        )
    return Tensor(name, tuple(_whole(side["as_int"]) for side in meta["sizes"]), _dtype(meta["dtype"]))


def arguments(
    inputs: list[Mapping[str, Any]], scope: Scope
) -> tuple[tuple[Argument, ...], tuple[tuple[str, Argument], ...]]:
    """The arguments of a node by their places, and those by their names; errors as :func:`argument`."""
    named = [entry for entry in inputs if entry.get("kind") == KEYWORD]
    kept = [entry for entry in named if not PLACEMENT & entry["arg"].keys() and entry["name"] != "pin_memory"]
    placed = tuple(argument(entry["arg"], scope) for entry in inputs if entry.get("kind") != KEYWORD)
    return placed, tuple((str(entry["name"]), argument(entry["arg"], scope)) for entry in kept)


def argument(data: Mapping[str, Any], scope: Scope) -> Argument:
    """An argument of any kind; lists are tuples, and what says where numbers lie is None.

    Raises:
        CheckpointError: it is a number that is known only when the network runs, or no number and no word.
        ValueError, LookupError, TypeError: it is damaged.
    """
    ((kind, said),) = data.items()
    if kind.startswith("as_sym") and isinstance(said, dict) and "as_name" not in said:
        ((kind, said),) = said.items()  # a number after all
    if kind in _READERS:
        return _READERS[kind](said)
    if kind == "as_tensor":
        return scope[said["name"]]
    if kind == "as_optional_tensor":
        return argument(said, scope)
    if kind in _LISTS:
        return tuple(argument(part if kind == "as_optional_tensors" else {_LISTS[kind]: part}, scope) for part in said)
    raise CheckpointError(
        f"takes {_OTHERS.get(kind, f'a number that is known only when it runs ({kind})')}. {WAY_OUT}."
    )


def results(outputs: list[Any]) -> list[str]:
    """The names of the results of a node, or of the inputs of a graph; ``""`` where there is none."""
    names = []
    for output in outputs:
        ((kind, said),) = output.items()
        if kind not in ("as_none", "as_tensor", "as_tensors"):
            raise CheckpointError(f"makes a number that is known only when it runs ({shown(kind)}). {WAY_OUT}.")
        names += ["" if kind == "as_none" else str(one["name"]) for one in (said if kind == "as_tensors" else [said])]
    return names


def place(node: Mapping[str, Any]) -> str:
    """Where a node stands, for messages: its name, and the module and the line of the user's program."""
    metadata = node.get("metadata") or {}
    stack = str(metadata.get("nn_module_stack", "")).rpartition(";")[2].split(",")
    module = stack[1].removeprefix("L['self']").lstrip(".") if len(stack) > 1 else ""
    lines = [line.strip() for line in str(metadata.get("stack_trace", "")).splitlines() if line.strip()]
    frames = [(match, code) for line, code in pairwise(lines) if (match := _FRAME.match(line))]
    own = [frame for frame in frames if "/torch/" not in frame[0][0]] or frames
    line = f"{own[-1][0][1]}:{own[-1][0][2]}: {own[-1][1]}" if own else ""
    within = ", ".join(shown(part) for part in (module and f"module {module}", line) if part)
    return f"at {shown(node.get('name') or '?')}{f' ({within})' if within else ''}"


def shown(text: Any) -> str:
    """What a file says, for a message: printable and short."""
    words = "".join(c if c.isprintable() else " " for c in str(text))
    return words if len(words) <= LONGEST else f"{words[:LONGEST]}…"


def _whole(x: Any) -> int:
    if type(x) is not int:
        raise ValueError(f"{shown(x)} is no whole number")
    return x


def _flag(x: Any) -> bool:
    if type(x) is not bool:
        raise ValueError(f"{shown(x)} is neither true nor false")
    return x


def _dtype(number: int) -> str:
    return RUNS.get(DTYPES[number], DTYPES[number])


_READERS: dict[str, Callable[[Any], Argument]] = {
    "as_none": lambda _: None,
    "as_int": lambda x: None if x == END else _whole(x),
    "as_float": float,  # "Infinity", "-Infinity" and "NaN" are text
    "as_bool": _flag,
    "as_string": str,
    "as_scalar_type": _dtype,
    **dict.fromkeys(PLACEMENT, lambda _: None),
}
_LISTS = {  # kind of a list -> of its parts
    **{f"{kind}s": kind for kind in ("as_int", "as_float", "as_bool", "as_string", "as_tensor")},
    **{f"as_sym_{kind}s": f"as_sym_{kind}" for kind in ("int", "float", "bool")},
    **{"as_int_lists": "as_ints", "as_float_lists": "as_floats", "as_nested_tensors": "as_tensors"},
    "as_optional_tensors": "",
}
_OTHERS = {
    "as_custom_obj": "an object of a class of its own",
    "as_graph": "a graph within",
    "as_operator": "an operator",
}
