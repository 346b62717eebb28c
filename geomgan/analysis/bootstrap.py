"""Resampling of codes: random numbers from typed keys, and percentile intervals."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import jax
import numpy as np

from geomgan.errors import check_count, check_key, is_key, warn

P = ParamSpec("P")
T = TypeVar("T")
Interval = tuple[float, float, float]  # estimate, low, high


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


def fewest(level: float) -> int:
    """The least number of codes, or of whatever else is resampled, that an interval of this level can be made of.

    A statistic of resampled values stays between the smallest and the largest of them, and ``n`` values have the
    median of what they were drawn from between them in ``1 - 2^(1 - n)`` of all cases: in 75 % with three. No interval
    of 95 % is made of fewer than six.

    Source: Thompson (1936), "On confidence ranges for the median and other expectation distributions".
    """
    return math.ceil(1 - math.log2(1 - level) - 1e-9)


def percentile_interval(samples: np.ndarray, level: float, count: float = np.inf) -> tuple[float, float]:
    """The central interval that holds a share ``level`` of the samples ``(draws,)``; NaN among them are left out.

    NaN where the samples are made of ``count`` things, and these are too few (see :func:`fewest`). The ends of an
    interval of counts are counts.
    """
    samples = samples[np.isfinite(samples)]
    if not len(samples) or count < fewest(level):
        return float("nan"), float("nan")
    low, high = np.percentile(samples, [50 * (1 - level), 50 * (1 + level)], method=_method(samples)).tolist()
    return low, high


def median(x: Any) -> Any:
    """The median over the last axis; of counts the smallest one that at least half of them do not exceed: a count."""
    x = np.asarray(x)
    return np.percentile(x, 50, axis=-1, method=_method(x))


def mean(x: Any) -> Any:
    """The mean over the last axis."""
    return np.asarray(x).mean(axis=-1)


def code_interval(
    x: np.ndarray, draws: int, level: float, rng: np.random.Generator, statistic: Callable[[Any], Any] = median
) -> Interval:
    """A statistic of ``x (P,)`` over codes, with a percentile bootstrap over codes; NaN for too few of them."""
    drawn = statistic(x[rng.integers(len(x), size=(draws, len(x)))])
    return statistic(x).item(), *percentile_interval(drawn, level, len(x))


def _method(x: np.ndarray) -> Any:
    """How a percentile lies between two values: in the middle, or, of counts, at one that occurs."""
    return "inverted_cdf" if x.dtype.kind in "iu" else "linear"
