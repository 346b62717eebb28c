"""The pickle machine: a position in the bytes, a stack with marks, a memo, and a bound on the work done."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from geomgan.errors import CheckpointError
from geomgan.restricted_pickle.values import (
    MAX_NAME,
    MAX_NUMBER,
    Handler,
    Names,
    Pending,
    StandIn,
    acts,
    bare_name,
    check_key,
    mapping,
    misfit,
    paired,
)

_SIZED = (str, bytes, bytearray, tuple, list, dict, set, frozenset)
_RENAMED = {  # old homes of the same things
    "__builtin__": "builtins",
    "copy_reg": "copyreg",
    "numpy.core.multiarray": "numpy._core.multiarray",
    "numpy.core.numeric": "numpy._core.numeric",
}


@dataclass(slots=True)
class Machine:
    """The state of one reading: position, stack, marks (positions in the stack) and memo."""

    data: bytes
    at: int
    names: Names
    stand_ins: tuple[str, ...]
    persistent: Handler | None
    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)
    work: int = 0

    def forget(self) -> None:
        """Let go of every object built so far."""
        self.stack.clear()
        self.memo.clear()

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        left = len(self.data) - self.at
        if not 0 <= count <= left:
            raise misfit(f"{left} more bytes", f"{count}; the file is truncated or damaged")
        self.at += count
        return self.data[self.at - count : self.at]

    def unpack(self, layout: str) -> Any:
        """The next number."""
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]

    def line(self, limit: int | None = None) -> bytes:
        """The text up to the next newline."""
        end = self.data.find(b"\n", self.at, None if limit is None else self.at + limit + 1)
        if end < 0:
            raise misfit("no end of line", f"one within {limit or len(self.data)} bytes")
        return self.take(end + 1 - self.at)[:-1]

    def long(self, count: int) -> int:
        """An integer of ``count`` bytes."""
        if count > MAX_NUMBER:
            raise misfit(f"an integer of {count} bytes", f"at most {MAX_NUMBER}")
        return int.from_bytes(self.take(count), "little", signed=True)

    def last(self, count: int) -> list[Any]:
        """Pop ``count`` objects; a mark cannot be crossed."""
        start = len(self.stack) - count
        if start < (self.marks[-1] if self.marks else 0):
            raise misfit("too few objects on the stack", str(count))
        objects = self.stack[start:]
        del self.stack[start:]
        return objects

    def top(self) -> Any:
        """The last object, left where it is."""
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise misfit("nothing on the stack", "an object")
        return self.stack[-1]

    def since_mark(self) -> list[Any]:
        """Pop every object after the last mark, and the mark."""
        if not self.marks:
            raise misfit("no mark on the stack", "one")
        objects = self.last(len(self.stack) - self.marks[-1])
        self.marks.pop()
        return objects

    def drop(self) -> None:
        """Pop an object, or a mark if that comes last."""
        if self.marks and self.marks[-1] == len(self.stack):
            self.marks.pop()
        else:
            self.last(1)

    def put(self, index: int) -> None:
        """Remember the last object."""
        if not 0 <= index < 1 << 32:
            raise misfit(f"memo index of {index.bit_length()} bits", "32 bits")
        self.memo[index] = top = self.top()
        if isinstance(top, Pending):
            top.slots.append(index)

    def get(self, index: int) -> None:
        """Push a remembered object."""
        if index not in self.memo:
            raise misfit("a reference to an object that was never stored", "an earlier one")
        self.stack.append(self.memo[index])

    def find(self, module: Any, name: Any) -> StandIn:
        """The bare name, if the table or the caller admits it."""
        if not (isinstance(module, str) and isinstance(name, str)) or len(module) + len(name) > MAX_NAME:
            raise misfit("a name that is no text or too long", f"at most {MAX_NAME} characters")
        full = f"{_RENAMED.get(module, module)}.{name}"
        if full in self.names or (not acts(full) and any(fnmatchcase(full, pattern) for pattern in self.stand_ins)):
            return StandIn(full)
        shown = full if full.isprintable() else ascii(full)
        way = "No file of weights needs it: ask for one of tensors alone, torch.save(model.state_dict(), FILE)"
        if not acts(full) and not self.stand_ins:
            way = "To keep objects of a class as inert stand-ins, name it in stand_ins=[...]"
        raise CheckpointError(
            f"the file names {shown}, which is not data and is refused; expected arrays and containers. {way}"
        )

    def call(self, function: Any, args: Any, kwargs: Any = None) -> None:
        """Push what our function of that name builds, or the inert stand-in with its arguments."""
        name = bare_name(function)
        if not isinstance(args, tuple) or not isinstance(kwargs or {}, dict):
            raise misfit(f"arguments in a {type(args).__name__}", "a tuple")
        if name not in self.names:
            self.stack.append(StandIn(name, args, kwargs=kwargs or None))
            return
        handler = self.names[name]
        if handler is None or kwargs:
            raise misfit(f"a call of {name}", "only its name or other arguments")
        self.charge(args)
        self.stack.append(handler(*args))

    def charge(self, args: Any) -> None:
        """Count the work of a function: most copy their arguments, and a short file could repeat a long one."""
        self.work += sum(len(arg) for arg in args if isinstance(arg, _SIZED))
        if self.work > 2 * len(self.data):
            raise misfit("a function called again and again on the same data", "each piece to be used once")

    def build(self) -> None:
        """Give the last object but one its state."""
        [state] = self.last(1)
        target = self.top()
        if isinstance(target, Pending):
            self.charge(state)
            self.stack[-1] = value = target.finish(state)
            self.memo.update((slot, value) for slot in target.slots if self.memo[slot] is target)
        elif isinstance(target, StandIn) and target.args is not None:
            target.state = state
        elif not (isinstance(target, dict) and isinstance(state, dict)):
            # Attributes of an OrderedDict (torch's `_metadata`, module versions) are dropped.
            raise misfit(f"a state for {type(target).__name__}", "one for an object")

    def extend(self, values: list[Any]) -> None:
        """Append to the list before them."""
        _items_of(self.top(), list).extend(values)

    def update(self, values: list[Any]) -> None:
        """Set keys and values, alternating, in the dictionary before them."""
        _items_of(self.top(), dict).update(mapping(paired(values)))

    def add(self, values: list[Any]) -> None:
        """Add to the set before them."""
        _items_of(self.top(), set).update(map(check_key, values))

    def resolve(self, identity: Any) -> None:
        """Push what the caller has for a persistent id."""
        if self.persistent is None:
            raise misfit("a persistent id, which refers to data elsewhere", "none")
        self.stack.append(self.persistent(identity))


def _items_of(target: Any, kind: type) -> Any:
    """The container that an opcode of ``kind`` fills: ``target``, or the entries of a stand-in."""
    if isinstance(target, StandIn) and target.args is not None and kind is not set:
        if target.items is None:
            target.items = kind()
        target = target.items
    if not isinstance(target, kind):
        raise misfit(f"a {type(target).__name__}", f"a {kind.__name__} to add to")
    return target
