"""The card of a model, ``model.json``: what it says, and how it is read and written."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

from geomgan.errors import CheckpointError, NotHereError

FORMAT = 1
CARD = "model.json"


class SourceFile(TypedDict):
    """A published file that a model was made from."""

    file: str
    sha256: str
    bytes: int


class Card(TypedDict, total=False):
    """What ``model.json`` says; ``format`` and ``family`` are always there, others where they apply.

    Attributes:
        format: of the folder, ``FORMAT``.
        family: one of ``geomgan.models.families``.
        config: what the family's network is made from: sizes, behaviour.
        output_range: ``[low, high]`` of a generator's samples.
        prior: the law of the codes, in words.
        summary, latent: what the model is and its latent spaces, in words.
        source, licence, code_licence: where it comes from; the licences of its weights and of the original's code.
        note: what a user should know besides.
        files: the published files that it was made from; absent for a model that this project trained.
        ignored: pattern of published tensors that are not used -> why.
        parameters: how many numbers, by part.
        weights_sha256: of all weights, by :func:`geomgan.models.measured.weights_sha256`.
        forward_gflop: cost of one sample.
        parity: how near its samples are to those of the original.
        reference: ``{"code", "mean", "std"}`` of the sample in ``reference.npz``, or why there is none
            (``"none: ..."``).
    """

    format: int
    family: str
    config: dict[str, Any]
    output_range: list[float]
    prior: str
    summary: str
    latent: str
    source: str
    licence: str
    code_licence: str
    note: str
    files: list[SourceFile]
    ignored: dict[str, str]
    parameters: dict[str, int]
    weights_sha256: str
    forward_gflop: float
    parity: str
    reference: dict[str, Any] | str


def is_model(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder is a written model: the card comes last."""
    return (Path(folder) / CARD).is_file()


def card_text(card: Mapping[str, Any]) -> str:
    """The text of ``model.json``."""
    return json.dumps({"format": FORMAT, **card}, indent=1) + "\n"


def read_card(folder: str | os.PathLike[str]) -> Card:
    """What ``model.json`` says.

    Raises:
        NotHereError: there is no such folder, or no ``model.json`` in it.
        CheckpointError: it is damaged, or of another format.
    """
    folder = Path(folder).expanduser()
    path = folder / CARD
    if not path.is_file():
        raise NotHereError(
            f"{folder} holds no {CARD}: it is not a converted model. Convert a published checkpoint with "
            "`python -m weights_convert FAMILY CHECKPOINT OUT_DIR`."
        )
    try:
        card: Card = json.loads(path.read_text())
        if card["format"] != FORMAT:
            raise CheckpointError(f"{path} has format {card['format']}; expected {FORMAT}. Convert the model again.")
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{path} is damaged ({error}). Convert the model again.") from error
    return card


def made_by(card: Card) -> str:
    """Whose samples ``reference.npz`` holds: those of ``"its conversion"`` or of ``"its training"``."""
    return "its conversion" if "files" in card else "its training"


def without_reference(card: Card) -> str | None:
    """Why there is no ``reference.npz``; None where there should be one."""
    why = card.get("reference", "none: written before there were any; convert it again")
    return None if isinstance(why, Mapping) else why.removeprefix("none: ")
