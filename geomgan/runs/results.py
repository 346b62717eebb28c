"""A frozen result in one file: an ``.npz`` of its arrays and a JSON header, exact to the bit, without pickles.

Any ``.npz`` reader gets at the arrays, which are called by their fields: ``numpy.load(file)["mean"]``. The header
says how they make up the result; it names dataclasses, but which those are is the reader's word: nothing that a file
names is imported.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import struct
import typing
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np

from geomgan.errors import StoreError, reading
from geomgan.runs.files import written

T = TypeVar("T")
_FORMAT, _HEADER = 1, "header.json"
AGAIN = "Remove it, and repeat the call to compute it again."
_EXPECTED = (
    "expected numpy arrays, numbers, strings, bytes, None, tuples, lists, dicts, and dataclasses that the annotations "
    "name"
)


def write_result(file: str | os.PathLike[str], result: T, kind: type[T]) -> T:
    """Write a result whole.

    Args:
        file: by convention ``*.npz``.
        result: a dataclass, or a tuple, list or dict of such. Fields hold numpy arrays (those of JAX become numpy's),
            Python's and numpy's numbers, strings, bytes, None, tuples, lists, dicts, and dataclasses again.
        kind: its type. Dataclasses within are found through the annotations of fields.

    Returns:
        The result as :func:`read_result` gives it.

    Raises:
        TypeError: the result holds something else; raised before anything is written.
        StoreError: the file cannot be written.
    """
    known, arrays = _dataclasses_of(kind), dict[str, np.ndarray]()
    header = {"geomgan_result": _FORMAT, "result": _packed(result, known, arrays, "")}
    text = json.dumps(header)
    as_read = _checked(_unpacked(json.loads(text)["result"], known, arrays), kind)
    with written(file) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        archive.writestr(zipfile.ZipInfo(_HEADER), text)  # of no date: the same result makes the same file
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    return as_read


def read_result(file: str | os.PathLike[str], kind: type[T], fix: str = AGAIN) -> T:
    """Read what :func:`write_result` wrote.

    Args:
        file: that it wrote.
        kind: the type of the result.
        fix: what to do with one that cannot be read, for the message.

    Raises:
        StoreError: the file is missing or damaged, or another version wrote it, whose dataclasses had other fields.
    """
    file, known = Path(file), _dataclasses_of(kind)
    if not file.exists():
        raise StoreError(f"{file} is not there; expected a file. {fix}")
    with reading(file, fix, found="cannot be read: it is damaged, or another version wrote it"):
        with zipfile.ZipFile(file) as archive:
            damaged = archive.testzip()  # checksums first: what is read below is what was written
        if damaged is not None:
            raise ValueError(f"the checksum of {damaged} is wrong")
        with np.load(file, allow_pickle=False) as archive:
            header = json.loads(archive[_HEADER])
            if header["geomgan_result"] != _FORMAT:
                raise ValueError(f"its format is {header['geomgan_result']}; expected {_FORMAT}")
            return _checked(_unpacked(header["result"], known, archive), kind)


def _packed(value: Any, known: Mapping[str, type], arrays: dict[str, np.ndarray], place: str) -> Any:
    """``value`` as JSON, which refers to ``arrays`` by the place of each; both are what the file holds."""
    inner = lambda child, name: _packed(child, known, arrays, f"{place}.{name}" if place else str(name))
    kind = type(value)
    if value is None or kind in (bool, int, str) or (kind is float and math.isfinite(value)):
        return value
    if kind is float:
        return {"float": struct.pack(">d", value).hex()}
    if kind is complex:
        return {"complex": [inner(value.real, "real"), inner(value.imag, "imag")]}
    if kind is list:
        return [inner(child, i) for i, child in enumerate(value)]
    if kind is tuple:
        return {"tuple": [inner(child, i) for i, child in enumerate(value)]}
    if kind is dict:
        pairs = enumerate(value.items())
        return {"dict": [[inner(key, f"key{i}"), inner(child, i)] for i, (key, child) in pairs]}
    if known.get(kind.__qualname__) is kind:
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(kind)}
        return {"dataclass": kind.__qualname__, "fields": {name: inner(child, name) for name, child in fields.items()}}
    if kind is bytes:
        return {"bytes": _kept(np.frombuffer(value, np.uint8), arrays, place)}
    if kind in (np.ndarray, np.memmap) or isinstance(value, jax.Array | np.generic):
        return _packed_array(value, arrays, place)
    what = f"a {kind.__module__}.{kind.__qualname__}"
    raise TypeError(f"{place or 'the result'} is {what}; {_EXPECTED}. Convert it, or annotate its field with its type.")


def _packed_array(value: Any, arrays: dict[str, np.ndarray], place: str) -> dict[str, str]:
    try:
        array = np.asarray(value)
    except TypeError as error:  # typed keys of JAX
        raise TypeError(f"{place or 'the result'} cannot become a numpy array ({error}); {_EXPECTED}.") from error
    if array.dtype.hasobject:
        raise TypeError(f"{place or 'the result'} has dtype {array.dtype}; {_EXPECTED}. Give it a plain dtype.")
    tag = "scalar" if isinstance(value, np.generic) else "array"
    if np.lib.format.descr_to_dtype(np.lib.format.dtype_to_descr(array.dtype)) == array.dtype:
        return {tag: _kept(array, arrays, place)}
    bits = array.reshape(-1).view(f"u{array.dtype.itemsize}").reshape(array.shape)  # bfloat16 and its like
    return {tag: _kept(bits, arrays, place), "dtype": array.dtype.name}


def _kept(array: np.ndarray, arrays: dict[str, np.ndarray], place: str) -> str:
    name = place or "result"
    arrays[name] = array
    return name


def _unpacked(node: Any, known: Mapping[str, type], arrays: Mapping[str, np.ndarray]) -> Any:
    """The value that :func:`_packed` made ``node`` of."""
    inner = lambda child: _unpacked(child, known, arrays)
    if isinstance(node, list):
        return [inner(child) for child in node]
    if not isinstance(node, dict):
        return node
    tag, content = next(iter(node.items()))
    if tag in ("array", "scalar"):
        array = arrays[content]
        array = array.view(np.dtype(node["dtype"])) if "dtype" in node else array
        return array if tag == "array" else array[()]
    if tag == "bytes":
        return arrays[content].tobytes()
    if tag == "float":
        return struct.unpack(">d", bytes.fromhex(content))[0]
    if tag == "complex":
        return complex(*map(inner, content))
    if tag == "tuple":
        return tuple(map(inner, content))
    if tag == "dict":
        return {inner(key): inner(child) for key, child in content}
    kind = known[content]
    fields = {name: inner(child) for name, child in node["fields"].items()}
    if set(fields) != (expected := {field.name for field in dataclasses.fields(kind)}):
        raise ValueError(f"its {content} has the fields {sorted(fields)}; expected {sorted(expected)}")
    return kind(**fields)


def _checked(value: Any, kind: type[T]) -> T:
    if isinstance(kind, type) and not isinstance(value, kind):
        raise TypeError(f"the result is a {type(value).__qualname__}; expected a {kind.__qualname__}")
    result: T = value
    return result


def _dataclasses_of(kind: Any) -> dict[str, type]:
    """Name -> dataclass, for all that the annotations of ``kind`` reach."""
    known: dict[str, type] = {}
    left = [kind]
    while left:
        hint = left.pop()
        left += [typing.get_origin(hint), *typing.get_args(hint)] if typing.get_origin(hint) else []
        if not (isinstance(hint, type) and dataclasses.is_dataclass(hint)) or hint in known.values():
            continue
        name = hint.__qualname__
        if known.setdefault(name, hint) is not hint:
            raise TypeError(f"two dataclasses within {kind} are called {name}. Rename one.")
        try:
            hints = typing.get_type_hints(hint)
        except NameError as error:
            raise TypeError(
                f"the annotations of {name} cannot be read ({error}); expected names that its module imports."
            ) from error
        left += [hints[field.name] for field in dataclasses.fields(hint)]
    return known
