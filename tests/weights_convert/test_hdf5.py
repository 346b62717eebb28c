"""HDF5 files of h5py: equal to what was written, and refused with a reason where they hold more than arrays."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from geomgan.errors import CheckpointError
from tests.fixtures import GOLDEN
from tests.hostile import damaged
from weights_convert.hdf5 import Dataset, read_hdf5

FILES = zipfile.ZipFile(GOLDEN / "keras/files.zip")  # make_keras.py wrote them
PLAIN = FILES.read("plain.h5")


def test_arrays_and_attributes():
    root = read_hdf5(PLAIN)
    assert root.attributes["text"] == "größer"
    assert root.attributes["texts"] == ["a", "bc" * 40, ""]
    assert root.attributes["fixed"] == ["kernel", "bias"]
    assert root.attributes["number"] == 2.5
    assert root.attributes["numbers"].tolist() == [0, 1, 2]
    assert root.attributes["none"] is None
    for i, kind in enumerate(["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u1", "f4", "i2"]):
        array = root.members["types"].members[str(i)].array
        assert array.dtype == np.dtype(kind)
        assert array.tolist() == [[0, 1, 2], [3, 4, 5]]
        assert not array.flags.writeable
    assert root.members["empty"].array.shape == (0, 3)
    assert root.members["one"].array == 7
    many = root.members["many"].members
    assert list(many) == sorted(f"layer_{i}" for i in range(20))
    for i in range(20):
        assert many[f"layer_{i}"].members["vars"].members["0"].array.tolist() == [i, i]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("packed", "arrays in other files, or packed"),
        ("pieces", "arrays in pieces"),
        ("latest", "a superblock of version [23] "),
        ("soft", "links to other places"),
        ("elsewhere", "an object that is neither a table of names nor an array"),
        ("outside", "arrays in other files, or packed"),
        ("twice", "an object in two places"),
        ("ordered", "an object header of version 79"),
    ],
)
def test_what_is_not_read(name, says):
    with pytest.raises(CheckpointError, match=rf"an HDF5 file with {says}.*Write it with h5py as it comes"):
        read_hdf5(FILES.read(f"{name}.h5"))


@pytest.mark.parametrize("data", [b"", b"\x89HDF\r\n\x1a\n", PLAIN[:100], PLAIN[: len(PLAIN) // 2], bytes(3000)])
def test_what_is_no_whole_file(data):
    with pytest.raises(CheckpointError, match="expected"):
        read_hdf5(data)


def size_of(held) -> int:
    return held.array.nbytes if isinstance(held, Dataset) else sum(map(size_of, held.members.values()))


@pytest.mark.parametrize("count", [150, pytest.param(2000, marks=pytest.mark.slow)])
def test_damage_raises_nothing_else(count):
    for data in damaged(PLAIN, count, seed=count):
        try:
            assert size_of(read_hdf5(data)) <= 20 * len(data)
        except CheckpointError as error:
            assert "expected" in str(error)  # noqa: PT017  either outcome is right
