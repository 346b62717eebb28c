"""How much an operator makes before a trace can tell: tables of places on the host, and lists of parts.

Programs come from elsewhere. What their values take is known from a trace, in which nothing is computed; these few
operators compute while they are traced, and are asked first.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from geomgan.generators.aten.operators.arguments import each

LONGEST = 1 << 22  # of a table along one axis
LARGEST = 1 << 26  # places of all windows
PARTS = 1 << 14  # and taps of a filter that widens where a map is made smaller
_TABLES = ("_upsample", "adaptive", "arange", "linspace", "upsample")
_LISTS = ("chunk", "split", "tensor_split", "unbind")


def check_host(operator: str, arguments: Sequence[Any]) -> None:
    """Raise ``ValueError`` where an operator would make too much of these arguments while it is traced."""
    sides = getattr(arguments[0], "shape", ()) if arguments else ()
    if operator.startswith(_TABLES) and (longest := _longest(arguments)) > LONGEST:
        raise ValueError(f"{longest:.0f} numbers along one axis, expected at most {LONGEST}")
    if operator.startswith(_LISTS) and (parts := _parts(operator, sides, *arguments[1:])) > PARTS:
        raise ValueError(f"{parts} parts, expected at most {PARTS}")
    if "_aa" in operator and max(sides) > PARTS:
        raise ValueError(f"a filter over {max(sides)} pixels, expected at most {PARTS}")
    if pooling := re.search(r"(?<!un)pool(\d)d", operator):
        count = _adaptive_places if "adaptive" in operator else _places
        if (places := count(int(pooling[1]), sides, *arguments[1:])) > LARGEST:
            raise ValueError(f"windows of {places:.0f} places together, expected at most {LARGEST}")


def _longest(arguments: Sequence[Any]) -> float:
    """The largest number among the arguments; of a range how many numbers it has."""
    numbers = [x for x in arguments if isinstance(x, int | float)]
    steps = abs((numbers[1] - numbers[0]) / numbers[2]) if len(numbers) == 3 and numbers[2] else 0
    return max([steps, *map(abs, numbers), *(_longest(x) for x in arguments if isinstance(x, list))])


def _parts(operator: str, sides: Sequence[int], size: Any = 0, dim: int = 0) -> int:
    """How many parts a list has: those of one number each, of ``size``, or ``size`` of them."""
    if operator == "unbind":
        return sides[size]
    if not isinstance(size, int):
        return len(size)
    return -(-sides[dim] // size) if operator.startswith("split") else size


def _places(axes: int, sides: Sequence[int], kernel: Any, stride: Any = (), padding: Any = 0, *_: Any) -> float:
    """How many places all windows of a pooling have together."""
    sizes = each(kernel, axes)
    rows = zip(sides[-axes:], sizes, each(stride, axes) if stride else sizes, each(padding, axes), strict=True)
    return math.prod(size * ((side + 2 * pad) / step + 1) for side, size, step, pad in rows)


def _adaptive_places(axes: int, sides: Sequence[int], counts: Any) -> int:
    """The same where the number of windows is given; None is one for every number."""
    pairs = zip(sides[-axes:], each(counts, axes), strict=True)
    return math.prod(side + 2 * (side if count is None else count) for side, count in pairs)
