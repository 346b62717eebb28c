"""The functions behind the admitted names, which only build data: builtin containers and numpy arrays."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from geomgan.restricted_pickle.values import Names, Pending, StandIn, bare_name, check_key, check_shape, mapping, misfit


def _members(values: Any = ()) -> Iterable[Any]:
    if not isinstance(values, list | tuple):
        raise misfit(f"members in a {type(values).__name__}", "a list")
    return map(check_key, values)


def _pairs(values: Any = ()) -> dict[Any, Any]:
    if not isinstance(values, list | tuple | dict):
        raise misfit(f"entries in a {type(values).__name__}", "a list of pairs")
    return dict(values) if isinstance(values, dict) else mapping(values)


def _latin1(text: Any, encoding: str = "latin1") -> bytes:
    """Bytes, which pickles before protocol 3 hold as text."""
    if isinstance(text, bytes | bytearray):
        return bytes(text)
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise misfit(type(text).__name__, "bytes, or text encoded as latin1")
    return text.encode("latin1")


def _reconstructor(cls: Any, _base: Any, state: Any) -> StandIn:
    """An object of a plain class, in protocols 0 and 1."""
    return StandIn(bare_name(cls), () if state is None else (state,))


_DTYPES = ("?", "b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16")


def _dtype(code: Any, *_: Any) -> Pending:
    """``numpy.dtype(code)``, whose state then adds the byte order."""
    if not isinstance(code, str) or code not in _DTYPES:
        shown = repr(code[:40]) if isinstance(code, str) else type(code).__name__
        raise misfit(f"numpy dtype {shown}", f"plain numbers ({' '.join(_DTYPES)})")

    def finish(state: Any) -> np.dtype:
        _version, order, *fields = state
        if order not in ("<", ">", "=", "|") or any(part is not None for part in fields[:3]):
            raise misfit("a structured numpy dtype", "plain numbers with a byte order")
        return np.dtype(code).newbyteorder(order)

    return Pending("numpy dtype", finish)


def _array(raw: Any, dtype: Any, shape: Any, order: Any, axes: Any = None) -> np.ndarray:
    """A read-only array over ``raw``, without a copy unless its bytes must be swapped."""
    if not isinstance(dtype, np.dtype) or not isinstance(raw, bytes | bytearray | str):
        raise misfit(f"a numpy array of {type(raw).__name__}", "bytes and a dtype of numbers")
    raw = raw if isinstance(raw, bytearray) else _latin1(raw)
    if len(raw) != math.prod(check_shape(shape)) * dtype.itemsize:
        raise misfit(f"{len(raw)} bytes for a {dtype} array of shape {shape}", "as many as fill it")
    native = dtype.newbyteorder("=")
    flat = np.frombuffer(memoryview(raw).toreadonly() if raw else b"", dtype).astype(native, copy=False)
    flat.flags.writeable = False
    array = flat.reshape(shape, order="F" if order == "F" else "C")
    return array.transpose(axes) if order == "K" and axes is not None else array


def _reconstruct(cls: Any, *_: Any) -> Pending:
    """An empty array, whose state then is ``(version, shape, dtype, is_fortran, bytes)``."""
    if bare_name(cls) != "numpy.ndarray":
        raise misfit("a subclass of numpy.ndarray", "numpy.ndarray")

    def finish(state: Any) -> np.ndarray:
        shape, dtype, fortran, raw = state[-4:]
        return _array(raw, dtype, shape, "F" if fortran else "C")

    return Pending("numpy array", finish)


def _bytearray(*args: Any) -> bytearray:
    return bytearray(_latin1(*args) if args else b"")


NAMES: Names = {
    **{f"builtins.{kind.__name__}": None for kind in (object, bool, int, float, str, list, tuple, dict)},
    "builtins.set": lambda *values: set(_members(*values)),
    "builtins.frozenset": lambda *values: frozenset(_members(*values)),
    "builtins.bytes": lambda: b"",  # what protocols 0 to 2 write for no bytes
    "builtins.bytearray": _bytearray,
    "builtins.complex": lambda real, imag: complex(float(real), float(imag)),
    "_codecs.encode": _latin1,
    "collections.OrderedDict": _pairs,
    "collections.defaultdict": lambda _factory=None, entries=(): _pairs(entries),
    "copyreg._reconstructor": _reconstructor,
    "numpy.ndarray": None,
    "numpy.dtype": _dtype,
    "numpy._core.multiarray._reconstruct": _reconstruct,
    "numpy._core.multiarray.scalar": lambda dtype, raw: _array(raw, dtype, (), "C")[()],
    "numpy._core.numeric._frombuffer": _array,
}
