"""The card of a model, ``model.json``: what it says, and how it is read and written."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypedDict

from geomgan.errors import CheckpointError, NotHereError, reading
from geomgan.models.schema import misfit

FORMAT = 1
CARD = "model.json"
LARGEST = 16 << 20  # bytes of a card
LARGEST_SIZE = 1 << 20  # in a configuration: three times the latent dimensions of the widest published model
SAVED = "program"  # the family that geomgan.save writes
EMBEDDED = Path(__file__).parent / "embedded"  # the models that ship with the package


class SourceFile(TypedDict):
    """A published file that a model was made from."""

    file: str
    sha256: str
    bytes: int


class Sample(TypedDict, total=False):
    """What a reference says of the sample in ``reference.npz``."""

    code: str
    mean: float
    std: float


class Card(TypedDict, total=False):
    """What ``model.json`` says, and the schema that it must keep: unknown entries may be any JSON.

    ``format`` and ``family`` are always there, others where they apply.

    Attributes:
        format: of the folder, ``FORMAT``.
        family: one of ``geomgan.models.families``.
        config: what the family's network is made from: sizes, behaviour.
        output_range: ``[low, high]`` of a generator's samples; null where there is none.
        prior: the law of the codes, in words.
        summary, latent: what the model is and its latent spaces, in words.
        source, licence, code_licence: where it comes from; the licences of its weights and of the original's code.
        note: what a user should know besides.
        files: the published files that it was made from; absent for a model that this project trained.
        ignored: pattern of published tensors that are not used -> why.
        taken: which network of the files it is, where they hold more than it.
        assumed: option of the conversion -> value that was taken because neither the files nor the user said it.
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
    output_range: list[float] | None
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
    taken: str
    assumed: dict[str, Any]
    weights_sha256: str
    forward_gflop: float
    parity: str
    reference: Sample | str


def is_model(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder is a written model: the card comes last."""
    return os.path.isfile(Path(folder) / CARD)  # of any text: a name too long is none


def card_text(card: Mapping[str, Any]) -> str:
    """The text of ``model.json``."""
    return json.dumps({"format": FORMAT, **card}, indent=1) + "\n"


def read_card(folder: str | os.PathLike[str]) -> Card:
    """What ``model.json`` says.

    This is the one place where a card is read: what is of another type than :class:`Card` says never leaves it.

    Raises:
        NotHereError: there is no such folder, or no ``model.json`` in it.
        CheckpointError: it is damaged, of another format, or says what no card says.
    """
    folder = Path(os.path.expanduser(folder))
    path = folder / CARD
    if os.path.isfile(folder):
        raise NotHereError(f"{folder} is a file; expected the folder of a converted model.")
    if not is_model(folder):
        raise NotHereError(without_card(folder))
    fix = again(folder)
    with reading(path, fix, error=CheckpointError, found="is damaged"):
        if (size := path.stat().st_size) > LARGEST:
            raise ValueError(f"it has {size} bytes; expected at most {LARGEST}")
        card: Card = json.loads(path.read_text(encoding="utf-8"))
        if (wrong := misfit(card, Card)) is not None:
            raise ValueError(wrong)
        if card["format"] != FORMAT:
            raise CheckpointError(f"{path} has format {card['format']}; expected {FORMAT}. {fix}")
        if "family" not in card:
            raise ValueError("it has no family")
        sizes = {name: value for name, value in card.get("config", {}).items() if name != "program"}  # which is traced
        if (size := max(_sizes(sizes), default=0)) > LARGEST_SIZE:
            raise ValueError(f"config says a size of {size}; expected at most {LARGEST_SIZE}")
    return card


def _sizes(config: Any) -> Iterator[int]:
    """The magnitudes of all whole numbers of a configuration: some of them no weight contradicts."""
    if isinstance(config, dict | list):
        for value in config.values() if isinstance(config, dict) else config:
            yield from _sizes(value)
    elif isinstance(config, int):
        yield abs(config)


def without_card(folder: Path) -> str:
    """What is said of a folder that is no model."""
    return (
        f"{folder} holds no {CARD}: it is not a converted model. Convert a checkpoint with "
        "`geomgan convert auto CHECKPOINT OUT_DIR`."
    )


def again(folder: Path) -> str:
    """What helps where the model in ``folder`` is damaged, as a sentence."""
    if folder.resolve().parent == EMBEDDED:
        return "It ships with geomgan: reinstall that."
    return "Convert the model again; what `geomgan fetch` brought, delete and fetch again."


def made_by(card: Card) -> str:
    """What made the samples in ``reference.npz``: ``"its conversion"``, ``"its saving"`` or ``"its training"``."""
    return "its conversion" if "files" in card else "its saving" if card["family"] == SAVED else "its training"


def without_reference(card: Card) -> str | None:
    """Why there is no ``reference.npz``; None where there should be one."""
    why = card.get("reference", "none: written before there were any; convert it again")
    return None if isinstance(why, Mapping) else why.removeprefix("none: ")
