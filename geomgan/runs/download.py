"""Downloading a published file: whole, and only if it is the one that was published.

What was cut off is kept beside the file, hidden, and the next download goes on where it ends, if the server lets it.
"""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Sequence
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from tqdm import tqdm

from geomgan.errors import CheckpointError, NotHereError, said
from geomgan.runs.files import partial, writing

PATIENCE = 30  # seconds without a byte
_BLOCK = 1 << 18
_UNSATISFIABLE = 416  # the status of a range that begins at the end of the file or behind it


def download(urls: Sequence[str], file: str | os.PathLike[str], sha256: str, *, progress: bool = True) -> Path:
    """Bring a file here, from the first of ``urls`` that has it; what is not the published file is not kept.

    Args:
        urls: the same file in several places.
        file: where it goes; it appears complete or not at all.
        sha256: of the published file, or its first digits; empty where nobody says it: the caller then looks at it.
        progress: whether to show a progress bar.

    Raises:
        NotHereError: no place answers, or none to the end; says why, and where to put the file by hand.
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
    kept = f" What came so far is kept, and goes on with the next try: {partial(file)}." if _size(partial(file)) else ""
    raise NotHereError(
        f"{file.name} could not be downloaded ({'; '.join(reasons)}). Check the network, or put the file into "
        f"{file.parent} yourself.{kept}"
    )


def sha256_of(file: str | os.PathLike[str]) -> str:
    """The sha256 of a file."""
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _download(url: str, file: Path, sha256: str, progress: bool) -> Path:
    part = partial(file)
    with writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    had = _size(part)
    try:
        answer = _asked(url, had)
    except urllib.error.HTTPError as error:
        if error.code != _UNSATISFIABLE or not had:
            raise
        part.unlink()  # of another file, or all of it: it comes again
        answer, had = _asked(url, 0), 0
    with answer:
        if answer.status != 206:  # the server sends all of it
            had = 0
        left = answer.headers.get("Content-Length")
        total = None if left is None else had + int(left)
        shown = {"unit": "B", "unit_scale": True, "desc": file.name, "initial": had, "disable": not progress}
        with writing(file), part.open("ab" if had else "wb") as out, tqdm(total=total, **shown) as bar:
            while block := answer.read(_BLOCK):
                out.write(block)
                bar.update(len(block))
            out.flush()
            os.fsync(out.fileno())
    if total is not None and (size := _size(part)) < total:
        raise OSError(f"it was cut off after {size} of {total} bytes")
    if not (digest := sha256_of(part)).startswith(sha256):
        part.unlink()
        raise CheckpointError(
            f"{url} has sha256 {digest}; expected {sha256}. It is not the published file: nothing of it was kept. "
            "Repeat, or get the file elsewhere."
        )
    with writing(file):
        os.replace(part, file)
    return file


def _asked(url: str, start: int) -> HTTPResponse:
    """The answer to a request of a file from byte ``start`` on."""
    request = urllib.request.Request(url)
    if start:
        request.add_header("Range", f"bytes={start}-")
    answer: HTTPResponse = urllib.request.urlopen(request, timeout=PATIENCE)
    return answer


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
