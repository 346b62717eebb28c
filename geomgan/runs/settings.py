"""Results on disk go on only with the settings that they were begun with: the one check, and its error."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from geomgan.errors import GeomganError, StoreError
from geomgan.runs.kinds import shown

ANOTHER = "name another folder"  # in every message about a folder that cannot be used; commands add their option to it
FIX = f"Repeat the call with the stored settings to resume it, or {ANOTHER}."


def check_settings(
    where: str | os.PathLike[str],
    stored: Mapping[str, Any],
    now: Mapping[str, Any],
    *,
    fix: str = FIX,
    error: type[GeomganError] = StoreError,
) -> None:
    """Raise ``error`` unless two settings are the same; it names each entry that differs.

    Entries are compared as JSON keeps them, so a tuple is a list; an entry that is missing counts as None.

    Args:
        where: the file or folder that holds ``stored``.
        stored: the settings of the run that began it.
        now: the settings of this run.
        fix: the sentence that says what to do.
        error: what to raise.
    """
    differences = list(_differences(stored, json.loads(json.dumps(now)), ""))
    if differences:
        raise error(f"{os.fspath(where)} belongs to another run. {'; '.join(differences)}. {fix}")


def _differences(stored: Mapping[str, Any], now: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for name in sorted({*stored, *now}):
        theirs, ours = stored.get(name), now.get(name)
        if isinstance(theirs, dict) and isinstance(ours, dict):
            yield from _differences(theirs, ours, f"{prefix}{name}.")
        elif theirs != ours:
            yield f"{prefix}{name}: stored {shown(theirs)}, now {shown(ours)}"
