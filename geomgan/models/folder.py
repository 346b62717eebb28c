"""A model on disk: a folder with ``model.json`` (what the model is) and ``weights/`` (an Orbax checkpoint).

A third entry, ``reference.npz``, holds a few numbers of the samples that it gave when it was written.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from geomgan.backend import free_on_host
from geomgan.errors import CheckpointError, reading
from geomgan.models.arrays import read_arrays
from geomgan.models.card import CARD, Card, again, card_text, is_model, read_card
from geomgan.models.checksum import check_weights, state_of
from geomgan.models.sizes import check_sizes
from geomgan.runs.files import written_folder

WEIGHTS, REFERENCE = "weights", "reference.npz"
SMALL = 256 << 20  # bytes of weights that are read whatever the system says of its memory


def write_model(
    folder: str | os.PathLike[str],
    card: Mapping[str, Any],
    params: Any,
    reference: Mapping[str, np.ndarray] | None = None,
) -> Path:
    """Write a model; the folder appears complete or not at all.

    Args:
        folder: where; an existing model there is replaced.
        card: what ``model.json`` says, see ``geomgan.models.card``.
        params: nested dictionaries of numpy arrays.
        reference: arrays of ``reference.npz``; see ``geomgan.models.measured``.

    Raises:
        CheckpointError: ``folder`` exists and is not a model.
        StoreError: it cannot be written.
    """
    import orbax.checkpoint as ocp

    folder = Path(folder).expanduser().resolve()
    if folder.exists() and not is_model(folder) and (not folder.is_dir() or any(folder.iterdir())):
        raise CheckpointError(f"{folder} exists and is not a converted model. Name another folder, or remove it.")
    with written_folder(folder) as temporary:
        with ocp.PyTreeCheckpointer() as checkpointer:
            checkpointer.save(temporary / WEIGHTS, _arrays(params))
        (temporary / WEIGHTS / "commit_success.txt").unlink(missing_ok=True)  # it names a folder of this machine
        if reference is not None:
            np.savez(temporary / REFERENCE, **dict(reference))  # type: ignore[arg-type]
        (temporary / CARD).write_text(card_text(card))
    return folder


def read_model(folder: str | os.PathLike[str]) -> tuple[Card, Any]:
    """The card and the weights that were written with it, as nested dictionaries of numpy arrays.

    Weights are compared with the card's sha256, once for each state of their files; cards of before there was one
    are taken as they are.

    Raises:
        NotHereError, CheckpointError: as :func:`read_card`, or the weights are missing, damaged, or others.
    """
    folder = Path(os.path.expanduser(folder))
    with reading(folder / WEIGHTS, again(folder), error=CheckpointError):
        state = state_of(folder / WEIGHTS)
    card, params = read_unverified(folder)
    if "weights_sha256" in card:
        check_weights(params, card["weights_sha256"], state, again(folder))
    return card, params


def read_unverified(folder: Path) -> tuple[Card, Any]:
    """As :func:`read_model`, of weights that nobody has compared with the card's sha256."""
    card = read_card(folder)
    path = folder.resolve() / WEIGHTS
    with reading(path, again(folder), error=CheckpointError, found="is missing or damaged"):
        check_sizes(path, card.get("parameters"), max(free_on_host(), SMALL))
        return card, read_arrays(path)


def _arrays(tree: Any) -> Any:
    return {k: _arrays(v) for k, v in tree.items()} if isinstance(tree, dict) else np.asarray(tree)
