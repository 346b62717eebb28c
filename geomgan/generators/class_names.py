"""The 1000 classes of ImageNet (ILSVRC 2012) by number or by name, for class-conditional generators."""

from __future__ import annotations

import functools
import operator
from importlib import resources
from typing import Any

from geomgan.errors import OptionError, nearest


@functools.cache
def imagenet_classes() -> tuple[str, ...]:
    """The short English names, in the order of the labels; unique without regard to case."""
    text = resources.files("geomgan.generators").joinpath("imagenet_classes.txt").read_text(encoding="utf-8")
    return tuple(text.splitlines())


def class_number(value: Any, count: int) -> int:
    """The number of a class.

    Args:
        value: an integer, or the ImageNet name of the class as text, in upper or lower case.
        count: how many classes the model has; names are known for 1000.

    Returns:
        An integer in ``[0, count)``.

    Raises:
        OptionError: ``value`` is no integer or text, is out of range, or is no name of a class; the nearest names
            are given.
    """
    if isinstance(value, str) and not value.strip().isdecimal():
        return _named(value, count)
    try:
        number = int(value) if isinstance(value, str) else operator.index(value)
    except TypeError:
        number = -1
    if isinstance(value, bool) or not 0 <= number < count:
        kind = "" if isinstance(value, int | str) else f" ({type(value).__name__})"
        raise OptionError(
            f"class_index={value!r}{kind} is no class of this model; expected an integer from 0 to {count - 1}"
            + (", or the ImageNet name of a class." if count == len(imagenet_classes()) else ".")
        )
    return number


def _named(name: str, count: int) -> int:
    classes = imagenet_classes()
    if count != len(classes):
        raise OptionError(
            f"class_index={name!r} is a name, but this model has {count} classes of its own; expected an integer from "
            f"0 to {count - 1}."
        )
    wanted = _plain(name)
    plain = [_plain(known) for known in classes]
    if wanted in plain:
        return plain.index(wanted)
    words = set(wanted.split())
    holding = [known for known, text in zip(classes, plain, strict=True) if words and words <= set(text.split())]
    if holding:
        listed = ", ".join(f"{known!r} ({classes.index(known)})" for known in holding[:8])
        rest = f" and {len(holding) - 8} more" if len(holding) > 8 else ""
        raise OptionError(
            f"class_index={name!r} is no whole name of an ImageNet class. It is part of {listed}{rest}: give one."
        )
    hint = nearest(wanted, plain)
    if hint.startswith("Known"):  # nothing is near: not all the thousand
        hint = f"Give its number, 0 to {count - 1}."
    raise OptionError(f"class_index={name!r} is no name of an ImageNet class. {hint}")


def _plain(name: str) -> str:
    return " ".join(name.lower().replace("-", " ").replace("_", " ").split())
