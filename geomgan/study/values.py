"""Single values of an untrusted file: each is what it should be, or an error says what was expected instead."""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

LONGEST_TEXT, LONGEST_NAME = 500, 64
_FORBIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control and format characters, lone surrogates, separators of lines


class Wrong(Exception):
    """What is wrong with a value, without the name of the file."""


def json_object(path: str | os.PathLike[str], limit: int) -> dict[str, Any]:
    """A JSON object from a file of at most ``limit`` bytes."""
    path = Path(path).expanduser()
    if not path.is_file():
        raise Wrong("no such file")
    with path.open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise Wrong(f"the file is larger than {limit} bytes, which answers never are")
    try:
        data = json.loads(content.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_unique)
    except RecursionError:
        raise Wrong("the file is not JSON that the page writes: it is nested too deeply") from None
    except ValueError as error:
        raise Wrong(f"the file is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise Wrong(f"the file holds {shown(data)}; expected a JSON object")
    return data


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a field is given twice in one object")
    return dict(pairs)


def named(name: str, check: Callable[[Any], Any], value: Any) -> Any:
    """What ``check`` makes of a value; what is wrong with it, with its name in front."""
    try:
        return check(value)
    except Wrong as error:
        raise Wrong(f"{name} is {shown(value)}; expected {error}") from None


def shown(value: Any) -> str:
    """A short text of anything, without control characters."""
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} with {len(value)} entries"
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def whole(value: Any, low: int, high: int) -> int:
    """A whole number from ``low`` to ``high``."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise Wrong(f"a whole number from {low} to {high}")
    return value


def seconds_of(value: Any) -> float:
    """A time that is not negative."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        raise Wrong("seconds, 0 or more")
    return float(value)


def yes_or_no(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise Wrong("true or false")
    return value


def nothing(value: Any) -> None:
    """None: no change was seen, so nothing else is said."""
    if value is not None:
        raise Wrong("null, because no change was seen")


def rows_of(value: Any, rows: int) -> list[int]:
    """Rows from 1 to ``rows``, each at most once."""
    if not isinstance(value, list) or len(value) > rows or len({whole(x, 1, rows) for x in value}) < len(value):
        raise Wrong(f"a list of rows from 1 to {rows}, each at most once")
    return value


def text_of(value: Any) -> str:
    """A text."""
    if not isinstance(value, str):
        raise Wrong(f"{shown(value)} is not a text")
    return value


def name_of(value: Any) -> str:
    """A name of printable characters, without blanks around it."""
    name = value.strip() if isinstance(value, str) else ""
    if not 1 <= len(name) <= LONGEST_NAME or any(unicodedata.category(c) in _FORBIDDEN for c in name):
        raise Wrong(f"a text of 1 to {LONGEST_NAME} printable characters")
    return name


def free_text(value: Any) -> str:
    """A text on one line, in characters that can be written."""
    if not isinstance(value, str) or not 1 <= len(value.strip()) <= LONGEST_TEXT:
        raise Wrong(f"a text of 1 to {LONGEST_TEXT} characters")
    clean = "".join(" " if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") else c for c in value)
    return " ".join(clean.split())
