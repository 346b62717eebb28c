"""Our own layers in place of ATen's, where they compute the same: kernels in their layout, upsampling within them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from geomgan.generators.aten.kernels import LAYOUTS, of_constants, put
from geomgan.generators.aten.layers import written_out
from geomgan.generators.aten.operators.arguments import each
from geomgan.generators.aten.program import Node, Program, Value, with_nodes
from geomgan.generators.aten.weights import Shapes, Tensors, taken_by
from geomgan.generators.layouts import kernel

Call = tuple[str, Value, tuple[Any, ...]]  # operator, what it takes besides its weights, and settings
_NEAREST = ("upsample_nearest", "_upsample_nearest_exact")  # the same for whole factors


def with_our_layers(program: Program, weights: Tensors, shapes: Shapes) -> tuple[Program, dict[str, np.ndarray]]:
    """Layers of one group on one map as our own; ``shapes`` are those of all values, as torch has them."""
    arrays, nodes = dict(weights), list[Node]()
    uses = Counter([*(taken for node in program.nodes for taken in taken_by(node)), program.output])
    makers = {node.name: node for node in program.nodes if uses[Value(node.name)] == 1}  # for one taker alone
    for node in program.nodes:
        made, said = node, of_constants(node)
        call = _call(node, said, arrays[said["weight"].name].shape, shapes, makers) if said else None
        if said and call:
            operator, x, settings = call
            name = said["weight"].name
            weight = put(arrays, name, kernel(arrays[name], LAYOUTS[node.operator]))
            made = Node(node.name, f"geomgan.{operator}", (x, weight, said["bias"], *settings))
        nodes.append(made)
    return with_nodes(program, nodes), arrays


def _call(
    node: Node, said: Mapping[str, Any], weight: tuple[int, ...], shapes: Shapes, makers: Mapping[str, Node]
) -> Call | None:
    """The layer of ours that a node with a kernel of this shape is; None where it is none."""
    x: Value = said["input"]
    if node.operator == "linear":
        return "dense", x, ()
    sizes, map_of = weight[2:], shapes[x.name]
    strides, dilations = set(each(said["stride"], len(sizes))), set(each(said["dilation"], len(sizes)))
    one_map = len(map_of) == len(weight) and map_of[0] == 1 and len(sizes) < 3
    if not one_map or said["groups"] != 1 or dilations != {1} or len(strides) > 1:
        return None
    stride = strides.pop()
    if not written_out(sizes, stride):
        return None
    if node.operator.startswith("conv_transpose"):
        settings = set(zip(sizes, *(each(said[key], len(sizes)) for key in ("padding", "output_padding")), strict=True))
        size, padding, more = settings.pop()
        return None if settings or padding >= size else ("transposed_convolve", x, (stride, padding, more))
    ends = _ends(said["padding"], sizes)
    before = makers.get(x.name)
    middle = {(size // 2, size // 2) for size in sizes if size % 2}
    if before and before.operator.startswith(_NEAREST) and stride == 1 and len(set(sizes)) == 1 and set(ends) == middle:
        small = before.arguments[0]
        if isinstance(small, Value) and (factor := _factor(shapes[small.name], map_of)) and written_out(sizes, factor):
            return "upsample_convolve", small, (factor,)
    return "convolve", x, (stride, ends)


def _ends(padding: Any, sizes: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Zeros before and behind every axis; torch's words are those of stride 1, with the odd zero behind."""
    if padding == "same":
        return tuple(((size - 1) // 2, size // 2) for size in sizes)
    return tuple((side, side) for side in each(0 if padding == "valid" else padding, len(sizes)))


def _factor(small: tuple[int, ...], large: tuple[int, ...]) -> int | None:
    """By how much every side grows, where that is one whole number."""
    factors = {(n // m, n % m) for m, n in zip(small[2:], large[2:], strict=True)}
    factor, rest = factors.pop()
    return None if factors or rest else factor
