"""Files as torch.save writes them, in both formats."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch
from torch.serialization import get_crc32_options, set_crc32_options

FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])


def saved(tree, zipped: bool = True, path: Path | None = None, *, checksums: bool = True):
    """What torch.save writes: to ``path``, or as bytes; without checksums of a zip archive's records it can be changed.

    Damage to an archive without them reaches what lies behind the checksums.
    """
    file, before = io.BytesIO(), get_crc32_options()
    set_crc32_options(checksums)
    try:
        torch.save(tree, file, _use_new_zipfile_serialization=zipped)
    finally:
        set_crc32_options(before)
    return path.write_bytes(file.getvalue()) and path if path else file.getvalue()
