"""The weights of a program as they are stored: float32 without denormals, those that it takes and no others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from geomgan.errors import CheckpointError
from geomgan.generators.aten.program import Node, Program, Tensor, Value, Weight, references, with_nodes, with_taken
from geomgan.generators.layouts import flush_denormals

Tensors = Mapping[str, np.ndarray]
Shapes = Mapping[str, tuple[int, ...]]


def stored(program: Program, tensors: Tensors) -> tuple[Program, dict[str, np.ndarray]]:
    """The program with the weights that it takes, in the types that JAX has: 32 bits, and ``bool``.

    Args:
        program: its weights say shapes.
        tensors: by their names, of any type of real numbers; others than the program's may be there.

    Raises:
        CheckpointError: a weight is missing, of another shape, complex or not finite.
    """
    taken = dict.fromkeys(w.name for node in program.nodes for w in taken_by(node) if isinstance(w, Weight))
    shapes = {w.name: w.shape for w in program.weights}
    arrays = {name: _stored(name, tensors.get(name), shapes[name]) for name in taken}
    inputs = tuple(t._replace(dtype=_word(np.dtype(t.dtype))) for t in program.inputs)
    return with_weights(replace(program, inputs=inputs), arrays), arrays


def with_weights(program: Program, arrays: Tensors) -> Program:
    """The program whose weights are these arrays."""
    weights = tuple(Tensor(name, array.shape, array.dtype.name) for name, array in arrays.items())
    return replace(program, weights=weights)


def with_inputs_fixed(program: Program, values: Tensors) -> Program:
    """The program where these inputs are weights, by their names."""
    fixed = tuple(t._replace(shape=values[t.name].shape) for t in program.inputs if t.name in values)
    of = lambda one: Weight(one.name) if isinstance(one, Value) and one.name in values else one
    inputs = tuple(t for t in program.inputs if t.name not in values)
    nodes = (with_taken(node, of) for node in program.nodes)
    return with_nodes(replace(program, inputs=inputs, weights=(*program.weights, *fixed)), nodes)


def taken_by(node: Node) -> list[Value | Weight]:
    """The values and weights that a node takes, in order; one that it takes twice is there twice."""
    return references((node.arguments, tuple(value for _, value in node.options)))


def _word(dtype: np.dtype) -> str:
    return {"f": "float32", "i": "int32", "u": "int32", "b": "bool"}.get(dtype.kind, dtype.name)


def _stored(name: str, tensor: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    if tensor is None:
        raise CheckpointError(f"the program takes a weight {name}, which the file does not hold. Save it again.")
    if tensor.shape != shape:
        raise CheckpointError(f"the weight {name} has the shape {tensor.shape}; the program says {shape}.")
    if tensor.dtype.kind not in "fiub" and not np.issubdtype(tensor.dtype, np.floating):
        raise CheckpointError(f"the weight {name} is of type {tensor.dtype}; expected real numbers.")
    if tensor.dtype.kind == "b":
        return np.array(tensor)
    if tensor.dtype.kind in "iu":
        if tensor.size and not -(2**31) <= int(tensor.min()) <= int(tensor.max()) < 2**31:
            raise CheckpointError(f"the weight {name} holds whole numbers beyond 32 bits; expected smaller ones.")
        return tensor.astype(np.int32)
    with np.errstate(over="ignore"):
        array = flush_denormals(_mask(tensor))
    if bad := int((~np.isfinite(array)).sum()):
        raise CheckpointError(
            f"the weight {name} holds {bad} NaN or infinite values; expected finite numbers. The file is damaged, or "
            "its training diverged."
        )
    return array


def _mask(tensor: np.ndarray) -> np.ndarray:
    """A mask of 0 and -inf, which is added before a softmax, with the lowest number for -inf; others as they are."""
    if not (low := np.isneginf(tensor)).any() or tensor[~low].any():
        return tensor
    return np.where(low, np.finfo(np.float32).min, tensor)
