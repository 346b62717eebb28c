"""Downloading a published file: whole, and only if it is the one that was published."""

from __future__ import annotations

import hashlib
import os
import urllib.request
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path

from tqdm import tqdm

from geomgan.errors import CheckpointError, NotHereError, said
from geomgan.runs.files import written

PATIENCE = 30  # seconds without a byte
_BLOCK = 1 << 18


def download(urls: Sequence[str], file: str | os.PathLike[str], sha256: str, *, progress: bool = True) -> Path:
    """Bring a file here, from the first of ``urls`` that has it; what is not the published file is not kept.

    Args:
        urls: the same file in several places.
        file: where it goes; it appears complete or not at all.
        sha256: of the published file.
        progress: whether to show a progress bar.

    Raises:
        NotHereError: no place answers; says why, and where to put the file by hand.
        CheckpointError: what came is not the published file.
        StoreError: it cannot be written.
    """
    file, reasons = Path(file), []
    for url in urls:
        try:
            return _download(url, file, sha256, progress)
        except (HTTPException, OSError, ValueError) as error:
            if isinstance(error, CheckpointError):
                raise
            reasons.append(f"{url}: {said(error)}")
    raise NotHereError(
        f"{file.name} could not be downloaded ({'; '.join(reasons)}). Check the network, or put the file into "
        f"{file.parent} yourself."
    )


def _download(url: str, file: Path, sha256: str, progress: bool) -> Path:
    digest = hashlib.sha256()
    with (
        urllib.request.urlopen(url, timeout=PATIENCE) as answer,
        written(file) as temporary,
        temporary.open("wb") as out,
    ):
        size = answer.headers.get("Content-Length")
        shown = {"unit": "B", "unit_scale": True, "desc": file.name, "disable": not progress}
        with tqdm(total=None if size is None else int(size), **shown) as bar:
            while block := answer.read(_BLOCK):
                out.write(block)
                digest.update(block)
                bar.update(len(block))
        if digest.hexdigest() != sha256:
            raise CheckpointError(
                f"{url} has sha256 {digest.hexdigest()}; expected {sha256}. It is not the published file, or was cut "
                "off: nothing of it was kept. Repeat, or get the file elsewhere."
            )
    return file
