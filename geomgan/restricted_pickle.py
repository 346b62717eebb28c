"""Read Python pickles from untrusted files: data comes out, nothing in the file is executed or imported.

A small pickle machine for protocols 0 to 5. A name in the file (``GLOBAL``) never becomes the Python object
of that name: it becomes an inert `StandIn`, and a call of one (``REDUCE``) looks its name up in a table of our
own functions, which only build data. ``pickle.Unpickler`` is not used: one opcode makes its C memo take
gigabytes. Every length is checked before it is read and every step is counted, so time and memory are bounded
by the size of the file. What is returned is a tree: no cycles, at most ``MAX_DEPTH`` deep, safe to walk,
compare and print.
"""

from __future__ import annotations

import codecs
import math
import pickletools
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.errors import CheckpointError

MAX_STEPS = 5_000_000  # opcodes in one pickle, and nodes in the tree it makes
MAX_DEPTH = 100  # well below Python's recursion limit, for whoever walks the result
MAX_NUMBER = 1024  # bytes of one integer: converting decimal text takes quadratic time
MAX_NAME = 256  # characters of "module.name"
MAX_FILE = 16 << 30  # bytes

# What Python and numpy raise when a file hands a function values of the wrong type or size.
_MISFITS = (ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError)

Handler = Callable[..., Any]
Names = Mapping[str, Handler | None]


def misfit(found: str, expected: str) -> CheckpointError:
    """The error for a file that holds one thing and should hold another."""
    return CheckpointError(f"found {found}; expected {expected}")


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
    args: tuple | None = None
    state: Any = None
    kwargs: dict | None = None
    items: dict | list | None = None


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


def load(
    data: bytes | bytearray | memoryview,
    *,
    names: Names | None = None,
    stand_ins: Sequence[str] = (),
    persistent: Handler | None = None,
    start: int = 0,
    max_steps: int = MAX_STEPS,
) -> tuple[Any, int]:
    """Read the pickle that begins at ``data[start]``.

    Args:
        data: The buffer; several pickles may follow each other in it.
        names: ``{"module.name": function}``: the functions that build data; None in place of a function
            admits the name uncalled. By default `NAMES`: builtin containers and numpy arrays.
        stand_ins: Patterns (``fnmatch``) on ``"module.name"`` of classes to keep as inert `StandIn` objects.
        persistent: Resolves persistent ids; without it they are refused.
        start: Where to begin.
        max_steps: The largest number of opcodes, and of nodes in the result.

    Returns:
        The object, and the position after the pickle.

    Raises:
        CheckpointError: The bytes are not a pickle of plain data within the limits.
    """
    data = data if isinstance(data, bytes) else bytes(data)
    machine = _Machine(data, start, NAMES if names is None else names, tuple(stand_ins), persistent)
    for _ in range(max_steps):
        at, name = machine.at, "opcode"
        try:
            code = machine.take(1)
            if code not in _OPCODES:
                raise misfit(repr(code), "a pickle opcode")
            name, read, act = _OPCODES[code]
            if name == "STOP":
                return _check_tree(machine.last(1)[0], max_steps), machine.at
            act(machine, read(machine))
        except CheckpointError as error:
            raise CheckpointError(f"byte {at} ({name}): {error}") from None
        except _MISFITS as error:
            reason = f"{type(error).__name__}: {str(error)[:200]}"
            raise CheckpointError(f"byte {at} ({name}): found data that does not fit: {reason}") from None
    raise CheckpointError(f"byte {machine.at}: found no end after {max_steps} opcodes; expected one (max_steps)")


def load_file(
    path: str | Path, *, names: Names | None = None, stand_ins: Sequence[str] = (), max_steps: int = MAX_STEPS
) -> Any:
    """Read the pickle in a file; arguments as for `load`."""
    data = read_bytes(path)
    try:
        return load(data, names=names, stand_ins=stand_ins, max_steps=max_steps)[0]
    except CheckpointError as error:
        raise CheckpointError(f"{path} (it looks like {looks_like(data)}): {error}") from None


