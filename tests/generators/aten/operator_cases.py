"""Calls of ATen operators, and how one is compared with torch: its values, and its derivative in one direction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

from geomgan.generators.aten.operators import OPERATORS

TYPES = ("float32", "float64", "int32", "int64", "bool")
RNG = np.random.default_rng(0)


@dataclass(frozen=True)
class Case:
    """One call: by arrays of floats it is differentiated, but not by those of ``fixed``; words of types are types.

    ``smooth`` is how many of the results are differentiated: torch has no derivatives of some.
    """

    key: str
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    smooth: int = 9

    def __str__(self) -> str:
        return self.key


def case(key: str, *arguments: Any, smooth: int = 9, **options: Any) -> Case:
    return Case(key, arguments, options, smooth)


def cases(keys: str, *arguments: Any, smooth: int = 9, **options: Any) -> list[Case]:
    """The same call of several operators."""
    return [Case(key, arguments, options, smooth) for key in keys.split()]


def normal(*shape: int) -> np.ndarray:
    return np.asarray(RNG.standard_normal(shape), np.float32)


def waves(*shape: int) -> np.ndarray:
    """Complex numbers."""
    return (normal(*shape) + 1j * normal(*shape)).astype(np.complex64)


class Fixed(np.ndarray):
    """Numbers by which nothing is differentiated."""


def fixed(x: np.ndarray) -> Fixed:
    return x.view(Fixed)


def positive(*shape: int) -> np.ndarray:
    return RNG.uniform(0.3, 2, shape).astype(np.float32)


def unit(*shape: int) -> np.ndarray:
    """Within (-1, 1)."""
    return RNG.uniform(-0.9, 0.9, shape).astype(np.float32)


def integers(high: int, *shape: int) -> np.ndarray:
    return RNG.integers(0, high, shape)


def truths(*shape: int) -> np.ndarray:
    return RNG.random(shape) < 0.5


def compare(case: Case, tolerance: float = 1e-5) -> None:
    """Raise unless values, shapes, kinds of numbers and one directional derivative are torch's.

    The call is compiled; a batch of reverse modes is traced.
    """
    leaves, tree = jax.tree.flatten((case.arguments, case.options), is_leaf=lambda leaf: leaf is None)
    differentiated = lambda x: isinstance(x, np.ndarray) and x.dtype.kind in "fc" and not isinstance(x, Fixed)
    active = [n for n, leaf in enumerate(leaves) if differentiated(leaf)]
    point = [leaves[n] for n in active]
    rng = np.random.default_rng(1)
    unit = lambda x: 1 + 1j if x.dtype.kind == "c" else 1
    direction = [np.asarray(unit(x) * rng.standard_normal(x.shape), x.dtype) for x in point]

    def with_arrays(call: Any, array: Any, word: Any) -> Any:
        def called(*floats: Any) -> list[Any]:
            passed = [array(leaf) if isinstance(leaf, np.ndarray) else word(leaf) for leaf in leaves]
            for n, x in zip(active, floats, strict=True):
                passed[n] = x
            arguments, options = jax.tree.unflatten(tree, passed)
            result = call(*arguments, **options)
            return list(result) if isinstance(result, tuple | list) else [result]

        return called

    base, _, overload = case.key.partition(".")
    packet = getattr(torch.ops.aten, base)
    word = lambda leaf: getattr(torch, leaf) if isinstance(leaf, str) and leaf in TYPES else leaf
    torch_call = with_arrays(getattr(packet, overload) if overload else packet, torch.from_numpy, word)
    our_call = with_arrays(OPERATORS[case.key], jnp.asarray, lambda leaf: leaf)
    if not (active and case.smooth):
        check(jax.jit(our_call)(*point), torch_call(*map(torch.from_numpy, point)), tolerance)
        return
    ours = jax.jit(lambda x, dx: jax.jvp(our_call, x, dx))(point, direction)
    theirs = torch_jvp(torch_call, *([torch.from_numpy(x) for x in part] for part in (point, direction)))
    check(ours[0], theirs[0], tolerance)
    floats = [n for n, part in enumerate(ours[0][: case.smooth]) if part.dtype.kind in "fc"]
    check([ours[1][n] for n in floats], [theirs[1][n] for n in floats], 2 * tolerance)
    pulled = lambda x, c: jax.vjp(lambda *x: [our_call(*x)[n] for n in floats], *x)[1](c)
    two = jax.tree.map(lambda x: np.stack([x, x]), (point, [np.asarray(ours[0][n]) for n in floats]))
    rows = jax.eval_shape(jax.vmap(pulled), *two)
    assert [x.shape for x in rows] == [(2, *x.shape) for x in point]


def torch_jvp(call: Any, point: list[Any], direction: list[Any]) -> tuple[list[Any], list[Any]]:
    """Forward mode, or where torch has none for the operator reverse mode twice."""
    try:
        return torch.func.jvp(call, tuple(point), tuple(direction))
    except (NotImplementedError, RuntimeError):
        values, tangents = torch.autograd.functional.jvp(lambda *x: tuple(call(*x)), tuple(point), tuple(direction))
        return list(values), list(tangents)


def check(ours: list[Any], theirs: list[Any], tolerance: float) -> None:
    assert len(ours) == len(theirs)
    for mine, yours in zip(ours, theirs, strict=True):
        mine, yours = np.asarray(mine), yours.resolve_conj().numpy(force=True)
        assert mine.shape == yours.shape
        assert mine.dtype.kind == yours.dtype.kind
        scale = max(float(np.abs(yours[np.isfinite(yours)]).max(initial=0)), 1e-9)
        np.testing.assert_allclose(mine / scale, yours / scale, rtol=0, atol=tolerance)
