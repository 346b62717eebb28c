"""A long job of many parts that goes on where it was interrupted: each part's result is kept as it is finished.

::

    with open_journal("out", {"model": "digits-dcgan", "codes": 16}) as journal:
        spectra = journal.part("spectra", MeanSpectrum, lambda: mean_spectrum(field))
        law = journal.part("law", RandomDirectionLaw, lambda: random_direction_law(field, key))

Run again, whether after the end or after a ``kill -9`` at any moment, it computes only what is not in
``out/parts/*.npz``. A part is there whole or not at all, so at most the part at hand is lost.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from geomgan.errors import StoreError, reading, warn
from geomgan.runs.files import is_partial, local_path, write_whole, writing
from geomgan.runs.lock import locked
from geomgan.runs.results import read_result, write_result
from geomgan.runs.settings import ANOTHER, FIX, check_settings

T = TypeVar("T")
SETTINGS, PARTS = "journal.json", "parts"
_FORMAT = 1


@dataclass(frozen=True)
class Journal:
    """The finished parts of a job; made by :func:`open_journal`.

    Attributes:
        folder: where they lie.
        computed: names of the parts that were computed since it was opened, in order; the others were read.
    """

    folder: Path
    computed: list[str] = field(default_factory=list)

    def part(self, name: str, kind: type[T], compute: Callable[[], T]) -> T:
        """The result of one part: read if it is finished, else computed and kept.

        A file that is damaged, or that another version wrote, is computed again, with a warning that names it: it
        holds nothing that ``compute`` does not give.

        Args:
            name: of the part; letters, digits, dots, dashes and underscores, as it names the file.
            kind: the type of the result, a frozen dataclass; what it may hold says
                :func:`geomgan.runs.results.write_result`.
            compute: gives the result.

        Returns:
            The result, the same to the bit whether it was read or computed.

        Raises:
            ValueError: ``name`` cannot name a file.
            TypeError: the result holds what cannot be kept.
            StoreError: it cannot be written.
        """
        file = self._file(name)
        if file.exists():
            try:
                return read_result(file, kind)
            except StoreError as error:
                warn(f"{error} This run does so now.")
        result = write_result(file, compute(), kind)
        self.computed.append(name)
        return result

    def finished(self, name: str) -> bool:
        """Whether the result of a part is kept; that its file is sound is seen when it is read."""
        return self._file(name).exists()

    def _file(self, name: str) -> Path:
        if not re.fullmatch(r"\w[\w.-]*", name, re.ASCII):
            raise ValueError(
                f"{name!r} names a part; expected letters, digits, dots, dashes and underscores, as it names its file."
            )
        return self.folder / PARTS / f"{name}.npz"


@contextlib.contextmanager
def open_journal(folder: str | os.PathLike[str], settings: Mapping[str, Any], *, fix: str = FIX) -> Iterator[Journal]:
    """Begin a job of many parts, or go on with it; locked against a second writer for as long as it is open.

    Args:
        folder: created if need be; it may hold other files as well.
        settings: what decides the results, as JSON can keep it; a job begun with others is refused.
        fix: what the refusal says is to be done.

    Yields:
        The journal.

    Raises:
        StoreError: the folder belongs to other settings, is in use, is damaged, or cannot be written.
    """
    folder = local_path(folder).resolve()
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        file = folder / SETTINGS
        if file.exists():
            check_settings(folder, _read_settings(file), settings, fix=fix)
        elif any(not is_partial(file) for file in (folder / PARTS).glob("*.npz")):
            raise StoreError(
                f"{folder / PARTS} holds results, but {SETTINGS} is missing, which says of which settings. Remove "
                f"{PARTS}, or {ANOTHER}."
            )
        else:
            contents = {"geomgan_journal": _FORMAT, "settings": dict(settings)}
            write_whole(file, json.dumps(contents, indent=1) + "\n")
        yield Journal(folder)


@contextlib.contextmanager
def parts_in(
    folder: str | os.PathLike[str] | None, settings: Mapping[str, Any]
) -> Iterator[tuple[Callable[..., Any], Path | None]]:
    """``part(name, kind, compute)`` of a journal, and its folder; without a folder what just computes, and None."""
    if folder is None:
        yield (lambda name, kind, compute: compute()), None  # noqa: ARG005
        return
    with open_journal(folder, settings) as journal:
        yield journal.part, journal.folder


def _read_settings(file: Path) -> dict[str, Any]:
    fix = f"Remove it and {PARTS}, whose settings only it said, or {ANOTHER}."
    with reading(file, fix):
        contents = json.loads(file.read_text(encoding="utf-8"))
        if contents["geomgan_journal"] != _FORMAT:
            raise ValueError(f"its format is {contents['geomgan_journal']}; expected {_FORMAT}")
        return dict(contents["settings"])
