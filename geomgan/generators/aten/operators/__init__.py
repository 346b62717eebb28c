"""ATen operators in JAX, by name: torch's arguments, order, defaults and layout ``(N, C, ...)``.

A file for each kind. An operator is a plain function of arrays; integers, lists and words are static. ``OPERATORS``
has them by ATen's name, with the overload where overloads differ: ``"conv2d"``, ``"max.dim"``.
"""

from collections.abc import Callable
from typing import Any

OPERATORS: dict[str, Callable[..., Any]] = {}