def read_bytes(path: str | Path) -> bytes:
    """The bytes of an ordinary file, or a `CheckpointError` that says why not."""
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: found {'no' if not path.exists() else 'no ordinary'} file; expected one")
    try:
        if (size := path.stat().st_size) > MAX_FILE:
            raise CheckpointError(f"{path}: found {size} bytes; expected at most {MAX_FILE}")
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from None


_SIGNATURES = {
    b"version https://git-lfs": "a git-lfs pointer: fetch the file itself with `git lfs pull`",
    b"PK": "a zip archive",
    b"\x80": "a Python pickle",
    b"\x1f\x8b": "a gzip file: decompress it first",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a numpy .npy file",
    b"\x89PNG": "a PNG image",
    b"{": "JSON text",
}


def looks_like(data: bytes) -> str:
    """A few words on what kind of file begins with ``data``."""
    head = data[:512].lstrip()
    if not data:
        return "an empty file: the download failed"
    if head[:1] == b"<" and any(tag in head.lower() for tag in (b"<html", b"<!doctype", b"<?xml")):
        return "an HTML page: the download link needs a login or has moved"
    if data[8:10] == b'{"' and int.from_bytes(data[:8], "little") <= len(data):
        return "a safetensors file"
    if data[257:262] == b"ustar":
        return "a tar archive: unpack it first"
    return next((what for magic, what in _SIGNATURES.items() if data.startswith(magic)), "no known format")


@dataclass(slots=True)
class _Machine:
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
        if full not in self.names and not any(fnmatchcase(full, pattern) for pattern in self.stand_ins):
            shown = full if full.isprintable() else ascii(full)
            raise CheckpointError(
                f"the file names {shown}, which is not data and is refused; expected arrays and containers. "
                "To keep objects of a class as inert stand-ins, name it in stand_ins=[...]"
            )
        return StandIn(full)

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
        _items_of(self.top(), dict).update(_mapping(_paired(values)))

    def add(self, values: list[Any]) -> None:
        """Add to the set before them."""
        _items_of(self.top(), set).update(map(_key, values))

    def resolve(self, identity: Any) -> None:
        """Push what the caller has for a persistent id."""
        if self.persistent is None:
            raise misfit("a persistent id, which refers to data elsewhere", "none")
        self.stack.append(self.persistent(identity))


_SIZED = (str, bytes, bytearray, tuple, list, dict, set, frozenset)
_RENAMED = {  # old homes of the same things
    "__builtin__": "builtins",
    "copy_reg": "copyreg",
    "numpy.core.multiarray": "numpy._core.multiarray",
    "numpy.core.numeric": "numpy._core.numeric",
}


def _items_of(target: Any, kind: type) -> Any:
    """The container that an opcode of ``kind`` fills: ``target``, or the entries of a stand-in."""
    if isinstance(target, StandIn) and target.args is not None and kind is not set:
        if target.items is None:
            target.items = kind()
        target = target.items
    if not isinstance(target, kind):
        raise misfit(f"a {type(target).__name__}", f"a {kind.__name__} to add to")
    return target


def _key(key: Any) -> Any:
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


def _mapping(pairs: Iterable[Any]) -> dict:
    return {_key(key): value for key, value in pairs}


def _paired(values: list[Any]) -> Iterable[tuple[Any, Any]]:
    """Keys and values that alternate on the stack."""
    return zip(values[::2], values[1::2], strict=True)


def _check_tree(root: Any, max_nodes: int) -> Any:
    """``root``, if it is a tree (shared branches counted each time) of bounded depth and size."""
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
        nodes = 1 + len(children) - len(branches) + sum(nodes for _, nodes in below)
        if depth > MAX_DEPTH or nodes > max_nodes:
            found = f"containers nested {depth} deep with {nodes} entries, shared ones counted each time"
            raise misfit(found, f"at most {MAX_DEPTH} and {max_nodes}")
        done[id(node)] = depth, nodes
    return root


