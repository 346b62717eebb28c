"""One line of a network, and the program that grows line by line."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import numpy as np

from geomgan.backend import usual_promotion
from geomgan.generators.aten.program import Argument as Operand
from geomgan.generators.aten.program import Node, Program, Tensor, Value, Weight, references
from geomgan.generators.aten.run import LARGEST, results
from weights_convert.torch_modules.arguments import Argument


@dataclass(frozen=True)
class Line:
    """One step of a network.

    Attributes:
        kind: a class of ``torch.nn`` by its name, or a step of this package.
        path: what stands before the names of its tensors, or the name that a step takes; empty for none.
        settings: arguments of torch's constructor.
        why: where the line comes from, for people.
    """

    kind: str
    path: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"{self.kind} {self.path}".rstrip()


class Trace:
    """A program while it is written: what has been computed so far, and the shapes of everything.

    Attributes:
        tensors: of the file, by name.
        path: of the line that is being written.
        value: what the last line computed.
        kept: values by the names under which lines kept them.
        assumed: what was taken for granted, by a word for it.
    """

    def __init__(self, tensors: Mapping[str, np.ndarray]) -> None:
        self.tensors = tensors
        self.value: Value | None = None
        self.kept: dict[str, Value] = {}
        self.assumed: dict[str, str] = {}
        self._inputs: list[Tensor] = []
        self._weights: dict[str, Tensor] = {}
        self._nodes: list[Node] = []
        self._shapes: dict[Value | Weight, jax.ShapeDtypeStruct] = {}
        self.path = self._base = ""

    @property
    def x(self) -> Value:
        """What the last line computed; ``ValueError`` before the first one."""
        if self.value is None:
            raise ValueError("nothing comes before it: the first line says what goes in")
        return self.value

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of :attr:`x`, with its batch of one."""
        return self.shape_of(self.x)

    def shape_of(self, value: Value | Weight) -> tuple[int, ...]:
        """The shape of a value or a weight."""
        return tuple(self._shapes[value].shape)

    @property
    def integer(self) -> bool:
        """Whether :attr:`x` holds integers."""
        return bool(np.issubdtype(self._shapes[self.x].dtype, np.integer))

    def begin(self, line: Line) -> None:
        """Start a line: its last node gets the name of its path or kind, with a number where that is taken."""
        self.path, base = line.path, line.path or line.kind.lower()
        names = {node.name for node in self._nodes} | {t.name for t in self._inputs}
        self._base = next(name for i in range(len(names) + 1) if (name := f"{base}_{i}" if i else base) not in names)
        self._first = len(self._nodes)

    def end(self, value: Value) -> None:
        """Finish a line, whose value is ``value``."""
        if len(self._nodes) > self._first and self._nodes[-1].name == value.name:
            renamed = Value(self._base)
            self._nodes[-1] = replace(self._nodes[-1], name=self._base)
            self._shapes[renamed] = self._shapes.pop(value)
            value = renamed
        self.value = value

    def input(self, name: str, shape: tuple[int, ...], dtype: str = "float32", *, first: bool = False) -> Value:
        """A further input of the program."""
        value = Value(name)
        if value in self._shapes:
            raise ValueError(f"the network has its input {name} already")
        if math.prod(shape) > LARGEST:
            raise ValueError(f"the input {name} has {math.prod(shape)} numbers; expected at most {LARGEST}")
        self._inputs.insert(0 if first else len(self._inputs), Tensor(name, shape, dtype))
        self._shapes[value] = jax.ShapeDtypeStruct(shape, jax.dtypes.canonicalize_dtype(dtype))
        return value

    def weight(self, part: str) -> Weight | None:
        """The tensor ``part`` at the path of the line; None where there is none."""
        name = f"{self.path}.{part}" if self.path else part
        if name not in self.tensors:
            return None
        shape = tuple(self.tensors[name].shape)
        self._weights[name] = Tensor(name, shape)
        self._shapes[Weight(name)] = jax.ShapeDtypeStruct(shape, np.float32)
        return Weight(name)

    def needed(self, part: str) -> Weight:
        """As :meth:`weight`; ``ValueError`` where there is none."""
        weight = self.weight(part)
        if weight is None:
            raise ValueError(f"the file has no {f'{self.path}.{part}' if self.path else part}")
        return weight

    def node(self, operator: str, *arguments: Any, **options: Any) -> Value:
        """A call of an operator; its shape is known at once."""
        value = Value(f"{self._base}.{operator.partition('.')[0]}_{len(self._nodes) - self._first}")
        named = tuple((name, _operand(option)) for name, option in options.items())
        node = Node(value.name, operator, tuple(map(_operand, arguments)), named)
        taken = list(dict.fromkeys(references((node.arguments, tuple(option for _, option in named)))))

        def run(*held: Any) -> Any:
            return results(node, dict(zip(taken, held, strict=True)).__getitem__)[value.name]

        with usual_promotion():
            made = jax.eval_shape(run, *(self._shapes[ref] for ref in taken))
        if not made.size:
            raise ValueError(f"it makes an empty value of shape {made.shape}")
        self._nodes.append(node)
        self._shapes[value] = jax.ShapeDtypeStruct(made.shape, made.dtype)
        return value

    def program(self) -> Program:
        """The program so far."""
        return Program(tuple(self._inputs), tuple(self._weights.values()), tuple(self._nodes), self.x)


@dataclass(frozen=True)
class Layer:
    """One class of ``torch.nn``, or one step.

    Attributes:
        build: ``(trace, **settings) -> value``; ``ValueError`` where it does not fit.
        arguments: of torch's constructor, as far as the tensors do not say them.
        axes: of the maps that it takes, ``(N, C, ...)``; None where it takes anything.
    """

    build: Callable[..., Value]
    arguments: Mapping[str, Argument] = field(default_factory=dict)
    axes: int | None = None


def _operand(argument: Any) -> Operand:
    return tuple(map(_operand, argument)) if isinstance(argument, tuple | list) else argument
