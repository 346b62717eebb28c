"""The few exceptions of this package, what turns those of others into them, and the checks that raise them early."""

from __future__ import annotations

import contextlib
import difflib
import inspect
import os
import re
import sys
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

HERE = tuple(str(Path(__file__).parents[1] / name) + os.sep for name in ("geomgan", "weights_convert"))
MOST_NAMES = 12  # in a message
MOST = 2**31 - 1  # of anything that is counted: beyond it numbers are slips, and libraries differ in what they do
TORCH = "torch.nn.modules.module.Module"
_LONGEST = 400  # of what a library says, in a message


class GeomganError(Exception):
    """Base of the errors that are particular to geomgan."""


class CheckpointError(GeomganError, ValueError):
    """A checkpoint file cannot be read, or does not hold the model it should."""


class StoreError(GeomganError, RuntimeError):
    """A stored result belongs to another run, is in use, is damaged, or cannot be written."""


class NotHereError(GeomganError, FileNotFoundError):
    """A known model or file is not on this machine; the message says how to get it."""


class OutOfMemory(GeomganError, MemoryError):
    """A device has too little memory even for one tangent of one code."""


class OptionError(GeomganError, ValueError):
    """An option has a value that it cannot take."""


class NotFiniteError(GeomganError, ValueError):
    """Numbers that must be finite are NaN or infinite."""


class TracedError(GeomganError, TypeError):
    """What runs on the host was called inside ``jit``, ``vmap`` or ``grad``."""


@contextlib.contextmanager
def reading(
    what: object, fix: str, *, error: type[Exception] = StoreError, found: str = "cannot be read"
) -> Iterator[None]:
    """Read what others may have written: whatever fails in the block is one sentence, "what found (reason). fix".

    A file may be cut off, altered, hostile or of another version, and every library has its own errors for what it
    stumbles over there: this is the one place that knows them all. Errors of geomgan pass as they are.

    Raises:
        error: the block failed.
        OutOfMemory: it took more memory than there is.
    """
    try:
        yield
    except GeomganError:
        raise
    except Exception as reason:
        kind = OutOfMemory if isinstance(reason, MemoryError) else error
        raise kind(f"{what} {found} ({said(reason)}). {fix}") from reason


