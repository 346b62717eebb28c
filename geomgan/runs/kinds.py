"""What a file says of itself, as JSON: of the kind that is expected, or one error that names the place."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

COUNT = range(1, 2**53)  # an integer that counts something
_LONGEST = 200  # of a value in a message


def read_json(file: Path) -> Any:
    """What a JSON file holds; for use within :func:`geomgan.errors.reading`."""
    return json.loads(file.read_text(encoding="utf-8"))


def check_kind(value: Any, kind: Any, place: str) -> None:
    """Raise ``ValueError`` unless a value that was read has the kind that it should have.

    Args:
        value: as JSON gives it.
        kind: a type; a range of integers; a frozenset of texts; ``[kind]``, a list of them; ``{name: kind}``, a
            mapping with these entries (one that is missing counts as None) and any others; ``{...: kind}``, one with
            any names; or a tuple of kinds, of which one must fit.
        place: what messages call it.
    """
    if found := _mismatch(value, kind, place):
        raise ValueError(found)


def check_json(value: Any, what: str) -> None:
    """Raise ``TypeError`` unless JSON can hold a mapping that a user gave, to be kept with results."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{what} is {shown(value)}; expected a mapping, such as {{'run': 'first'}}.")
    for name, entry in value.items():
        try:
            json.dumps({name: entry}, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise TypeError(
                f"{what}[{name!r}] is {shown(entry)}, a {type(entry).__name__}; expected what JSON can hold ({error}). "
                "Convert it (float(x), x.tolist(), str(x)), or leave it out."
            ) from error


def shown(value: Any) -> str:
    """A value in a message."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _mismatch(value: Any, kind: Any, place: str) -> str:
    """What does not fit, or nothing."""
    if isinstance(kind, tuple):
        found = [_mismatch(value, one, place) for one in kind]
        return "" if "" in found else found[-1]
    if isinstance(kind, range):
        fits, expected = type(value) is int and value in kind, f"an integer from {kind.start} to {kind.stop - 1}"
        return "" if fits else f"{place} is {shown(value)}; expected {expected}"
    if isinstance(kind, frozenset):
        fits, expected = isinstance(value, str) and value in kind, f"one of {', '.join(sorted(kind))}"
        return "" if fits else f"{place} is {shown(value)}; expected {expected}"
    if isinstance(kind, dict) and isinstance(value, dict):
        pairs = dict.fromkeys(value, kind[...]) if ... in kind else kind
        return _first((value.get(name), one, f"{place}.{name}") for name, one in pairs.items())
    if isinstance(kind, list) and isinstance(value, list):
        return _first((entry, kind[0], f"{place}[{i}]") for i, entry in enumerate(value))
    if isinstance(kind, type) and isinstance(value, kind):
        return ""
    expected = "a mapping" if isinstance(kind, dict) else "a list" if isinstance(kind, list) else kind.__name__
    return f"{place} is {shown(value)}; expected {expected}"


def _first(parts: Iterable[tuple[Any, Any, str]]) -> str:
    return next(filter(None, (_mismatch(*part) for part in parts)), "")
