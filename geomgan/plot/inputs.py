"""The check that a figure is given what it draws."""

from __future__ import annotations

from typing import Any


def check_input(given: Any, kinds: type | tuple[type, ...], what: str, expected: str) -> None:
    """Raise ``TypeError``, which says what was given and what was expected, unless ``given`` is one of ``kinds``."""
    if not isinstance(given, kinds):
        name = type(given).__name__
        article = "an" if name[0] in "AEIOUaeiou" else "a"
        raise TypeError(f"{what} is {article} {name}; expected {expected}.")
