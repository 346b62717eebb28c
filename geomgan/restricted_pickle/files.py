"""Reading whole files, and saying what a file is that is not what it should be."""

from __future__ import annotations

import re
from pathlib import Path

from geomgan.errors import CheckpointError

MAX_FILE = 16 << 30  # bytes


def read_bytes(path: str | Path) -> bytes:
    """The bytes of an ordinary file, or a `CheckpointError` that says why not."""
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: found {'no' if not path.exists() else 'no ordinary'} file; expected one")
    try:
        if (size := path.stat().st_size) > MAX_FILE:
            raise CheckpointError(f"{path}: found {size} bytes; expected at most {MAX_FILE}")
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from None


def looks_like_file(path: Path) -> str:
    """:func:`looks_like` of a file, by its beginning and its end; how it cannot be read, if that is so."""
    try:
        with open(path, "rb") as file:
            head = file.read(_ENDS)
            file.seek(max(len(head), path.stat().st_size - _ENDS))
            return looks_like(head + file.read(_ENDS))
    except OSError as error:
        return f"a file that cannot be read: {error}"


_ENDS = 1 << 20  # bytes
_SIGNATURES = {
    b"version https://git-lfs": "a git-lfs pointer: fetch the file itself with `git lfs pull`",
    b"\x80": "a Python pickle",
    b"\x1f\x8b": "a gzip file: decompress it first",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a numpy .npy file",
    b"\x89PNG": "a PNG image",
    b"GGUF": "a GGUF file",
    b"{": "JSON text",
}
_DIRECTORY = 1 << 20  # bytes at the end of a zip archive in which the names of its files are looked for
_MEMBERS = {
    b"model.weights.h5": "a Keras archive",
    b"models/model.json": "a network of torch.export",
    b"/data.pkl": "an archive of PyTorch",
}
_ONNX = re.compile(rb"\x08[\x01-\x1f][\x12\x1a\x3a\x42]")  # the version of the format, and the next of its fields


def looks_like(data: bytes) -> str:
    """A few words on what kind of file begins with ``data``."""
    head = data[:512].lstrip()
    if not data:
        return "an empty file: the download failed"
    if head[:1] == b"<" and any(tag in head.lower() for tag in (b"<html", b"<!doctype", b"<?xml")):
        return "an HTML page: the download link needs a login or has moved"
    if data[8:10] == b'{"' and int.from_bytes(data[:8], "little") <= len(data):
        return "a safetensors file"
    if data[257:262] == b"ustar":
        return "a tar archive: unpack it first"
    if data[:2] == b"PK":
        directory = data[-_DIRECTORY:]
        return next((what for member, what in _MEMBERS.items() if member in directory), "a zip archive")
    if _ONNX.match(data):
        return "a network in ONNX"
    return next((what for magic, what in _SIGNATURES.items() if data.startswith(magic)), "no known format")
