"""The doors of the rooms: what an argument has done that a public function cannot use is said in our own words.

Functions check what they know of; what no one thought of ends somewhere in numpy, JAX or Python, with an error that
names neither the function nor the argument. Only then, and without a cost before, the arguments are compared with their
annotations, and those that do not fit are named. Errors of geomgan pass as they are, and so do those of a user's own
functions, with a note below them that says which of them was at work, and for whom.
"""

from __future__ import annotations

import collections.abc
import dis
import functools
import inspect
import numbers
import os
import sys
import sysconfig
import types
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np

from geomgan.errors import HERE, GeomganError, is_concrete, is_key, said

F = TypeVar("F", bound=Callable[..., Any])
_LIBRARIES = (*HERE, "<frozen", "<__array", *(path + os.sep for path in sysconfig.get_paths().values()))
_RAISE = dis.opmap["RAISE_VARARGS"]
_LONGEST, _HUGE = 60, 10**9  # of a value in a message; of a number that may ask for too much memory
_NAMED_ALONE = (collections.abc.Callable, os.PathLike, collections.abc.Mapping, dict)  # without what is in them
_PARTS = 100  # of a sequence that are looked at
_CALLBACK = "allback"  # in what JAX says of a host function that has raised
_NO_NUMBERS = (str, bytes, dict, set, type, types.FunctionType, types.BuiltinFunctionType)
_NUMBERS = {int: numbers.Integral, float: numbers.Real, bool: numbers.Integral}
_WORDS: dict[Any, str] = {
    **{int: "a whole number", float: "a number", str: "a text", bool: "True or False", type(None): "None"},
    **{np.ndarray: "an array", jax.Array: "an array", os.PathLike: "a path", Path: "a path"},
    **{collections.abc.Sequence: "a sequence", collections.abc.Mapping: "a mapping", dict: "a dictionary"},
    collections.abc.Callable: "a function",
}


def guard(room: str) -> None:
    """Let every public function of a room, and the public methods of its classes, say which argument does not fit."""
    module = sys.modules[room]
    for name in module.__all__:
        setattr(module, name, explained(getattr(module, name), f"{room}.{name}"))


def explained(public: F, called: str = "") -> F:
    """A public function whose foreign errors name the argument that they come of; of a class, its methods do.

    Raises:
        TypeError: an argument is of another kind than its annotation says.
        ValueError: an argument is what no function can use: empty, not finite, a number that is too large.
    """
    called = called or f"{public.__module__}.{public.__qualname__}"
    if isinstance(public, type) and not issubclass(public, BaseException):
        for name, method in list(vars(public).items()):
            if name.startswith("_") and name != "__call__":
                continue
            if isinstance(method, classmethod):
                setattr(public, name, classmethod(_explained(method.__func__, f"{called}.{name}")))
            elif isinstance(method, types.FunctionType):
                setattr(public, name, _explained(method, f"{called}.{name}"))
    return _explained(public, called) if isinstance(public, types.FunctionType) else public


def _explained(function: Any, called: str) -> Any:
    if hasattr(function, "_explained"):
        return function

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            if is_ours(error):
                raise
            if note := _of_a_user(error, called):
                if not any(text.startswith("geomgan.") for text in getattr(error, "__notes__", ())):
                    error.add_note(note)  # of the room that is nearest to it
                raise
            better = _explanation(function, called, args, kwargs, error)
            if better is None:
                raise
            raise better from error

    call._explained = True  # type: ignore[attr-defined]
    return call


def is_ours(error: Exception) -> bool:
    """Whether a statement of this package has raised it, with words for users: no library, no slip."""
    if isinstance(error, GeomganError):
        return True
    *_, last = traceback_of(error)
    code = last.tb_frame.f_code
    meant = isinstance(error, TypeError | ValueError | OSError | ImportError | NotImplementedError)
    return meant and code.co_filename.startswith(HERE) and code.co_code[last.tb_lasti] == _RAISE


