"""What a program computes of its weights alone, computed once: weight norm, spectral norm, grids, tables."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.generators.aten.program import Node, Program, Value, Weight, with_nodes, with_taken
from geomgan.generators.aten.run import results
from geomgan.generators.aten.weights import Tensors, taken_by, with_weights

MOST = 1 << 20  # numbers of a folded result that is larger than what it is made of
MARK = "'"


def constants_folded(program: Program, weights: Tensors) -> tuple[Program, dict[str, np.ndarray]]:
    """The program without nodes that take no input; their results are weights, named after what they are made of.

    As the other steps of the lowering it leaves the list of weights to :func:`tidied`.
    """
    arrays, made, kept = dict(weights), dict[str, Weight](), []
    for plain in program.nodes:
        node = with_taken(plain, lambda one: made.get(one.name, one) if isinstance(one, Value) else one)
        taken = taken_by(node)
        held = {one.name: arrays[one.name] for one in taken if isinstance(one, Weight)}
        is_constant = len(held) == len({one.name for one in taken}) and node.name != program.output.name
        if is_constant and _size(node, held) <= max([MOST, *(array.size for array in held.values())]):
            origin = max(held, key=lambda name: held[name].size, default=node.name)
            for name, array in _computed(node, held).items():
                weight = fresh(origin, arrays)
                arrays[weight], made[name] = array, Weight(weight)
        else:
            kept.append(node)
    return with_nodes(program, kept), arrays


def _size(node: Node, held: Tensors) -> int:
    """How many numbers a node of constants makes; runs nothing."""
    shapes = {name: jax.ShapeDtypeStruct(array.shape, array.dtype) for name, array in held.items()}
    made = jax.eval_shape(lambda held: results(node, lambda one: held[one.name]), shapes)
    return sum(leaf.size for leaf in jax.tree.leaves(made))


def _computed(node: Node, held: Tensors) -> dict[str, np.ndarray]:
    arrays = {name: jnp.asarray(array) for name, array in held.items()}
    with jax.default_matmul_precision("highest"):
        return {name: np.asarray(value) for name, value in results(node, lambda one: arrays[one.name]).items()}


def fresh(name: str, taken: Mapping[str, object]) -> str:
    """A name for what is made of the weight ``name``, which :func:`tidied` gives its own where that is free."""
    while name in taken:
        name += MARK
    return name


def tidied(program: Program, weights: Tensors) -> tuple[Program, dict[str, np.ndarray]]:
    """The nodes that the sample depends on, and the weights that they take, under the names of the file."""
    needed, backwards = {program.output.name}, list[Node]()
    for node in reversed(program.nodes):
        if needed & {node.name, *node.parts}:
            backwards.append(node)
            needed |= {one.name for one in taken_by(node) if isinstance(one, Value)}
    kept = backwards[::-1]
    taken = dict.fromkeys(one.name for node in kept for one in taken_by(node) if isinstance(one, Weight))
    names: dict[str, str] = {}
    for name in sorted(taken, key=len):
        names[name] = fresh(name.rstrip(MARK), dict.fromkeys(names.values()))
    arrays = {names[name]: weights[name] for name in taken}
    renamed = lambda one: Weight(names[one.name]) if isinstance(one, Weight) else one
    return with_weights(with_nodes(program, (with_taken(node, renamed) for node in kept)), arrays), arrays
