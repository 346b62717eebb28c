"""Arguments of torch's constructors: their defaults, and what values they can take.

Values come from pickles of strangers or from text: a reader returns what it understands, or raises ``ValueError`` with
what it expected.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

Read = Callable[[Any], Any]
MOST = 1 << 20  # of a side, a stride or a padding: beyond it numbers are slips


class Argument(NamedTuple):
    """One argument of a constructor; without a default it must be given."""

    read: Read
    default: Any = ...


def whole(low: int = 0, high: int = MOST) -> Read:
    """An integer from ``low`` to ``high``."""

    def read(value: Any) -> int:
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"an integer from {low} to {high}")
        return value

    return read


def sides(low: int = 0, high: int = MOST) -> Read:
    """An integer, or up to six of them with commas between."""

    def read(value: Any) -> int | tuple[int, ...]:
        values = value if isinstance(value, tuple | list) else (value,)
        if not 1 <= len(values) <= 6 or not all(type(v) is int and low <= v <= high for v in values):
            raise ValueError(f"integers from {low} to {high}, one for all axes or one for each")
        return tuple(values) if isinstance(value, tuple | list) else value

    return read


def number(low: float = -1e30, high: float = 1e30) -> Read:
    """A finite number from ``low`` to ``high``."""

    def read(value: Any) -> float:
        if type(value) not in (int, float) or not math.isfinite(value) or not low <= value <= high:
            raise ValueError(f"a number from {low:g} to {high:g}")
        return float(value)

    return read


def scales(value: Any) -> float | tuple[float, ...]:
    """A positive number, or up to three of them."""
    values = value if isinstance(value, tuple | list) else (value,)
    if not 1 <= len(values) <= 3 or not all(type(v) in (int, float) and 0 < v <= 1024 for v in values):
        raise ValueError("numbers up to 1024, one for all axes or one for each")
    return tuple(map(float, values)) if isinstance(value, tuple | list) else float(value)


def flag(value: Any) -> bool:
    """True or false."""
    if type(value) is not bool:
        raise ValueError("true or false")
    return value


def word(*choices: str) -> Read:
    """One of ``choices``."""

    def read(value: Any) -> str:
        if value not in choices:
            raise ValueError(" or ".join(choices))
        return str(value)

    return read


def either(*readers: Read) -> Read:
    """What the first of the readers understands."""

    def read(value: Any) -> Any:
        expected = []
        for reader in readers:
            try:
                return reader(value)
            except ValueError as error:
                expected.append(str(error))
        raise ValueError(", or ".join(expected))

    return read


def none(value: Any) -> None:
    """Nothing."""
    if value is not None:
        raise ValueError("none")


def each(value: Any, axes: int) -> tuple[Any, ...]:
    """A value for every axis, from one for all or as many as there are.

    Raises:
        ValueError: there are fewer or more.
    """
    values = tuple(value) if isinstance(value, tuple | list) else (value,) * axes
    if len(values) != axes:
        raise ValueError(f"{len(values)} numbers for {axes} axes")
    return values
