"""Files as torch.save writes them, in both formats."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch

FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])


def saved(tree, zipped: bool, path: Path | None = None):
    """What torch.save writes: to ``path``, or as bytes."""
    file = io.BytesIO()
    torch.save(tree, file, _use_new_zipfile_serialization=zipped)
    return path.write_bytes(file.getvalue()) and path if path else file.getvalue()
