"""Safetensors and numpy archives: equal to what was written, and refused with a reason where they lie."""

from __future__ import annotations

import io
import json
import struct
import zipfile

import ml_dtypes
import numpy as np
import pytest

from geomgan.errors import CheckpointError
from tests.hostile import damaged
from weights_convert.arrays import read_npz, read_safetensors

CODES = {
    "F64": "f8",
    "F32": "f4",
    "F16": "f2",
    "BF16": ml_dtypes.bfloat16,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E5M2": ml_dtypes.float8_e5m2,
    "F8_E8M0": ml_dtypes.float8_e8m0fnu,
    "F8_E4M3FNUZ": ml_dtypes.float8_e4m3fnuz,
    "F8_E5M2FNUZ": ml_dtypes.float8_e5m2fnuz,
    "I64": "i8",
    "I32": "i4",
    "I16": "i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}


def safetensors(arrays, **changes) -> bytes:
    """What the format's own writer makes; ``changes`` are entries of the header."""
    header, body = {"__metadata__": {"format": "pt"}}, b""
    for name, (code, array) in arrays.items():
        raw = array.tobytes()
        header[name] = {"dtype": code, "shape": list(array.shape), "data_offsets": [len(body), len(body) + len(raw)]}
        body += raw
    text = json.dumps({**header, **changes}).encode()
    return struct.pack("<Q", len(text)) + text + body


def example(code: str) -> np.ndarray:
    return np.arange(6).reshape(2, 3).astype(np.dtype(CODES[code]))


@pytest.mark.parametrize("code", CODES)
def test_safetensors_of_every_type(code):
    arrays = {"a.weight": (code, example(code)), "empty": (code, example(code)[:0]), "one": (code, example(code)[1, 2])}
    ours = read_safetensors(safetensors(arrays))
    assert list(ours) == list(arrays)
    for name, (_, array) in arrays.items():
        np.testing.assert_array_equal(ours[name].astype(np.float64), array.astype(np.float64))
        assert ours[name].shape == array.shape
        assert not ours[name].flags.writeable or not ours[name].size
    assert ours["a.weight"].dtype == (np.float32 if code == "BF16" else np.dtype(CODES[code]))


GOOD = {"a": ("F32", np.arange(4, dtype="f4")), "b": ("F32", np.arange(2, dtype="f4"))}


def entry(**changes):
    return {"dtype": "F32", "shape": [4], "data_offsets": [0, 16], **changes}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (safetensors(GOOD)[:-1], "its numbers within the file"),
        (safetensors(GOOD)[:40], "a safetensors header of"),
        (struct.pack("<Q", 2**62) + b"{}", "a safetensors header of"),
        (struct.pack("<Q", 3) + b'{"a', "no JSON"),
        (struct.pack("<Q", 50_000) + b"[" * 50_000, "no JSON|without names"),
        (struct.pack("<Q", 15) + b'{"a":1,"a": 1} ', "a name is there twice"),
        (struct.pack("<Q", 2) + b"[]", "without names"),
        (safetensors(GOOD, b=entry()), "overlap"),
        (safetensors(GOOD, b=entry(data_offsets=[8, 24])), "overlap"),
        (safetensors(GOOD) + b"PK", "2 bytes that belong to no tensor"),
        (safetensors(GOOD, a=entry(shape=[3], data_offsets=[0, 12])), "4 bytes that belong to no tensor"),
        (safetensors(GOOD, a=entry(dtype="F4")), "the tensor 'a' of type 'F4'"),
        (safetensors(GOOD, a=entry(dtype=[])), "of type"),
        (safetensors(GOOD, a=entry(shape=[2**40, 2**40])), "its numbers within|invalid shape"),
        (safetensors(GOOD, a=entry(shape=[-4])), "invalid shape"),
        (safetensors(GOOD, a=entry(shape="4")), "invalid shape"),
        (safetensors(GOOD, a=entry(shape=[3])), "its numbers within"),
        (safetensors(GOOD, a=entry(data_offsets=[16, 0])), "its numbers within"),
        (safetensors(GOOD, a=entry(data_offsets=[-16, 0])), "its numbers within"),
        (safetensors(GOOD, a=entry(data_offsets=[0.0, 16.0])), "its numbers within"),
        (safetensors(GOOD, a=7), "of type"),
    ],
)
def test_safetensors_that_lie(data, says):
    with pytest.raises(CheckpointError, match=says):
        read_safetensors(data)


def npz(compressed: bool = False, **arrays) -> bytes:
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **arrays)
    return file.getvalue()


@pytest.mark.parametrize("compressed", [False, True])
def test_npz(rng, compressed):
    arrays = {
        "main.0.weight": rng.standard_normal((2, 3, 4, 4)).astype("f4"),
        "fortran": np.asfortranarray(rng.standard_normal((3, 5))),
        "swapped": rng.standard_normal(4).astype(">f8"),
        "half": rng.standard_normal(4).astype("f2"),
        "number": np.float32(2.5),
        "empty": np.empty((0, 3)),
        "whole": np.arange(3),
    }
    ours = read_npz(npz(compressed, **arrays))
    assert list(ours) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(ours[name], array)
        assert ours[name].dtype == np.asarray(array).dtype.newbyteorder("=")


def archive(name: str, contents: bytes, compression: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as file:
        file.writestr(name, contents)
    return out.getvalue()


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (npz(a=np.array([{}], object)), "type object; expected numbers"),
        (npz(a=np.array(["x"])), "type <U1; expected numbers"),
        (npz(a=np.zeros(2, "i4,f8")), "expected numbers"),
        (archive("a.npy", b"no array"), "no array"),
        (archive("a.npy", npy(np.arange(9.0))[:-8]), "64 bytes for an array of shape"),
        (archive("a.npy", npy(np.arange(9.0)).replace(b"(9,)", b"(9**9,)")), "no array|bytes for an array"),
        (archive("a.npy", npy(np.zeros(1 << 26)), zipfile.ZIP_DEFLATED), "expected at most 64 times it"),
        (npz(a=np.arange(9.0))[:-30], "damaged or encrypted"),
        (npz(a=np.arange(9.0)).replace(np.float64(8).tobytes(), np.float64(9).tobytes()), "damaged or encrypted"),
    ],
    ids=["object", "text", "record", "header", "short", "claims", "bomb", "truncated", "checksum"],
)
def test_npz_that_lie(data, says):
    with pytest.raises(CheckpointError, match=says):
        read_npz(data)


@pytest.mark.parametrize("count", [400, pytest.param(2000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("read", [read_safetensors, read_npz])
def test_damage_raises_nothing_else(read, count):
    good = safetensors(GOOD) if read is read_safetensors else npz(a=np.arange(9.0), b=np.eye(3))
    for data in damaged(good, count):
        try:
            for array in read(data).values():
                array.tobytes()
        except CheckpointError as error:
            assert "expected" in str(error)  # noqa: PT017  either outcome is right
