"""The protocol between the explorer and its page: one header of JSON, and bytes of a file behind it.

Both frames speak it: over a socket a message is the length of its header in four bytes, the header, and the file; in a
notebook the header is the content of a widget's message, and the file its buffer.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

from geomgan.errors import OptionError, check_choice
from geomgan.runs.kinds import COUNT, check_kind

LONGEST_NAME = 80
LARGEST = 64 * 2**20  # bytes of a file that the page may send
SAVED = frozenset({"directions", "codes", "strip", "film"})
_NUMBER, _NAME = (int, float), str

# What the page may ask, and of what kind the fields are.
REQUESTS: dict[str, dict[str, Any]] = {
    "hello": {},
    "move": {"axis": COUNT, "s": _NUMBER, "scale": COUNT, "gesture": str},
    "grab": {"axis": COUNT},
    "pick": {"rank": COUNT},
    "drop": {"axis": COUNT},
    "rename": {"axis": COUNT, "name": _NAME},
    "zero": {},
    "new": {},
    "here": {"layers": (type(None), [int])},
    "pin": {},
    "undo": {},
    "redo": {},
    "jump": {"at": int},
    "keep": {"name": _NAME},
    "forget": {"name": _NAME},
    "go": {"name": _NAME},
    "towards": {"name": _NAME},
    "name": {"name": _NAME},
    "save": {"what": SAVED, "axis": (type(None), COUNT)},
    "open": {"file": _NAME},
    "project": {"file": _NAME},
}


def checked(request: Any) -> dict[str, Any]:
    """A request of the page, if it is one.

    Raises:
        OptionError: it is not known, or a field is of another kind; names are texts of at most ``LONGEST_NAME``.
    """
    if not isinstance(request, dict) or not isinstance(request.get("do"), str):
        raise OptionError("a message says nothing to do; expected {'do': ...}.")
    check_choice(request["do"], REQUESTS, "do")
    fields = REQUESTS[request["do"]]
    try:
        check_kind(request, fields, request["do"])
    except ValueError as error:
        raise OptionError(str(error)) from error
    taken: dict[str, Any] = {name: request.get(name) for name in fields}
    if "name" in fields:
        taken["name"] = "".join(c if c.isprintable() else " " for c in taken["name"]).strip()[:LONGEST_NAME]
        if not taken["name"]:
            raise OptionError("the name is empty; expected a word or two.")
    if "s" in fields and not abs(taken["s"]) < float("inf"):
        raise OptionError(f"s is {taken['s']}; expected a finite distance.")
    return {"do": request["do"], **taken}


def packed(header: Mapping[str, Any], body: bytes = b"") -> bytes:
    """A message of the socket."""
    text = json.dumps(header, allow_nan=False).encode()
    return struct.pack(">I", len(text)) + text + body


def unpacked(message: bytes) -> tuple[Any, bytes]:
    """The header and the file of a message of the socket.

    Raises:
        OptionError: it is none.
    """
    try:
        (length,) = struct.unpack_from(">I", message)
        return json.loads(message[4 : 4 + length]), message[4 + length :]
    except (struct.error, ValueError, RecursionError) as error:
        raise OptionError(f"a message cannot be read ({error}).") from error


def number(x: Any) -> float | None:
    """A number as JSON has it: what is not finite is null."""
    x = float(x)
    return x if abs(x) < float("inf") else None
