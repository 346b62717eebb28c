"""A zip checkpoint's records against the CRC-32 that the archive holds of them; torch.load looks at none."""

from __future__ import annotations

import io
import random
import zipfile

import numpy as np
import pytest
import torch
from torch.serialization import skip_data

from geomgan.errors import CheckpointError
from tests.weights_convert.torch_saved import saved
from weights_convert.torch_file import read_checkpoint

TREE = {"kernel": torch.arange(64.0).reshape(8, 8), "bias": -torch.arange(64.0), "half": torch.ones(9).half()}


def place(data: bytes, name: str) -> slice:
    """Where the record ``name`` lies in a zip archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entry = next(entry for entry in archive.infolist() if entry.filename.endswith(f"/{name}"))
    header = data[entry.header_offset : entry.header_offset + 30]
    start = entry.header_offset + 30 + sum(int.from_bytes(header[k : k + 2], "little") for k in (26, 28))
    return slice(start, start + entry.file_size)


def read(folder, data: bytes):
    (folder / "file.pth").write_bytes(data)
    return read_checkpoint(folder / "file.pth")


def test_every_flipped_bit_of_a_tensor_is_found(tmp_path):
    good, draw = saved(TREE, zipped=True), random.Random(0)
    for name in ("data/0", "data/1", "data/2"):
        where = place(good, name)
        for _ in range(20):
            data = bytearray(good)
            data[draw.randrange(where.start, where.stop)] ^= 1 << draw.randrange(8)
            torch.load(io.BytesIO(data), weights_only=True)  # torch reads other numbers and says nothing
            with pytest.raises(CheckpointError, match=rf"CRC-32 [0-9a-f]{{8}} of the .* bytes of zip file .*{name}"):
                read(tmp_path, bytes(data))


def test_what_else_happens_to_a_record(tmp_path):
    good = saved(TREE, zipped=True)
    kernel, bias, tree = (place(good, name) for name in ("data/0", "data/1", "data.pkl"))
    exchanged = bytearray(good)
    exchanged[kernel], exchanged[bias] = good[bias], good[kernel]
    zeroed = bytearray(good)
    zeroed[bias.start + 128 : bias.stop] = bytes(128)  # a block that was never written
    at = good.index(b"bias", tree.start)
    renamed = bytearray(good)
    renamed[at : at + 4] = b"bia5"  # a pickle that reads as well
    entry = bytearray(good)
    of_kernel = good.rindex(b"PK\x01\x02", 0, good.rindex(b"data/0"))
    entry[of_kernel + 16] ^= 1  # the checksum itself
    for data in (exchanged, zeroed, renamed, entry):
        with pytest.raises(CheckpointError, match=r"CRC-32 .* as the archive says: it is damaged; download it again"):
            read(tmp_path, bytes(data))


def test_records_that_are_not_read_are_not_looked_at(tmp_path):
    data = bytearray(saved(TREE, zipped=True))
    where = place(bytes(data), ".data/serialization_id")
    data[where.start] ^= 1
    np.testing.assert_array_equal(read(tmp_path, bytes(data))["bias"], TREE["bias"].numpy())


def test_archives_without_checksums_are_read(tmp_path):
    data = saved(TREE, zipped=True, checksums=False)
    np.testing.assert_array_equal(read(tmp_path, data)["kernel"], TREE["kernel"].numpy())
    with skip_data():  # room for tensors, which others fill
        data = bytearray(saved(TREE, zipped=True))
    where = place(bytes(data), "data/1")
    data[where] = TREE["bias"].numpy().tobytes()
    np.testing.assert_array_equal(read(tmp_path, bytes(data))["bias"], TREE["bias"].numpy())
