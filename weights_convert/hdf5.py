"""HDF5 files as h5py writes them by default, read as data: groups, attributes and plain arrays, nothing else.

The format's own library is a large program in C that opens other files and loads plugins where a file asks for it, and
does not return from some that are damaged (h5py 3.16: from 15 of 4,000). What Keras writes is a small part of the
format: superblock 0, object headers 1, groups as symbol tables, arrays in one piece, texts as attributes. Every place
and length is checked before it is read, each object is read once, and texts are counted, so that time and memory are
bounded by the size of the file.
Source: HDF5 File Format Specification, version 3.0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import ml_dtypes
import numpy as np

from geomgan.restricted_pickle import check_shape, misfit

SIGNATURE = b"\x89HDF\r\n\x1a\n"
MAX_OBJECTS, MAX_MESSAGES, MAX_DEPTH = 50_000, 500_000, 64
MAX_TEXT, TEXTS = 1 << 20, 4  # what attributes may take, bytes: as much, or so many times the file
AGAIN = "Write it with h5py as it comes: h5py.File(NAME, 'w')"
_UNDEFINED = 2**64 - 1
_DATASPACE, _DATATYPE, _EXTERNAL, _LAYOUT, _FILTERS, _ATTRIBUTE, _CONTINUED, _TABLE = 1, 3, 7, 8, 11, 12, 16, 17


@dataclass(frozen=True)
class Dataset:
    """An array, read-only, and what is said of it."""

    array: np.ndarray
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class Group:
    """Groups and arrays by their names, and what is said of all."""

    members: Mapping[str, Group | Dataset]
    attributes: Mapping[str, Any]


def read_hdf5(data: bytes | memoryview) -> Group:
    """The root group of a file.

    Raises:
        CheckpointError: the file is damaged, or holds what h5py does not write unless asked to.
    """
    file = _File(memoryview(data))
    if bytes(file.cut(0, 8)) != SIGNATURE:
        raise misfit("no HDF5 file", "one")
    version, sizes = file.number(8, 1), (file.number(13, 1), file.number(14, 1))
    if version != 0 or sizes != (8, 8) or file.number(24, 8):
        _unusual(f"a superblock of version {version} with sizes {sizes}")
    root = _object(file, file.number(64, 8), 0)
    if not isinstance(root, Group):
        raise misfit("an HDF5 file whose root is an array", "a group")
    return root


@dataclass
class _File:
    """The bytes, and how much was read of them."""

    data: memoryview
    objects: set[int] = field(default_factory=set)
    messages: int = 0
    text: int = 0

    def cut(self, at: int, size: int) -> memoryview:
        if not 0 <= at <= at + size <= len(self.data):
            raise misfit(f"{size} bytes at {at} in an HDF5 file of {len(self.data)}", "them within; download it again")
        return self.data[at : at + size]

    def number(self, at: int, size: int) -> int:
        return int.from_bytes(self.cut(at, size), "little")

    def count_text(self, size: int) -> None:
        self.text += size
        if self.text > max(MAX_TEXT, TEXTS * len(self.data)):
            raise misfit("an HDF5 file whose attributes are larger than itself", "them to fit")


def _unusual(found: str) -> NoReturn:
    raise misfit(f"an HDF5 file with {found}", f"what h5py writes unless asked for more. {AGAIN}")


def _damaged(what: str) -> NoReturn:
    raise misfit(f"a damaged HDF5 file ({what})", "a whole one; download it again")


def _object(file: _File, at: int, depth: int) -> Group | Dataset:
    """The group or array whose header is at ``at``."""
    if at in file.objects:
        _unusual("an object in two places")
    file.objects.add(at)
    if len(file.objects) > MAX_OBJECTS or depth > MAX_DEPTH:
        _unusual(f"more than {MAX_OBJECTS} objects, or nested more than {MAX_DEPTH} deep")
    if (version := file.number(at, 1)) != 1:
        _unusual(f"an object header of version {version}")
    found: dict[int, memoryview] = {}
    attributes: dict[str, Any] = {}
    for kind, body in _messages(file, at):
        if kind == _ATTRIBUTE:
            name, value = _attribute(file, body)
            attributes[name] = value
        elif found.setdefault(kind, body) is not body and kind in (_DATASPACE, _DATATYPE, _LAYOUT, _TABLE):
            _damaged("an object with two shapes, types or places")
    if _TABLE in found:
        tree, heap = (_number(found[_TABLE], start, 8) for start in (0, 8))
        members = {name: _object(file, place, depth + 1) for name, place in _links(file, tree, heap)}
        return Group(members, attributes)
    if _EXTERNAL in found or _FILTERS in found:
        _unusual("arrays in other files, or packed")
    if not {_DATASPACE, _DATATYPE, _LAYOUT} <= found.keys():
        _unusual("an object that is neither a table of names nor an array")
    array = _array(file, found[_DATASPACE], found[_DATATYPE], found[_LAYOUT], attributes)
    return Dataset(array, attributes)


def _messages(file: _File, at: int) -> Iterator[tuple[int, memoryview]]:
    """Kind and contents of every message of an object."""
    blocks = [(at + 16, file.number(at + 8, 4))]
    while blocks:
        start, size = blocks.pop(0)
        block, place = file.cut(start, size), 0
        while place + 8 <= len(block):
            kind, length, flags = (_number(block, place + k, n) for k, n in ((0, 2), (2, 2), (4, 1)))
            body = block[place + 8 : place + 8 + length]
            place += 8 + length
            file.messages += 1
            if file.messages > MAX_MESSAGES or len(body) < length:
                _damaged("the messages of an object")
            if flags & 2 and kind in (_DATASPACE, _DATATYPE, _LAYOUT, _ATTRIBUTE):
                _unusual("types that several objects share")
            if kind == _CONTINUED:
                blocks.append((_number(body, 0, 8), _number(body, 8, 8)))
            else:
                yield kind, body


def _number(data: memoryview, at: int, size: int) -> int:
    if at + size > len(data):
        _damaged("a record that ends early")
    return int.from_bytes(data[at : at + size], "little")


def _links(file: _File, tree: int, heap: int) -> Iterator[tuple[str, int]]:
    """Name and place of every member of a group, from its tree of symbol tables."""
    if bytes(file.cut(heap, 4)) != b"HEAP":
        _damaged("no heap of names")
    names = file.cut(file.number(heap + 24, 8), file.number(heap + 8, 8))
    waiting, seen, given = [tree], set[int](), set[str]()
    while waiting:
        node = waiting.pop()
        if node in seen or len(seen) > MAX_OBJECTS:
            _damaged("a tree of names that meets itself")
        seen.add(node)
        kind, count = bytes(file.cut(node, 4)), file.number(node + 6, 2)
        if kind == b"TREE" and file.number(node + 4, 1) == 0:
            waiting += [file.number(node + 32 + 16 * i, 8) for i in reversed(range(count))]
        elif kind == b"SNOD":
            for entry in range(node + 8, node + 8 + 40 * count, 40):
                if file.number(entry + 16, 4) == 2:
                    _unusual("links to other places")
                name = _text(names[file.number(entry, 8) :][:256])
                if name in given or "/" in name:
                    _damaged("two members of one name")
                given.add(name)
                yield name, file.number(entry + 8, 8)
        else:
            _damaged("another tree than of names")


def _text(raw: memoryview) -> str:
    """Text up to its first zero."""
    try:
        return bytes(raw).partition(b"\0")[0].decode("utf-8")
    except UnicodeDecodeError:
        _damaged("text that is none")


def _shape(body: memoryview) -> tuple[int, ...] | None:
    """The sides of an array; None where there is no array at all."""
    version, rank, flags = (_number(body, k, 1) for k in range(3))
    if version == 2 and _number(body, 3, 1) == 2:
        return None
    if version not in (1, 2) or flags & 2:
        _unusual(f"a shape of version {version}")
    start = {1: 8, 2: 4}[version]
    return check_shape(tuple(_number(body, start + 8 * k, 8) for k in range(rank)))


def _array(
    file: _File, space: memoryview, kind: memoryview, layout: memoryview, attributes: Mapping[str, Any]
) -> np.ndarray:
    shape, dtype = _shape(space), _dtype(kind, attributes)
    version, where = _number(layout, 0, 1), _number(layout, 1, 1)
    if version not in (3, 4) or where > 1 or shape is None or dtype is None:
        _unusual("arrays in pieces, of other versions, or of no numbers")
    size = math.prod(shape) * dtype.itemsize
    if where == 0:
        raw = layout[4 : 4 + _number(layout, 2, 2)]
    elif (at := _number(layout, 2, 8)) == _UNDEFINED:
        raw = memoryview(b"")
    else:
        raw = file.cut(at, _number(layout, 10, 8))
    if len(raw) != size:
        _damaged(f"{len(raw)} bytes for an array of shape {shape}")
    return _numbers(raw, dtype).reshape(shape)


def _numbers(raw: memoryview, dtype: np.dtype) -> np.ndarray:
    """A flat read-only array; bfloat16 as float32, as in every file that is read."""
    flat = np.frombuffer(raw, dtype) if len(raw) else np.empty(0, dtype)
    wide = np.dtype("f4") if dtype == ml_dtypes.bfloat16 else dtype.newbyteorder("=")
    flat = flat.astype(wide, copy=False)
    flat.flags.writeable = False
    return flat


def _dtype(body: memoryview, attributes: Mapping[str, Any] | None = None) -> np.dtype | None:
    """The type of numbers, or of texts of a fixed length; None for others."""
    kind, bits, size = _number(body, 0, 1) & 15, _number(body, 1, 3), _number(body, 4, 4)
    order = ">" if bits & 1 else "<"
    if kind == 0 and size in (1, 2, 4, 8) and (_number(body, 8, 2), _number(body, 10, 2)) == (0, 8 * size):
        return np.dtype(f"{order}{'i' if bits & 8 else 'u'}{size}")
    exponent = _number(body, 13, 1) if kind == 1 else 0
    if kind == 1 and (size, exponent) in ((2, 5), (4, 8), (8, 11)) and not bits & 64:
        return np.dtype(f"{order}f{size}")
    bits_of_keras = kind == 5 and (attributes or {}).get("dtype") == "bfloat16"
    if size == 2 and (exponent == 8 or bits_of_keras):
        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(f"S{size}") if kind == 3 and 0 < size < 1 << 16 else None


def _attribute(file: _File, body: memoryview) -> tuple[str, Any]:
    """Name and value: text, a list of texts, a number or an array; None for other types."""
    version = _number(body, 0, 1)
    if version not in (1, 2, 3):
        _unusual(f"an attribute of version {version}")
    sizes = [_number(body, k, 2) for k in (2, 4, 6)]
    at, parts = 9 if version == 3 else 8, []
    for size in sizes:
        parts.append(body[at : at + size])
        at += -(-size // 8) * 8 if version == 1 else size
    if at > len(body):
        _damaged("an attribute that ends early")
    name, shape, raw = _text(parts[0]), _shape(parts[2]), body[at:]
    count = math.prod(shape) if shape is not None else 0
    bits = _number(parts[1], 0, 4)
    file.count_text(len(raw) + 64)
    if bits & 15 == 9 and bits >> 8 & 15 == 1:  # texts of their own lengths
        if 16 * count > len(raw):
            _damaged("an attribute that ends early")
        texts = [_heap_text(file, raw[16 * i : 16 * i + 16]) for i in range(count)]
        return name, texts[0] if shape == () else texts
    dtype = _dtype(parts[1])
    if dtype is None or shape is None:
        return name, None
    if count * dtype.itemsize > len(raw):
        _damaged("an attribute that ends early")
    if dtype.kind == "S":
        texts = [_text(raw[dtype.itemsize * i :][: dtype.itemsize]) for i in range(count)]
        return name, texts[0] if shape == () else texts
    values = _numbers(raw[: count * dtype.itemsize], dtype).reshape(shape)
    return name, values.item() if shape == () else values


def _heap_text(file: _File, reference: memoryview) -> str:
    """A text of the global heap."""
    length, heap, index = (_number(reference, k, n) for k, n in ((0, 4), (4, 8), (12, 4)))
    if not length:
        return ""
    if bytes(file.cut(heap, 4)) != b"GCOL":
        _damaged("no heap of texts")
    file.count_text(length)
    at, end = heap + 16, heap + file.number(heap + 8, 8)
    while at + 16 <= end:
        file.messages += 1
        size = file.number(at + 8, 8)
        if file.number(at, 2) == index:
            if length > size:
                break
            return _text(file.cut(at + 16, length))
        if file.number(at, 2) == 0 or file.messages > MAX_MESSAGES:
            break
        at += 16 + -(-size // 8) * 8
    _damaged("a text that is not there")
