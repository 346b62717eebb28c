"""Damaged and hostile PyTorch checkpoints: refused, quickly, and nothing in them happens."""

from __future__ import annotations

import io
import struct
import zipfile

import numpy as np
import pytest
import torch

from geomgan.errors import CheckpointError
from tests.hostile import damaged, watched
from tests.weights_convert.torch_attacks import archive, attacks, legacy, nested
from tests.weights_convert.torch_saved import FORMATS, saved
from weights_convert.torch_file import read_checkpoint


def small(zipped: bool) -> bytes:
    base = torch.arange(12.0).reshape(3, 4)
    tree = {"a": base, "t": base.T, "h": torch.ones(2).half(), "b": torch.ones(3).bfloat16(), "n": [1, "x"]}
    return saved(tree | {"p": torch.nn.Parameter(torch.arange(5.0))}, zipped, checksums=False)


def damage(tmp_path, zipped: bool, count: int) -> None:
    path = tmp_path / "file.pt"
    for k, data in enumerate(damaged(small(zipped), count)):
        path.write_bytes(data)
        try:
            touch(read_checkpoint(path, stand_ins=("*",) if k % 2 else ()))
        except CheckpointError as error:
            assert str(path) in str(error)  # noqa: PT017  either outcome is right


def touch(tree) -> None:
    """Read every number: a view outside of its storage would crash."""
    if isinstance(tree, np.ndarray):
        tree.tobytes()
    for child in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list | tuple) else ():
        touch(child)


@FORMATS
def test_damaged_files_raise_nothing_else(tmp_path, zipped):
    damage(tmp_path, zipped, 400)


@pytest.mark.slow
@FORMATS
def test_thousands_of_damaged_files_raise_nothing_else(tmp_path, zipped):
    damage(tmp_path, zipped, 2_000)


STORAGE = b"(U\x07storagectorch\nFloatStorage\nU\x01kU\x03cpu%stQ"
REBUILD = b"ctorch._utils\n_rebuild_tensor\n("
SETUP = """
from weights_convert.torch_file import read_checkpoint
attempt = lambda path: read_checkpoint(path, stand_ins=STAND_INS)
"""


@pytest.mark.parametrize("stand_ins", ["()", "('*',)"], ids=["strict", "any stand-in"])
def test_attacks_are_refused_and_nothing_happens(tmp_path, stand_ins):
    outcomes = watched(tmp_path, SETUP.replace("STAND_INS", stand_ins), attacks(), small(True))
    for name, outcome in outcomes.items():
        assert stand_ins != "()" or "which is not data" in outcome.text, (name, outcome)


def bombs() -> dict[str, tuple[bytes, str]]:
    """Files that would take all memory or time, and what is to be said about each."""
    one, huge = STORAGE % b"K\x01", b"\x8a\x06" + (2**40).to_bytes(6, "little")
    strided = REBUILD + one + b"K\x00(" + huge + b"t(K\x00ttR."
    squares = REBUILD + one + b"K\x00(" + b"J\xff\xff\xff\x7f" * 8 + b"t(" + b"K\x00" * 8 + b"ttR."
    hollow = (
        REBUILD
        + one
        + b"K\x00(K\x00"
        + (b"\x8a\x06" + (2**45).to_bytes(6, "little")) * 8
        + b"t("
        + b"K\x00" * 9
        + b"ttR."
    )
    outside = REBUILD + one + b"K\x00(K\x02t(J\xff\xff\xff\x7fttR."
    before = REBUILD + one + b"J\xff\xff\xff\xff(K\x01t(K\x01ttR."
    claims = STORAGE % (b"\x8a\x06" + (2**40).to_bytes(6, "little")) + b"."
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/data.pkl", one + b".")
        file.writestr("archive/data/k", bytes(50_000_000))
    deep = legacy(b"N.")
    for _ in range(50):
        deep = legacy(nested(deep) + b".")
    bare = b"".join(
        b"PK\x01\x02" + bytes(24) + struct.pack("<HHHHHII", 1, 0, 0, 0, 0, 0, 0) + b"x" for _ in range(300_000)
    )
    directory = b"PK\x03\x04" + bare + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65535, 65535, len(bare), 4, 0)
    many = io.BytesIO()
    with zipfile.ZipFile(many, "w") as file:
        file.writestr(
            "archive/data.pkl",
            b"".join(
                (STORAGE % b"J\x00\x00\x10\x00").replace(b"FloatS", b"BFloat16S").replace(b"U\x01k", b"U\x04%04d" % n)
                for n in range(1000)
            )
            + b".",
        )
        file.writestr("archive/data/0000", bytes(1 << 21))
    overlapping = overlap(many.getvalue(), 1000)
    from_type = b"ctorch._tensor\n_rebuild_from_type_v2\n"
    return {
        "zero strides": (archive(strided, k=b"1234"), "no more elements than that"),
        "zero strides, legacy": (legacy(strided, ["k"], struct.pack("<qf", 1, 1)), "no more elements than that"),
        "product": (archive(squares, k=b"1234"), "no more elements than that"),
        "hollow": (archive(hollow, k=b"1234"), "an array without entries of shape"),
        "outside": (archive(outside, k=b"1234"), "reaches element"),
        "before": (archive(before, k=b"1234"), "invalid offset"),
        "claims": (legacy(claims, ["k"]), "storages larger than the file"),
        "zip bomb": (packed.getvalue(), "files are larger than itself"),
        "directory": (directory, "too many files"),
        "overlap": (overlapping, "files are larger than itself"),
        "nested": (deep, "nested more than 3 deep"),
        "from type": (archive(from_type + b"(" + from_type + b"N(" + from_type + b"NtNtR."), "a tensor rebuilt by"),
        "deep": (archive(b")" + b"\x85" * 300_000 + b"."), "nested more than"),
        "memo": (archive(b"Nr\xff\xff\xff\xff."), "read"),
    }


def overlap(data: bytes, count: int) -> bytes:
    """The archive with its last file listed ``count`` times under names of four digits."""
    at = data.index(b"PK\x01\x02")
    first = data.index(b"PK\x01\x02", at + 1)
    end = data.index(b"PK\x05\x06")
    entry = data[first:end]
    entries = data[at:first] + b"".join(entry.replace(b"0000", b"%04d" % n) for n in range(count))
    return data[:at] + entries + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count + 1, count + 1, len(entries), at, 0)


def test_bombs_are_refused_quickly_in_little_memory(tmp_path):
    made = bombs()
    files = {name: data for name, (data, _) in made.items()}
    outcomes = watched(tmp_path, SETUP.replace("STAND_INS", "()"), files, small(True), memory=1 << 30)
    for name, (_, says) in made.items():
        text, seconds, _ = outcomes[name]
        assert any(part in text for part in says.split("|")), (name, text)
        assert seconds < 30, (name, seconds)
