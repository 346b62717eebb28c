"""Files of a study, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from geomgan.errors import StoreError

PAGE, KEY = "study.html", "study_key.json"
RESULTS, BY_AXIS, ANSWERS = "results.json", "results.csv", "answers.csv"
FORMAT = 1


def write_whole(path: Path, text: str) -> None:
    """Write a file under a temporary name, then rename it.

    Raises:
        StoreError: it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8", newline="")
        os.replace(temporary, path)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error}. Free space or name another folder, and repeat.") from error
