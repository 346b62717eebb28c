"""Whether a model still is what it was: its weights, and its samples beside those of the original or its conversion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from geomgan.errors import GeomganError
from geomgan.home import home
from geomgan.models.build import build
from geomgan.models.card import Card, made_by, without_reference
from geomgan.models.checksum import weights_sha256
from geomgan.models.families import NETWORKS
from geomgan.models.folder import REFERENCE, read_unverified
from geomgan.models.measured import difference_of, original
from geomgan.zoo.catalogue import catalogue

TOLERANCE = 1e-4  # of the largest magnitude


@dataclass(frozen=True)
class Finding:
    """What :func:`check` found about one model.

    Attributes:
        name: of the model.
        against: whose samples it was compared with: ``"the original"``, ``"its conversion"``, ``"its training"``.
        difference: largest difference, relative to the largest magnitude; None where samples were not compared.
        verdict: ``"ok"``, or what is wrong or could not be compared.
        ok: whether nothing is wrong.
    """

    name: str
    against: str
    difference: float | None
    verdict: str
    ok: bool


def check_all() -> Iterator[Finding]:
    """:func:`check` of every model that is here: those of the package, then the folders of the user's cache."""
    folders = [entry.folder for entry in catalogue().values() if entry.embedded]
    if (home() / "models").is_dir():
        folders += sorted(p for p in (home() / "models").iterdir() if p.is_dir() and not p.name.startswith("."))
    return map(check, folders)


def check(folder: Path) -> Finding:
    """Compare a model with its reference; what is damaged is found, not raised."""
    name = folder.resolve().name
    against = "-"
    try:
        card, params = read_unverified(folder)
        against, path = made_by(card), folder / REFERENCE
        if published := original(folder):
            against, path = "the original", published
        if card.get("weights_sha256", digest := weights_sha256(params)) != digest:
            return Finding(name, against, None, "DIFFERS: its weights are not those that were written", False)
        if card["family"] not in NETWORKS:
            return Finding(name, "-", None, "ok: its weights; it has no samples", True)
        network = build(card, params, None, name, {})
        if not path.is_file():
            return _without_reference(name, card)
        difference = difference_of(network, path)
    except GeomganError as error:
        return Finding(name, against, None, f"damaged: {error}", False)
    except Exception as error:  # numpy, JAX and Flax raise many kinds for a damaged reference, or one of other shapes
        return Finding(name, against, None, f"damaged: {type(error).__name__}: {error}", False)
    ok = difference <= TOLERANCE
    return Finding(name, against, difference, "ok" if ok else "DIFFERS", ok)


def _without_reference(name: str, card: Card) -> Finding:
    why = without_reference(card)
    if why is None:
        return Finding(name, "-", None, f"damaged: {REFERENCE} is missing. Convert the model again.", False)
    return Finding(name, "-", None, f"ok: its weights; its samples have no reference ({why})", True)