_BRANCHES = (list, tuple, dict, StandIn, Pending)


def _children(node: Any) -> Sequence[Any]:
    if isinstance(node, dict):
        return list(node.values())
    if isinstance(node, StandIn):
        return node.args, node.state, node.kwargs, node.items
    return node if isinstance(node, list | tuple) else ()


# --- The functions behind the admitted names: builtin containers and numpy arrays. ---


def _members(values: Any = ()) -> Iterable[Any]:
    if not isinstance(values, list | tuple):
        raise misfit(f"members in a {type(values).__name__}", "a list")
    return map(_key, values)


def _pairs(values: Any = ()) -> dict:
    if not isinstance(values, list | tuple | dict):
        raise misfit(f"entries in a {type(values).__name__}", "a list of pairs")
    return dict(values) if isinstance(values, dict) else _mapping(values)


def _latin1(text: Any, encoding: str = "latin1") -> bytes:
    """Bytes, which pickles before protocol 3 hold as text."""
    if isinstance(text, bytes | bytearray):
        return bytes(text)
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise misfit(type(text).__name__, "bytes, or text encoded as latin1")
    return text.encode("latin1")


def _reconstructor(cls: Any, _base: Any, state: Any) -> StandIn:
    """An object of a plain class, in protocols 0 and 1."""
    return StandIn(bare_name(cls), () if state is None else (state,))


_DTYPES = ("?", "b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16")


def _dtype(code: Any, *_: Any) -> Pending:
    """``numpy.dtype(code)``, whose state then adds the byte order."""
    if not isinstance(code, str) or code not in _DTYPES:
        shown = repr(code[:40]) if isinstance(code, str) else type(code).__name__
        raise misfit(f"numpy dtype {shown}", f"plain numbers ({' '.join(_DTYPES)})")

    def finish(state: Any) -> np.dtype:
        _version, order, *fields = state
        if order not in ("<", ">", "=", "|") or any(part is not None for part in fields[:3]):
            raise misfit("a structured numpy dtype", "plain numbers with a byte order")
        return np.dtype(code).newbyteorder(order)

    return Pending("numpy dtype", finish)


def _array(raw: Any, dtype: Any, shape: Any, order: Any, axes: Any = None) -> np.ndarray:
    """A read-only array over ``raw``, without a copy unless its bytes must be swapped."""
    if not isinstance(dtype, np.dtype) or not isinstance(raw, bytes | bytearray | str):
        raise misfit(f"a numpy array of {type(raw).__name__}", "bytes and a dtype of numbers")
    raw = raw if isinstance(raw, bytearray) else _latin1(raw)
    sizes = shape if isinstance(shape, tuple) else (None,)
    if len(sizes) > 32 or not all(type(n) is int and 0 <= n < 1 << 48 for n in sizes):
        raise misfit("an invalid numpy shape", "up to 32 sizes")
    if len(raw) != math.prod(shape) * dtype.itemsize:
        raise misfit(f"{len(raw)} bytes for a {dtype} array of shape {shape}", "as many as fill it")
    native = dtype.newbyteorder("=")
    flat = np.frombuffer(memoryview(raw).toreadonly() if raw else b"", dtype).astype(native, copy=False)
    flat.flags.writeable = False
    array = flat.reshape(shape, order="F" if order == "F" else "C")
    return array.transpose(axes) if order == "K" and axes is not None else array


def _reconstruct(cls: Any, *_: Any) -> Pending:
    """An empty array, whose state then is ``(version, shape, dtype, is_fortran, bytes)``."""
    if bare_name(cls) != "numpy.ndarray":
        raise misfit("a subclass of numpy.ndarray", "numpy.ndarray")

    def finish(state: Any) -> np.ndarray:
        shape, dtype, fortran, raw = state[-4:]
        return _array(raw, dtype, shape, "F" if fortran else "C")

    return Pending("numpy array", finish)


