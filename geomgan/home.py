"""Where files that are fetched or converted once lie, for every project of a user."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """The folder of fetched models: ``GEOMGAN_HOME``, or ``geomgan`` in the user's cache folder."""
    if os.environ.get("GEOMGAN_HOME"):
        return Path(os.environ["GEOMGAN_HOME"]).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "geomgan"
