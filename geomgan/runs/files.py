"""Files and folders that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

from geomgan.errors import GeomganError, StoreError

FIX = "Free space, or name another folder, and repeat."
_PARTIAL = ".partial"


def local_path(path: str | os.PathLike[str]) -> Path:
    """The path of a file or folder of this machine; ``~`` and ``file://`` URLs are understood.

    Raises:
        StoreError: it is a URL of something else: what is written whole, and locked, needs a file system.
    """
    text = os.fspath(path)
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):+/", text)  # a Path has taken one slash of "s3://"
    if scheme is None:
        return Path(text).expanduser()
    url = urllib.parse.urlsplit(text)
    if scheme[1].lower() != "file" or url.netloc not in ("", "localhost"):
        raise StoreError(
            f"{text} is a URL; expected a folder or file of this machine. Copy it here and name the copy, or mount it; "
            "what is to be written there can be copied when it is finished."
        )
    return Path(urllib.parse.unquote(url.path))


@contextlib.contextmanager
def written(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Write a file whole: what the block writes to the path that it gets appears as ``path`` when the block ends.

    Where the block fails, or the process dies in it, ``path`` stays as it was. The temporary file lies in the folder
    of ``path``, which is created if need be, and ends like it: savers that look at the suffix do as they would.

    Yields:
        The temporary path, which the block has to write.

    Raises:
        StoreError: it cannot be written.
    """
    path = local_path(path)
    temporary = partial(path)
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            with temporary.open("rb+") as file:  # on the disk before it is found under its name
                os.fsync(file.fileno())
            os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_whole(path: str | os.PathLike[str], data: str | bytes) -> None:
    """Write a file whole; text as UTF-8, with line ends as they are.

    Raises:
        StoreError: it cannot be written.
    """
    with written(path) as temporary:
        temporary.write_bytes(data.encode() if isinstance(data, str) else data)


@contextlib.contextmanager
def written_folder(folder: str | os.PathLike[str]) -> Iterator[Path]:
    """Write a folder whole: what the block puts into the empty folder that it gets appears as ``folder`` at its end.

    A ``folder`` that exists is replaced; until the new one is there it is one renaming from being back.

    Yields:
        The temporary folder.

    Raises:
        StoreError: it cannot be written.
    """
    folder = local_path(folder)
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f"{partial(folder).name}-", dir=folder.parent))
    replaced = temporary.with_name(f"{temporary.name}-replaced")
    try:
        with writing(folder):
            yield temporary
            os.chmod(temporary, 0o755)  # others may read it, as they may what a plain mkdir makes
            if folder.exists():
                os.rename(folder, replaced)
            os.rename(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if folder.exists():
            shutil.rmtree(replaced, ignore_errors=True)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the system's refusals to write ``path`` into a ``StoreError`` that says what to do."""
    try:
        yield
    except GeomganError:
        raise
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error}. {FIX}") from error


def partial(path: Path) -> Path:
    """Where ``path`` is written before it is renamed: hidden, and found by no pattern of a name and its suffix."""
    return path.with_name(f".{path.stem}{_PARTIAL}{path.suffix}")


def is_partial(path: Path) -> bool:
    """Whether a file or folder is what a process left that died while writing it."""
    return path.name.startswith(".") and _PARTIAL in path.name
