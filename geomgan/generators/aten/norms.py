"""Constant batch norms as part of the layer before them, or as one scale and shift."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import numpy as np

from geomgan.generators.aten.kernels import LAYOUTS, named, of_constants, put
from geomgan.generators.aten.program import Node, Program, Weight, with_nodes
from geomgan.generators.aten.weights import Shapes, Tensors, taken_by
from geomgan.generators.layouts import OUTPUT_AXIS, batch_norm


class _Affine(NamedTuple):
    """What a constant batch norm does, and which weights its parts are named after."""

    scale: np.ndarray
    shift: np.ndarray
    scale_name: str
    shift_name: str


def with_norms_merged(program: Program, weights: Tensors, shapes: Shapes) -> tuple[Program, dict[str, np.ndarray]]:
    """A norm behind a layer whose value nothing else takes goes into its weight and bias; others stay, as affine maps.

    A layer has the name of its norm then: the value before that is gone. ``shapes`` are those of all values.
    """
    arrays, nodes = dict(weights), dict[Any, Node]()
    uses = Counter([*(taken for node in program.nodes for taken in taken_by(node)), program.output])
    for node in program.nodes:
        made = node
        if (affine := _affine(node, arrays)) is not None:
            x = named(node)["input"]
            before = nodes.get(x.name) if uses[x] == 1 else None
            merged = _merged(before, len(shapes[x.name]), affine, arrays) if before else None
            if merged is None:
                scale, shift = (
                    put(arrays, affine.scale_name, affine.scale),
                    put(arrays, affine.shift_name, affine.shift),
                )
                made = Node(node.name, "geomgan.affine", (x, scale, shift))
            else:
                del nodes[x.name]
                made = Node(node.name, *merged)
        nodes[made.parts or made.name] = made
    return with_nodes(program, nodes.values()), arrays


def _affine(node: Node, arrays: Tensors) -> _Affine | None:
    """Of a batch norm whose parts are all weights; None of any other node."""
    if node.operator != "batch_norm":
        return None
    said = named(node)
    gamma, beta, mean, var = parts = [said[key] for key in ("weight", "bias", "running_mean", "running_var")]
    if said["training"] or None in (mean, var) or not all(isinstance(part, Weight | None) for part in parts):
        return None
    usual = np.ones(arrays[mean.name].shape), np.zeros(arrays[mean.name].shape), None, None  # of norms without them
    held: Any = [arrays[x.name].astype(np.float64) if x else none for x, none in zip(parts, usual, strict=True)]
    scale, shift = batch_norm(*held, epsilon=said["eps"])
    return _Affine(scale, shift, (gamma or var).name, (beta or mean).name)


def _merged(
    layer: Node, axes: int, affine: _Affine, arrays: dict[str, np.ndarray]
) -> tuple[str, tuple[Any, ...]] | None:
    """Operator and arguments of the layer with the norm in its weights; None where it is no layer of its channels."""
    said = of_constants(layer)
    if said is None or said.get("groups", 1) != 1:
        return None
    weight, bias = arrays[said["weight"].name].astype(np.float64), said["bias"]
    axis = OUTPUT_AXIS[LAYOUTS[layer.operator]]
    if weight.ndim != axes or weight.shape[axis] != affine.scale.size:  # a norm of another axis
        return None
    offset = arrays[bias.name].astype(np.float64) if bias else np.zeros(affine.scale.size)
    scale = affine.scale.reshape([-1 if i == axis else 1 for i in range(weight.ndim)])
    said["weight"] = put(arrays, said["weight"].name, weight * scale)
    said["bias"] = put(arrays, bias.name if bias else affine.shift_name, offset * affine.scale + affine.shift)
    return layer.operator, tuple(said.values())