def said(error: Exception) -> str:
    """What an exception of Python or of a library says, for a message: on one line, short, never empty."""
    text = "".join(c if c.isprintable() else "\n" for c in str(error))
    text = re.sub(r" *\n[ \n]*", " ", text).strip()
    if isinstance(error, KeyError):
        text = f"{text} is missing"
    elif isinstance(error, RecursionError):
        text = "it is nested too deeply"
    elif isinstance(error, MemoryError):
        text = "it asks for more memory than there is"
    elif not text or isinstance(error, ArithmeticError | AssertionError | AttributeError | IndexError | TypeError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def warn(message: str, kind: type[Warning] = UserWarning) -> None:
    """Warn at the user's line that led here: the first one outside of these packages."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(HERE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, kind, stacklevel=level)


def nearest(name: str, known: Iterable[str], lister: str = "") -> str:
    """One sentence that names the entries of ``known`` that begin with ``name``, or else are closest to it.

    Where nothing is close it names them all; where they are many, it is ``lister``, or names the first.
    """
    known = list(known)
    longer = [one for one in known if name and str(one).startswith(f"{name}-")][:3]
    close = longer or difflib.get_close_matches(str(name), known, n=3, cutoff=0.4)
    if close:
        return f"Did you mean {' or '.join(map(repr, close))}?"
    if len(known) > MOST_NAMES:
        return lister or f"Known: {', '.join(map(repr, known[:MOST_NAMES]))} and {len(known) - MOST_NAMES} more."
    return f"Known: {', '.join(map(repr, known))}." if known else "None are known."


def of_torch(x: Any) -> str:
    """What to do with a module of PyTorch that is given where it is none, as the end of a message; else nothing."""
    kinds = (f"{kind.__module__}.{kind.__name__}" for kind in type(x).__mro__)
    return " A module of PyTorch is one after geomgan.Generator.from_torch(module, example)." if TORCH in kinds else ""


def called(name: str) -> str:
    """How messages call a generator of this name."""
    return "this generator" if name == "<lambda>" else name


def check_not_traced(what: str, instead: str, *trees: Any) -> None:
    """Raise :class:`TracedError` where a leaf of ``trees`` is traced: ``what`` runs on the host; ``instead`` is how."""
    if not all(map(is_concrete, jax.tree.leaves(trees))):
        raise TracedError(
            f"{what} runs on the host, and cannot be inside jit, vmap or grad: it was given a traced value. {instead}."
        )


def check_folder(path: Path, what: str) -> None:
    """Raise ``StoreError`` where ``path``, to be a folder with ``what`` in it, is a file or lies in one."""
    for place in (path, *path.parents):
        if place.is_dir():
            return
        if place.exists():
            raise StoreError(f"{place} is a file; expected a folder for {what}. Name another folder.")


def is_concrete(x: Any) -> bool:
    """Whether ``x`` holds values, and not a tracer inside ``jit`` or ``vmap``."""
    return not isinstance(x, jax.core.Tracer)


def is_key(x: Any) -> bool:
    """Whether ``x`` is typed keys, as ``jax.random.key`` and ``jax.random.split`` make them; also of tracers."""
    return isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key)


def check_key(key: Any) -> None:
    """Raise ``TypeError`` unless ``key`` is one typed key, as ``jax.random.key`` makes them; also of tracers."""
    if is_key(key) and key.shape == ():
        return
    got, fix = repr(key), "jax.random.key(0)"
    if isinstance(key, int | np.integer) and not isinstance(key, bool) and 0 <= key <= MOST:
        got, fix = f"the number {key}", f"jax.random.key({key})"
    elif is_key(key):
        got, fix = f"keys of shape {key.shape}", "one of them"
    elif getattr(key, "dtype", None) == np.uint32:
        got, fix = "an untyped key, as jax.random.PRNGKey makes them", "jax.random.wrap_key_data(key)"
    raise TypeError(f"key is {got}; expected one typed key. Pass {fix}.")


def check_count(value: Any, most: float, what: str, why: str = "") -> int:
    """``value`` as an integer from 1 to ``most``; if it is none, a ``ValueError`` that ends with ``why``."""
    if isinstance(value, bool) or int(value) != value or not 1 <= value <= min(most, MOST):
        bound = f"an integer from 1 to {min(most, MOST)}" if value > MOST or np.isfinite(most) else "a positive integer"
        raise ValueError(f"{what} is {value!r}; expected {bound}{why}.")
    return int(value)


def check_floating(x: Any, what: str) -> None:
    """Raise ``TypeError`` unless ``x`` is a real floating-point array."""
    dtype = getattr(x, "dtype", None)
    if dtype is None:
        dtype = np.asarray(x).dtype
    if not jnp.issubdtype(dtype, jnp.floating):
        raise TypeError(f"{what} has dtype {dtype}; expected floating point. Convert it with .astype('float32').")


def as_array(x: Any, what: str) -> Any:
    """``x`` as an array: of JAX and numpy as they are, tracers too; others (lists, tensors of PyTorch) as numpy's.

    Raises:
        TypeError: numpy cannot read it, a tensor that keeps its gradient for example.
    """
    if isinstance(x, jax.Array | np.ndarray):
        return x
    try:
        return np.asarray(x)
    except Exception as error:
        fix = "Pass x.detach().cpu().float()" if hasattr(x, "detach") else "Pass an array of numpy or JAX"
        raise TypeError(f"{what} is a {type(x).__name__} that numpy cannot read ({error}). {fix}.") from error


def check_code(z: Any, dim: int) -> Any:
    """``z`` as an array; raises unless it is one finite latent code of shape ``(dim,)``."""
    z = as_array(z, "latent code")
    shape = np.shape(z)
    if shape != (dim,):
        hint = "use jax.vmap for a stack of codes" if len(shape) == 2 and shape[1] == dim else "flatten it first"
        if np.prod(shape, dtype=int) != dim and not (len(shape) == 2 and shape[1] == dim):
            hint = f"this generator's latent space has {dim} dimensions"
        raise ValueError(f"latent code has shape {shape}; expected ({dim},): {hint}.")
    check_floating(z, "latent code")
    check_finite(z, "latent code")
    return z


def check_codes(codes: Any, dim: int) -> Any:
    """``codes`` as an array; raises unless it is a finite, non-empty stack ``(n, dim)``."""
    codes = as_array(codes, "codes")
    shape = np.shape(codes)
    if len(shape) != 2 or shape[1] != dim or shape[0] == 0:
        fix = "codes[None] makes a stack of one" if shape == (dim,) else "one row per code, at least one row"
        fix = f"G.sample_latent(jax.random.key(0), {codes}) draws so many" if shape == () else fix
        raise ValueError(f"codes have shape {shape}; expected (n, {dim}): {fix}.")
    check_floating(codes, "codes")
    check_finite(codes, "codes")
    return codes


def check_room(size: int, free: float, what: str, fix: str) -> None:
    """Raise ``OutOfMemory`` where ``size`` bytes are more than there are, before any library is asked for them."""
    if size > free:
        most = 10**12
        taken = f"{size // 2**30:,}" if size < most * 2**30 else f"more than {most:,}"
        raise OutOfMemory(f"{what} would take {taken} GiB; {free / 2**30:.1f} GiB are free. {fix}.")


def check_arguments(fn: Any, names: str, returns: str, fix: str) -> None:
    """Raise ``TypeError`` where ``fn`` cannot be called with so many arguments; what has no signature passes.

    Args:
        fn: a function of the user's own.
        names: of the arguments it will get, ``"params, z"``.
        returns: what it is to return.
        fix: what to do.
    """
    try:
        signature = inspect.signature(fn)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*names.split(", "))
    except TypeError:
        raise TypeError(
            f"{called(getattr(fn, '__name__', type(fn).__name__))} takes {signature}; expected a function ({names}) -> "
            f"{returns}. {fix}."
        ) from None


def check_finite(x: Any, what: str) -> None:
    """Raise ``NotFiniteError`` if the concrete array ``x`` holds NaN or infinity; tracers pass."""
    if is_concrete(x) and not np.isfinite(np.asarray(x)).all():
        bad = int((~np.isfinite(np.asarray(x))).sum())
        raise NotFiniteError(f"{what} holds {bad} NaN or infinite values; expected finite numbers.")


def check_choice(value: Any, choices: Iterable[str], what: str, lister: str = "") -> None:
    """Raise ``OptionError`` naming the nearest choice (see :func:`nearest`) unless ``value`` is one of ``choices``."""
    choices = list(choices)
    if value not in choices:
        raise OptionError(f"{what}={value!r} is not known. {nearest(value, choices, lister)}")
