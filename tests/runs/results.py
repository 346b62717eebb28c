"""Results to keep, as the tests of journals and of their files make them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Inner:
    values: np.ndarray
    name: str


@dataclasses.dataclass(frozen=True)
class Outer:
    anything: Any
    inner: Inner | None = None
    several: tuple[Inner, ...] = ()
    named: Mapping[str, Inner] = dataclasses.field(default_factory=dict)
    key: float = 0.0
    again: Outer | None = None


@dataclasses.dataclass(frozen=True)
class Stranger:
    value: int


def part(i):
    """The ``i``-th part of a job."""
    return Outer(anything=(i, b"\0\1", {"nan": float("nan")}), inner=Inner(np.full((3, 2), -0.0) + i, f"part {i}"))


def same(a, b):
    """Whether two results agree in every type, every order and every bit."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, np.generic | float | complex):
        return np.asarray(a).dtype == np.asarray(b).dtype and np.asarray(a).tobytes() == np.asarray(b).tobytes()
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return same(list(a.items()), list(b.items()))
    if dataclasses.is_dataclass(a):
        return all(same(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a))
    return a == b
