"""What a function can be seen to depend on, so that within a process a change of it is noticed without a new trace.

A store is told by its traced program (:mod:`geomgan.generators.program_hash`); this only tells when a trace that is
remembered may be out of date: closures, defaults, globals, helpers, attributes of objects, the contents of numpy
arrays. What is out of sight (inside a compiled extension, say) is as with ``jax.jit``: not noticed in the same process.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from typing import Any

import numpy as np

from geomgan.generators.program_hash import constant_hash

_STANDARD = frozenset({"abc", "collections", "contextlib", "dataclasses", "enum", "functools", "types", "typing"})
_LIBRARIES = _STANDARD | {"builtins", "flax", "geomgan", "jax", "jaxlib", "numpy", "optax", "scipy", "torch"}
_OPAQUE = _LIBRARIES - {"flax", "geomgan"}  # whose objects are not looked into, unless they wrap functions
_MOST = 5000  # objects that are looked at


@dataclass(frozen=True, eq=False)
class _Itself:
    """An object that is what it is: compared by identity, and kept alive so that its identity stays its own."""

    value: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


def state_of(value: Any) -> Hashable:
    """A value that is equal as long as nothing has changed that ``value`` is seen to depend on."""
    return tuple(_states(value, {}))


def _states(value: Any, seen: dict[int, Any]) -> Iterator[Hashable]:
    if value is None or isinstance(value, bool | int | float | complex | str | bytes | Enum):
        yield repr(value)
        return
    if isinstance(value, _UNNAMED):
        yield f"{type(value).__name__} of {len(value)}" if hasattr(value, "__len__") else ""
    else:
        yield _Itself(value)
    if id(value) in seen or len(seen) > _MOST:
        return
    seen[id(value)] = value
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        yield constant_hash(value)
    for part in _parts(value):
        yield from _states(part, seen)


_UNNAMED = (tuple, list, set, frozenset, Mapping, types.MethodType)  # made anew on the way: what they hold counts


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, types.FunctionType):
        yield from (value.__code__, value.__defaults__, value.__kwdefaults__, *_captured(value))
        if not _is_of(value, _LIBRARIES):
            yield from _globals(_names(value.__code__), value.__globals__)
    elif isinstance(value, types.MethodType):
        yield from (value.__func__, value.__self__)
    elif isinstance(value, functools.partial):
        yield from (value.func, value.args, value.keywords)
    elif isinstance(value, Mapping):
        yield from (part for item in value.items() for part in item)
    elif isinstance(value, tuple | list | set | frozenset):
        yield from value
    elif isinstance(value, type):
        if not _is_of(value, _LIBRARIES):
            yield from (part for part in vars(value).values() if not isinstance(part, types.GetSetDescriptorType))
    elif not isinstance(value, types.ModuleType | types.CodeType):
        yield from (type(value), inspect.getattr_static(value, "__wrapped__", None))
        if is_dataclass(value):
            yield from (getattr(value, one.name, None) for one in fields(value))
        elif callable(value) or not _is_of(type(value), _OPAQUE):
            yield from getattr(value, "__dict__", {}).values()


def _captured(function: types.FunctionType) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not yet bound
            yield None


def _names(code: types.CodeType) -> set[str]:
    """Globals and attributes that a function names, with the functions inside it."""
    inside = [_names(constant) for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return set(code.co_names).union(*inside)


def _globals(names: set[str], known: Mapping[str, Any]) -> Iterator[Any]:
    for name in sorted(names & known.keys()):
        value = known[name]
        yield value
        if isinstance(value, types.ModuleType) and value.__name__.partition(".")[0] not in _LIBRARIES:
            yield from (vars(value)[one] for one in sorted(names & vars(value).keys()))


def _is_of(value: Any, packages: frozenset[str]) -> bool:
    return str(getattr(value, "__module__", "")).partition(".")[0] in packages
