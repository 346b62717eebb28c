"""Files of named arrays that are no pickles: ``.safetensors`` and numpy's ``.npz``, within their own sizes."""

from __future__ import annotations

import io
import itertools
import json
import math
import zipfile
from typing import Any

import ml_dtypes
import numpy as np

from geomgan.errors import CheckpointError
from geomgan.restricted_pickle import check_shape, misfit
from weights_convert.strict_json import once

MAX_HEADER = 32 << 20  # bytes of JSON
MAX_NPY_HEADER = 10_000
MAX_PACKED, FREE = 64, 256 << 20  # how much larger than its file an archive may be, and what it may be in any case
SAFE = {  # the format's name of a type -> ours; its types of 4 and 6 bits are packed, and not read
    "F64": "f8",
    "F32": "f4",
    "F16": "f2",
    "BF16": ml_dtypes.bfloat16,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E5M2": ml_dtypes.float8_e5m2,
    "F8_E8M0": ml_dtypes.float8_e8m0fnu,
    "F8_E4M3FNUZ": ml_dtypes.float8_e4m3fnuz,
    "F8_E5M2FNUZ": ml_dtypes.float8_e5m2fnuz,
    "C64": "c8",
    "I64": "i8",
    "I32": "i4",
    "I16": "i2",
    "I8": "i1",
    "U64": "u8",
    "U32": "u4",
    "U16": "u2",
    "U8": "u1",
    "BOOL": "?",
}


def read_safetensors(data: bytes) -> dict[str, np.ndarray]:
    """Name -> read-only array: the length of a JSON header, the header, and the numbers, each piece once.

    Raises:
        CheckpointError: the header is no such JSON, or its tensors overlap, leave bytes to nobody or lie outside of the
            file.
    """
    size = int.from_bytes(data[:8], "little")
    if not 2 <= size <= min(MAX_HEADER, len(data) - 8):
        raise misfit(f"a safetensors header of {size} bytes in a file of {len(data)}", f"at most {MAX_HEADER}")
    try:
        header = json.loads(data[8 : 8 + size].decode("utf-8"), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise misfit(f"a safetensors header that is no JSON ({str(error)[:100]})", "a whole file") from None
    if not isinstance(header, dict):
        raise misfit("a safetensors header without names", "a JSON object")
    body = memoryview(data)[8 + size :]
    arrays, ends = {}, []
    for name, entry in header.items():
        if name != "__metadata__":
            arrays[name], span = _tensor(body, name, entry)
            ends.append(span)
    ends.sort()
    if any(end > start for (_, end), (start, _) in itertools.pairwise(ends)):
        raise misfit("safetensors that overlap", "each in a place of its own")
    if unused := len(body) - sum(end - start for start, end in ends):
        raise misfit(
            f"{unused} bytes that belong to no tensor", "none: the format has no holes, and nothing at its end"
        )
    return arrays


def _tensor(body: memoryview, name: str, entry: Any) -> tuple[np.ndarray, tuple[int, int]]:
    """One tensor, and where it begins and ends."""
    shown = ascii(name[:100])
    entry = entry if isinstance(entry, dict) else {}
    code, sizes, span = (entry.get(key) for key in ("dtype", "shape", "data_offsets"))
    if not isinstance(code, str) or code not in SAFE:
        raise misfit(f"the tensor {shown} of type {ascii(code)[:40]}", f"one of {', '.join(SAFE)}")
    shape = check_shape(tuple(sizes) if isinstance(sizes, list) else None)
    whole = isinstance(span, list) and len(span) == 2 and all(type(n) is int and n >= 0 for n in span)
    dtype = np.dtype(SAFE[code])
    start, end = span if whole and isinstance(span, list) else (0, -1)
    if not whole or end > len(body) or end - start != math.prod(shape) * dtype.itemsize:
        raise misfit(f"the tensor {shown} of shape {shape} at {ascii(span)[:60]}", "its numbers within the file")
    flat = np.frombuffer(body[start:end], dtype) if end > start else np.empty(0, dtype)
    return _widened(flat).reshape(shape), (start, end)


def _widened(flat: np.ndarray) -> np.ndarray:
    """Bfloat16 as float32, as in every file that is read; read-only."""
    array = flat.astype(np.float32) if flat.dtype == ml_dtypes.bfloat16 else flat
    array.flags.writeable = False
    return array


def read_npz(data: bytes) -> dict[str, np.ndarray]:
    """Name -> array of a numpy archive, packed or not.

    Raises:
        CheckpointError: it is damaged, holds objects, or is much larger than its file.
    """
    arrays = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = [entry for entry in archive.infolist() if entry.filename.endswith(".npy")]
            size = sum(max(entry.file_size, 0) for entry in entries)
            if size > max(FREE, MAX_PACKED * len(data)):
                raise misfit(f"an archive of {size} bytes in a file of {len(data)}", f"at most {MAX_PACKED} times it")
            for entry in entries:
                with archive.open(entry) as file:
                    arrays[entry.filename.removesuffix(".npy")] = _npy(file.read(entry.file_size + 1), entry)
    except CheckpointError:
        raise
    except Exception as error:  # zipfile raises almost anything on damaged archives
        raise misfit(f"a damaged or encrypted archive of arrays ({error})", "a whole one") from None
    return arrays


def _npy(raw: bytes, entry: zipfile.ZipInfo) -> np.ndarray:
    """The array of one member, which says its type and shape."""
    file = io.BytesIO(raw)
    try:
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, fortran, dtype = read(file, max_header_size=MAX_NPY_HEADER)
    except (ValueError, KeyError, TypeError, SyntaxError) as error:
        raise misfit(f"the member {entry.filename[:100]!a}, no array ({str(error)[:100]})", "one") from None
    if dtype.kind not in "?biufc":
        raise misfit(f"the member {entry.filename[:100]!a} of type {dtype}", "numbers: objects are not read")
    body = raw[file.tell() :]
    if len(body) != math.prod(check_shape(shape)) * dtype.itemsize:
        raise misfit(f"{len(body)} bytes for an array of shape {shape}", "as many as fill it")
    flat = np.frombuffer(body, dtype) if body else np.empty(0, dtype)
    array = flat.astype(dtype.newbyteorder("="), copy=False).reshape(shape, order="F" if fortran else "C")
    array.flags.writeable = False
    return array