def _of_a_user(error: Exception, called: str) -> str:
    """Of an error from a function that a user passed, what was at work: behind ours a frame is of no library.

    What fails behind ``jax.pure_callback`` has left its frames in the text of JAX's own error.
    """
    if isinstance(error, jax.errors.JaxRuntimeError) and _CALLBACK in str(error):
        return f"{called} called a function behind a callback of JAX, which failed: its traceback is in the text above."
    frames = list(traceback_of(error))[2:]
    theirs = [frame for frame in frames if not frame.tb_frame.f_code.co_filename.startswith(_LIBRARIES)]
    if not theirs:
        return ""
    code, line = theirs[-1].tb_frame.f_code, theirs[-1].tb_lineno
    way_out = ""
    if isinstance(error, jax.errors.JAXTypeError | jax.errors.JAXIndexError):
        way_out = (
            " There it got values that JAX traces, which are known only when the compiled program runs: take jax.numpy "
            "for numpy, and jnp.where or jax.lax.cond for if; or put it behind jax.pure_callback, and take "
            "hvp='finite-difference'."
        )
    return f"{called} was calling {code.co_name} ({code.co_filename}, line {line}), a function of yours.{way_out}"


def traceback_of(error: Exception) -> Iterator[types.TracebackType]:
    """The frames that an exception passed, the innermost last."""
    frame = error.__traceback__
    while frame is not None:
        yield frame
        frame = frame.tb_next


def _explanation(
    function: Any, called: str, args: tuple[Any, ...], kwargs: dict[str, Any], error: Exception
) -> Exception | None:
    """The error that names the arguments that do not fit; None where all do."""
    given = list(_given(function, args, kwargs))
    help_says = f"({said(error)}). help({called}) says what it takes."
    wrong = [f"{name} is {shown(x)}; expected {words(hint)}" for name, x, hint in given if not fits(x, hint)]
    if wrong:
        return TypeError(f"{called}: {', '.join(wrong[:3])} {help_says}")
    suspects = (
        [f"{name} is {what}" for name, x, hint in given if (what := _odd(x, hint, error))],
        [f"{name} is {shown(x)}" for name, x, hint in given if _misplaced(x, hint)],
        [f"{name} is {shown(x)}" for name, x, _ in given if _is_array(x)],
    )
    first = next(filter(None, suspects), None)  # the likeliest kind only
    return ValueError(f"{called}: {', '.join(first[:3])} {help_says}") if first else None


