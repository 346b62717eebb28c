"""A program that grows layer by layer, and where the axes of Keras stand in it.

Keras puts channels last, torch second: values of three axes and more are kept as torch has them, ``(1, C, H, W)`` for
Keras's ``(1, H, W, C)``, so that convolutions, norms and upsamplings are torch's own. In a model whose layers say
``channels_first`` the axes are Keras's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geomgan.errors import CheckpointError
from geomgan.generators.aten.program import Argument, Node, Program, Tensor, Value, Weight
from geomgan.generators.aten.run import results
from geomgan.generators.aten.weights import taken_by

MAX_NODES, MAX_CALLS = 10_000, 20_000  # a model inside may be called many times, and hold others


@dataclass
class Network:
    """What has grown so far.

    Attributes:
        channels_first: whether axes are Keras's own.
        old: whether Keras 2 wrote the file.
        inputs, nodes: of the program.
        tensors: its weights by their names.
        made: value -> shape and type.
        calls: of layers.
    """

    channels_first: bool
    old: bool
    inputs: list[Tensor] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    tensors: dict[str, np.ndarray] = field(default_factory=dict)
    made: dict[str, Any] = field(default_factory=dict)
    calls: int = 0

    def input(self, tensor: Tensor) -> Value:
        """A further input of the program."""
        self.inputs.append(tensor)
        self.made[tensor.name] = jax.ShapeDtypeStruct(tensor.shape, jnp.dtype(tensor.dtype))
        return Value(tensor.name)

    def add(self, node: Node) -> Value:
        """A further node.

        Raises:
            ValueError: its operator does not fit what it takes, or makes too much.
        """
        if len(self.nodes) >= MAX_NODES:
            raise CheckpointError(f"the model has more than {MAX_NODES} operators; expected fewer.")
        taken = {x: self._shape_of(x) for x in taken_by(node)}
        run = lambda *held: results(node, dict(zip(taken, held, strict=True)).__getitem__)
        self.made |= jax.eval_shape(run, *taken.values())
        self.nodes.append(node)
        return Value(node.name)

    def _shape_of(self, taken: Value | Weight) -> Any:
        if isinstance(taken, Value):
            return self.made[taken.name]
        array = self.tensors[taken.name]
        return jax.ShapeDtypeStruct(array.shape, jnp.float32)

    def count_call(self) -> None:
        """Raise ``CheckpointError`` at one call of a layer too many."""
        self.calls += 1
        if self.calls > MAX_CALLS:
            raise CheckpointError(f"the model calls more than {MAX_CALLS} layers; expected fewer.")

    def unique(self, name: str) -> str:
        """The name, or with a number where it is taken."""
        return next(x for x in (name, *(f"{name}_{i}" for i in range(1, MAX_NODES + 2))) if x not in self.made)

    def program(self, output: Value) -> Program:
        """The whole of it, without the nodes that ``output`` does not need."""
        needed, nodes = {output.name}, []
        for node in reversed(self.nodes):
            if node.name in needed:
                needed |= {x.name for x in taken_by(node) if isinstance(x, Value)}
                nodes.append(node)
        weights = tuple(Tensor(name, array.shape) for name, array in self.tensors.items())
        return Program(tuple(self.inputs), weights, tuple(reversed(nodes)), output)

    # --- axes ---

    def axis(self, axis: int, rank: int) -> int:
        """Where Keras's ``axis`` of a value of ``rank`` axes stands.

        Raises:
            ValueError: there is no such axis.
        """
        if not -rank <= axis < rank:
            raise ValueError(f"it has no axis {axis}; it has {rank}")
        axis %= rank
        if self.channels_first or rank < 3 or axis == 0:
            return axis
        return 1 if axis == rank - 1 else axis + 1

    def axes(self, rank: int) -> tuple[int, ...]:
        """Where all of Keras's axes stand, in their order."""
        return tuple(self.axis(axis, rank) for axis in range(rank))