def _bytearray(*args: Any) -> bytearray:
    return bytearray(_latin1(*args) if args else b"")


NAMES: Names = {
    **{f"builtins.{kind.__name__}": None for kind in (object, bool, int, float, str, list, tuple, dict)},
    "builtins.set": lambda *values: set(_members(*values)),
    "builtins.frozenset": lambda *values: frozenset(_members(*values)),
    "builtins.bytes": lambda: b"",  # what protocols 0 to 2 write for no bytes
    "builtins.bytearray": _bytearray,
    "builtins.complex": lambda real, imag: complex(float(real), float(imag)),
    "_codecs.encode": _latin1,
    "collections.OrderedDict": _pairs,
    "collections.defaultdict": lambda _factory=None, entries=(): _pairs(entries),
    "copyreg._reconstructor": _reconstructor,
    "numpy.ndarray": None,
    "numpy.dtype": _dtype,
    "numpy._core.multiarray._reconstruct": _reconstruct,
    "numpy._core.multiarray.scalar": lambda dtype, raw: _array(raw, dtype, (), "C")[()],
    "numpy._core.numeric._frombuffer": _array,
}


# --- The opcodes: pickletools says which code has which name and kind of argument. ---


def _quoted(machine: _Machine) -> str:
    text = machine.line().strip()
    if len(text) < 2 or text[:1] != text[-1:] or text[:1] not in (b"'", b'"'):
        raise misfit("text without quotes", "a quoted string")
    return codecs.escape_decode(text[1:-1])[0].decode("latin1")


def _decimal(machine: _Machine) -> int:
    text = machine.line(MAX_NUMBER)
    return text == b"01" if text in (b"00", b"01") else int(text.removesuffix(b"L"), 0)