def _given(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """``(name, value, annotation)`` of every argument that is no default; none where Python says what is missing."""
    try:
        bound = inspect.signature(function).bind(*args, **kwargs).arguments
    except TypeError:
        return
    for name, parameter in inspect.signature(function).parameters.items():
        if name not in bound or name in ("self", "cls") or bound[name] is parameter.default:
            continue
        hint = _evaluated(parameter.annotation, function)
        if parameter.kind == parameter.VAR_KEYWORD:
            yield from ((key, value, hint) for key, value in bound[name].items())
        else:
            yield name, bound[name], hint


def _evaluated(annotation: Any, function: Any) -> Any:
    """The type that an annotation says; ``Any`` where its names are for type checkers only."""
    if not isinstance(annotation, str):
        return Any if annotation is inspect.Parameter.empty else annotation
    try:
        return eval(annotation, {}, collections.ChainMap(inspect.unwrap(function).__globals__, _Public()))
    except (NameError, AttributeError, TypeError):
        return Any


class _Public(dict[str, Any]):
    """Public names of the rooms that are loaded: a class of another room is no class of any value."""

    def __missing__(self, name: str) -> Any:
        for room, module in list(sys.modules.items()):
            if room.startswith("geomgan.") and name in getattr(module, "__all__", ()):
                return getattr(module, name)
        raise KeyError(name)


def fits(value: Any, hint: Any) -> bool:
    """Whether a value may be what an annotation says; where there is doubt, it may."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any or isinstance(hint, str | typing.TypeVar):
        return True
    if hint is None or hint is type(None):
        return value is None
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, one) for one in inner)
    if origin is typing.Literal:
        return value in inner
    if hint in _NUMBERS:
        if getattr(value, "shape", None) == () and is_concrete(value) and not is_key(value):
            value = np.asarray(value)[()].item()  # a number in an array
        return isinstance(value, _NUMBERS[hint]) or (hint is int and isinstance(value, float) and value.is_integer())
    kind = origin or hint
    if kind is collections.abc.Callable:
        return callable(value)
    if kind in (collections.abc.Sequence, tuple, list):
        if not hasattr(value, "__iter__") or isinstance(value, str | bytes) or getattr(value, "ndim", 1) == 0:
            return False
        parts = list(value)[:_PARTS] if isinstance(value, list | tuple | np.ndarray | jax.Array) else []
        of = inner if kind is tuple and inner[-1:] != (Ellipsis,) else inner[:1] * len(parts)
        return not parts or not of or (len(parts) == len(of) and all(map(fits, parts, of)))
    if not isinstance(kind, type):
        return True
    if kind.__name__ in ("Array", "ndarray"):  # what becomes one, too
        return value is not None and not isinstance(value, str | bytes | dict) and not callable(value)
    if getattr(kind, "_is_protocol", False) and not getattr(kind, "_is_runtime_protocol", False):
        return True
    return isinstance(value, kind)


def words(hint: Any) -> str:
    """An annotation as a message says it."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(map(words, inner)))
    kind = origin or hint
    inside = (one for one in inner if one not in (Any, Ellipsis) and kind not in _NAMED_ALONE)
    of = " and ".join(dict.fromkeys(map(words, inside)))
    package = getattr(kind, "__module__", "").partition(".")[0]
    name = getattr(kind, "__name__", str(kind))
    plain = _WORDS.get(kind) or f"a {name if package in ('geomgan', 'builtins') else f'{package} {name}'}"
    return f"{plain}, each {of}" if of else plain


def shown(value: Any) -> str:
    """A short text of any argument: numbers and texts as they are, all else by what it is."""
    if not is_concrete(value):
        return "a traced value, as inside jit, vmap and grad"
    if is_key(value):
        return "a typed key"
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if isinstance(shape, tuple) and dtype is not None:
        return f"an array of shape {shape} and dtype {dtype}"
    if value is None or isinstance(value, str | bytes | numbers.Number):
        text = repr(value)
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return f"a {type(value).__name__}" + (f" of {len(value)}" if isinstance(value, dict | list | tuple | set) else "")


def _odd(value: Any, hint: Any, error: Exception) -> str:
    """What no function of numbers can use, in words; empty where there is nothing odd about a value."""
    if hint is not Any and isinstance(value, str | types.FunctionType | types.BuiltinFunctionType):
        return ""  # it may be, and what is wrong with it, who takes it says
    if is_key(value):
        return "" if jax.Array in (hint, *typing.get_args(hint)) else shown(value)
    if value is None or not is_concrete(value) or isinstance(value, _NO_NUMBERS):
        return shown(value)
    if isinstance(value, numbers.Number):
        return shown(value) if _odd_number(value, error) else ""
    if not isinstance(value, list | tuple) and not _is_array(value):
        return ""
    try:
        array = np.asarray(value)
    except Exception as reason:
        return f"{shown(value)}, which makes no array ({said(reason)})"
    if array.dtype.kind == "O" and isinstance(value, list | tuple):
        return ""  # of things that are no numbers, and need not be
    if array.dtype.kind not in "biufV":
        return f"{shown(value)} of {array.dtype} values"
    if array.size == 0:
        return f"{shown(value)}, which is empty"
    finite = array.dtype.kind != "f" or np.isfinite(array).all()
    return "" if finite else f"{shown(value)}, with NaN or infinite values"


def _is_array(value: Any) -> bool:
    return hasattr(value, "dtype") and hasattr(value, "shape") and not is_key(value)


def _odd_number(value: Any, error: Exception) -> bool:
    plain = isinstance(value, int | float | np.number | np.bool_) and not isinstance(value, np.complexfloating)
    if not plain or not abs(value) < _HUGE:
        return True
    below = value < 0 and not isinstance(error, TypeError | AttributeError)
    return below or (isinstance(error, ArithmeticError) and value == 0)


def _misplaced(value: Any, hint: Any) -> bool:
    """Whether it is a number, or a list of other things, where no number is asked for."""
    number = isinstance(value, numbers.Number | list | tuple)
    return number and not any(one in _NUMBERS for one in (hint, *typing.get_args(hint)))