@dataclass(frozen=True)
class Call:
    """One call of a layer: what its function has to work with.

    Attributes:
        network: where nodes go.
        path: name of the layer, behind those of the models it is in; that of its weights.
        name: of its value.
        config: its configuration.
        variables: as the file has them, in Keras's order.
    """

    network: Network
    path: str
    name: str
    config: Mapping[str, Any]
    variables: Sequence[np.ndarray] = ()

    def __call__(self, operator: str, *arguments: Any, **options: Any) -> Value:
        """The value of one more operator."""
        name = self.network.unique(f"{self.name}.{operator.partition('.')[0]}")
        said = tuple((key, _static(value)) for key, value in options.items())
        return self.network.add(Node(name, operator, tuple(map(_static, arguments)), said))

    def weight(self, part: str, array: np.ndarray) -> Weight:
        """A weight of the layer; in a second call of it the same.

        Raises:
            ValueError: a weight of another layer has that name.
        """
        name = f"{self.path}.{part}"
        if not np.array_equal(self.network.tensors.setdefault(name, array), array):
            raise ValueError(f"there is another weight of the name {name}")
        return Weight(name)

    def take(self, *parts: str) -> list[np.ndarray]:
        """Its variables, which must be as many.

        Raises:
            ValueError: the file has more or fewer.
        """
        if len(self.variables) != len(parts):
            raise ValueError(f"it has {len(self.variables)} variables; expected {len(parts)} ({', '.join(parts)})")
        return list(self.variables)

    def shape(self, x: Value) -> tuple[int, ...]:
        """The shape of a value as it is kept."""
        return tuple(self.network.made[x.name].shape)

    def as_keras(self, x: Value) -> Value:
        """The value with Keras's axes."""
        axes = self.network.axes(len(self.shape(x)))
        return x if axes == tuple(sorted(axes)) else self("permute", x, axes)

    def as_kept(self, x: Value) -> Value:
        """The inverse of :meth:`as_keras`."""
        axes = self.network.axes(len(self.shape(x)))
        back = tuple(map(axes.index, range(len(axes))))
        return x if back == tuple(sorted(back)) else self("permute", x, back)

    def channels(self, axis: Any, x: Value) -> None:
        """Raise ``ValueError`` unless Keras's ``axis`` is that of the channels, the second one as kept."""
        rank = len(self.shape(x))
        if self.network.axis(whole(axis, -rank, rank), rank) != 1:
            raise ValueError(f"it acts on axis {axis}; expected that of the channels")


def finished(call: Call, nodes: int, result: Value) -> Value:
    """``result``, under the name of the call where a node that it added is its last."""
    network = call.network
    if len(network.nodes) == nodes or network.nodes[-1].name != result.name:
        return result
    network.nodes[-1] = replace(network.nodes[-1], name=call.name)
    network.made[call.name] = network.made.pop(result.name)
    return Value(call.name)


def whole(value: Any, least: int = 1, most: int = 1 << 20) -> int:
    """A whole number of a configuration; alone or in a list of one.

    Raises:
        ValueError: it is none, or out of range.
    """
    (number,) = value if isinstance(value, list) and len(value) == 1 else (value,)
    if type(number) is not int or not least <= number <= most:
        raise ValueError(f"its configuration says {str(value)[:40]!r}; expected a whole number from {least} to {most}")
    return number


def wholes(value: Any, count: int, least: int = 1) -> tuple[int, ...]:
    """So many whole numbers of a configuration, or one for all."""
    values = value if isinstance(value, list) else [value] * count
    if len(values) != count:
        raise ValueError(f"its configuration says {str(value)[:40]!r}; expected {count} numbers")
    return tuple(whole(x, least) for x in values)


def real(value: Any) -> float:
    """A finite number of a configuration.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e30:
        raise ValueError(f"its configuration says {str(value)[:40]!r}; expected a number")
    return float(value)


def _static(argument: Any) -> Argument:
    return tuple(map(_static, argument)) if isinstance(argument, list | tuple) else argument
