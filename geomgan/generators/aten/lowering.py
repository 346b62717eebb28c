"""Making a program fast: the same function with our layers in place of ATen's, and their weights as these want them.

What is computed of weights alone is computed once, constant batch norms become part of the layer before them, kernels
are stored as our convolutions take them, and upsampling goes into the convolution behind it. A value that is then no
longer there (a map before its batch norm) is no activation either; all others keep their names.
"""

from __future__ import annotations

import numpy as np

from geomgan.generators.aten.fitting import with_our_layers
from geomgan.generators.aten.folding import constants_folded, tidied
from geomgan.generators.aten.norms import with_norms_merged
from geomgan.generators.aten.program import Node, Program, with_nodes
from geomgan.generators.aten.run import values_of
from geomgan.generators.aten.weights import Tensors

_END = 2**63 - 1  # a slice to the end, as torch writes it


def lowered(program: Program, weights: Tensors) -> tuple[Program, dict[str, np.ndarray]]:
    """The fast form of a program and its weights, by pure steps; see the head of this file.

    Args:
        program: of ATen's operators, with torch's layouts.
        weights: as :func:`geomgan.generators.aten.weights.stored` has them.

    Raises:
        ValueError: an operator does not fit its arguments, is not known, or makes too many numbers.
    """
    program = with_nodes(program, map(_plain, program.nodes))
    shapes = {name: value.shape for name, value in values_of(program, weights).items()}  # before anything is computed
    folded = tidied(*constants_folded(program, weights))
    merged = tidied(*with_norms_merged(*folded, shapes))
    return tidied(*with_our_layers(*merged, shapes))


def _plain(node: Node) -> Node:
    """A node under the one name that the same operator has here."""
    if node.operator == "slice":
        return Node(node.name, "slice", tuple(None if x == _END else x for x in node.arguments), node.options)
    if node.operator == "convolution":
        x, weight, bias, stride, padding, dilation, transposed, output_padding, groups = node.arguments
        more = (output_padding, groups, dilation) if transposed else (dilation, groups)
        operator = f"conv{'_transpose' if transposed else ''}{len(stride)}d"  # type: ignore[arg-type]
        return Node(node.name, operator, (x, weight, bias, stride, padding, *more))
    if node.operator == "_native_batch_norm_legit_no_training" and not any(node.parts[1:]):
        *first, momentum, epsilon = node.arguments
        return Node(node.parts[0], "batch_norm", (*first, False, momentum, epsilon))
    return node
