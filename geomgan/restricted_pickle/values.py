"""What a pickle may hold: the limits, the inert stand-ins, and the checks of keys and of the finished tree."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from geomgan.errors import CheckpointError

MAX_STEPS = 1_000_000  # opcodes in one pickle, up to 224 bytes each, and containers in the tree it makes
NUMBERS = 8  # numbers that count as one of those: a log of losses has millions, of 32 bytes each
MAX_DEPTH = 100  # well below Python's recursion limit, for whoever walks the result
MAX_NUMBER = 1024  # bytes of one integer: converting decimal text takes quadratic time
MAX_NAME = 256  # characters of "module.name"
MAX_AXES, MAX_SIDE = 32, 1 << 48  # of an array
MAX_EMPTY = 1 << 22  # the product of an empty array's other sides: its sum over the axis of length 0 has that size

# Modules of Python's library whose objects are data; what others name can only be there to act, also as a stand-in.
_OF_DATA = (
    *("_codecs", "abc", "argparse", "array", "collections", "copyreg", "dataclasses", "datetime", "decimal", "enum"),
    *("fractions", "functools", "logging", "pathlib", "random", "re", "string", "time", "types", "typing", "uuid"),
    *("weakref", "zoneinfo"),
)

Handler = Callable[..., Any]
Names = Mapping[str, Handler | None]


def misfit(found: str, expected: str) -> CheckpointError:
    """The error for a file that holds one thing and should hold another."""
    return CheckpointError(f"found {found}; expected {expected}")


def acts(name: str) -> bool:
    """Whether ``"module.name"`` is of Python's own library and no data: ``os.system``, ``builtins.eval``."""
    module = name.partition(".")[0]
    return module in sys.stdlib_module_names and module not in _OF_DATA


def check_shape(shape: Any) -> tuple[int, ...]:
    """``shape``, if an array that costs no more than its bytes in the file can have it."""
    sizes = shape if isinstance(shape, tuple) else (None,)
    if len(sizes) > MAX_AXES or not all(type(n) is int and 0 <= n < MAX_SIDE for n in sizes):
        raise misfit("an invalid shape of an array", f"up to {MAX_AXES} sizes")
    if 0 in sizes and math.prod(n or 1 for n in sizes) > MAX_EMPTY:
        raise misfit(f"an array without entries of shape {sizes}", f"sides up to {MAX_EMPTY} in all")
    return sizes


@dataclass(slots=True)
class StandIn:
    """What the file says about an object of a class that is not ours to build; it does nothing.

    Attributes:
        name: ``"module.name"`` of the class or function.
        args: Positional arguments it was called with; None for the bare name, uncalled.
        state: What the object would have restored itself from, usually its ``__dict__``.
        kwargs: Keyword arguments, when the file has them.
        items: Entries the object holds as a subclass of ``dict`` or ``list``.
    """

    name: str
    args: tuple[Any, ...] | None = None
    state: Any = None
    kwargs: dict[Any, Any] | None = None
    items: dict[Any, Any] | list[Any] | None = None


def bare_name(value: Any) -> str:
    """The name that ``value`` stands for, if it is a name and not an object."""
    if not isinstance(value, StandIn) or value.args is not None:
        raise misfit(f"a {type(value).__name__}", "the name of a class or function")
    return value.name


@dataclass(slots=True, eq=False)
class Pending:
    """A handler's object that is complete only when its state arrives; ``finish(state)`` returns it."""

    what: str
    finish: Handler
    slots: list[int] = field(default_factory=list)


def check_key(key: Any) -> Any:
    """``key``, if it is one whose hash is cheap and cannot be made to collide."""
    flat = isinstance(key, tuple) and len(key) <= 4
    # CPython hashes text and bytes with a secret, but not numbers: large ones, and tuples of many, can be chosen
    # so that all collide, which makes a dictionary quadratic.
    bits = 16 if flat else 64
    for part in key if flat else (key,):
        number = isinstance(part, int) and part.bit_length() < bits
        if not (number or isinstance(part, str | bytes | None) or (isinstance(part, float) and not flat)):
            expected = f"text, bytes, a {bits}-bit number or a short tuple of those"
            raise misfit(f"a {type(part).__name__} as a dictionary key or set member", expected)
    return key


def mapping(pairs: Iterable[Any]) -> dict[Any, Any]:
    """A dictionary of pairs whose keys were checked."""
    return {check_key(key): value for key, value in pairs}


def paired(values: list[Any]) -> Iterable[tuple[Any, Any]]:
    """Keys and values that alternate on the stack."""
    return zip(values[::2], values[1::2], strict=True)


def check_tree(root: Any, max_nodes: int) -> Any:
    """``root``, if it is a tree (shared branches counted each time) of bounded depth and size.

    A container counts as one of ``max_nodes``, ``NUMBERS`` of its plain entries as another.
    """
    done: dict[int, tuple[int, int]] = {}  # id: (depth, nodes)
    path: set[int] = set()
    todo = [(root, False)]
    while todo:
        node, leave = todo.pop()
        if id(node) in done:
            continue
        if isinstance(node, Pending):
            raise misfit(f"a {node.what} without its data", "a state for it")
        if not leave and id(node) in path:
            raise misfit(f"a {type(node).__name__} that contains itself", "a tree")
        children = _children(node)
        branches = [child for child in children if isinstance(child, _BRANCHES)]
        if not leave:
            path.add(id(node))
            if len(path) > MAX_DEPTH:
                raise misfit(f"containers nested more than {MAX_DEPTH} deep", "fewer")
            todo.append((node, True))
            todo.extend((child, False) for child in branches)
            continue
        path.remove(id(node))
        below = [done[id(child)] for child in branches]
        depth = 1 + max((depth for depth, _ in below), default=0)
        nodes = NUMBERS + len(children) - len(branches) + sum(nodes for _, nodes in below)
        if depth > MAX_DEPTH or nodes > NUMBERS * max_nodes:
            found = f"containers nested {depth} deep with {nodes} entries, shared ones counted each time"
            raise misfit(found, f"at most {MAX_DEPTH} and {NUMBERS * max_nodes}")
        done[id(node)] = depth, nodes
    return root


_BRANCHES = (list, tuple, dict, StandIn, Pending)


def _children(node: Any) -> Sequence[Any]:
    if isinstance(node, dict):
        return list(node.values())
    if isinstance(node, StandIn):
        return node.args, node.state, node.kwargs, node.items
    return node if isinstance(node, list | tuple) else ()
