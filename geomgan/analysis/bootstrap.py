"""Resampling of codes: random numbers from typed keys; :mod:`geomgan.intervals` makes intervals of the draws."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import jax
import numpy as np

from geomgan.errors import check_count, check_key, is_key, warn
from geomgan.intervals import Interval as Interval
from geomgan.intervals import code_interval as code_interval
from geomgan.intervals import fewest as fewest
from geomgan.intervals import mean as mean
from geomgan.intervals import median as median
from geomgan.intervals import percentile_interval as percentile_interval

P = ParamSpec("P")
T = TypeVar("T")


def random_of(key: Any) -> np.random.Generator:
    """Numpy's generator, seeded by a ``jax.random.key``.

    None means ``jax.random.key(0)`` for one more version, with a warning that is laid at the caller of the function
    that has the key.

    Raises:
        TypeError: ``key`` is not one typed key.
    """
    key = _key_of_seed_0() if key is None else key
    check_key(key)
    return np.random.default_rng(np.asarray(jax.random.key_data(key)))


def key_after(data: int, *earlier: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """For functions that take their key right after ``data`` arguments, and took it elsewhere in the version before.

    For one more version, a call in the earlier order works with a warning: there the ``earlier`` parameters followed
    the data. So does a call without a key, as :func:`random_of` has it. Both warnings are laid at the caller.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        new = inspect.signature(function)
        names = list(new.parameters)
        order = [*names[:data], *earlier, *(name for name in names[data:] if name not in earlier)]
        moved = [new.parameters[name] for name in order]
        number = "int" in str(moved[data].annotation)  # a number in this place may be what was there
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        old = new.replace(parameters=[p.replace(kind=kind) if p.name in earlier else p for p in moved])

        @functools.wraps(function)
        def call(*args: P.args, **options: P.kwargs) -> T:
            after, given, name = args[data:], dict(options), function.__name__
            taken = new
            meant = after and (_may_be_key(after[0]) or (not number and isinstance(after[0], int | np.integer)))
            if after and not meant and (after[0] is not None or len(after) > 1 or "key" in given):
                taken = old
                warn(
                    f"the key comes right after the data now, {name}({', '.join(names[:data])}, key, ...); the earlier "
                    f"order, {name}({', '.join(order)}), works in this version only.",
                    DeprecationWarning,
                )
            try:
                bound = taken.bind(*args, **options)
            except TypeError as error:
                raise TypeError(f"{name}: {error}; expected {name}({', '.join(taken.parameters)}).") from None
            if bound.arguments.get("key") is None:
                bound.arguments["key"] = _key_of_seed_0()
            by_name: Any = function
            return by_name(**bound.arguments)

        return call

    return decorate


def _key_of_seed_0() -> jax.Array:
    warn(
        "no key was given; jax.random.key(0) is taken, in this version only. Pass it as a key of your own: the same "
        "key gives the same result.",
        DeprecationWarning,
    )
    return jax.random.key(0)


def _may_be_key(x: Any) -> bool:
    """Whether an argument is meant as a key: a typed one, or the raw numbers of one, which are refused in words."""
    return is_key(x) or (isinstance(x, jax.Array) and x.dtype == np.uint32)


def check_resampling(draws: int, level: float) -> None:
    """Raise ``ValueError`` unless there are draws and the level is between 0 and 1."""
    check_count(draws, np.inf, "draws")
    if not 0 < level < 1:
        raise ValueError(f"level is {level!r}; expected a number between 0 and 1, such as 0.95.")