def _utf8(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")


_READERS: dict[str, Callable[[_Machine], Any]] = {
    "none": lambda _m: None,
    "uint1": lambda m: m.unpack("<B"),
    "uint2": lambda m: m.unpack("<H"),
    "uint4": lambda m: m.unpack("<I"),
    "uint8": lambda m: m.unpack("<Q"),
    "int4": lambda m: m.unpack("<i"),
    "float8": lambda m: m.unpack(">d"),
    "floatnl": lambda m: float(m.line(MAX_NUMBER)),
    "decimalnl_short": _decimal,
    "decimalnl_long": _decimal,
    "long1": lambda m: m.long(m.unpack("<B")),
    "long4": lambda m: m.long(m.unpack("<i")),
    "bytes1": lambda m: m.take(m.unpack("<B")),
    "bytes4": lambda m: m.take(m.unpack("<I")),
    "bytes8": lambda m: m.take(m.unpack("<Q")),
    "bytearray8": lambda m: bytearray(m.take(m.unpack("<Q"))),
    "string1": lambda m: m.take(m.unpack("<B")).decode("latin1"),  # Python 2 text
    "string4": lambda m: m.take(m.unpack("<i")).decode("latin1"),
    "stringnl": _quoted,
    "stringnl_noescape": lambda m: _utf8(m.line(MAX_NAME)),
    "stringnl_noescape_pair": lambda m: (_utf8(m.line(MAX_NAME)), _utf8(m.line(MAX_NAME))),
    "unicodestring1": lambda m: _utf8(m.take(m.unpack("<B"))),
    "unicodestring4": lambda m: _utf8(m.take(m.unpack("<I"))),
    "unicodestring8": lambda m: _utf8(m.take(m.unpack("<Q"))),
    "unicodestringnl": lambda m: codecs.raw_unicode_escape_decode(m.line())[0],
}


Action = Callable[["_Machine", Any], object]


def _refuse(what: str) -> Action:
    def act(_machine: _Machine, _arg: Any) -> object:
        raise misfit(what, "data in the pickle itself")

    return act


def _protocol(_machine: _Machine, version: int) -> None:
    if version > 5:
        raise misfit(f"pickle protocol {version}", "0 to 5")


def _frame(machine: _Machine, length: int) -> None:
    if length > len(machine.data) - machine.at:
        raise misfit(f"a frame of {length} bytes", "it to end within the file")


def _fill(method: Callable[[_Machine, list[Any]], None], count: int = 0) -> Action:
    """An opcode that adds the last ``count`` objects, or all after the mark, to the container before."""
    return lambda m, _: method(m, m.last(count) if count else m.since_mark())


def _new(make: Callable[[], Any]) -> Action:
    return lambda m, _: m.stack.append(make())


def _push(make: Callable[[_Machine, Any], Any]) -> Action:
    return lambda m, arg: m.stack.append(make(m, arg))


_EXTENSION = _refuse("a copyreg extension code")
_BUFFER = _refuse("an out-of-band buffer")
_ARGUMENT = _push(lambda _m, arg: arg)

# Opcodes that are not here push their argument.
_ACTIONS: dict[str, Action] = {
    "PROTO": _protocol,
    "FRAME": _frame,
    "STOP": lambda _m, _: None,  # `load` sees to it
    "MARK": lambda m, _: m.marks.append(len(m.stack)),
    "POP": lambda m, _: m.drop(),
    "POP_MARK": lambda m, _: m.since_mark(),
    "DUP": _push(lambda m, _: m.top()),
    "NEWTRUE": _new(lambda: True),
    "NEWFALSE": _new(lambda: False),
    "EMPTY_TUPLE": _new(tuple),
    "EMPTY_LIST": _new(list),
    "EMPTY_DICT": _new(dict),
    "EMPTY_SET": _new(set),
    "TUPLE": _push(lambda m, _: tuple(m.since_mark())),
    "TUPLE1": _push(lambda m, _: tuple(m.last(1))),
    "TUPLE2": _push(lambda m, _: tuple(m.last(2))),
    "TUPLE3": _push(lambda m, _: tuple(m.last(3))),
    "LIST": _push(lambda m, _: m.since_mark()),
    "DICT": _push(lambda m, _: _mapping(_paired(m.since_mark()))),
    "FROZENSET": _push(lambda m, _: frozenset(map(_key, m.since_mark()))),
    "APPEND": _fill(_Machine.extend, 1),
    "APPENDS": _fill(_Machine.extend),
    "SETITEM": _fill(_Machine.update, 2),
    "SETITEMS": _fill(_Machine.update),
    "ADDITEMS": _fill(_Machine.add),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _Machine.put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _Machine.get),
    "MEMOIZE": lambda m, _: m.put(len(m.memo)),
    "GLOBAL": _push(lambda m, pair: m.find(*pair)),
    "STACK_GLOBAL": _push(lambda m, _: m.find(*m.last(2))),
    **dict.fromkeys(("REDUCE", "NEWOBJ"), lambda m, _: m.call(*m.last(2))),
    "NEWOBJ_EX": lambda m, _: m.call(*m.last(3)),
    "INST": lambda m, pair: m.call(m.find(*pair), tuple(m.since_mark())),
    "OBJ": lambda m, _: (lambda cls, *args: m.call(cls, args))(*m.since_mark()),
    "BUILD": lambda m, _: m.build(),
    "PERSID": _Machine.resolve,
    "BINPERSID": lambda m, _: m.resolve(m.last(1)[0]),
    **dict.fromkeys(("EXT1", "EXT2", "EXT4"), _EXTENSION),
    **dict.fromkeys(("NEXT_BUFFER", "READONLY_BUFFER"), _BUFFER),
}

_OPCODES = {
    op.code.encode("latin1"): (
        op.name,
        _READERS[op.arg.name if op.arg else "none"],
        _ACTIONS.get(op.name, _ARGUMENT),
    )
    for op in pickletools.opcodes
}
