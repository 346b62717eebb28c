"""The opcodes: how the argument of each is read, and what it does to the machine."""

from __future__ import annotations

import codecs
import pickletools
from collections.abc import Callable
from typing import Any

from geomgan.restricted_pickle.machine import Machine
from geomgan.restricted_pickle.values import MAX_NAME, MAX_NUMBER, NUMBERS, check_key, mapping, misfit, paired

Action = Callable[[Machine, Any], object]


def _quoted(machine: Machine) -> str:
    text = machine.line().strip()
    if len(text) < 2 or text[:1] != text[-1:] or text[:1] not in (b"'", b'"'):
        raise misfit("text without quotes", "a quoted string")
    return codecs.escape_decode(text[1:-1])[0].decode("latin1")


def _decimal(machine: Machine) -> int:
    text = machine.line(MAX_NUMBER)
    return text == b"01" if text in (b"00", b"01") else int(text.removesuffix(b"L"), 0)


def _utf8(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")


_READERS: dict[str, Callable[[Machine], Any]] = {
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


def _refuse(what: str) -> Action:
    def act(_machine: Machine, _arg: Any) -> object:
        raise misfit(what, "data in the pickle itself")

    return act


def _protocol(_machine: Machine, version: int) -> None:
    if version > 5:
        raise misfit(f"pickle protocol {version}", "0 to 5")


def _frame(machine: Machine, length: int) -> None:
    if length > len(machine.data) - machine.at:
        raise misfit(f"a frame of {length} bytes", "it to end within the file")


def _fill(method: Callable[[Machine, list[Any]], None], count: int = 0) -> Action:
    """An opcode that adds the last ``count`` objects, or all after the mark, to the container before."""
    return lambda m, _: method(m, m.last(count) if count else m.since_mark())


def _new(make: Callable[[], Any]) -> Action:
    return lambda m, _: m.stack.append(make())


def _push(make: Callable[[Machine, Any], Any]) -> Action:
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
    "DICT": _push(lambda m, _: mapping(paired(m.since_mark()))),
    "FROZENSET": _push(lambda m, _: frozenset(map(check_key, m.since_mark()))),
    "APPEND": _fill(Machine.extend, 1),
    "APPENDS": _fill(Machine.extend),
    "SETITEM": _fill(Machine.update, 2),
    "SETITEMS": _fill(Machine.update),
    "ADDITEMS": _fill(Machine.add),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), Machine.put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), Machine.get),
    "MEMOIZE": lambda m, _: m.put(len(m.memo)),
    "GLOBAL": _push(lambda m, pair: m.find(*pair)),
    "STACK_GLOBAL": _push(lambda m, _: m.find(*m.last(2))),
    **dict.fromkeys(("REDUCE", "NEWOBJ"), lambda m, _: m.call(*m.last(2))),
    "NEWOBJ_EX": lambda m, _: m.call(*m.last(3)),
    "INST": lambda m, pair: m.call(m.find(*pair), tuple(m.since_mark())),
    "OBJ": lambda m, _: (lambda cls, *args: m.call(cls, args))(*m.since_mark()),
    "BUILD": lambda m, _: m.build(),
    "PERSID": Machine.resolve,
    "BINPERSID": lambda m, _: m.resolve(m.last(1)[0]),
    **dict.fromkeys(("EXT1", "EXT2", "EXT4"), _EXTENSION),
    **dict.fromkeys(("NEXT_BUFFER", "READONLY_BUFFER"), _BUFFER),
}

_NUMBERS = ("BINFLOAT", "FLOAT", "BININT", "BININT1", "BININT2", "INT")

# pickletools says which code has which name and kind of argument; the last entry is what one counts, NUMBERS a step.
OPCODES = {
    op.code.encode("latin1"): (
        op.name,
        _READERS[op.arg.name if op.arg else "none"],
        _ACTIONS.get(op.name, _ARGUMENT),
        1 if op.name in _NUMBERS else NUMBERS,
    )
    for op in pickletools.opcodes
}
