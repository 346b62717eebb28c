"""Running a program, node by node, and what its values are without running it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from geomgan.errors import GeomganError, said
from geomgan.generators.aten.bounds import check_host
from geomgan.generators.aten.layers import LAYERS
from geomgan.generators.aten.layout import KEEPING, ChannelsLast, channels_first, kept
from geomgan.generators.aten.operators import OPERATORS
from geomgan.generators.aten.program import Argument, Node, Program, Value, Weight

LARGEST = 1 << 28  # numbers of one value: a program from elsewhere must not take the memory
KNOWN = OPERATORS.keys() | LAYERS.keys()


def run(program: Program, inputs: Sequence[Any], weights: Mapping[str, Any]) -> dict[str, Any]:
    """Every value of a program by its name, in the order of its nodes, as arrays or ``ChannelsLast``.

    Raises:
        ValueError: an operator does not fit its arguments, is not known, or makes more than ``LARGEST`` numbers.
    """
    values: dict[str, Any] = {
        t.name: jnp.asarray(x, t.dtype).reshape(t.shape) for t, x in zip(program.inputs, inputs, strict=True)
    }
    look_up = lambda taken: (values if isinstance(taken, Value) else weights)[taken.name]
    for node in program.nodes:
        values |= results(node, look_up)
    return values


def results(node: Node, look_up: Callable[[Value | Weight], Any]) -> dict[str, Any]:
    """The values that a node makes, by their names; errors as :func:`run`."""
    if node.operator not in KNOWN:
        raise ValueError(f"{node.operator} at {node.name} is no operator that is known here")
    arguments = [_resolved(argument, look_up) for argument in node.arguments]
    options = {name: _resolved(argument, look_up) for name, argument in node.options}
    try:
        check_host(node.operator, arguments)
        result = _called(node.operator, arguments, options)
        made = dict(zip(node.parts, result, strict=True)) if node.parts else {node.name: result}
        sizes = [leaf.size for leaf in jax.tree.leaves(result)]
    except GeomganError:
        raise
    except Exception as error:
        raise ValueError(f"{node.operator} at {node.name} does not fit what it takes ({said(error)})") from error
    if max(sizes, default=0) > LARGEST:
        raise ValueError(f"{node.operator} at {node.name} makes {max(sizes)} numbers; expected at most {LARGEST}")
    return {name: value for name, value in made.items() if name}


def values_of(program: Program, weights: Mapping[str, Any]) -> dict[str, Any]:
    """What :func:`run` returns, as shapes and types; runs nothing, and errors are those of :func:`run`."""
    inputs = [jax.ShapeDtypeStruct(t.shape, jax.dtypes.canonicalize_dtype(t.dtype)) for t in program.inputs]
    return jax.eval_shape(lambda inputs, weights: run(program, inputs, weights), inputs, dict(weights))


def _called(operator: str, arguments: list[Any], options: dict[str, Any]) -> Any:
    if operator in LAYERS:
        return LAYERS[operator](*arguments, **options)
    if operator in KEEPING and any(isinstance(x, ChannelsLast) for x in arguments):
        return kept(OPERATORS[operator], arguments, options)
    first = lambda tree: jax.tree.map(channels_first, tree, is_leaf=lambda x: x is None or isinstance(x, ChannelsLast))
    return OPERATORS[operator](*first(arguments), **first(options))


def _resolved(argument: Argument, look_up: Callable[[Value | Weight], Any]) -> Any:
    if isinstance(argument, tuple):
        return [_resolved(part, look_up) for part in argument]
    return look_up(argument) if isinstance(argument, Value | Weight) else argument
