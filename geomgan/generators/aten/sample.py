"""What a program says of its sample: the range that its last operators give it, and how near it is to torch's."""

from __future__ import annotations

from typing import Any

import numpy as np

from geomgan.generators.aten.program import Node, Program, Value

Range = tuple[float, float]
MOST_APART = 1e-4  # of the largest magnitude, a sample from torch's
_BOUNDED: dict[str, Range] = {"tanh": (-1, 1), "sigmoid": (0, 1), "hardsigmoid": (0, 1), "hardtanh": (-1, 1)}
_MOVED = {
    *("_unsafe_view", "alias", "clone", "contiguous", "dropout", "flatten", "permute", "pixel_shuffle", "reshape"),
    *("select", "slice", "squeeze", "to.dtype", "to.dtype_layout", "transpose", "unflatten", "unsqueeze", "view"),
}


def range_of(program: Program) -> Range | None:
    """The range of the sample where a bounded operator ends the program, also with numbers times and added to it.

    None where none does: a linear layer at the end can make any number.
    """
    nodes = {node.name: node for node in program.nodes}
    after: list[Node] = []
    node = nodes.get(program.output.name)
    while node is not None and node.operator not in _BOUNDED and not node.operator.startswith("clamp"):
        if node.operator not in _MOVED and _line(node) is None:
            return None
        after.append(node)
        taken = node.arguments[0] if node.arguments else None
        node = nodes.get(taken.name) if isinstance(taken, Value) else None
    if node is None or (bounds := _bounds(node)) is None:
        return None
    for later in reversed(after):
        scale, shift = _line(later) or (1.0, 0.0)
        bounds = tuple(sorted(scale * bound + shift for bound in bounds))  # type: ignore[assignment]
    return bounds


def apart(ours: Any, theirs: Any) -> float:
    """The largest difference of two samples, in parts of the largest magnitude of the second; NaN where one has it."""
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    return float(np.abs(ours - theirs).max() / max(np.abs(theirs).max(), np.finfo(np.float32).tiny))


def _bounds(node: Node) -> Range | None:
    bounds: tuple[Any, ...] = _BOUNDED.get(node.operator, (None, None))
    if node.operator in ("clamp", "hardtanh"):
        said = dict(zip(("x", "min", "max"), node.arguments, strict=False)) | dict(node.options)
        bounds = tuple(said.get(f"{end}_val", said.get(end, bounds[k])) for k, end in enumerate(("min", "max")))
    low, high = bounds
    if not isinstance(low, int | float) or not isinstance(high, int | float) or low >= high:
        return None
    return float(low), float(high)


def _line(node: Node) -> Range | None:
    """``(scale, shift)`` of a node that multiplies a value by a number or adds one."""
    number = node.arguments[1] if len(node.arguments) == 2 and not node.options else None
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    match node.operator.partition(".")[0]:
        case "add":
            return 1.0, float(number)
        case "sub":
            return 1.0, -float(number)
        case "rsub":
            return -1.0, float(number)
        case "mul":
            return float(number), 0.0
        case "div" if number:
            return 1 / number, 0.0
    return None
