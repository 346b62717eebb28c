"""Layers of one constant kernel, as they are found in a program."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from geomgan.generators.aten.folding import fresh
from geomgan.generators.aten.operators import OPERATORS
from geomgan.generators.aten.program import Node, Weight
from geomgan.generators.layouts import flush_denormals

LAYOUTS = {  # operator -> the layout of its weight, one of geomgan.generators.layouts
    **{f"conv{axes}d": "conv" for axes in (1, 2, 3)},
    **{f"conv_transpose{axes}d": "conv_transpose" for axes in (1, 2, 3)},
    "linear": "dense",
}


def named(node: Node) -> dict[str, Any]:
    """All arguments of a node by torch's names, in torch's order, defaults too."""
    bound = inspect.signature(OPERATORS[node.operator]).bind(*node.arguments, **dict(node.options))
    bound.apply_defaults()
    return bound.arguments


def of_constants(node: Node) -> dict[str, Any] | None:
    """The arguments of a node that is a layer with a weight, and with a bias or none; None of any other."""
    if node.operator not in LAYOUTS:
        return None
    said = named(node)
    return said if isinstance(said["weight"], Weight) and isinstance(said["bias"], Weight | None) else None


def put(arrays: dict[str, np.ndarray], name: str, array: np.ndarray) -> Weight:
    """Add what is made of the weight ``name``, in float32."""
    weight = Weight(fresh(name, arrays))
    arrays[weight.name] = flush_denormals(array)
    return weight
