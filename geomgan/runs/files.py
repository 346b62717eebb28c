"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from geomgan.errors import StoreError


def write_whole(path: Path, data: str | bytes) -> None:
    """Write a file under a temporary name, then rename it; text as UTF-8, with line ends as they are.

    Raises:
        StoreError: it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data.encode() if isinstance(data, str) else data)
        os.replace(temporary, path)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error}. Free space, or name another folder, and repeat.") from error
    finally:
        temporary.unlink(missing_ok=True)
