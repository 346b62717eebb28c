"""Whether JSON is of a declared type: type hints, ``TypedDict`` included, as the schema."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable
from typing import Any

MAX_DEPTH = 16  # of lists and objects in each other
MAX_INTEGER = 2**63 - 1  # that libraries in C take
_WORDS: dict[Any, str] = {
    str: "text",
    int: "a whole number of 64 bits",
    float: "a finite number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
    types.NoneType: "null",
}


def misfit(value: Any, hint: Any, name: str = "it", depth: int = 0) -> str | None:
    """Why what ``json`` read is not of the type ``hint``, as "NAME is ...; expected ..."; None if it is.

    Known are ``str``, ``int``, ``float``, ``list[T]``, ``dict[str, T]``, unions, ``TypedDict`` and ``Any``: JSON of
    finite numbers, integers of 64 bits and at most ``MAX_DEPTH`` levels. What a ``TypedDict`` does not name is ``Any``.
    """
    if depth > MAX_DEPTH:
        return f"{name} is nested more than {MAX_DEPTH} deep; expected less"
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        reasons = [misfit(value, kind, name, depth) for kind in arguments]
        return None if None in reasons else reasons[0]
    plain = type(value) if hint is Any else dict if typing.is_typeddict(hint) else typing.get_origin(hint) or hint
    if not _is(value, plain):
        return f"{name} is {_shown(value)}; expected {_WORDS.get(plain, 'JSON')}"
    if plain is dict:
        fields = typing.get_type_hints(hint) if typing.is_typeddict(hint) else {}
        if absent := sorted(getattr(hint, "__required_keys__", frozenset()) - value.keys()):
            return f"{name} has no {absent[0]!r}; expected it"
        other = arguments[1] if arguments else Any
        return _first(misfit(v, fields.get(k, other), f"{name}[{k[:40]!r}]", depth + 1) for k, v in value.items())
    if plain is list:
        kind = arguments[0] if arguments else Any
        return _first(misfit(v, kind, f"{name}[{i}]", depth + 1) for i, v in enumerate(value))
    return None


def _is(value: Any, kind: type) -> bool:
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    if kind is float:
        return isinstance(value, int | float) and abs(value) <= 1.7e308  # NaN is not
    if kind is int:
        return isinstance(value, int) and abs(value) <= MAX_INTEGER
    return isinstance(value, kind)


def _first(reasons: Iterable[str | None]) -> str | None:
    return next((reason for reason in reasons if reason is not None), None)


def _shown(value: Any) -> str:
    if isinstance(value, list | dict):
        return f"{_WORDS[type(value)]} of {len(value)}"
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        return f"a number of {len(str(value))} digits"
    return f"{value!r}"[:80]
