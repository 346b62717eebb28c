"""A hash of what a computation depends on: a generator's or a distance's weights, and what is static in it."""

from __future__ import annotations

import hashlib
import inspect
from dataclasses import fields, is_dataclass
from functools import partial
from types import CodeType
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from geomgan.distances.distance import Distance
from geomgan.generators.generator import Generator


def fingerprint(tree: Generator | Distance) -> str:
    """Name and hash of a generator or distance: of its weights, and of everything static in it."""
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(tree):
        leaf = np.asarray(leaf)
        digest.update(f"{leaf.dtype}{leaf.shape}".encode())
        digest.update(np.ascontiguousarray(leaf).tobytes())
    for name, value in sorted(vars(tree).items()):
        if name != "params":
            digest.update(f"{name}={_describe(value)};".encode())
    return f"{tree.name}#{digest.hexdigest()[:16]}"


def _describe(value: Any) -> str:
    """A text that is the same in every process: functions by name and code, values by their representation."""
    if isinstance(value, partial):
        keywords = {name: _describe(argument) for name, argument in sorted(value.keywords.items())}
        return f"partial({_describe(value.func)}, {[_describe(argument) for argument in value.args]}, {keywords})"
    if is_dataclass(value) and not isinstance(value, type | nn.Module):
        parts = {field.name: _describe(getattr(value, field.name)) for field in fields(value)}
        return f"{type(value).__module__}.{type(value).__qualname__}({parts})"
    if not hasattr(value, "__qualname__"):
        return repr(value)
    code = getattr(inspect.unwrap(value), "__code__", None)
    return f"{value.__module__}.{value.__qualname__} {_describe_code(code) if code else ''}"


def _describe_code(code: CodeType) -> str:
    constants = [_describe_code(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    return f"{code.co_code.hex()} {code.co_names} {constants}"
