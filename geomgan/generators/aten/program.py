"""A program of ATen operators as data: hashable, so that it is a static part of compiled programs, and JSON."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple


@dataclass(frozen=True)
class Value:
    """What a node, or an input of the program, has by this name."""

    name: str


@dataclass(frozen=True)
class Weight:
    """The weight of this name."""

    name: str


Argument = Value | Weight | tuple | bool | int | float | str | None
"""An argument of an operator; lists are tuples. Types of numbers are words: ``"float32"``, ``"int64"``, ``"bool"``."""


@dataclass(frozen=True)
class Node:
    """One call of an operator.

    Attributes:
        name: of its value, unique in the program; also that of the activation.
        operator: as ATen has it, with the overload where that tells what it does: ``"conv2d"``, ``"max.dim"``.
        arguments: in torch's order.
        options: further arguments by name.
        parts: names of the values of an operator with several results, in their order; ``name`` is then none.
            An empty name is a result that nobody takes.
    """

    name: str
    operator: str
    arguments: tuple[Argument, ...] = ()
    options: tuple[tuple[str, Argument], ...] = ()
    parts: tuple[str, ...] = ()


class Tensor(NamedTuple):
    """Name, shape and type of an input or a weight."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"


@dataclass(frozen=True)
class Program:
    """Nodes in the order in which they run; shapes are torch's, with a batch of one in front of every input.

    Attributes:
        inputs: the first is the code, of shape ``(1, ...)``; a code is flat and gets that shape.
        weights: what the program takes besides.
        nodes: every node after those that it takes values of.
        output: the sample, ``(1, ...)``: of images ``(1, C, H, W)``.
    """

    inputs: tuple[Tensor, ...]
    weights: tuple[Tensor, ...]
    nodes: tuple[Node, ...]
    output: Value

    @property
    def latent_dim(self) -> int:
        """How many numbers a code has."""
        return math.prod(self.inputs[0].shape)

    def to_json(self) -> dict[str, Any]:
        """The program as JSON; :meth:`from_json` is the inverse."""
        return {
            "inputs": [[t.name, list(t.shape), t.dtype] for t in self.inputs],
            "weights": [[t.name, list(t.shape), t.dtype] for t in self.weights],
            "nodes": [
                [n.name, n.operator, _json(n.arguments), {k: _json(v) for k, v in n.options}, list(n.parts)]
                for n in self.nodes
            ],
            "output": self.output.name,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Program:
        """The program that :meth:`to_json` wrote.

        Raises:
            ValueError: it is none: a value that nothing computes, a weight that is not listed, two of one name.
        """
        tensors = lambda rows: tuple(Tensor(str(n), tuple(map(int, s)), str(d)) for n, s, d in rows)
        nodes = tuple(
            Node(
                str(n),
                str(op),
                tuple(map(_argument, a)),
                tuple((str(k), _argument(v)) for k, v in o.items()),
                tuple(map(str, p)),
            )
            for n, op, a, o, p in data["nodes"]
        )
        program = cls(tensors(data["inputs"]), tensors(data["weights"]), nodes, Value(str(data["output"])))
        check(program)
        return program


def check(program: Program) -> None:
    """Raise ``ValueError`` unless every value and weight that a node takes is there, and names are unique."""
    known = {t.name for t in program.inputs}
    weights = {t.name for t in program.weights}
    if not program.inputs or len(known) < len(program.inputs) or len(weights) < len(program.weights):
        raise ValueError("the program has no input, or two inputs or weights of one name")
    for node in program.nodes:
        for taken in references((node.arguments, tuple(v for _, v in node.options))):
            if taken.name not in (known if isinstance(taken, Value) else weights):
                raise ValueError(f"{node.operator} at {node.name} takes {taken}, which nothing before it makes")
        made = [name for name in node.parts if name] if node.parts else [node.name]
        if len(set(made)) < len(made) or known & set(made):
            raise ValueError(f"{node.operator} at {node.name} makes a value of a name that is there already")
        known |= set(made)
    if program.output.name not in known:
        raise ValueError(f"the output {program.output.name} is nothing that the program computes")


def references(argument: Argument) -> list[Value | Weight]:
    """The values and weights in an argument, in order."""
    if isinstance(argument, tuple):
        return [found for part in argument for found in references(part)]
    return [argument] if isinstance(argument, Value | Weight) else []


def with_nodes(program: Program, nodes: Iterable[Node]) -> Program:
    """The program with these nodes."""
    return replace(program, nodes=tuple(nodes))


def with_taken(node: Node, of: Callable[[Value | Weight], Argument]) -> Node:
    """The node with ``of(taken)`` in the place of every value and weight that it takes."""

    def changed(argument: Argument) -> Argument:
        if isinstance(argument, tuple):
            return tuple(map(changed, argument))
        return of(argument) if isinstance(argument, Value | Weight) else argument

    options = tuple((name, changed(value)) for name, value in node.options)
    return replace(node, arguments=tuple(map(changed, node.arguments)), options=options)


def _json(argument: Argument) -> Any:
    if isinstance(argument, Value):
        return {"value": argument.name}
    if isinstance(argument, Weight):
        return {"weight": argument.name}
    if isinstance(argument, tuple):
        return [_json(part) for part in argument]
    if isinstance(argument, float) and not math.isfinite(argument):
        return {"number": str(argument)}  # JSON has none
    return argument


def _argument(data: Any) -> Argument:
    if isinstance(data, list):
        return tuple(map(_argument, data))
    if isinstance(data, dict):
        ((kind, text),) = data.items()
        return {"value": Value, "weight": Weight, "number": float}[kind](text)
    if not isinstance(data, bool | int | float | str | None):
        raise ValueError(f"{type(data).__name__} is no argument of an operator")
    return data
