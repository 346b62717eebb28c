"""The catalogue, a card and the findings of a check as text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from geomgan.zoo.catalogue import Entry, catalogue
from geomgan.zoo.check import Finding
from weights_convert.options import shown

HEAD = ("name", "family", "latent", "size", "licence", "")
LEGEND = (
    "\nhere: geomgan.load(NAME) opens it. fetch: `geomgan fetch NAME` brings it. convert: `geomgan models NAME` says "
    "from\nwhich published file. The licence is that of the weights; the size is in pixels, or samples of audio. Models"
    "\nof your own are not listed: their folders are their names, as in `geomgan analyze my-model`."
)


def table() -> str:
    """Every model of the catalogue in one line."""
    rows = [HEAD, *map(_row, catalogue().values())]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines, LEGEND])


def _row(entry: Entry) -> tuple[str, ...]:
    state = "here" if entry.is_here else "fetch" if entry.can_be_fetched else "convert"
    licence = re.split("[:(]", entry.licence)[0].strip()
    first, *others = entry.latent.split(", ")
    spaces = ", ".join([first, *(space.split()[0] for space in others)])  # sizes of the others are on the card
    return entry.name, entry.family, spaces, str(entry.resolution), licence, state


def card_lines(card: Mapping[str, Any]) -> Iterator[str]:
    """A card, one line for each thing that a user wants to know."""
    yield from _line("summary", card.get("summary"))
    yield from _line("family", card.get("family"))
    yield from _line("source", card.get("source"))
    for file in card.get("files", []):
        yield from _line("file", f"{file['file']}, {file['bytes']:,} bytes, sha256 {file['sha256']}")
    yield from _line("licence of the weights", card.get("licence"))
    yield from _line("licence of the code", card.get("code_licence"))
    yield from _line("latent spaces", card.get("latent"))
    yield from _line("prior", card.get("prior"))
    yield from _line("output range", card.get("output_range"))
    parameters = (f"{part} {count:,}" for part, count in card.get("parameters", {}).items())
    yield from _line("parameters", ", ".join(parameters))
    if "forward_gflop" in card:
        yield from _line("forward pass", f"{card['forward_gflop']:g} GFLOP")
    reference = card.get("reference")
    if isinstance(reference, Mapping):
        figures = [
            f"{what} {reference[k]:.6g}" for k, what in (("mean", "mean"), ("std", "deviation")) if k in reference
        ]
        reference = ", ".join([*figures, "and numbers of one sample, which `geomgan models --check` compares"])
    yield from _line("reference", reference)
    yield from _line("parity", card.get("parity"))
    yield from _line("taken", card.get("taken", ""))
    yield from _line("assumed", ", ".join(f"{name}={shown(value)}" for name, value in card.get("assumed", {}).items()))
    yield from _line("note", card.get("note"))
    yield from _line("how to get it", card.get("how_to_get"))


def _line(label: str, value: Any) -> Iterator[str]:
    if value not in (None, ""):
        yield f"{label + ':':<24}{value}"


def finding_line(finding: Finding) -> str:
    """One model of ``geomgan models --check``."""
    difference = "-" if finding.difference is None else f"{finding.difference:.1e}"
    return f"{finding.name:<24}  {finding.against:<14}  {difference:>10}  {finding.verdict}"
