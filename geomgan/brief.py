"""Representations of a line or two, for objects that hold arrays."""

from __future__ import annotations

import dataclasses
import os
from typing import Any, TypeVar

import jax

T = TypeVar("T")
LONGEST, LONGEST_VALUE = 240, 60  # characters


def brief(cls: type[T]) -> type[T]:
    """A decorator of dataclasses and named tuples: their ``repr`` says shapes instead of values, in a line or two."""
    cls.__repr__ = _repr  # type: ignore[method-assign]
    return cls


def _repr(self: Any) -> str:
    names = [f.name for f in dataclasses.fields(self)] if dataclasses.is_dataclass(self) else self._fields
    text, end = type(self).__name__ + "(", ")"
    for i, name in enumerate(names):
        part = f"{', ' * (i > 0)}{name}={_value(getattr(self, name))}"
        if len(text) + len(part) > LONGEST:
            return text + ", …)"
        text += part
    return text + end


def _value(value: Any) -> str:
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        if value.shape == () and not isinstance(value, jax.Array):
            return str(value)
        return f"{value.dtype}{list(value.shape)}"
    if isinstance(value, dict | list | tuple) or (dataclasses.is_dataclass(value) and not callable(value)):
        return _tree(value)
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if callable(value):
        return str(getattr(value, "__name__", type(value).__name__))
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def _tree(value: Any) -> str:
    """A container: as it is while it is short and holds no arrays, else how many arrays and numbers are in it."""
    sizes = [leaf.size for leaf in jax.tree.leaves(value) if hasattr(leaf, "size")]
    if sizes:
        return f"{type(value).__name__} of {len(sizes)} arrays, {sum(sizes):,} numbers"
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{type(value).__name__}, {len(text):,} characters"
